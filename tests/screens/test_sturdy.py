"""Proves that no size, no lack of colour, no odd text and no storm of resizes brings a place down."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest
from hsmctl.screens.command import NOUNS
from hsmctl.screens.place import Place
from stage import opened, staged
from world import CLUSTER, World, aes, three_hsms


async def test_every_place_is_drawn_in_60_by_20_and_through_a_storm_of_resizes() -> None:
    world = World(keys=(aes("鍵🔑-wide"), aes("[/bold]"), aes("\x1b[2J"), aes("plain")))
    async with opened(world, size=(60, 20)) as stage:
        for noun in NOUNS:
            stage.app.go(noun.name, stage.app.survey.estate.cluster(CLUSTER))
            for size in ((60, 20), (200, 60), (20, 5), (1, 1), (80, 24), (60, 20)):
                await stage.pilot.resize_terminal(*size)
            await stage.settle()
            assert isinstance(stage.app.screen, Place)
            assert "\x1b" not in stage.text
            assert all(len(line) <= 60 for line in stage.text.splitlines())


@pytest.mark.parametrize("no_color", ["", "1"])
async def test_signs_say_it_without_colour(monkeypatch: pytest.MonkeyPatch, no_color: str) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    world = World()
    world.plane.held = {CLUSTER: replace(three_hsms(), tags={"Name": "鍵"})}
    async with staged(world.hsmctl(), theme="ansi-dark") as stage:
        await stage.sees_line("◍ 鍵", "ACTIVE", "no difference seen")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_the_session_in_good_order(number: signal.Signals) -> None:
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        async with staged(World().hsmctl(), heeds=True) as stage:
            os.kill(os.getpid(), number)
            await stage.pilot.pause(0.1)
            assert stage.app.return_code == 128 + number
            assert signal.alarm(0) > 0  # the kernel would have ended what does not leave
    finally:
        signal.alarm(0)
        for each, handler in handlers.items():
            signal.signal(each, handler)
