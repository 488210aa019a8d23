"""The part of a place that tells more about what the cursor is on, and tiles for many HSMs in little room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat, zip_longest
from textwrap import wrap
from typing import NamedTuple, Self

from textual.content import Content
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from hsmctl.mark import Mark
from hsmctl.words import counted, shortened

from .brush import Brush
from .column import fitted
from .glyph import Role, Span, Spans, content, needed, rank, role, sign
from .words import zone_names

_PLENTY = 100
"""Lines there are for what may be as high as it likes."""
_TWO = 76
"""The width from which on facts stand side by side."""


class Detail(Widget):
    """Lines made for the room there is; it follows the cursor at no cost.

    Only one whose height follows its lines asks for another layout, and only when their number has changed.
    """

    def __init__(self, *, id: str, blank: bool = False) -> None:
        """`blank` says that it has nothing to tell yet."""
        super().__init__(id=id, classes="-blank" if blank else "")
        self._lines: Callable[[Size], Iterable[Spans]] = lambda _: ()
        self._given = 0
        """Lines it was laid out for."""
        self._shown: tuple[Size, Sequence[Spans]] | None = None
        """What stands there, and the size it was made for; None where it is to be made anew."""
        self._brush = Brush(self)

    def draw(self, lines: Callable[[Size], Iterable[Spans]]) -> None:
        """Show what `lines` makes for the widget's size, now and after every resize."""
        self._lines = lines
        height, shown = self.styles.height, self._shown
        if height is not None and height.is_auto and self._needed(self.size.width) != self._given:
            self.refresh(layout=True)
        elif shown is None or shown[0] != self.size:
            self.refresh()
        else:
            made = tuple(lines(self.size))
            self._shown = self.size, made
            self._rule(made)
            self._redraw(shown[1], made)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Draw it anew: of what may have changed the lines are made again."""
        if not regions:
            self._shown = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The filters that roles need."""
        return needed(super().get_line_filters())

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's
        """As many lines as there are."""
        self._given = self._needed(width)
        return self._given

    def _needed(self, width: int) -> int:
        """How many lines there are in this width."""
        return len(list(self._lines(Size(width, _PLENTY))))

    def render(self) -> Content:
        """The lines."""
        return content(self._made(self.size))

    def _made(self, size: Size) -> Sequence[Spans]:
        """The lines as they stand there."""
        if self._shown is None or self._shown[0] != size:
            self._shown = size, tuple(self._lines(size))
            self._rule(self._shown[1])
        return self._shown[1]

    def _rule(self, made: Sequence[Spans]) -> None:
        """Have no rule before nothing; the class is set once this drawing is over."""
        if self.has_class("-blank") is bool(made):
            self.call_later(self.set_class, not made, "-blank")

    def render_line(self, y: int) -> Strip:
        """One line: Textual would make all of them anew for it, and does where a part of the text is selected."""
        if self.text_selection is not None:
            return super().render_line(y)
        size = self.size
        lines, width = self._made(size), size.width
        if y >= len(lines):
            return self._brush.blank(width)
        return self._brush.strip(fitted(lines[y], width), width).apply_offsets(0, y)

    def notify_style_update(self) -> None:
        """Forget the colours there were."""
        super().notify_style_update()
        self._brush.forget()

    def _redraw(self, old: Sequence[Spans], new: Sequence[Spans]) -> None:
        """Draw the lines anew that are not what they were."""
        changed = [y for y, pair in enumerate(zip_longest(old, new, fillvalue=())) if pair[0] != pair[1]]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))


class Tile(NamedTuple):
    """One HSM or replica."""

    mark: Mark
    name: str
    group: str
    """Its zone or site."""
    note: str = ""
    """What is worth saying about it, such as how many keys it holds."""
    why: str = ""
    """What is the matter with it."""


def tiles(shown: Sequence[Tile], room: Size) -> list[Spans]:
    """The tiles in the roomiest form that fits.

    A line each with what is the matter, else whole ids by zone, shorter ones, at last the worst ones only.
    """
    longest = max((len(tile.name) for tile in shown), default=0)
    if any(tile.why for tile in shown) and len(shown) <= room.height and room.width >= _TWO:
        return _told(shown, longest)
    for width, noted in ((longest, True), (9, True), (9, False), (4, False)):
        lines = _laid_out(shown, room.width, width, noted=noted)
        if len(lines) <= room.height:
            return lines
    worst_first = [tile._replace(group="") for tile in sorted(shown, key=lambda tile: rank(tile.mark))]
    return _laid_out(worst_first, room.width, 4, noted=False)[: max(1, room.height)]


