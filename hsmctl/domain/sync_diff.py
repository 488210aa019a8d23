"""Two sides of a comparison, each a replica or a whole cluster: what only one of them has.

A cluster with several replicas stands for all that any of them holds; whether they agree among themselves is another
question, and is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hsmctl.domain.evidence import Failed, Grade, Ok
from hsmctl.domain.key import Identity, Key, MaterialKind
from hsmctl.domain.sync import Cell, Reading, Replica, Report, Row, compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What two sides do not have in common."""

    report: Report
    """The comparison of the two."""
    torn: tuple[str, ...]
    """The sides whose own replicas do not agree."""

    @property
    def only_first(self) -> tuple[Row, ...]:
        """Keys that the second side lacks."""
        return tuple(row for row in self.report.rows if row.cells[1] is Cell.MISSING)

    @property
    def only_second(self) -> tuple[Row, ...]:
        """Keys that the first side lacks."""
        return tuple(row for row in self.report.rows if row.cells[0] is Cell.MISSING)

    @property
    def unlike(self) -> tuple[Row, ...]:
        """Keys that both have, of other material or with other attributes."""
        return tuple(row for row in self.report.differences if Cell.MISSING not in row.cells)


def difference(names: tuple[str, str], sides: tuple[Sequence[Reading], Sequence[Reading]]) -> Difference:
    """What the sides of these names do not have in common."""
    merged = [_merged(name, readings) for name, readings in zip(names, sides, strict=True)]
    torn = tuple(name for name, readings in zip(names, sides, strict=True) if compare(readings).differences)
    return Difference(report=compare(merged), torn=torn)


def grade(row: Row) -> Grade:
    """How a difference is known: bytes that were handed over or put out prove it, a listing reports it."""
    keys = [key for held in row.holdings for key in held]
    shown = any(key.material and key.material.kind is MaterialKind.PUBLIC for key in keys)
    return Grade.PROVED if row.worst is Cell.DIFFERENT and shown else Grade.REPORTED


def _merged(name: str, readings: Sequence[Reading]) -> Reading:
    """One reading for all of a side: each key as the first replica that has it lists it."""
    read = [reading.outcome.value for reading in readings if isinstance(reading.outcome, Ok)]
    realm = readings[0].replica.realm if readings else ""
    side = Replica(name=name, realm=realm)
    if not read:
        return Reading(side, next(one.outcome for one in readings if isinstance(one.outcome, Failed)))
    held: dict[Identity, tuple[Key, ...]] = {}
    for inventory in read:
        fresh: dict[Identity, tuple[Key, ...]] = {}
        for key in inventory.keys:
            fresh[key.identity] = (*fresh.get(key.identity, ()), key)
        held = {**fresh, **held}
    keys = tuple(key for holding in held.values() for key in holding)
    return Reading(side, Ok(replace(read[0], keys=keys)))
