"""Proves that a cluster's story is shown with what could not be read, cut to a time, and leads to the operation."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hsmctl.screens.timeline import moment
from stage import opened, staged
from timeline_world import event, logged
from world import CLUSTER, HSMS, NOW, World

from hsmctl.errors import Unreachable, UsageError


def _world() -> World:
    world = World()
    world.trail.events = [
        event("CreateHsm", CLUSTER, HSMS[1], minutes=1),
        event("DeleteHsm", CLUSTER, HSMS[2], minutes=5),
    ]
    world.audit.logs = {HSMS[0]: [logged(0, "CN_LOGIN", user="crypto_user")]}
    return world


async def test_the_newest_is_first_and_logins_are_shown_on_demand() -> None:
    async with opened(_world(), size=(120, 40)) as stage:
        await stage.press("t")
        await stage.sees_line("! 11-23 02:05:00", "cloudtrail", "alice", "DeleteHsm")
        rows = [line for line in stage.text.splitlines() if "11-23 02:0" in line and "cloudtrail" in line]
        assert ["DeleteHsm" in row for row in rows] == [True, False]
        await stage.sees("2 events from", "1 session event left out")
        await stage.press("e")
        await stage.sees("3 events from", "crypto_user")
        await stage.press("e", "w")
        await stage.sees("1 event from", "alarms only")
        await stage.press("w", "d")
        await stage.sees("192.0.2.7")


async def test_many_of_one_kind_are_one_line_that_unfolds_and_is_searched_whole() -> None:
    world = _world()
    world.audit.logs[HSMS[0]] += [logged(number, "CN_GENERATE_KEY", user="crypto_user") for number in range(1, 40)]
    async with opened(world, size=(120, 60)) as stage:
        await stage.press("t")
        await stage.sees_line("▸ 39 × key generated")
        await stage.sees("41 events from")
        await stage.press("slash", *"generated", "enter", "enter")
        await stage.sees_line("▾ 39 × key generated")
        assert sum("key generated" in line for line in stage.text.splitlines()) >= 39
        await stage.press("enter")
        await stage.sees_line("▸ 39 × key generated")


async def test_silence_of_what_could_not_be_read_is_no_silence() -> None:
    world = _world()
    world.audit.errors[""] = Unreachable("logs", "no answer", "try again")
    async with opened(world, size=(120, 40)) as stage:
        await stage.press("t")
        await stage.sees_line("◐ 2 events from")
        await stage.sees_line("▒ UNKNOWN: audit log", "no answer")


async def test_it_is_cut_to_a_time_and_an_odd_time_is_refused() -> None:
    async with opened(_world(), size=(120, 40)) as stage:
        await stage.press("t")
        await stage.enter("since 7m")
        await stage.sees("1 event from")
        await stage.enter("until 2026-11-23T02:04")
        await stage.sees("0 events from", "Nothing happened in this time")
        await stage.enter("since soon")
        await stage.sees("soon: it is no time")
        await stage.enter("since 1h")
        await stage.sees("1 event from")
        await stage.enter("until now")
        await stage.sees("2 events from")


async def test_it_goes_on_by_itself_as_long_as_it_goes_until_now() -> None:
    world = _world()
    async with staged(world.hsmctl(), (120, 40), every=30) as stage:
        await stage.press("t")
        await stage.sees("2 events from")
        world.trail.events.append(event("ModifyCluster", CLUSTER, minutes=10.5))
        world.clock.sleep(60)
        await stage.sees("3 events from", "ModifyCluster")


async def test_an_event_of_ours_leads_to_its_operation(tmp_path: Path) -> None:
    async with staged(World().hsmctl(folder=tmp_path), (120, 40)) as stage:
        await stage.enter("arm")
        await stage.press("enter")
        await stage.enter("add")
        await stage.sees("create an HSM")
        await stage.pilot.press("right", "enter")
        await stage.settle()
        await stage.press("t")
        await stage.sees_line("journal", "add 1 HSM")
        while "journal" not in str(stage.line("11-23")):
            await stage.press("j")
        await stage.press("enter")
        await stage.sees("fleet ▸ operation")
        await stage.sees_line("add 1 HSM", "finished")


def test_a_time_is_how_long_ago_or_a_moment() -> None:
    assert moment("24h", NOW) == NOW - timedelta(days=1)
    assert moment("2026-11-23T02:00", NOW) == NOW - timedelta(minutes=10)
    assert moment("2026-11-23T03:00+01:00", NOW) == NOW - timedelta(minutes=10)
    with pytest.raises(UsageError):
        moment("soon", NOW)
