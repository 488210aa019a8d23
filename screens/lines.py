"""A table that draws only the lines on the screen: as fast with 16,666 rows as with ten.

It shows a sequence of values through columns and keeps the cursor on the same value when the sequence changes; which
of them and in what order, `rows` says. It does not know what the values are, and never reads text as markup.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import chain, repeat
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from .brush import Brush
from .column import Column, broken, fitted
from .glyph import Role, Span, Spans, needed
from .layout import Layout, laid_out
from .offload import call
from .rows import Order, Rows, next_order

Item = TypeVar("Item")

_SPACE: Span = (" ", Role.PLAIN)
_MARKED: Span = ("•", Role.ACCENT)


class Lines(ScrollView, Generic[Item], can_focus=True):
    """The table."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "one row up", show=False),
        Binding("down,j", "move(1)", "one row down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "one page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "one page down", show=False),
        Binding("home,g", "move(-1_000_000)", "first row", show=False),
        Binding("end,G", "move(1_000_000)", "last row", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"lines--cursor", "lines--head"}

    class Moved(Message):
        """The cursor is on another item, or on the same one with news."""

        def __init__(self, lines: Lines[Any]) -> None:
            super().__init__()
            self.lines = lines

        @property
        def control(self) -> Lines[Any]:
            """The table, for `@on` selectors."""
            return self.lines

        def can_replace(self, message: Message) -> bool:
            """Whether it makes an earlier one of the same table needless."""
            return type(message) is type(self) and message.lines is self.lines

    class Opened(Moved):
        """An item was double-clicked."""

    cursor: reactive[int] = reactive(0, repaint=False)

    def __init__(
        self,
        columns: Sequence[Column[Item]],
        identity: Callable[[Item], Hashable],
        *,
        id: str,
        empty: Sequence[Spans] = (),
    ) -> None:
        """`identity` is what makes two items the same across refreshes; `empty` is shown where there are none."""
        super().__init__(id=id)
        self.rows: Rows[Item] = Rows(tuple(columns))
        self.marked: frozenset[Hashable] = frozenset()
        """The identities of the items that the operator has picked for something."""
        self.hidden: frozenset[str] = frozenset()
        """The names of columns that the operator does not want to see."""
        self.arranged: Callable[[Lines[Item]], None] = lambda _: None
        """Called when it was sorted otherwise, or shows other columns."""
        self._identity = identity
        self._empty = tuple(empty)
        self._layout: Layout[Item] = Layout()
        self._head_height = _height(columns)
        self._moved = False
        self._brush = Brush(self)
        self._strips: LRUCache[tuple[int, bool], Strip] = LRUCache(512)
        """Drawn lines by row and whether the cursor is there; those of the head count from -1 downwards."""

    @property
    def current(self) -> Item | None:
        """The item under the cursor."""
        return self._shown[self.cursor] if self.cursor < len(self._shown) else None

    @property
    def picked(self) -> tuple[Item, ...]:
        """The marked items that are still there, also those a filter hides."""
        return tuple(item for item in self.rows.items if self._identity(item) in self.marked) if self.marked else ()

    def mark(self, items: Iterable[Item]) -> None:
        """Mark these items; where all of them are, no longer."""
        identities = frozenset(map(self._identity, items))
        self.marked = self.marked - identities if identities <= self.marked else self.marked | identities
        self.renew()

    @property
    def counts(self) -> tuple[int, int]:
        """How many items the filter keeps, and how many there are."""
        return len(self._shown), len(self.rows.items)

    def show(self, items: Sequence[Item], columns: Sequence[Column[Item]] | None = None) -> None:
        """Show these items, the cursor on the one it was on; `columns` replaces how they are shown."""
        current = self.current
        self.rows.hold(items, self.rows.columns if columns is None else tuple(columns))
        self._arrange()
        self._place_cursor(current)

    async def prepare(self) -> None:
        """Make ready, away from the event loop, the order of the items and what filters look into."""
        rows = self.rows
        items, columns, order = rows.items, rows.columns, rows.order
        ordered, texts = await call(rows.work())
        if items is rows.items and columns is rows.columns and order == rows.order:
            rows.take(ordered, texts)

    async def sort(self, order: Order | None) -> None:
        """Sort by a column, or show the items as they are given."""
        current, self.rows.order = self.current, order
        await self.prepare()
        self.rows.sift()
        self._place_cursor(current)
        self.arranged(self)

    def select(self, identity: Hashable) -> bool:
        """Put the cursor on the item with this identity; whether there is one."""
        place = self._place(identity, -1)
        if place >= 0:
            self._moved = True
            self.cursor = place
        return place >= 0

    def hide(self, hidden: Iterable[str]) -> None:
        """Show all columns but these."""
        self.hidden = frozenset(hidden)
        self._arrange()
        self.refresh()
        self.arranged(self)

    def renew(self) -> None:
        """Draw every line anew: what the columns show of the items has changed, an age for instance."""
        self._arrange()
        self.refresh()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The filters that roles need."""
        return needed(super().get_line_filters())

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        super().notify_style_update()
        self._brush.forget()
        self._strips.clear()

    def teach(self, empty: Sequence[Spans]) -> None:
        """Say this where there is no item to show."""
        self._empty = tuple(empty)
        self._arrange()
        self._measure()
        self.refresh()

    def sift(self, query: str) -> None:
        """Show only the items the filter keeps."""
        from hsmctl.domain.filter import Filter

        current = self.current
        self.rows.filter = Filter.parse(query, self.rows.names)
        self.rows.sift()
        self._place_cursor(current)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines as they are kept.

        Textual lays each out again within border and padding, at every key and every scroll; this has neither.
        """
        filters, (_, background), width = self.get_line_filters(), self.background_colors, self.region.width
        scrolled, plain = self.scroll_offset.y, self._brush.style(Role.PLAIN)
        strips = [self._at(y, scrolled).adjust_cell_length(width, plain) for y in crop.line_range]
        for each in filters:
            strips = [strip.apply_filter(each, background) for strip in strips]
        return strips if crop.column_span == (0, width) else [strip.crop(*crop.column_span) for strip in strips]

    def render_line(self, y: int) -> Strip:
        """The head, an item, or the words for no items."""
        return self._at(y, self.scroll_offset.y)

    def _at(self, y: int, scrolled: int) -> Strip:
        """The line there, `scrolled` rows being above the first."""
        if y < self._head_height:
            return self._head(y)
        row = y - self._head_height + scrolled
        if row < len(self._shown):
            return self._line(row, at_cursor=row == self.cursor)
        if not self._shown and row < len(self._words):
            return self._strip([self._words[row]])
        return self._brush.blank(self.size.width)

    def action_move(self, by: int) -> None:
        """Move the cursor by rows; from then on it stays with its item."""
        self._moved = True
        self.cursor = max(0, min(len(self._shown) - 1, self.cursor + by))

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.action_move(by * max(1, self.size.height - self._head_height - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        """Redraw the two lines that changed and follow the cursor."""
        for row in (old, new):
            self.refresh_lines(row + self._head_height)
        self._follow()
        self.post_message(self.Moved(self))

    def on_mount(self) -> None:
        """Be as high as what it says from the first frame on."""
        self._arrange()
        self._measure()

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self._arrange()
        self._measure()
        self._follow()

    async def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked item, which a second click opens, or sort by the clicked head."""
        row = event.y - self._head_height + self.scroll_offset.y
        if event.y < self._head_height:
            await self._sort_at(event.x)
        elif row < len(self._shown):
            self._moved = True
            self.cursor = row
            if event.chain == 2:
                self.post_message(self.Opened(self))

    @property
    def _shown(self) -> Sequence[Item]:
        return self.rows.shown

    @property
    def _words(self) -> Sequence[Spans]:
        if self.rows.filter and self.rows.items:
            return ((("no row matches the filter; esc drops it", Role.MUTED),),)
        return [line for each in self._empty for line in broken(each, self.size.width - 2)]

    async def _sort_at(self, x: int) -> None:
        """Sort by the column there; again turns the order round, and a third time drops it."""
        column = self._layout.at(x)
        if column is not None and column.name in self.rows.sortable:
            await self.sort(next_order(self.rows.order, column.name))

    def _place_cursor(self, current: Item | None) -> None:
        """The cursor stays with its item once it was moved, and until then on the first, which is the worst."""
        self._measure()
        place = self.cursor
        if current is not None and self._moved:
            place = self._place(self._identity(current), place)
        self.set_reactive(Lines.cursor, max(0, min(place, len(self._shown) - 1)))
        self._follow()
        self.renew()
        self.call_later(self._announce)

    def _announce(self) -> None:
        """Tell who holds the table; a message made while that is busy with one of its own would not reach it."""
        self.post_message(self.Moved(self))

    def _place(self, identity: Hashable, otherwise: int) -> int:
        """The row of the item with this identity."""
        places = (row for row, item in enumerate(self._shown) if self._identity(item) == identity)
        return next(places, otherwise)

    def _measure(self) -> None:
        below = len(self._shown) or len(self._words)
        self.virtual_size = Size(self.size.width, self._head_height + below)

    def _follow(self) -> None:
        """Scroll as little as needed to see the cursor."""
        room = max(1, self.size.height - self._head_height)
        top = max(self.cursor - room + 1, min(self.scroll_offset.y, self.cursor))
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False)

    def _arrange(self) -> None:
        """Decide which columns are shown and how wide."""
        columns = [column for column in self.rows.columns if self._wanted(column)]
        self._strips.clear()
        self._head_height = _height(self.rows.columns) if self.rows.items or not self._empty else 0
        self._layout = laid_out(columns, self.rows.items, self._room)

    @property
    def _room(self) -> int:
        """Cells of a line beside the scrollbar, which stands there where not all rows fit."""
        overflows = self._head_height + len(self._shown) > self.size.height
        return self.size.width - (self.scrollbar_size_vertical if overflows else 0)

    def _wanted(self, column: Column[Item]) -> bool:
        """Whether there is room for the column and the operator has not hidden it."""
        return self.size.width >= column.room and column.name not in self.hidden

    def _head(self, y: int) -> Strip:
        strip, height = self._strips.get((~y, False)), self._head_height
        if strip is None:
            heads = (
                fitted(((self._title(column, y, height), Role.MUTED),), width, right=column.right)
                for column, width in self._layout.columns
            )
            strip = self._strips[~y, False] = self._strip(heads, "lines--head")
        return strip

    def _title(self, column: Column[Item], y: int, height: int) -> str:
        """A line of a column's head, with an arrow in its last where the table is sorted by it."""
        order = self.rows.order
        sorted_here = order is not None and column.sorts and order.column == column.name and y == height - 1
        arrow = ("↓" if order.descending else "↑") if order and sorted_here else ""
        return f"{column.head(y, height)}{arrow}"

    def _line(self, row: int, *, at_cursor: bool) -> Strip:
        strip = self._strips.get((row, at_cursor))
        if strip is None:
            item = self._shown[row]
            cells = (fitted(column.spans(item), width, right=column.right) for column, width in self._layout.columns)
            picked = bool(self.marked) and self._identity(item) in self.marked
            strip = self._strip(cells, "lines--cursor" if at_cursor else "", _MARKED if picked else _SPACE)
            self._strips[row, at_cursor] = strip
        return strip

    def _strip(self, cells: Iterable[Iterable[Span]], over: str = "", first: Span = _SPACE) -> Strip:
        """The cells, `first` and then blanks before each, as a line as wide as the table.

        `over` is the component laid over it.
        """
        leads = chain((first,), repeat((" " * self._layout.gap, Role.PLAIN)))
        spans = (span for lead, cell in zip(leads, cells, strict=False) for span in (lead, *cell))
        return self._brush.strip(spans, self.size.width, over)


def _height(columns: Sequence[Column[Any]]) -> int:
    """The lines of the head."""
    return max((len(column.heads) for column in columns), default=0)
