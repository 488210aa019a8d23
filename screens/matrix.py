"""The matrix of keys and replicas: its rows, its columns and what a cell looks like; one character a cell if need be.

Replicas are numbered in the order of the check and stand grouped by zone. Rows that agree fold into one, which still
shows what could not be read.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from itertools import groupby

from hsmctl.domain.sync import Cell, Replica, Row
from hsmctl.mark import CELLS, Mark
from hsmctl.words import counted, shortened

from .check import Check
from .column import Column
from .glyph import Role, Spans, role, sign, troubled
from .judgement import Agreement
from .words import zone_names

_FIXED = 20 + 12 + 6 + 4
"""Cells that the columns beside the replicas need at least."""
_PITCHES = (13, 9, 3)
"""How wide a replica's column is if there is room; else 1."""
_NAMED = 9
"""From this width on a column is headed by the replica's name."""


Line = Row | Agreement
"""A key, or the keys that agree as one."""

_AGREE = {
    Cell.UNPROVEN: "there, unproven",
    Cell.REPORTED: "agree, reported",
    Cell.PROVED: "agree, proved",
    Cell.UNREADABLE: "not readable",
}
"""What is said of keys that agree, by how they are known."""
_ABSENT = (Cell.MISSING, Cell.UNREADABLE, None)
"""What is not a copy; None has not answered yet."""


def lines(check: Check, *, unfolded: bool) -> Sequence[Line]:
    """The report's rows, worst first, those that agree folded unless told."""
    judgement = check.judgement
    if judgement is None:
        return ()
    return judgement.report.rows if unfolded else (*judgement.different, *judgement.agreements)


def identity(line: Line) -> Hashable:
    """What makes two lines the same across checks."""
    return line.identity if isinstance(line, Row) else line.worst


def columns(check: Check, width: int) -> tuple[Column[Line], ...]:
    """The columns for a table of this width."""
    groups = _groups(check.replicas)
    pitch = _pitch(len(check.replicas), len(groups), width)
    names = zone_names(replica.group for replica in check.replicas)
    places = _places(check)
    return (
        Column(heads=("KEY",), text=_name, draw=_key, width=20, grows=True),
        Column(heads=("TYPE",), text=_type, role=Role.MUTED, width=12),
        Column(heads=("STATE",), text=_state, role=Role.MUTED, width=11, room=110),
        Column(heads=("COPIES",), text=lambda line: _copies(line, places), width=6, right=True),
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
    room = (width - _FIXED - groups - 12 * (width >= 110)) // max(1, replicas)
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
    return Column(
        heads=(title, *below),
        text=lambda _: "",
        draw=lambda line: _drawn(_cells(line, mine), pitch),
        width=width,
        sorts=False,
        told=lambda line: {
            replica.name: str(cell or "asked") for (_, replica), cell in zip(members, _cells(line, mine), strict=True)
        },
    )


def _cells(line: Line, places: tuple[int | None, ...]) -> tuple[Cell | None, ...]:
    cells = line.cells
    return tuple(None if place is None else cells[place] for place in places)


@lru_cache(maxsize=4096)
def _drawn(cells: tuple[Cell | None, ...], pitch: int) -> Spans:
    """The signs; where they touch, equal neighbours are one span."""
    marks = [Mark.PENDING if cell is None else CELLS[cell] for cell in cells]
    if pitch == 1:
        return tuple((mark.glyph * len(list(run)), role(mark)) for mark, run in groupby(marks))
    return tuple(span for mark in marks for span in (sign(mark), (" " * (pitch - 1), Role.PLAIN)))


def _name(line: Line) -> str:
    return str(line.identity) if isinstance(line, Row) else f"{counted(line.count, 'key')} {_AGREE[line.worst]}"


def _key(line: Line) -> Spans:
    mark = CELLS[line.worst]
    return sign(mark), (f" {_name(line)}", Role.STRONG if troubled(mark) else Role.PLAIN)


def _type(line: Line) -> str:
    return line.algorithm if isinstance(line, Row) else ""


def _state(line: Line) -> str:
    return str(line.worst)


def _copies(line: Line, places: tuple[int | None, ...]) -> str:
    """How many replicas hold it, of all."""
    return f"{_held(_cells(line, places))}/{len(places)}"


@lru_cache(maxsize=4096)
def _held(cells: tuple[Cell | None, ...]) -> int:
    """How many copies there are; what was not read is none."""
    return sum(cell not in _ABSENT for cell in cells)
