"""A line of the timeline: an event, or many of one kind as one; how it stands in the table, and what is told of it."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass

from hsmctl.domain.timeline import Happening, Weight
from hsmctl.domain.timeline_fold import Fold, folded, where
from hsmctl.mark import Mark
from hsmctl.words import counted, instant, shortened

from .column import Column
from .detail import facts
from .facts import Fact
from .glyph import Role, Spans, sign

_SIGNS = {Weight.ALARM: Mark.ATTENTION, Weight.CHANGE: Mark.REPORTED, Weight.SESSION: Mark.UNPROVEN}
_NAME = 12
"""Cells of the id of what an event is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event, or many that stand folded or unfolded, or one of those."""

    fold: Fold[Happening]
    unfolded: bool = False
    within: bool = False
    """Whether it belongs to the line above it."""

    @property
    def last(self) -> Happening:
        """The event, or the newest one."""
        return self.fold.members[-1]

    @property
    def several(self) -> bool:
        """Whether it stands for many."""
        return len(self.fold.members) > 1

    @property
    def identity(self) -> Hashable:
        """What makes two lines the same across readings."""
        event = self.fold.first
        return self.several, event.at, event.source, event.what, event.on, event.reference

    @property
    def what(self) -> str:
        """What happened, as the command line says it."""
        if self.several:
            return f"{len(self.fold.members)} × {self.fold.kind}"
        return f"{self.last.says}: FAILED, {self.last.failed}" if self.last.failed else self.last.says


def lines(events: Sequence[Happening], opened: Collection[Hashable]) -> Iterator[Line]:
    """The events, which are given oldest first, with the newest on top; of what is opened each event, too."""
    for fold in sorted(folded(events), key=lambda fold: fold.members[-1].at)[::-1]:
        line = Line(fold=fold)
        if line.several and line.identity in opened:
            yield Line(fold=fold, unfolded=True)
            yield from (Line(fold=Fold((each,)), within=True) for each in reversed(fold.members))
        else:
            yield line


def told(line: Line, width: int) -> list[Spans]:
    """Everything about an event; of many when, where and what they were."""
    if not line.several:
        return facts(_facts(line.last), width)
    first, last = line.fold.first, line.last
    says = list(dict.fromkeys(event.says for event in reversed(line.fold.members)))
    known = [
        ("time", f"{instant(first.at)} to {instant(last.at)}"),
        ("source", f"{last.source}, {last.grade}"),
        ("on", " ".join(last.on)),
        ("events", f"{counted(len(line.fold.members), 'event')}: {'; '.join(says)}"),
    ]
    return facts(known, width)


def _facts(event: Happening) -> Iterator[Fact]:
    yield "time", instant(event.at)
    yield "source", f"{event.source}, {event.grade}"
    yield "who", event.who
    yield "from", event.address
    yield "operation", event.what
    yield "on", " ".join(event.on)
    yield "failed", event.failed
    yield "reference", event.reference


def _when(line: Line) -> str:
    return f"{line.last.at:%m-%d %H:%M:%S}"


def _time(line: Line) -> Spans:
    mark = Mark.BAD if line.last.failed else _SIGNS[line.last.weight]
    return sign(mark), (f" {_when(line)}", Role.MUTED if line.within else Role.PLAIN)


def _searched(line: Line) -> str:
    """What filters look into: of what is folded, everything."""
    return "; ".join([line.what, *dict.fromkeys(event.says for event in line.fold.members if line.several)])


def _what(line: Line) -> Spans:
    role = Role.BAD if line.last.failed else Role.STRONG if line.last.weight is Weight.ALARM else Role.PLAIN
    fold = ("▾ " if line.unfolded else "▸ " if line.several else "  " if line.within else "", Role.ACCENT)
    return fold, (line.what, role)


COLUMNS: tuple[Column[Line], ...] = (
    Column(heads=("TIME",), text=_when, draw=_time, order=lambda line: line.last.at, width=16),
    Column(heads=("SOURCE",), text=lambda line: line.last.source, role=Role.MUTED, width=10),
    Column(heads=("WHO",), text=lambda line: line.last.who.rpartition("/")[2] or "–", width=12),
    Column(
        heads=("WHERE",),
        text=lambda line: " ".join(line.last.on),
        draw=lambda line: ((shortened(where(line.last.on), _NAME), Role.MUTED),),
        width=_NAME,
        room=100,
    ),
    Column(heads=("WHAT",), text=_searched, draw=_what, width=20, grows=True),
)
