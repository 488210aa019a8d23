"""Proves that the table draws what is on the screen, holds the cursor to its item, and survives any size and text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from hsmctl.screens.column import Column, broken, fitted, joined
from hsmctl.screens.glyph import ROLES, Role
from hsmctl.screens.lines import Lines
from textual.app import App, ComposeResult
from textual.screen import Screen


class Counted:
    """Items that count how often they are drawn."""

    def __init__(self) -> None:
        self.drawn = 0

    def text(self, item: int) -> str:
        self.drawn += 1
        return f"item {item}"


class RoleScreen(Screen[None]):
    """A screen that knows what roles look like."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)


class TableApp(App[None]):
    """One table over numbers."""

    def __init__(self, items: Sequence[int]) -> None:
        super().__init__()
        self.counted = Counted()
        self.items = items

    def get_default_screen(self) -> RoleScreen:
        return RoleScreen()

    def compose(self) -> ComposeResult:
        columns: tuple[Column[int], ...] = (
            Column(heads=("ITEM",), text=self.counted.text, width=10, grows=True),
            Column(heads=("HEX",), text=hex, width=8, right=True, room=40),
        )
        table: Lines[int] = Lines(columns, lambda item: item, id="table")
        yield table

    @property
    def table(self) -> Lines[int]:
        """The table."""
        return self.query_one("#table", Lines)

    def on_mount(self) -> None:
        self.table.show(self.items)
        self.table.focus()


def texts(table: Lines[int]) -> list[str]:
    return [table.render_line(y).text.rstrip() for y in range(table.size.height)]


async def test_only_what_is_on_the_screen_is_drawn() -> None:
    app = TableApp(range(16_666))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        begun = app.counted.drawn
        assert begun <= 400  # a sample, to know how wide they are, and what is on the screen
        await pilot.press("end")
        assert app.table.current == 16_665
        assert "item 16665" in texts(app.table)[-1]
        assert app.counted.drawn - begun <= 60


async def test_the_cursor_stays_with_its_item_once_it_was_moved() -> None:
    app = TableApp([1, 2, 3])
    async with app.run_test() as pilot:
        app.table.show([9, 1, 2, 3])
        assert app.table.current == 9  # nobody moved it: it stays on the worst
        await pilot.press("down")
        app.table.show([3, 2, 1])
        assert app.table.current == 1
        app.table.show([3, 2])
        assert app.table.current == 2


async def test_a_filter_keeps_the_cursor_and_says_when_nothing_matches() -> None:
    app = TableApp(range(100))
    async with app.run_test() as pilot:
        await pilot.press(*["down"] * 12)
        app.table.sift("item:1")
        assert app.table.current == 12
        assert app.table.counts == (19, 100)
        app.table.sift("hex:0x63")
        assert app.table.current == 99
        app.table.sift("nobody")
        assert app.table.counts == (0, 100)
        assert "no row matches" in "".join(texts(app.table))
        app.table.sift("")
        assert app.table.counts == (100, 100)


async def test_columns_give_way_in_a_narrow_terminal_and_come_back() -> None:
    app = TableApp(range(50))
    async with app.run_test(size=(60, 20)) as pilot:
        assert "HEX" in texts(app.table)[0]
        await pilot.resize_terminal(30, 8)
        await pilot.pause()
        assert "HEX" not in texts(app.table)[0]
        assert all(len(line) <= 30 for line in texts(app.table))
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert "HEX" in texts(app.table)[0]


async def test_the_mouse_moves_the_cursor() -> None:
    app = TableApp(range(50))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.click("#table", offset=(5, 4))
        assert app.table.current == 3


def test_text_is_cut_by_cells_not_by_characters() -> None:
    wide = list(fitted((("鍵鍵鍵", Role.PLAIN), ("abc", Role.BAD)), 6))
    assert wide == [("鍵鍵 …", Role.PLAIN)]
    assert list(fitted((("abc", Role.PLAIN),), 5, right=True)) == [("  ", Role.PLAIN), ("abc", Role.PLAIN)]


def test_words_for_nothing_are_broken_between_words_and_go_on_below_their_beginning() -> None:
    words = ((":add", Role.ACCENT), ("  " + "makes one here " * 3, Role.MUTED))
    first, second = broken(words, 40)
    assert first == (words[0], ("  makes one here makes one here", Role.MUTED))
    assert second == ((" " * 6, Role.PLAIN), ("makes one here", Role.MUTED))
    assert list(broken((), 40)) == [(("", Role.PLAIN),)]


def test_blanks_join_what_they_follow_but_never_spread_a_loud_sign() -> None:
    assert list(joined([("a", Role.GOOD), ("  ", Role.PLAIN), ("b", Role.PLAIN)])) == [
        ("a  ", Role.GOOD),
        ("b", Role.PLAIN),
    ]
    assert list(joined([("▒", Role.LOUD), ("  ", Role.PLAIN)])) == [("▒", Role.LOUD), ("  ", Role.PLAIN)]
