"""Proves that every word has a sign, every sign a meaning of its own, and that all of it survives plain ASCII."""

from __future__ import annotations

import pytest
from hsmctl.screens.glyph import Ascii, rank, role
from hsmctl.screens.theme import fitting
from hsmctl.screens.words import listed, state_word, zone_names
from rich.cells import cell_len
from rich.segment import Segment
from stage import opened
from textual.color import Color
from world import World

from hsmctl.domain.sync import Cell, Verdict
from hsmctl.errors import Unreachable
from hsmctl.mark import CELLS, VERDICTS, Mark


def test_every_cell_and_verdict_has_a_sign_and_every_sign_a_role() -> None:
    assert set(CELLS) == set(Cell)
    assert set(VERDICTS) == set(Verdict)
    assert all(role(mark) for mark in Mark)
    assert sorted(Mark, key=rank)[0] is Mark.BAD


def test_ascii_keeps_the_width_of_every_line() -> None:
    line = "✖ db-kek ▸ 鍵 … " + "".join(mark.glyph for mark in Mark)
    (segment,) = Ascii().apply([Segment(line)], Color(0, 0, 0))
    assert segment.text.isascii()
    assert cell_len(segment.text) == cell_len(line)


async def test_an_ascii_terminal_gets_nothing_else() -> None:
    world = World()
    world.tokens.errors["hsm-bbbbbbbbbbb"] = Unreachable("hsm-bbbbbbbbbbb", "no answer", "look")
    async with opened(world, ascii_only=True) as stage:
        await stage.press("s")
        await stage.sees_line("5 keys agree", "@")
        assert stage.text.isascii()


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
async def test_every_size_shows_the_header_and_the_keys(size: tuple[int, int]) -> None:
    async with opened(size=size) as stage:
        for key, place in (("s", "sync"), ("K", "keys")):
            await stage.press(key)
            await stage.sees(f"fleet ▸ lab ▸ {place}")
            lines = stage.text.splitlines()
            assert "LAB" in lines[0]
            assert "filter" in lines[-1]
            assert all(cell_len(line) <= size[0] for line in lines)


async def test_resizing_while_things_are_found_out_breaks_nothing() -> None:
    async with opened(settled=False) as stage:
        for width, height in ((60, 20), (200, 60), (20, 5), (80, 24)):
            await stage.pilot.resize_terminal(width, height)
        await stage.settle()
        await stage.sees("nothing needs attention")


def test_names_in_little_room() -> None:
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert state_word("create_in_progress") == "CREATE…"
    assert zone_names(["eu-central-1a", "eu-central-1b"]) == {"eu-central-1a": "a", "eu-central-1b": "b"}
    assert zone_names(["", "dc"]) == {"": "–", "dc": "dc"}


def test_sixteen_colours_get_the_terminals_own() -> None:
    assert [fitting(colours) for colours in ("standard", None, "256", "truecolor")] == [
        "ansi-dark",
        "ansi-dark",
        "",
        "",
    ]
