"""The matrix of keys and replicas: its rows, its columns and what a cell looks like; one character a cell if need be.

Replicas are numbered in the order of the check and stand grouped by zone. Rows that agree fold into one, which still
shows what could not be read.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from hsmctl.domain.sync import Replica, Row

from .estate import Check
from .glyph import CELLS, Mark, Role, Spans
from .lines import Column
from .words import counted, shortened, zone_names

_FIXED = 24 + 10 + 6 + 4
"""Cells that the columns beside the replicas need at least."""
_PITCHES = (13, 9, 3)
"""How wide a replica's column is if there is room; else 1."""
_NAMED = 9
"""From this width on a column is headed by the replica's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """The rows that agree, as one."""

    count: int
    proved: int
    marks: tuple[Mark, ...]
    """By replica, the weakest sign of these rows."""


Line = Row | Fold


def lines(check: Check, *, unfolded: bool) -> Sequence[Line]:
    """The report's rows, worst first, those that agree folded unless told."""
    judgement = check.judgement
    if judgement is None:
        return ()
    different, report = judgement.different, judgement.report
    if unfolded or len(different) == len(report.rows):
        return report.rows
    marks = tuple(CELLS[cell] for cell in judgement.agreeing)
    return (*different, Fold(count=len(report.rows) - len(different), proved=report.proved, marks=marks))


def identity(line: Line) -> Hashable:
    """What makes two lines the same across checks."""
    return line.identity if isinstance(line, Row) else None


def columns(check: Check, width: int) -> tuple[Column[Line], ...]:
    """The columns for a table of this width."""
    groups = _groups(check.replicas)
    pitch = _pitch(len(check.replicas), len(groups), width)
    names = zone_names(replica.group for replica in check.replicas)
    places = _places(check)
    return (
        Column(heads=("KEY",), cell=_key, width=24, grows=True),
        Column(heads=("TYPE",), cell=_type, width=10),
        Column(heads=("STATE",), cell=_state, width=18, room=110),
        Column(heads=("COPIES",), cell=lambda line: _copies(line, places), width=6, right=True, sought=False),
        *(_replica_column(members, places, names[members[0][1].group], pitch) for members in groups),
    )


def _groups(replicas: Sequence[Replica]) -> list[list[tuple[int, Replica]]]:
    """Numbered replicas, a list for each zone."""
    numbered = enumerate(replicas)
    return [list(members) for _, members in groupby(numbered, key=lambda numbered: numbered[1].group)]


def _places(check: Check) -> tuple[int | None, ...]:
    """By replica, its place in the report's rows, or None while it has not answered."""
    names = [reading.replica.name for reading in check.report.readings] if check.report else []
    return tuple(names.index(replica.name) if replica.name in names else None for replica in check.replicas)


def _pitch(replicas: int, groups: int, width: int) -> int:
    room = (width - _FIXED - groups - 18 * (width >= 110)) // max(1, replicas)
    return next((pitch for pitch in _PITCHES if pitch <= room), 1)


def _replica_column(
    members: Sequence[tuple[int, Replica]], places: Sequence[int | None], zone: str, pitch: int
) -> Column[Line]:
    """The column of one zone's replicas."""
    mine = tuple(places[number] for number, _ in members)
    numbers = [f"{number + 1:02}" for number, _ in members]
    if pitch >= _NAMED:
        below = tuple(
            "".join(text.ljust(pitch) for text in texts)
            for texts in (numbers, [shortened(replica.name, pitch - 1) for _, replica in members])
        )
    elif pitch > 1:
        below = ("".join(number.ljust(pitch) for number in numbers),)
    else:
        below = ("".join(number[0] for number in numbers), "".join(number[1] for number in numbers))
    width = pitch * len(members)
    title = f"az {zone}" if len(zone) + 3 <= width and len(zone) <= 2 else zone
    return Column(heads=(title, *below), cell=lambda line: _drawn(_marks(line, mine), pitch), width=width, sought=False)


def _marks(line: Line, places: tuple[int | None, ...]) -> tuple[Mark, ...]:
    marks = line.marks if isinstance(line, Fold) else tuple(CELLS[cell] for cell in line.cells)
    return tuple(Mark.PENDING if place is None else marks[place] for place in places)


@lru_cache(maxsize=4096)
def _drawn(marks: tuple[Mark, ...], pitch: int) -> Spans:
    """The signs, equal neighbours in one span."""
    if pitch == 1:
        return tuple((mark.glyph * len(list(run)), mark.role) for mark, run in groupby(marks))
    return tuple(span for mark in marks for span in (mark.span, (" " * (pitch - 1), Role.PLAIN)))


def _mark(line: Line) -> Mark:
    return min(line.marks, key=lambda mark: mark.rank) if isinstance(line, Fold) else CELLS[line.worst]


def _key(line: Line) -> Spans:
    if isinstance(line, Fold):
        return _agreement(line).span, (f" {counted(line.count, 'key')} agree", Role.PLAIN)
    return CELLS[line.worst].span, (f" {line.identity}", Role.STRONG if not line.agrees else Role.PLAIN)


def _agreement(fold: Fold) -> Mark:
    """The sign of rows that agree: only all proofs make a proof."""
    return Mark.PROVED if fold.count == fold.proved else Mark.REPORTED


def _type(line: Line) -> Spans:
    return ((line.algorithm if isinstance(line, Row) else "", Role.MUTED),)


def _state(line: Line) -> Spans:
    return ((_agreement(line).word if isinstance(line, Fold) else str(line.worst), Role.MUTED),)


def _copies(line: Line, places: Sequence[int | None]) -> Spans:
    """How many replicas hold it, of all; what was not read is not a copy."""
    absent = (Mark.BAD, Mark.UNREADABLE, Mark.PENDING)
    held = sum(mark not in absent for mark in _marks(line, tuple(places)))
    return ((f"{held}/{len(places)}", Role.PLAIN if held == len(places) else Role.WARN),)
