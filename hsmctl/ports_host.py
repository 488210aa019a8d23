"""Machines that use the HSMs, as the domain sees them: commands, connections and knocks made from there.

Every method raises only errors of `hsmctl.errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hsmctl.domain.probe import Closed, ProbeResult, ProbeTarget


class ByteStream(Protocol):
    """An open TCP connection, for one thread. `deadline` is a point on the monotonic clock."""

    def send(self, data: bytes, deadline: float) -> None:
        """Send all of it; where that fails, `receive` says so."""
        ...

    def receive(self, deadline: float) -> bytes | None:
        """What has arrived, at least a byte; empty where the connection has ended, None at the deadline."""
        ...

    def close(self) -> None:
        """End it. Harmless when repeated."""
        ...


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command came back with."""

    status: int
    """As a shell counts it; -1 if the host did not say."""
    stdout: bytes
    stderr: bytes


class ClientHost(Protocol):
    """A machine that uses the HSMs, connected and logged in to; its methods may be called by many threads at once.

    Each of them raises Unreachable when the host itself can no longer be spoken to, or not before the deadline.
    """

    @property
    def name(self) -> str:
        """What it is called here."""
        ...

    @property
    def round_trip(self) -> float:
        """Seconds to the host and back; nothing where the host is this machine."""
        ...

    def run(self, command: Sequence[str], stdin: bytes, deadline: float) -> Finished:
        """What a command came back with.

        The words are seen by everybody on that host, so they are constant: secrets and all that varies go to `stdin`.
        """
        ...

    def open_stream(self, address: str, port: int, deadline: float) -> ByteStream | Closed:
        """A TCP connection made by the host, as any of its programs would make it, or why there is none."""
        ...

    def close(self) -> None:
        """End the connection to the host and everything that goes through it. Harmless when repeated."""
        ...


class ClientHosts(Protocol):
    """The client hosts of a context, and this machine, which is called `local`."""

    def connect(self, name: str, deadline: float) -> ClientHost:
        """The host, ready.

        Raises:
            Conflict: no client has this name.
            Unreachable: it did not answer.
            Denied: its host key is unknown, changed or revoked, or it refused the login.
            UsageError: the SSH configuration makes no sense, or it is a Windows host.
        """
        ...


class Prober(Protocol):
    """Knocks at HSMs from a client host."""

    def probe(self, host: ClientHost, target: ProbeTarget, deadline: float) -> ProbeResult:
        """What is met at one port, TLS included.

        Raises:
            Unreachable: the host went away, or the deadline left too little time to tell.
        """
        ...

    def probe_by_command(
        self, host: ClientHost, targets: Sequence[ProbeTarget], deadline: float
    ) -> tuple[ProbeResult, ...]:
        """What a shell on the host meets at each port, TCP only: for hosts whose sshd does not forward.

        Raises:
            Unreachable: the host went away, has no such shell, or the deadline left too little time to tell.
        """
        ...
