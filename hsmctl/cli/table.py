"""Text tables: columns as wide as their cells look, numbers to the right, ids shortened only where they must be.

Knows nothing of what the rows are, of colours, or of where the text goes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hsmctl.words import shortened

T = TypeVar("T")
_SHORTEST = 13
"""Characters an id keeps at least: `cluste…4d5e6f`."""
_GAP = "  "
USUAL_WIDTH = 100
"""Columns of running text where there is no terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[T]):
    """One column: what it is called and what it says about a row."""

    title: str
    cell: Callable[[T], str]
    right: bool = False
    """Numbers stand to the right."""
    wide: bool = False
    """Shown only by `-o wide`."""
    shrinks: bool = False
    """Holds ids or labels, which may be shortened in the middle where the terminal is narrow."""


def table(columns: Sequence[Column[T]], rows: Sequence[T], *, wide: bool, width: int | None) -> list[str]:
    """The rows as lines, a heading first; `width` is the terminal's, None where there is none.

    A column in which nothing stands is left out.
    """
    drawn = [(column, [column.cell(row) for row in rows]) for column in columns if wide or not column.wide]
    shown = [(column, texts) for column, texts in drawn if any(texts)]
    widths = [max(map(display_width, (column.title, *texts))) for column, texts in shown]
    heads = [column for column, _ in shown]
    if width is not None and not wide:
        _shrink(heads, widths, width)
    lines = zip(*((column.title, *texts) for column, texts in shown), strict=True)
    return [_line(heads, widths, texts) for texts in lines]


def details(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Names and values, one pair a line; pairs without a value are left out."""
    told = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in told), default=0)
    return [f"{name:<{width}}{_GAP}{value}" for name, value in told]


def display_width(text: str) -> int:
    """How many columns of a terminal the text takes: wide East Asian characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def wrapped(first: str, words: Iterable[str], width: int | None, indent: int) -> Iterator[str]:
    """The words in lines; a command is left whole, to be copied, so it never comes here."""
    columns, line, empty = width or USUAL_WIDTH, first.ljust(indent) if first else "", True
    for word in words:
        if not empty and display_width(line) + 1 + display_width(word) > columns:
            yield line
            line, empty = " " * indent, True
        line = f"{line}{word}" if empty else f"{line} {word}"
        empty = False
    yield line


def _shrink(columns: Sequence[Column[T]], widths: list[int], width: int) -> None:
    """Make columns of ids and labels narrower, the widest first, until the line fits or nothing more can give."""
    while sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        able = [place for place, column in enumerate(columns) if column.shrinks and widths[place] > _SHORTEST]
        if not able:
            return
        widths[max(able, key=lambda place: widths[place])] -= 1


def _fitted(text: str, width: int) -> str:
    """The text in so many columns of a terminal; wide characters take two of them."""
    said, length = text, width
    while display_width(said) > width:
        said, length = shortened(text, length), length - 1
    return said


def _line(columns: Sequence[Column[T]], widths: Sequence[int], texts: Sequence[str]) -> str:
    padded = []
    for column, width, text in zip(columns, widths, texts, strict=True):
        said = _fitted(text, width) if column.shrinks else text
        space = " " * (width - display_width(said))
        padded.append(space + said if column.right else said + space)
    return _GAP.join(padded).rstrip()
