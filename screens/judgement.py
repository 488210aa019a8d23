"""What a comparison of replicas amounts to: what agrees, what does not and where, in a sentence for each kind.

Work for a thread: it grows with keys × replicas. It is loaded when the first replica has answered.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from hsmctl.domain.evidence import Failed, Ok
from hsmctl.domain.key import Identity, Key
from hsmctl.domain.sync import Cell, Report, Row
from hsmctl.errors import HsmctlError
from hsmctl.mark import CELLS, Mark
from hsmctl.words import counted

from .glyph import rank
from .problem import Problem
from .words import listed

_WORDS = {
    Cell.MISSING: ("lacks", "lack"),
    Cell.DIFFERENT: ("holds other material for", "differ on"),
    Cell.ATTRIBUTES: ("has other attributes for", "have other attributes for"),
    Cell.CHANGING: ("was seen only once without the usual", "were seen only once without the usual"),
    Cell.HEALING: ("does not have the young", "do not have the young"),
}
"""What one replica, or several, do that the others do not."""
_SHORT = {
    Cell.MISSING: "lacks",
    Cell.DIFFERENT: "other material in",
    Cell.ATTRIBUTES: "other attributes on",
    Cell.CHANGING: "seen once without",
    Cell.HEALING: "not there yet:",
}
"""The same beside the name of one replica."""
_ERRNO = re.compile(r"\[Errno -?\d+\] ")
"""What the operating system's errors begin with; their words say the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The rows that agree and are known equally well."""

    worst: Cell
    count: int
    cells: tuple[Cell, ...]
    """By replica, the weakest cell of these rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A report with what the screens show of it, worked out once and away from the event loop."""

    report: Report
    words: str
    different: tuple[Row, ...]
    """The rows that do not agree or have not settled, worst first."""
    wrong: int
    """How many of those are wrong; the others have not settled."""
    agreements: tuple[Agreement, ...]
    """The rows that do, the least known first."""
    worst: Mapping[str, Cell]
    """By replica's name, its worst cell."""
    problems: tuple[Problem, ...]
    """What the differences amount to."""
    reasons: Mapping[str, str]
    """By replica's name, what is the matter there in few words; only of those where something is."""
    listed: Mapping[Identity, tuple[Key, ...]]
    """What the first readable replica lists under each identity, which tells what rows that agree hold."""


def judge(report: Report) -> Judgement:
    """What the report amounts to; work for a thread, it grows with keys × replicas."""
    different = (*report.differences, *report.unsettled)
    kinds = Counter(row.cells for row in report.rows)
    names = [reading.replica.name for reading in report.readings]
    return Judgement(
        report=report,
        words=report.words,
        different=different,
        wrong=len(report.differences),
        agreements=tuple(_agreements(report.rows[len(different) :])),
        worst=dict(zip(names, _weakest(kinds), strict=True)) if kinds else {},
        problems=tuple(_findings(report, different)),
        reasons=dict(_reasons(report, different)),
        listed=_listed(report),
    )


def _agreements(rows: Sequence[Row]) -> Iterator[Agreement]:
    """Rows that agree, a group for each worst cell; the rows come in that order."""
    for worst, group in groupby(rows, key=lambda row: row.worst):
        kinds = Counter(row.cells for row in group)
        yield Agreement(worst=worst, count=kinds.total(), cells=_weakest(kinds))


def _weakest(kinds: Iterable[tuple[Cell, ...]]) -> tuple[Cell, ...]:
    """By replica, the weakest cell of rows of these kinds."""
    return tuple(min(column, key=lambda cell: rank(CELLS[cell])) for column in zip(*kinds, strict=True))


def _listed(report: Report) -> Mapping[Identity, tuple[Key, ...]]:
    first = next((reading.outcome.value for reading in report.readings if isinstance(reading.outcome, Ok)), None)
    listed: dict[Identity, tuple[Key, ...]] = {}
    for key in first.keys if first else ():
        listed[key.identity] = (*listed.get(key.identity, ()), key)
    return listed


def _findings(report: Report, different: Sequence[Row]) -> Iterator[Problem]:
    """The differences and the unreadable replicas, a sentence for each kind."""
    names = [reading.replica.name for reading in report.readings]
    by_cell: dict[Cell, list[Row]] = {}
    for row in different:
        by_cell.setdefault(row.worst, []).append(row)
    yield from (_difference(cell, rows, names) for cell, rows in by_cell.items())
    yield from _unreadable(report)


def _difference(cell: Cell, rows: list[Row], names: list[str]) -> Problem:
    """`hsm-b lacks key db-kek`: the HSM first, because that is what one goes and looks at."""
    replicas = sorted({names[place] for row in rows for place, seen in enumerate(row.cells) if seen is cell})
    one, many = _WORDS[cell]
    keys = listed([str(row.identity) for row in rows], 2)
    does, noun = one if len(replicas) == 1 else many, "key" if len(rows) == 1 else "keys"
    text = f"{listed(replicas, 2)} {does} {noun} {keys}"
    return Problem(mark=CELLS[cell], brief=f"{len(rows):,} {cell}", text=text, noun="sync")


def _unreadable(report: Report) -> Iterator[Problem]:
    """The replicas that could not be read, a sentence for each cause."""
    failed: dict[str, list[tuple[str, HsmctlError]]] = {}
    for reading in report.unreadable:
        if not reading.replica.absent and isinstance(reading.outcome, Failed):
            error = reading.outcome.error
            failed.setdefault(_why(error), []).append((reading.replica.name, error))
    for why, members in failed.items():
        are = "is" if len(members) == 1 else "are"
        text = f"{listed([name for name, _ in members], 2)} {are} unreadable: {why}"
        brief = f"{len(members)} unreadable"
        yield Problem(mark=Mark.UNREADABLE, brief=brief, noun="sync", text=text, error=members[0][1])


def _why(error: HsmctlError) -> str:
    return _ERRNO.sub("", error.why or error.what)


def _reasons(report: Report, different: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """By replica what is the matter there."""
    for place, reading in enumerate(report.readings):
        name = reading.replica.name
        if isinstance(reading.outcome, Failed):
            yield name, reading.replica.absent or _why(reading.outcome.error)
            continue
        keys: dict[Cell, list[str]] = {}
        for row in different:
            if row.cells[place] in _SHORT:
                keys.setdefault(row.cells[place], []).append(str(row.identity))
        if keys:
            yield name, " · ".join(f"{_SHORT[cell]} {_few(names)}" for cell, names in keys.items())


def _few(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else counted(len(names), "key")
