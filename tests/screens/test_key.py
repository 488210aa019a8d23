"""Proves that the key browser lists what a replica shows, as text and never as markup, and finds what is asked for."""

from __future__ import annotations

from stage import opened
from textual.events import Paste
from world import HSMS, World, aes

from hsmctl.errors import Unreachable

NASTY = "[/x] [red]no[/red]"


async def test_a_label_that_looks_like_markup_is_text_everywhere() -> None:
    world = World([aes(NASTY)])
    world.tokens.held[HSMS[1]].clear()
    async with opened(world) as stage:
        await stage.sees(NASTY)
        for keys in (("s",), ("d",), ("escape",), ("K",), ("d",), ("escape",), ("y",)):
            await stage.press(*keys)
            await stage.sees(NASTY)
        assert stage.app.clipboard == NASTY


async def test_a_label_cannot_move_the_cursor_of_the_terminal() -> None:
    async with opened(World([aes("evil\x1b[2Jlabel")])) as stage:
        await stage.press("K")
        await stage.sees("evil\\x1b[2Jlabel")


async def test_the_browser_says_who_saw_what_where() -> None:
    world = World()
    world.tokens.hidden = 7
    async with opened(world) as stage:
        await stage.press("K")
        await stage.sees(f"5 of 12 objects as crypto_user on {HSMS[0]}")
        await stage.sees("db-kek-000")


async def test_filters_by_text_by_absence_and_by_column() -> None:
    world = World([aes("tls-web"), aes("tls-old", size="128"), aes("db-kek")])
    async with opened(world) as stage:
        await stage.press("K", "slash", *"tls")
        await stage.sees("2 of 3", "tls-web", "tls-old")
        await stage.misses("db-kek")
        await stage.press("space", "!", "o")
        await stage.sees("1 of 3", "tls-web")
        await stage.press("escape", "slash")
        stage.app.post_message(Paste("type:128"))
        await stage.sees("1 of 3", "tls-old")


async def test_an_error_keeps_what_was_there_and_says_why() -> None:
    world = World()
    async with opened(world) as stage:
        await stage.press("K")
        world.tokens.errors = {name: Unreachable(name, "no answer", "hsmctl lab status") for name in HSMS}
        await stage.press("r")
        await stage.sees(f"{HSMS[2]}: no answer")
        await stage.sees("db-kek-000")


async def test_the_next_replica_answers_for_a_dead_one() -> None:
    world = World()
    world.tokens.errors[HSMS[0]] = Unreachable(HSMS[0], "no answer", "hsmctl lab status")
    async with opened(world) as stage:
        await stage.press("K")
        await stage.sees(f"on {HSMS[1]}")


async def test_nothing_readable_teaches_why() -> None:
    world = World()
    world.tokens.errors = {name: Unreachable(name, "no answer", "hsmctl lab status") for name in HSMS}
    async with opened(world) as stage:
        await stage.press("K")
        await stage.sees("no answer")
        await stage.sees("hsmctl lab status")
        await stage.press("enter")
        await stage.sees("next")
