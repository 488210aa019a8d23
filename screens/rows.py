"""Which items a table shows and in what order: as they are given, or by a column; all, or those a filter keeps.

Values only; what is slow with many items (`prepared`, `sorted_by`) needs nothing of a widget and may run on a thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from .column import Column

if TYPE_CHECKING:
    from hsmctl.domain.filter import Filter

Item = TypeVar("Item")

_NUMBER = r"(\d[\d,]*)"


class Order(NamedTuple):
    """By which column, and which way."""

    column: str
    descending: bool = False

    @classmethod
    def parse(cls, text: str) -> Order | None:
        """`keys` or `-keys`; None of nothing, which is the order things are given in."""
        name = text.strip().removeprefix("-").upper()
        return cls(name, text.strip().startswith("-")) if name else None

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.column.lower()}"


def next_order(order: Order | None, name: str) -> Order | None:
    """What asking again for a column does: upwards, downwards, as given."""
    if order is None or order.column != name:
        return Order(name)
    return None if order.descending else Order(name, descending=True)


class Rows(Generic[Item]):
    """The items of a table and those of them it shows."""

    def __init__(self, columns: Sequence[Column[Item]]) -> None:
        self.columns = columns
        self.order: Order | None = None
        self.filter: Filter | None = None
        self.items: Sequence[Item] = ()
        """As they were given."""
        self.shown: Sequence[Item] = ()
        self._ordered: Sequence[Item] = ()
        self._texts: list[str] | None = None
        """What filters see of each ordered item."""

    @property
    def names(self) -> list[str]:
        """What the columns are called."""
        return [column.name for column in self.columns]

    @property
    def sortable(self) -> list[str]:
        """The columns one can sort by."""
        return [column.name for column in self.columns if column.name and column.sorts]

    def hold(self, items: Sequence[Item], columns: Sequence[Column[Item]]) -> None:
        """Show other items, or the same through other columns."""
        if items is not self.items or self.columns is not columns:
            self.items, self.columns = items, columns
            self.take(sorted_by(items, columns, self.order), None)
        self.sift()

    def take(self, ordered: Sequence[Item], texts: list[str] | None) -> None:
        """The items as somebody has sorted them, and what filters see of each."""
        self._ordered, self._texts = ordered, texts

    def sift(self) -> None:
        """Apply the filter."""
        wanted = self.filter
        if not wanted:
            self.shown = self._ordered
            return
        if self._texts is None:
            self._texts = prepared(self._ordered, self.columns)
        kept = zip(self._ordered, self._texts, strict=True)
        self.shown = [item for item, text in kept if wanted.keeps(text)]

    def work(self) -> Callable[[], tuple[Sequence[Item], list[str]]]:
        """What a thread does to sort the items and make ready what filters look into."""
        items, columns, order = self.items, self.columns, self.order

        def run() -> tuple[Sequence[Item], list[str]]:
            ordered = sorted_by(items, columns, order)
            return ordered, prepared(ordered, columns)

        return run


def sorted_by(items: Sequence[Item], columns: Sequence[Column[Item]], order: Order | None) -> Sequence[Item]:
    """The items in this order; as they are given where there is none, or no such column."""
    column = next((column for column in columns if order and column.sorts and column.name == order.column), None)
    if column is None or order is None:
        return items
    key = column.order
    if key is None:
        text = column.text
        return sorted(items, key=lambda item: natural(text(item)), reverse=order.descending)
    return sorted(items, key=key, reverse=order.descending)


def prepared(items: Sequence[Item], columns: Sequence[Column[Item]]) -> list[str]:
    """What filters see of each item."""
    from hsmctl.domain.filter import searchable

    return [searchable(column.text(item) for column in columns) for item in items]


@lru_cache(maxsize=65_536)
def natural(text: str) -> tuple[Any, ...]:
    """A key that sorts numbers within texts as numbers: `key 9` before `key 10`, `5,310` after `900`."""
    parts = re.split(_NUMBER, text.lower())
    return tuple(int(part.replace(",", "")) if place % 2 else part for place, part in enumerate(parts))
