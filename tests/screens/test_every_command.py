"""Proves that each command a place declares does something one can see; a command that nothing here runs fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hsmctl.screens.cluster_command import FORMS
from hsmctl.screens.command import COMMON, NOUNS
from hsmctl.screens.key_command import KEYS
from hsmctl.screens.place import Place
from stage import Stage, staged
from timeline_world import event, logged
from world import CLUSTER, HSMS, World, lab_context

from hsmctl.settings_entry import ClientEntry

Seen = str | Callable[[Stage], bool]
"""What is on the screen once the command has run, or what else has come of it."""


def _place(stage: Stage) -> Place:
    place = next(screen for screen in reversed(stage.app.screen_stack) if isinstance(screen, Place))
    assert isinstance(place, Place)
    return place


def _checked(stage: Stage) -> bool:
    return stage.app.survey.estate.checks[CLUSTER].ended == stage.app.survey.hsmctl.clock.now()


EVERYWHERE: dict[str, tuple[str, Seen]] = {
    "open": ("", "esc closes"),
    "back": ("", "nothing needs attention"),
    "filter": ("", "text  !text  column:value"),
    "line": ("", lambda stage: bool(_place(stage).query("CommandLine"))),
    "help": ("", "help · fleet"),
    "refresh": ("", lambda stage: stage.app.survey.estate.read_at == stage.app.survey.hsmctl.clock.now()),
    "describe": ("", "esc closes"),
    "copy": ("", lambda stage: stage.app.clipboard == HSMS[0]),
    "sort": ("", "HSM↑"),
    "turn": ("", "HSM↓"),
    "hide": ("state", lambda stage: "STATE" not in stage.text),
    "save": ("", ".csv"),
    "pause": ("", "paused"),
    "every": ("9", lambda stage: stage.app.every == 9.0),
    "arm": ("", "armed for ten minutes"),
    "disarm": ("", lambda stage: not stage.app.survey.arming.armed),
    "context": ("", "contexts: none"),
    "region": ("", ":region NAME goes to another"),
    "theme": ("hsmctl-contrast", lambda stage: stage.app.theme == "hsmctl-contrast"),
    "stop": ("", "stopped waiting"),
    "quit": ("", lambda stage: stage.app.return_code == 0),
    "fleet": ("", "nothing needs attention"),
    "cluster": ("", "fleet ▸ lab"),
    "sync": ("", "▸ sync"),
    "key": ("", "▸ keys"),
    "net": ("", "▸ net"),
    "user": ("", "▸ users"),
    "ceremony": ("", "▸ ceremony"),
    "timeline": ("", "▸ timeline"),
    "operation": ("", "▸ operation"),
    "lab": ("", "▸ the lab"),
    "log": ("", "▸ log"),
}
"""What every place offers, run at a cluster's."""
OWN: dict[str, dict[str, tuple[str, Seen]]] = {
    "fleet": {"check": ("", _checked), "create": ("", "cluster create")},
    "cluster": {
        "check": ("", _checked),
        "hold": ("a reason", "hold: cluster-"),
        "release": ("a reason", "release: cluster-"),
        "add": ("", "create an HSM"),
        "remove": ("", f"delete {HSMS[0]}"),
        "replace": ("", "create an HSM"),
        **{each.name: ("", f"─ {' '.join(each.form)} ─") for each in FORMS},
    },
    "sync": {
        "check": ("", _checked),
        "all": ("", "db-kek-004"),
        "hold": ("a reason", "hold: cluster-"),
        "release": ("a reason", "release: cluster-"),
        "evidence": ("", ".json"),
    },
    "key": {
        "mark": ("", "• 1 marked"),
        "mark_all": ("", "• 5 marked"),
        **{each.name: ("", f"─ {' '.join(each.form)} ─") for each in KEYS if each.form},
    },
    "net": {
        "client": ("10.0.0.9", "10.0.0.9"),
        "next_hsm": ("", f"→ {HSMS[1]}"),
        "probe": ("", "no client host"),
        "fix": ("", "copied hsmctl net collect"),
    },
    "user": {
        "create_user": ("", "user create"),
        "password": ("", "user change-password"),
        "unlock": ("", "user unlock"),
        "repair": ("", "user repair"),
        "delete_user": ("", "user delete"),
        "bundle": ("/nowhere", "/nowhere"),
        "approve": ("", "quorum sign"),
        "register": ("", "quorum register"),
        "set_quorum": ("", "quorum set"),
        "drop_tokens": ("", "quorum delete"),
    },
    "ceremony": {
        "first_hsm": ("", "hsm add"),
        "csr": ("", "cluster init csr"),
        "verify": ("", "cluster init verify"),
        "sign": ("", "cluster init sign"),
        "submit": ("", "cluster init submit"),
        "activate": ("", "cluster activate"),
        "run": ("", "cluster init run"),
        "configure": ("", "client configure"),
        "install_ca": ("", "client install-ca"),
    },
    "timeline": {
        "since": ("1h", "from 2026-11-23 01:1"),
        "until": ("2026-11-23T02:08", "to 2026-11-23 02:08"),
        "sessions": ("", "crypto_user"),
        "alarms": ("", "alarms only"),
    },
    "operation": {"resume": ("", "only an open operation"), "abandon": ("", ":abandon REASON")},
    "lab": {"inject": ("", ":inject"), "clear": ("", ":clear"), "play": ("", ":play")},
    "log": {},
}
"""What a place offers beyond that."""


