"""Reading every replica of a cluster's keys at once, and the report on what they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hsmctl.domain.sync import Inventory, Reading, Replica, Report, compare
from hsmctl.ports import Clock, Login, Tokens
from hsmctl.services.fanout import each


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncService:
    """Checks whether replicas hold the same keys."""

    clock: Clock
    tokens: Tokens
    login: Callable[[Replica], Login]
    """The crypto user to read a replica with."""

    def readings(self, replicas: Sequence[Replica], *, seconds: float) -> Iterator[Reading]:
        """What each replica answered, as the answers come; none later than `seconds` from now."""
        deadline = self.clock.monotonic() + seconds
        # Logins are made before the fan-out: a prompt or a keyring is asked once, from this thread.
        logins = {replica.name: self.login(replica) for replica in replicas}

        def read(replica: Replica) -> Inventory:
            with self.tokens.open(replica, logins[replica.name], deadline) as token:
                return token.inventory()

        for replica, outcome in each(replicas, read, clock=self.clock, deadline=deadline):
            yield Reading(replica, outcome)

    def check(self, replicas: Sequence[Replica], *, seconds: float) -> Report:
        """The report on these replicas, columns in the order given."""
        order = {replica.name: place for place, replica in enumerate(replicas)}
        readings = sorted(self.readings(replicas, seconds=seconds), key=lambda reading: order[reading.replica.name])
        return compare(readings)
