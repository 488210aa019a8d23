"""Proves that a command declared once is reached by its key, by the palette and by `:`, and does the same each time."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from itertools import chain
from threading import Event
from typing import cast

import pytest
from hsmctl.screens.ceremony import CeremonyScreen
from hsmctl.screens.cluster import ClusterScreen
from hsmctl.screens.command import ALL_KEYS, CHECK, COMMON, COPY, DESCRIBE, NOUNS, SYNC, Command, Takes, completions
from hsmctl.screens.fleet import FleetScreen
from hsmctl.screens.key import KeyScreen
from hsmctl.screens.lab import LabScreen
from hsmctl.screens.log import LogScreen
from hsmctl.screens.net import NetScreen
from hsmctl.screens.operation import OperationScreen
from hsmctl.screens.palette import Commands
from hsmctl.screens.place import Place
from hsmctl.screens.prompt import CommandLine
from hsmctl.screens.sync import SyncScreen
from hsmctl.screens.timeline import TimelineScreen
from hsmctl.screens.user import UserScreen
from stage import Stage, opened
from textual.binding import Binding
from textual.command import DiscoveryHit
from textual.events import Key
from textual.widgets import Input
from world import CLUSTER, World

PLACES = (
    FleetScreen,
    ClusterScreen,
    SyncScreen,
    KeyScreen,
    NetScreen,
    UserScreen,
    CeremonyScreen,
    TimelineScreen,
    OperationScreen,
    LabScreen,
    LogScreen,
)


async def test_each_command_of_each_place_is_one_action_by_key_by_palette_and_by_name() -> None:
    async with opened() as stage:
        stage.app.survey.arming.arm()
        for noun in NOUNS:
            place = await _arrive(stage, noun.name)
            active, palette = place.active_bindings, dict(await _palette(place))
            assert len(place.offered) <= 7
            for command in place.available_commands():
                method = "action_go" if command.noun else f"action_{'form' if command.form else command.name}"
                assert callable(getattr(stage.app if command.of_app else place, method)), command.name
                assert palette[command.name].args == (command,)
                assert completions(command.name, place.available_commands(), place.arguments)[0] == command.name
                for binding in Binding.make_bindings([command.binding()] if command.key else []):
                    assert active[binding.key].binding.action == command.action()
                    assert active[binding.key].enabled


@pytest.mark.parametrize(
    ("noun", "command"), [("fleet", CHECK), ("fleet", SYNC), ("cluster", DESCRIBE), ("sync", ALL_KEYS), ("key", COPY)]
)
async def test_a_command_does_the_same_by_key_by_palette_and_by_name(noun: str, command: Command) -> None:
    async with opened() as stage:
        effects = [await _effect(stage, noun, command, way) for way in ("key", "palette", "name")]
        assert effects[0] == effects[1] == effects[2]
        assert effects[0] != await _effect(stage, noun, command, "nothing")


async def test_every_command_says_what_it_does_and_none_shares_a_key_with_another() -> None:
    for place in PLACES:
        keys = list(chain.from_iterable(command.key.split(",") for command in place.commands if command.key))
        assert len(keys) == len(set(keys))
        assert all(command.help for command in place.commands)
        assert len({command.name for command in place.commands}) == len(place.commands)


async def test_the_help_names_every_command_of_the_place_and_every_sign() -> None:
    async with opened(size=(120, 90)) as stage:
        await stage.press("s", "question_mark")
        place = stage.app.screen_stack[-2]
        assert isinstance(place, Place)
        await stage.sees("▒  unreadable", *(f":{command.name}" for command in place.available_commands()))


async def test_the_help_stands_in_two_columns_once_there_is_room() -> None:
    async with opened(size=(80, 60)) as stage:
        await stage.press("s", "question_mark")
        assert stage.line("HERE").strip("│ ") == "HERE"
        await stage.pilot.resize_terminal(200, 60)
        await stage.sees_line("HERE", "SESSION")


async def test_the_palette_finds_a_command_by_what_it_does() -> None:
    async with opened() as stage:
        await stage.press("ctrl+p")
        await stage.sees_line("s ", "sync", "show which replica holds which key")
        await stage.press(*"which", "enter")
        await stage.sees("fleet ▸ lab ▸ sync")


async def test_the_line_completes_names_and_clusters_and_refuses_what_there_is_not() -> None:
    async with opened() as stage:
        await stage.press("colon", "s", "y", "tab", "space", "c", "tab", "enter")
        await stage.sees("fleet ▸ lab ▸ sync")
        await stage.enter("nonsense")
        await stage.sees("no such command here")
        await stage.press("escape")
        await stage.enter("remove")
        await stage.sees("remove belongs to another place: :cluster")
        await stage.press("escape")
        await stage.enter("keys nobody")
        await stage.sees("no cluster is called nobody")


@pytest.mark.parametrize(("typed", "seen"), [(":keys\r", "fleet ▸ lab ▸ keys"), ("/nothing", "no row matches")])
async def test_keys_that_come_in_one_burst_are_all_for_the_line_that_the_first_opens(typed: str, seen: str) -> None:
    async with opened() as stage:
        for character in typed:
            key = {"\r": "enter", ":": "colon", "/": "slash"}.get(character, character)
            stage.app.post_message(Key(key, character))
        await stage.sees(seen)
        assert len(stage.app.screen_stack) == 1 + ("▸" in seen)


@pytest.mark.parametrize(
    ("typed", "seen"), [(":arm\rx", ("fleet ▸ operation", "ARMED")), (":arm\r:log\r", ("fleet ▸ log", "ARMED"))]
)
async def test_what_is_typed_right_after_a_line_was_entered_is_for_what_comes_then(
    typed: str, seen: tuple[str, ...]
) -> None:
    async with opened() as stage:
        for character in typed:
            key = {"\r": "enter", ":": "colon"}.get(character, character)
            stage.app.post_message(Key(key, character))
        await stage.sees(*seen)


async def test_a_line_opened_before_its_place_is_drawn_keeps_the_keyboard() -> None:
    async with opened() as stage:
        stage.app.push_screen(place := LogScreen(stage.app.survey))
        for character in ":arm":
            stage.app.post_message(Key({":": "colon"}.get(character, character), character))
        await stage.sees(":arm")
        place.on_mount()
        await stage.pilot.pause()
        await stage.pilot.press("enter")
        await stage.sees_line("ARMED")


async def test_the_keys_that_open_a_line_are_letters_within_one() -> None:
    async with opened() as stage:
        await stage.press("slash", *"state", "colon", "slash")
        await stage.sees("state:/")


async def test_going_to_an_open_place_goes_back_to_it() -> None:
    async with opened() as stage:
        for key, place in (("s", "sync"), ("K", "keys"), ("s", "sync")):
            await stage.press(key)
            await stage.sees(f"fleet ▸ lab ▸ {place}")
        assert [type(screen).__name__ for screen in stage.app.screen_stack] == ["FleetScreen", "SyncScreen"]
        await stage.enter("fleet")
        await stage.sees("nothing needs attention")
        assert len(stage.app.screen_stack) == 1


async def test_q_quits() -> None:
    async with opened() as stage:
        await stage.pilot.press("q")
        assert stage.app.return_code == 0


def test_completion_offers_places_first() -> None:
    assert completions("s", COMMON, lambda _: ()) == ("sync", "sort", "save", "stop")
    assert completions("sync cl", COMMON, lambda takes: ["cluster-1"] if takes is Takes.CLUSTER else []) == (
        "sync cluster-1",
    )
    assert completions("copy x", COMMON, lambda _: ["x"] if _ else []) == ()


async def _arrive(stage: Stage, noun: str) -> Place:
    """The place, on top of the fleet, with nothing else open."""
    app = stage.app
    while len(app.screen_stack) > 1:
        await app.pop_screen()
    app.copy_to_clipboard("")
    app.clear_notifications()
    for line in (*app.screen.query("FilterLine"), *app.screen.query(CommandLine)):
        await line.remove()
    if noun != "fleet":
        app.go(noun, app.survey.estate.cluster(CLUSTER))
    await stage.settle()
    place = app.screen
    assert isinstance(place, Place)
    place.table.focus()
    return place


async def _effect(stage: Stage, noun: str, command: Command, way: str) -> object:
    """What running the command this way changes, as far as an operator can see."""
    place = await _arrive(stage, noun)
    clock = stage.app.survey.hsmctl.clock
    clock.sleep(1)
    began = clock.now()
    if way == "key":
        await stage.pilot.press(command.key)
    elif way == "name":
        await stage.pilot.press("colon")
        place.query_one(CommandLine).query_one(Input).value = command.name
        await stage.pilot.press("enter")
    elif way == "palette":
        await dict(await _palette(place))[command.name]()
    await stage.settle()
    app = stage.app
    return (
        [(type(screen).__name__, getattr(screen, "path", "")) for screen in app.screen_stack],
        app.clipboard,
        place.table.counts,
        app.survey.estate.checks[CLUSTER].ended == began,
    )


async def _palette(place: Place) -> list[tuple[str, partial[Awaitable[None]]]]:
    """What the palette offers at a place: names and what runs them."""
    hits = [hit async for hit in Commands(place).discover() if isinstance(hit, DiscoveryHit)]
    return [(str(hit.text), cast("partial[Awaitable[None]]", hit.command)) for hit in hits]


@pytest.mark.parametrize(
    ("line", "seen"), [("ceremony lab", "ceremony"), ("sync", "sync"), ("keys nobody", "no cluster is called nobody")]
)
async def test_a_place_asked_for_before_anything_is_known_opens_once_it_is(line: str, seen: str) -> None:
    world, go = World(), Event()
    clusters = world.plane.clusters
    world.plane.clusters = lambda ids=(): (go.wait(10), clusters(ids))[1]  # type: ignore[method-assign]
    async with opened(world, settled=False) as stage:
        await stage.enter(line)
        await stage.sees("once AWS has said which clusters there are")
        go.set()
        await stage.sees(seen if " " in seen else f"fleet ▸ lab ▸ {seen}")