@pytest.mark.parametrize("noun", [noun.name for noun in NOUNS])
async def test_every_command_of_a_place_does_what_it_says(noun: str, tmp_path: Path) -> None:
    context = replace(lab_context(), clients=(ClientEntry(name="app1", source="10.0.0.7"),))
    async with staged(_world().hsmctl(context, folder=tmp_path), (120, 40), every=0) as stage:
        place = await _arrive(stage, noun)
        assert {command.name for command in place.commands if command not in COMMON} == set(OWN[noun])
        for name, (argument, seen) in OWN[noun].items():
            await _run(stage, noun, name, argument, seen)


async def test_every_command_of_all_places_does_what_it_says(tmp_path: Path) -> None:
    async with staged(_world().hsmctl(folder=tmp_path), (120, 40)) as stage:
        assert {command.name for command in COMMON} == set(EVERYWHERE)
        for name, (argument, seen) in EVERYWHERE.items():
            if name != "quit":
                await _run(stage, "cluster", name, argument, seen)
        await _run(stage, "cluster", "quit", *EVERYWHERE["quit"])


async def _run(stage: Stage, noun: str, name: str, argument: str, seen: Seen) -> None:
    """Run a command by its name at a place that was just come to, and wait for what comes of it."""
    place = await _arrive(stage, noun)
    command = next(each for each in place.commands if each.name == name)
    assert command.runs(place), name
    await place.perform(command, argument)
    for _ in range(200):
        if seen in stage.text if isinstance(seen, str) else seen(stage):
            return
        await stage.pilot.pause(0.01)
    raise AssertionError(f"{noun} {name}: {seen} is not on the screen:\n{stage.text}")


async def _arrive(stage: Stage, noun: str) -> Place:
    """The place, with changes allowed, on top of the fleet with no window or line open."""
    app = stage.app
    while not isinstance(app.screen, Place):
        await stage.pilot.press("escape")
    while len(app.screen_stack) > 1:
        await app.pop_screen()
    app.clear_notifications()
    app.copy_to_clipboard("")
    for line in app.screen.query("FilterLine, CommandLine"):
        await line.remove()
    app.survey.hsmctl.clock.sleep(1)
    app.survey.arming.arm()
    if noun != "fleet":
        app.go(noun, app.survey.estate.cluster(CLUSTER))
    await stage.settle()
    return _place(stage)


def _world() -> World:
    """A healthy lab with something to tell."""
    world = World()
    world.trail.events = [event("DeleteHsm", CLUSTER, HSMS[2], minutes=5)]
    world.audit.logs = {HSMS[0]: [logged(0, "CN_LOGIN", user="crypto_user")]}
    return world
