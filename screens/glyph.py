"""The signs of the screens, one meaning each: glyph, ASCII fallback, word and role in one place.

A role is the name of a component class; only `hsmctl.tcss` knows what colour it has in which theme, and no sign relies
on colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, StrEnum

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.content import Content
from textual.filter import LineFilter

from hsmctl.domain.sync import Cell, Verdict


class Role(StrEnum):
    """What a piece of text is for; the value is its component class."""

    PLAIN = "role--plain"
    STRONG = "role--strong"
    MUTED = "role--muted"
    ACCENT = "role--accent"
    GOOD = "role--good"
    WARN = "role--warn"
    BAD = "role--bad"
    LOUD = "role--loud"


ROLES = frozenset(map(str, Role))
"""The component classes of every widget that shows spans."""

Span = tuple[str, Role]
"""A piece of text and what it is for."""
Spans = tuple[Span, ...]


class Mark(Enum):
    """A sign, worst first: lists sort by this order."""

    BAD = ("✖", "x", "bad", "missing or broken", Role.BAD)
    DIFFERENT = ("≠", "#", "different", "same name, other key material", Role.BAD)
    UNREADABLE = ("▒", "@", "unreadable", "could not be asked: nothing is known about it", Role.LOUD)
    ATTRIBUTES = ("~", "~", "attributes", "same key, other attributes", Role.WARN)
    ATTENTION = ("!", "!", "attention", "needs attention", Role.WARN)
    PARTIAL = ("◐", "%", "partial", "degraded, partial or healing", Role.WARN)
    PENDING = ("◌", "o", "in progress", "not known yet, or still changing", Role.ACCENT)
    UNPROVEN = ("?", "?", "unproven", "present, with nothing to compare", Role.MUTED)
    INFERRED = ("◔", "=", "inferred", "concluded from counts or streams", Role.GOOD)
    REPORTED = ("◍", "+", "reported", "agrees by what the HSM or the service says", Role.GOOD)
    PROVED = ("●", "*", "proved", "computed on that very replica", Role.GOOD)

    def __init__(self, glyph: str, plain: str, word: str, meaning: str, role: Role) -> None:
        self.glyph = glyph
        self.plain = plain
        self.word = word
        self.meaning = meaning
        self.role = role

    @property
    def rank(self) -> int:
        """Its place among the signs, the worst being 0."""
        return _RANK[self]

    @property
    def span(self) -> Span:
        """The sign in its role."""
        return self.glyph, self.role


_RANK = {mark: rank for rank, mark in enumerate(Mark)}

CELLS = {
    Cell.MISSING: Mark.BAD,
    Cell.DIFFERENT: Mark.DIFFERENT,
    Cell.ATTRIBUTES: Mark.ATTRIBUTES,
    Cell.UNREADABLE: Mark.UNREADABLE,
    Cell.UNPROVEN: Mark.UNPROVEN,
    Cell.REPORTED: Mark.REPORTED,
    Cell.PROVED: Mark.PROVED,
}
"""The sign of one key on one replica."""

VERDICTS = {
    Verdict.NOT_IN_SYNC: Mark.BAD,
    Verdict.ATTRIBUTES_DIFFER: Mark.ATTRIBUTES,
    Verdict.INCOMPLETE: Mark.UNREADABLE,
    Verdict.UNKNOWN: Mark.UNREADABLE,
    Verdict.NO_DIFFERENCE_SEEN: Mark.REPORTED,
    Verdict.IN_SYNC: Mark.PROVED,
}
"""The sign of a check's verdict."""


def content(lines: Iterable[Iterable[Span]]) -> Content:
    """Lines of spans as something a widget shows; no text in it is read as markup."""
    return Content("\n").join(Content.assemble(*((text, f".{role}") for text, role in line if text)) for line in lines)


_OTHER = {"▸": ">", "…": ".", "─": "-", "━": "-", "│": "|", "·": "-", "–": "-", "←": "<", "→": ">", "↑": "^", "↓": "v"}
_ASCII = str.maketrans({mark.glyph: mark.plain for mark in Mark} | _OTHER)


class Ascii(LineFilter):
    """Turns every line into ASCII of the same width, for terminals that have nothing else."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - Textual's signature
        """The segments with fallbacks for our signs and `?` for anything else that is not ASCII."""
        return [Segment(_in_ascii(text), style, control) for text, style, control in segments]


def _in_ascii(text: str) -> str:
    if text.isascii():
        return text
    return "".join(char if char.isascii() else "?" * cell_len(char) for char in text.translate(_ASCII))
