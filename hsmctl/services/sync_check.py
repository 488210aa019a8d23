"""One check of replicas: everybody is read once, and whoever is accused is read again before anything is said.

A straggler keeps nobody waiting: at half the time the others are compared without it, so that there is time to read
again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from hsmctl.domain.evidence import Ok, Outcome
from hsmctl.domain.proof import USED
from hsmctl.domain.sync import Inventory, Reading, Replica, Report, compare
from hsmctl.domain.sync_again import Accusation, accusations, accused, standing, with_proofs, witnesses
from hsmctl.ports import Clock, Login
from hsmctl.services.fanout import FanOut, late

if TYPE_CHECKING:
    from hsmctl.services.proof import Signatures

LISTINGS = 3
"""How often one check reads one replica at most."""


class Reader(Protocol):
    """What reads the replicas; `services.sync` does."""

    @property
    def clock(self) -> Clock:
        """What the time is measured with."""
        ...

    def logins(self, replicas: Sequence[Replica]) -> Mapping[str, Login]:
        """The login of each replica that can be asked, by its name."""
        ...

    def read(self, replica: Replica, logins: Mapping[str, Login], deadline: float, nonce: bytes | None) -> Inventory:
        """What one replica holds, asked now.

        Raises:
            HsmctlError: why it could not be read.
        """
        ...

    def signatures(self, nonce: bytes) -> Signatures:
        """What settles the readings of the run with this nonce."""
        ...


def checked(
    reader: Reader,
    replicas: Sequence[Replica],
    seconds: float,
    nonce: bytes | None,
    heard: Callable[[Reading], object],
) -> Report:
    """The report on these replicas, columns in their order."""
    logins = reader.logins(replicas)
    began = reader.clock.monotonic()
    deadline = began + seconds
    run = _Run(reader, replicas, logins, deadline, nonce)
    fan = FanOut(replicas, lambda replica: run.read(replica, nonce), reader.clock)
    twice: frozenset[Accusation] = frozenset()
    for moment in (began + seconds / 2, deadline):
        for place, outcome in fan.outcomes(moment):
            heard(reading := run.learn(place, outcome))
            if reader.clock.monotonic() < moment:
                run.foresee(reading)
        twice |= run.confirmed(twice)
    return standing(run.report(), twice)


class _Run:
    """What has been found out so far."""

    def __init__(
        self,
        reader: Reader,
        replicas: Sequence[Replica],
        logins: Mapping[str, Login],
        deadline: float,
        nonce: bytes | None,
    ) -> None:
        self._reader = reader
        self._replicas = replicas
        self._logins = logins
        self._deadline = deadline
        self._nonce = nonce
        self._found: dict[int, Reading] = {}
        self._report: Report | None = None
        self._asked: list[Replica] = []
        self._uses = 0

    @cached_property
    def _signatures(self) -> Signatures | None:
        """What settles proofs, made once the replicas have been asked."""
        return self._reader.signatures(self._nonce) if self._nonce else None

    def read(self, replica: Replica, nonce: bytes | None = None) -> Inventory:
        """What one replica holds; each attempt counts, whatever becomes of it."""
        if not replica.absent:
            self._asked.append(replica)
        return self._reader.read(replica, self._logins, self._deadline, nonce)

    def learn(self, place: int, outcome: Outcome[Inventory]) -> Reading:
        """Take what a replica answered at first into account; the reading."""
        if isinstance(outcome, Ok) and self._signatures:
            self._uses += sum(key.proof is not None and key.proof.kind in USED for key in outcome.value.keys)
        return self._take(place, outcome)

    def foresee(self, reading: Reading) -> None:
        """Verify a reading's signatures while others are waited for."""
        if self._signatures:
            self._signatures.foresee(reading)

    def _take(self, place: int, outcome: Outcome[Inventory]) -> Reading:
        self._report = None
        self._found[place] = Reading(self._replicas[place], outcome)
        return self._found[place]

    def report(self) -> Report:
        """The comparison of what there is; who has not answered is unreadable."""
        if self._report is None:
            found = [self._found.get(place, Reading(each, late(each))) for place, each in enumerate(self._replicas)]
            report = compare(self._signatures.settled(found) if self._signatures else found)
            self._report = replace(report, reads=len(self._asked), uses=self._uses)
        return self._report

    def confirmed(self, known: Collection[Accusation]) -> frozenset[Accusation]:
        """The accusations that stand after the accused, and then their witnesses, were read again."""
        report = self.report()
        before = accusations(report)
        if before <= frozenset(known):
            return frozenset()
        suspects = accused(report)
        again = self._read_again(suspects)
        if not self._read_again(witnesses(report) - suspects) >= witnesses(report) - suspects:
            return frozenset()
        after = accusations(self.report())
        return frozenset((name, place) for name, place in before & after if place in again)

    def _read_again(self, places: Collection[int]) -> frozenset[int]:
        """Read these replicas once more; the places of those that answered or failed in time."""
        targets = sorted(places)
        fan = FanOut([self._replicas[place] for place in targets], self.read, self._reader.clock)
        seen = set()
        for number, outcome in fan.outcomes(self._deadline):
            if isinstance(outcome, Ok) or self._reader.clock.monotonic() < self._deadline:
                place = targets[number]
                self._take(place, self._kept(place, outcome))
                seen.add(place)
        return frozenset(seen)

    def _kept(self, place: int, outcome: Outcome[Inventory]) -> Outcome[Inventory]:
        """The new reading with the proofs of the one before."""
        before = self._found[place].outcome
        if isinstance(outcome, Ok) and isinstance(before, Ok):
            return Ok(with_proofs(outcome.value, before.value))
        return outcome
