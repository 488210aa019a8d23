"""Asking every client host whether it reaches every HSM, by trying.

Results stream as they come. A client that cannot be spoken to fails for all its HSMs with one error, found out once;
neither it nor a silent HSM holds up the others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing

from hsmctl.domain.evidence import Failed, Ok, Outcome
from hsmctl.domain.probe import Method, ProbePair, ProbeResult, ProbeTarget
from hsmctl.errors import HsmctlError
from hsmctl.ports import Clock
from hsmctl.ports_host import ClientHost, ClientHosts, Prober
from hsmctl.services.fanout import each

CONNECT_SECONDS = 30.0
"""What connecting to one client may take, jump hosts and logins included."""


class ProbeService:
    """Active probes; they change nothing."""

    def __init__(self, *, clock: Clock, hosts: ClientHosts, prober: Prober) -> None:
        self._clock = clock
        self._hosts = hosts
        self._prober = prober

    def probe(
        self,
        clients: Sequence[str],
        targets: Sequence[ProbeTarget],
        *,
        deadline: float,
        method: Method = Method.CHANNEL,
    ) -> Iterator[tuple[ProbePair, Outcome[ProbeResult]]]:
        """Each client with each target once, as they come; `deadline` is a point on the clock's monotonic scale."""
        if not targets:
            return
        with ExitStack() as stack:
            doors = {
                client: stack.enter_context(closing(_Door(self._hosts, client, self._clock, deadline)))
                for client in clients
            }
            ask = self._through_channels if method is Method.CHANNEL else self._by_commands
            yield from ask(doors, targets, deadline)

    def _through_channels(
        self, doors: Mapping[str, _Door], targets: Sequence[ProbeTarget], deadline: float
    ) -> Iterator[tuple[ProbePair, Outcome[ProbeResult]]]:
        """One question for each pair."""

        def work(pair: ProbePair) -> ProbeResult:
            return self._prober.probe(doors[pair.client].host(), pair.target, deadline)

        return each(_pairs(tuple(doors), targets), work, clock=self._clock, deadline=deadline)

    def _by_commands(
        self, doors: Mapping[str, _Door], targets: Sequence[ProbeTarget], deadline: float
    ) -> Iterator[tuple[ProbePair, Outcome[ProbeResult]]]:
        """One question for each client, because sshd limits the sessions of a connection."""

        def work(client: str) -> tuple[ProbeResult, ...]:
            return self._prober.probe_by_command(doors[client].host(), targets, deadline)

        for client, outcome in each(tuple(doors), work, clock=self._clock, deadline=deadline):
            for place, target in enumerate(targets):
                yield ProbePair(client, target), outcome if isinstance(outcome, Failed) else Ok(outcome.value[place])


class _Door:
    """One client's connection, made by whoever needs it first."""

    def __init__(self, hosts: ClientHosts, client: str, clock: Clock, deadline: float) -> None:
        self._hosts = hosts
        self._client = client
        self._clock = clock
        self._deadline = deadline
        self._lock = threading.Lock()
        self._outcome: Outcome[ClientHost] | None = None
        self._closed = False

    def host(self) -> ClientHost:
        """The connected client; its failure is not tried again."""
        with self._lock:
            if self._outcome is None:
                limit = min(self._deadline, self._clock.monotonic() + CONNECT_SECONDS)
                try:
                    self._outcome = Ok(self._hosts.connect(self._client, limit))
                except HsmctlError as error:
                    self._outcome = Failed(error)
        if isinstance(self._outcome, Failed):
            raise self._outcome.error
        if self._closed:  # nobody waited for this connection
            self._outcome.value.close()
        return self._outcome.value

    def close(self) -> None:
        """End the connection, also one that is still being made."""
        self._closed = True
        if isinstance(self._outcome, Ok):
            self._outcome.value.close()


def _pairs(clients: Sequence[str], targets: Sequence[ProbeTarget]) -> tuple[ProbePair, ...]:
    """Every pair, so ordered that at no time many clients knock at one HSM or many questions wait for one client."""
    return tuple(
        ProbePair(client, targets[(place + turn) % len(targets)])
        for turn in range(len(targets))
        for place, client in enumerate(clients)
    )