def noted(sign: Span, text: str, width: int = 10_000) -> list[Spans]:
    """A sign and a sentence, on as many lines as the width asks for."""
    first, *more = wrap(text, max(10, width - 4), break_on_hyphens=False) or [""]
    return [
        ((" ", Role.PLAIN), sign, (f" {first}", Role.PLAIN)),
        *(((f"   {line}", Role.PLAIN),) for line in more),
    ]


def cut(lines: Sequence[Spans], height: int, *, elsewhere: str = "a taller terminal shows them") -> list[Spans]:
    """As many lines as there is room for; where there are more, the last one says how many, and `elsewhere` where."""
    if len(lines) <= height:
        return list(lines)
    kept = list(lines[: max(0, height - 1)])
    return [*kept, ((f" … {counted(len(lines) - len(kept), 'more line')}: {elsewhere}", Role.MUTED),)]


def beside(left: Iterable[Spans], right: Iterable[Spans], width: int) -> list[Spans]:
    """Two blocks side by side, the left one in this width."""
    return [(*fitted(own, width), *other) for own, other in zip_longest(left, right, fillvalue=())]


def facts(pairs: Iterable[tuple[str, str]], width: int = 0) -> list[Spans]:
    """Names and values that have one: side by side where they are short, else a line each; whole without a width."""
    given = [(name, value) for name, value in pairs if value]
    margin = max((len(name) for name, _ in given), default=0) + 2
    half = width // 2 if width >= _TWO else 0
    short = [(name, value) for name, value in given if margin + len(value) + 2 <= half]
    rows = -(-len(short) // 2)
    lines = [
        tuple(span for pair in short[row::rows] for span in fitted(_fact(*pair, margin), half)) for row in range(rows)
    ]
    long = (_lines(name, value, margin, width) for name, value in given if (name, value) not in short)
    return [*lines, *chain.from_iterable(long)]


def _lines(name: str, value: str, margin: int, width: int) -> Iterator[Spans]:
    """A fact, on as many lines as the width asks for; on one without a width."""
    parts = wrap(value, max(10, width - margin - 2), break_on_hyphens=False) if width else [value]
    for head, part in zip(chain((name,), repeat("")), parts, strict=False):
        yield _fact(head, part, margin)


def _fact(name: str, value: str, margin: int) -> Spans:
    return (f" {name.ljust(margin)}", Role.MUTED), (value, Role.PLAIN)


def _laid_out(shown: Sequence[Tile], room: int, width: int, *, noted: bool) -> list[Spans]:
    """Lines of tiles whose names have at most `width` characters."""
    names = zone_names(tile.group for tile in shown)
    margin = max((len(name) for name in names.values()), default=0) + 2
    note = max((len(tile.note) for tile in shown), default=0) + 1 if noted else 0
    size = width + note + 4
    each_line = max(1, (room - margin) // size)
    lines: list[Spans] = []
    for group, name in names.items():
        members = [tile for tile in shown if tile.group == group]
        for start in range(0, len(members), each_line):
            head = name if start == 0 else ""
            spans: list[Span] = [(f" {head.ljust(margin - 1)}", Role.MUTED)]
            for tile in members[start : start + each_line]:
                spans += _tile(tile, width, note)
            lines.append(tuple(spans))
    return lines


def _told(shown: Sequence[Tile], width: int) -> list[Spans]:
    """A line for each tile: its zone where a new one begins, what it holds, what is the matter."""
    names = zone_names(tile.group for tile in shown)
    margin = max(map(len, names.values())) + 2
    note = max(len(tile.note) for tile in shown) + 1
    lines: list[Spans] = []
    for above, tile in zip(chain((None,), shown), shown, strict=False):
        head = "" if above and above.group == tile.group else names[tile.group]
        spans = ((f" {head.ljust(margin - 1)}", Role.MUTED), *_tile(tile, width, note), (tile.why, Role.PLAIN))
        lines.append(spans)
    return lines


def _tile(tile: Tile, width: int, note: int) -> Iterable[Span]:
    name = shortened(tile.name, width) if width > 4 else tile.name[-width:]
    yield sign(tile.mark)
    yield f" {name.ljust(width)}", role(tile.mark) if rank(tile.mark) <= rank(Mark.PENDING) else Role.PLAIN
    if note:
        yield tile.note.rjust(note), Role.MUTED
    yield "  ", Role.PLAIN
