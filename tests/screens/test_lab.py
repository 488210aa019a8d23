"""Proves that the lab's place shows its processes, has things go wrong on command, and that the others notice."""

from __future__ import annotations

from stage import opened
from world import HSMS, World

from hsmctl.ports import LabFault
from hsmctl.settings import Context, ContextKind


async def test_processes_are_shown_with_what_they_suffer_from() -> None:
    world = World()
    world.lab.dead.add(HSMS[1])
    async with opened(world, size=(120, 30)) as stage:
        await stage.press("L")
        await stage.sees_line(f"◍ {HSMS[0]}", "running", "11.7 MiB")
        await stage.sees_line(f"✖ {HSMS[1]}", "dead")
        await stage.sees("nothing is made to go wrong")


async def test_a_fault_is_injected_at_the_hsm_under_the_cursor_and_cleared() -> None:
    world = World()
    async with opened(world, size=(120, 30)) as stage:
        await stage.press("L", "down")
        await stage.enter("inject node-frozen")
        await stage.settle()
        assert [(fault.name, fault.hsm) for fault in world.faults.known] == [("node-frozen", HSMS[1])]
        await stage.sees_line("node-frozen", HSMS[1])
        await stage.sees("FAULTS IN FORCE 1")
        await stage.enter("clear all")
        await stage.settle()
        assert world.faults.known == []


async def test_the_lab_is_drawn_zone_by_zone_with_what_is_wrong_where_it_is_wrong() -> None:
    world = World()
    world.faults.known.append(LabFault(name="net-group", fault_id="f1"))
    world.lab.dead.add(HSMS[2])
    async with opened(world, size=(120, 40)) as stage:
        await stage.press("L")
        await stage.settle()
        rows = [line for line in stage.text.splitlines() if " az " in line]
        assert [("┬ az a" in rows[0]), ("├ az b" in rows[1]), ("└ az c" in rows[2])] == [True, True, True]
        assert "✖ same-vpc net-group" in rows[0]
        assert f"✖ {HSMS[2]} dead" in rows[2]
        await stage.sees("WHAT CAN GO WRONG")


async def test_a_fault_about_a_key_takes_its_label() -> None:
    world = World()
    async with opened(world) as stage:
        await stage.press("L")
        await stage.enter("inject key-missing db-kek-003")
        await stage.settle()
        assert [(fault.hsm, fault.key) for fault in world.faults.known] == [(HSMS[0], "db-kek-003")]


async def test_inject_asks_which_and_completes() -> None:
    async with opened() as stage:
        await stage.press("L", "i")
        await stage.sees("inject")
        await stage.pilot.press(*"node-f", "tab")
        await stage.sees("inject node-frozen")


async def test_a_scenario_is_played_and_there_is_no_other() -> None:
    async with opened(size=(120, 40)) as stage:
        await stage.press("L")
        await stage.enter("play nonsense")
        await stage.sees("no scenario nonsense")
        await stage.pilot.press("P")
        await stage.sees("bad-friday")


async def test_a_real_estate_has_no_lab() -> None:
    async with opened(context=Context(name="prod", kind=ContextKind.AWS)) as stage:
        await stage.press("L")
        await stage.sees("fleet")
        assert len(stage.app.screen_stack) == 1


async def test_the_journal_is_shown_newest_first() -> None:
    world = World()
    world.journal.append("login-refused", {"user": "ops", "os_user": "ann", "at": "2026-11-23T02:00:00+00:00"})
    world.journal.append("key-generated", {"label": "[/x]", "caller": "arn:aws:iam::1:user/bob"})
    async with opened(world, size=(100, 30)) as stage:
        await stage.press("l")
        rows = [line for line in stage.text.splitlines() if "login-refused" in line or "key-generated" in line]
        assert "[/x]" in rows[0]
        assert "bob" in rows[0]
        assert "ann" in rows[1]
        assert ["10 min" in rows[1], "✖ login-refused" in rows[1]] == [True, True]
        await stage.press("down", "d")
        await stage.sees("record 1: login-refused")
