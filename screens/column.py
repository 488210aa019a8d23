"""Columns of a table: what they are called, what they show of an item, and spans made to fit a width."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from textwrap import wrap
from typing import Any, Generic, NamedTuple, TypeVar

from rich.cells import cell_len, set_cell_size

from hsmctl.words import printable, shortened

from .glyph import Role, Span, Spans

Item = TypeVar("Item")

_ID = r" *[a-z]+-[0-9a-z]{8,17}"
"""An id of AWS, which is told by its end."""
_TELLING = 8
"""Cells in which an id's beginning and end still say something."""
_LONGEST = 24
"""Characters of a word that is rather left out than cut; ids are shorter."""


class Column(NamedTuple, Generic[Item]):
    """One column: its head, how wide it is, and what it shows of an item."""

    heads: tuple[str, ...]
    """The lines of its head, which stand at the bottom of the table's; filters know it by the first."""
    text: Callable[[Item], str]
    """What filters look into, and what is shown unless it is drawn otherwise."""
    width: int
    """Cells; the least width where `grows`."""
    role: Role = Role.PLAIN
    draw: Callable[[Item], Spans] | None = None
    """Shows an item in more than one role."""
    grows: bool = False
    """Whether it becomes as wide as what it shows where the others leave room; `layout` shares that."""
    right: bool = False
    """Whether its text ends at the right edge, as numbers do."""
    room: int = 0
    """The table's width from which on it is shown."""
    order: Callable[[Item], Any] | None = None
    """What to sort by where the text does not say it, as with ages."""
    sorts: bool = True
    """Whether one can sort by it."""
    told: Callable[[Item], Mapping[str, str]] | None = None
    """What a saved view says of an item where that is more than the text: names and values."""

    @property
    def name(self) -> str:
        """What filters, sorting and saved views call it."""
        return self.heads[0] if self.heads else ""

    def spans(self, item: Item) -> Spans:
        """What it shows of an item."""
        return self.draw(item) if self.draw else ((self.text(item), self.role),)

    def head(self, line: int, height: int) -> str:
        """Its head in one line of a head `height` lines high."""
        place = line - height + len(self.heads)
        return self.heads[place] if place >= 0 else ""


def fitted(spans: Spans, width: int, *, right: bool = False) -> Iterator[Span]:
    """The spans cut or padded to exactly `width` cells; a cut ends with an ellipsis, and nothing moves a cursor."""
    spans = tuple((printable(text), role) for text, role in spans)
    spare = width - sum(cell_len(text) for text, _ in spans)
    if spare < 0:
        yield from _cut(spans, width - 1)
        return
    if right:
        yield " " * spare, Role.PLAIN
    yield from spans
    if not right:
        yield " " * spare, Role.PLAIN


def broken(spans: Spans, width: int) -> Iterator[Spans]:
    """The spans on as many lines as the width asks for; what the last one says goes on below its beginning."""
    *lead, (says, role) = spans or (("", Role.PLAIN),)
    text = says.lstrip()
    margin = sum(cell_len(before) for before, _ in lead) + len(says) - len(text)
    first, *more = wrap(text, max(_LONGEST, width - margin), break_on_hyphens=False) or [""]
    yield *lead, (says[: len(says) - len(text)] + first, role)
    yield from (((" " * margin, Role.PLAIN), (line, role)) for line in more)


def joined(spans: Iterable[Span]) -> Iterator[Span]:
    """The spans, blanks joined to what they follow: a terminal line of few pieces is drawn faster."""
    whole, its = "", Role.PLAIN
    for text, role in spans:
        if role is its or (its is not Role.LOUD and text.isspace()):
            whole += text
        else:
            if whole:
                yield whole, its
            whole, its = text, role
    if whole:
        yield whole, its


def _cut(spans: Spans, room: int) -> Iterator[Span]:
    """The spans up to `room` cells, and an ellipsis; between two words where that loses no more than a word."""
    for text, role in spans:
        if cell_len(text) > room:
            if re.fullmatch(_ID, text) and room > _TELLING:
                yield shortened(text, room + 1), role
                return
            kept = _between_words(text, set_cell_size(text, room))
            yield kept + "…" + " " * (room - cell_len(kept)), role
            return
        yield text, role
        room -= cell_len(text)


def _between_words(text: str, kept: str) -> str:
    """What is kept of a text, without the beginning of a word that no longer fits: half an id names another thing."""
    if text[len(kept) : len(kept) + 1] in ("", " "):
        return kept
    head, blank, tail = kept.rpartition(" ")
    return head + blank if blank and head.strip() and len(tail) <= _LONGEST else kept
