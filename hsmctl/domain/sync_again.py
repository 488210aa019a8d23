"""Not accusing too soon: what is to be read again, what stands after that, and what is only too young to be everywhere.

Replicas are read at different moments, so a key that came or went in between looks missing where it was not yet or no
longer. An accusation stands where the accused replica, read again, says the same, and a witness read after that still
holds the key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from hsmctl.domain.key import Identity
from hsmctl.domain.sync import ACCUSED, Cell, Inventory, Report, Row, judged

GRACE = timedelta(minutes=15)
"""How long a key that was seen to appear may be missing somewhere; AWS names no interval (architecture, section 6)."""

Accusation = tuple[Identity, int]
"""A key, and the place of the replica where something is wrong with it."""


def accusations(report: Report) -> frozenset[Accusation]:
    """Everything that the report calls wrong."""
    return frozenset(
        (row.identity, place) for row in report.differences for place, cell in enumerate(row.cells) if cell in ACCUSED
    )


def accused(report: Report) -> frozenset[int]:
    """The places of the replicas that are to be read again first."""
    return frozenset(place for _, place in accusations(report))


def witnesses(report: Report) -> frozenset[int]:
    """The places of replicas that are to be read after the accused: of each key in question, the first in order."""
    found = (_first_in_order(row) for row in report.differences)
    return frozenset(place for place in found if place is not None)


def with_proofs(second: Inventory, first: Inventory) -> Inventory:
    """The second listing with the answers that its keys gave in the first: no key is used twice."""
    answers = {(key.identity, key.material): key.proof for key in first.keys if key.proof}
    keys = (replace(key, proof=answers.get((key.identity, key.material))) for key in second.keys)
    return replace(second, keys=tuple(keys)) if answers else second


def standing(report: Report, twice: Collection[Accusation]) -> Report:
    """The report with what was not seen twice as changing."""

    def settle(row: Row, place: int, cell: Cell) -> Cell:
        return Cell.CHANGING if cell in ACCUSED and (row.identity, place) not in twice else cell

    return _recast(report, settle)


def graced(report: Report, appeared: Mapping[Identity, datetime], now: datetime, grace: timedelta) -> Report:
    """The report with keys that are missing, and whose appearance was observed within the grace, as healing.

    A key that nobody saw appear is old.
    """

    def heal(row: Row, _: int, cell: Cell) -> Cell:
        born = appeared.get(row.identity)
        young = born is not None and now - born < grace
        return Cell.HEALING if cell is Cell.MISSING and young else cell

    return _recast(report, heal)


def _first_in_order(row: Row) -> int | None:
    """The first replica that holds the key as it usually is."""
    good = (place for place, cell in enumerate(row.cells) if cell not in ACCUSED and row.holdings[place])
    return next(good, None)


def _recast(report: Report, recast: Callable[[Row, int, Cell], Cell]) -> Report:
    """The report with the cells of its differences judged anew."""
    differences = report.differences
    rows = [
        replace(row, cells=tuple(recast(row, place, cell) for place, cell in enumerate(row.cells)))
        for row in differences
    ]
    again = judged(report.readings, [*rows, *report.rows[len(differences) :]]) if rows else report
    return replace(again, reads=report.reads, uses=report.uses)
