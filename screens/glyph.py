"""How signs and text look on a screen: their roles, their ASCII fallback, and spans that no widget reads as markup.

Which signs there are `hsmctl.mark` says. A role is the name of a component class; only `hsmctl.tcss` knows what colour
it has in which theme.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.content import Content
from textual.filter import ANSIToTruecolor, DimFilter, LineFilter

from hsmctl.mark import Mark, Tone
from hsmctl.words import printable


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
"""The component classes of every screen; its widgets find them there."""

Span = tuple[str, Role]
"""A piece of text and what it is for."""
Spans = tuple[Span, ...]


_ROLES = {
    Tone.GOOD: Role.GOOD,
    Tone.WARN: Role.WARN,
    Tone.BAD: Role.BAD,
    Tone.LOUD: Role.LOUD,
    Tone.BUSY: Role.ACCENT,
    Tone.MUTED: Role.MUTED,
}
_RANKS = {mark: rank for rank, mark in enumerate(Mark)}


def role(mark: Mark) -> Role:
    """The role of a sign and of what it says."""
    return _ROLES[mark.tone]


def sign(mark: Mark) -> Span:
    """The sign in its role."""
    return mark.glyph, role(mark)


def rank(mark: Mark) -> int:
    """Its place among the signs, the worst being 0."""
    return _RANKS[mark]


def troubled(mark: Mark) -> bool:
    """Whether it says that something is wrong with keys, or may be."""
    return rank(mark) <= rank(Mark.ATTRIBUTES)


def content(lines: Iterable[Iterable[Span]]) -> Content:
    """Lines of spans as something a widget shows; no text in it is read as markup or moves a cursor."""
    return Content("\n").join(
        Content.assemble(*((printable(text), f".{role}") for text, role in line if text)) for line in lines
    )


def needed(filters: Sequence[LineFilter]) -> Sequence[LineFilter]:
    """Those of an app's filters that lines of roles need: no role is dim, or has a terminal's colour in our themes.

    Each filter makes every line once more, at every key.
    """
    return [each for each in filters if not isinstance(each, ANSIToTruecolor | DimFilter)]


_OTHER = {
    "▸": ">",
    "▾": "v",
    "•": "*",
    "‹": "<",
    "›": ">",
    "…": ".",
    "─": "-",
    "━": "-",
    "│": "|",
    "┬": "+",
    "├": "+",
    "└": "+",
    "·": "-",
    "–": "-",
    "←": "<",
    "→": ">",
    "↑": "^",
    "↓": "v",
}
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
