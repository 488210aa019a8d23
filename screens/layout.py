"""How wide the columns of a table are: what grows is as wide as what it shows, and shares the room with its like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from rich.cells import cell_len

from hsmctl.words import printable

from .column import Column

Item = TypeVar("Item")

_SAMPLE = 100
"""Items whose texts are measured; of more, every so many."""
_WIDE, _TIGHT = 2, 1
"""Blanks between two columns: where there is room, and where there is not."""


class Layout(NamedTuple, Generic[Item]):
    """The columns that are shown, each with its width, and the blanks between them."""

    columns: tuple[tuple[Column[Item], int], ...] = ()
    gap: int = _TIGHT

    def at(self, x: int) -> Column[Item] | None:
        """The column at a place of the line."""
        end = 1
        for column, width in self.columns:
            end += width + self.gap
            if x < end:
                return column
        return None


def laid_out(columns: Sequence[Column[Item]], items: Sequence[Item], width: int) -> Layout[Item]:
    """The columns in a line of this width, whose first cell is kept for marks."""
    room = width - 1
    least = [column.width for column in columns]
    sample = items[:: max(1, len(items) // _SAMPLE)]
    wanted = [_needed(column, sample) if column.grows else column.width for column in columns]
    gap = _WIDE if sum(wanted) + _WIDE * (len(columns) - 1) <= room else _TIGHT
    widths = grown(least, wanted, room - gap * (len(columns) - 1))
    return Layout(tuple(zip(columns, widths, strict=True)), gap)


def grown(least: Sequence[int], wanted: Sequence[int], room: int) -> list[int]:
    """The widths after sharing the room: nobody gets more than it wants, and who wants little gets it first."""
    widths = list(least)
    spare = max(0, room - sum(least))
    hungry = sorted(range(len(least)), key=lambda place: wanted[place] - least[place])
    for rest, place in zip(range(len(hungry), 0, -1), hungry, strict=True):
        more = min(max(0, wanted[place] - least[place]), spare // rest)
        widths[place] += more
        spare -= more
    return widths


def _needed(column: Column[Any], sample: Sequence[Any]) -> int:
    """The width of the longest cell."""
    cells = (sum(cell_len(printable(text)) for text, _ in column.spans(item)) for item in sample)
    return max(column.width, *(cell_len(head) for head in column.heads), max(cells, default=0))
