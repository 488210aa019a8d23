"""Proves that the places look as they did when last looked at: healthy, degraded, empty, refused; at two sizes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hsmctl.screens.app import HsmctlApp
from stage import NEVER
from textual.pilot import Pilot
from world import HSMS, World

from hsmctl.errors import Denied, Unreachable

SIZES = [pytest.param((80, 24), id="80x24"), pytest.param((120, 40), id="120x40")]
Compare = Callable[..., bool]


def degraded() -> World:
    """One key missing here, other material there, and an HSM that does not answer."""
    world = World()
    key = world.tokens.held[HSMS[2]][1]
    assert key.material
    world.tokens.held[HSMS[2]][1] = replace(key, material=key.material._replace(digest=b"\xab\xcd\xef"))
    world.tokens.held[HSMS[1]].pop(3)
    world.tokens.errors[HSMS[0]] = Unreachable(HSMS[0], "no answer in 20 s", "hsmctl lab status")
    return world


def empty() -> World:
    """No cluster."""
    world = World()
    world.plane.held.clear()
    return world


def denied() -> World:
    """AWS refuses."""
    world = World()
    world.plane.error = Denied("DescribeClusters", "not allowed for user/ops", "hsmctl doctor")
    return world


def silent() -> World:
    """Nobody answers where AWS should be."""
    world = World()
    world.plane.error = Unreachable("https://cloudhsmv2.us-east-1.amazonaws.com", "no answer", "hsmctl config show")
    return world


def after(*keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Waits until the app knows everything, then presses keys."""

    async def run(pilot: Pilot[None]) -> None:
        for key in ("", *keys):
            if key:
                await pilot.press(key)
            await pilot.app.workers.wait_for_complete()
            await pilot.pause()

    return run


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("world", [World, degraded, empty, denied, silent])
def test_fleet(snap_compare: Compare, world: Callable[[], World], size: tuple[int, int]) -> None:
    assert snap_compare(HsmctlApp(world().hsmctl(), every=NEVER), terminal_size=size, run_before=after())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("world", [World, degraded])
def test_sync(snap_compare: Compare, world: Callable[[], World], size: tuple[int, int]) -> None:
    assert snap_compare(HsmctlApp(world().hsmctl(), every=NEVER), terminal_size=size, run_before=after("s"))


def test_cluster(snap_compare: Compare) -> None:
    assert snap_compare(HsmctlApp(degraded().hsmctl(), every=NEVER), terminal_size=(80, 24), run_before=after("enter"))


def test_key(snap_compare: Compare) -> None:
    assert snap_compare(HsmctlApp(World().hsmctl(), every=NEVER), terminal_size=(80, 24), run_before=after("K"))


@pytest.mark.parametrize("key", ["u", "L", "x", "n"])
def test_others(snap_compare: Compare, key: str) -> None:
    assert snap_compare(HsmctlApp(World().hsmctl(), every=NEVER), terminal_size=(120, 40), run_before=after(key))
