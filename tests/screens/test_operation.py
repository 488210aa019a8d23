"""Proves that a change is planned, shown with its grades, confirmed, and carried out while one looks elsewhere."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

from hsmctl.screens.confirm import ConfirmScreen
from hsmctl.screens.operation import OperationScreen
from operation_world import BEGUN, with_operation
from stage import Stage, staged
from textual.widgets import Button
from timeline_world import event
from world import CLUSTER, HSMS, World

from hsmctl.domain.event import StepDone
from hsmctl.domain.plan import Plan
from hsmctl.secret import Secret


async def test_nothing_changes_before_arming(tmp_path: Path) -> None:
    async with staged(World().hsmctl(folder=tmp_path)) as stage:
        await stage.press("enter")
        await stage.enter("add")
        await stage.sees("add changes something: :arm allows that")
        names = [command.name for command in stage.app.screen.available_commands()]  # type: ignore[attr-defined]
        assert not {"add", "remove", "replace"} & set(names)


async def test_an_hsm_is_added_through_the_plan_that_was_shown(tmp_path: Path) -> None:
    world = World()
    world.trail.events = [event("DeleteHsm", CLUSTER, minutes=4)]
    async with staged(world.hsmctl(folder=tmp_path), (100, 34)) as stage:
        await _armed_at_cluster(stage)
        await stage.enter("add eu-central-1b")
        await stage.sees("add 1 HSM to", "create an HSM in eu-central-1b", "cloudhsm:CreateHsm")
        await stage.sees("called DeleteHsm 6 min ago")
        assert stage.app.focused is stage.app.screen.query_one("#cancel")
        await stage.pilot.press("right", "enter")
        await stage.settle()
        assert len(world.plane.held[CLUSTER].hsms) == 4
        await stage.press("x")
        await stage.sees_line("add 1 HSM to", "finished", "2/2")
        await stage.press("d")
        await stage.sees("needs   cloudhsm:CreateHsm")


async def test_what_was_typed_for_one_change_is_not_used_for_the_next(tmp_path: Path) -> None:
    facade = World().hsmctl(folder=tmp_path)
    asked: list[str] = []
    facade.ask = partial(_answer, asked)
    async with staged(facade) as stage:
        await _armed_at_cluster(stage)
        for _ in range(2):
            facade.asked("new password of ann")
            await stage.enter("add")
            await stage.sees("create an HSM")
            await stage.press("right", "enter")
            await stage.settle()
    assert asked == ["password of crypto_user", "new password of ann", "new password of ann"]


async def test_cancel_and_escape_change_nothing(tmp_path: Path) -> None:
    world = World()
    async with staged(world.hsmctl(folder=tmp_path)) as stage:
        await _armed_at_cluster(stage)
        for key in ("enter", "escape"):
            await stage.enter("add")
            await stage.sees("create an HSM")
            await stage.press(key)
            await stage.misses("create an HSM")
        assert len(world.plane.held[CLUSTER].hsms) == 3
        assert stage.app.survey.estate.runs == ()


async def test_what_goes_on_again_begins_where_it_stood(tmp_path: Path) -> None:
    facade = World().hsmctl(folder=tmp_path)
    plan = facade.hsm.plan_add(facade.cluster.only(None), ["eu-central-1a"], {})
    events = facade.operations.apply(plan, facade.playbook("cluster"))
    next(each for each in events if isinstance(each, StepDone))
    events.close()  # type: ignore[attr-defined]
    async with staged(facade, (100, 34)) as stage:
        (operation,) = facade.operations.all()
        started: list[int] = []
        stage.app.changed.subscribe(stage.app.screen, lambda estate: started.extend(run.done for run in estate.runs))
        await stage.app.survey.resume(operation)
        assert started[0] == 1


async def test_an_operation_that_is_open_already_stands_in_the_way_and_is_named_before_anything_is_typed(
    tmp_path: Path,
) -> None:
    world = with_operation(World(), CLUSTER)
    async with staged(world.hsmctl(folder=tmp_path), (100, 34)) as stage:
        await _armed_at_cluster(stage)
        await stage.enter("add")
        await stage.sees_line("✖ no other operation is open on", CLUSTER)
        await stage.sees_line("way out: hsmctl operation resume", BEGUN)
        await stage.sees("1 condition cannot be waived")
        assert not stage.app.screen.query("#apply")


async def test_what_cannot_be_undone_takes_the_end_of_the_id() -> None:
    async with staged(World().hsmctl()) as stage:
        plan = replace(_plan(), cluster_id=CLUSTER)
        answers: list[Plan | None] = []
        await stage.app.push_screen(ConfirmScreen(plan, CLUSTER[-6:]), answers.append)
        await stage.pilot.press("tab", *"wrong!")
        assert stage.app.screen.query_one("#apply", Button).disabled
        await stage.pilot.press(*(["backspace"] * 6), *CLUSTER[-6:])
        assert not stage.app.screen.query_one("#apply", Button).disabled
        await stage.pilot.press("enter", "enter")
        await stage.pilot.pause()
        assert answers == [plan]


async def test_it_goes_on_wherever_one_looks_and_the_header_says_so(tmp_path: Path) -> None:
    world, go = World(), Event()
    wait = world.clock.sleep
    world.clock.sleep = lambda seconds: (go.wait(10), wait(seconds))[1]  # type: ignore[method-assign]
    create = world.plane.create_hsm
    world.plane.create_hsm = lambda *args: (go.wait(10), create(*args))[1]  # type: ignore[method-assign]
    async with staged(world.hsmctl(folder=tmp_path), (100, 34)) as stage:
        await _armed_at_cluster(stage)
        await stage.enter("add")
        await stage.sees("create an HSM")
        await stage.pilot.press("right", "enter")
        await stage.sees_line("◌ 1 op")
        await stage.enter("stop")
        await stage.pilot.press("escape", "x")
        await stage.sees_line("◌ add 1 HSM", "running")
        go.set()
        await stage.settle()
        await stage.sees_line("add 1 HSM", "finished")
        assert len(world.plane.held[CLUSTER].hsms) == 4


async def test_a_plan_that_cannot_be_made_is_one_line() -> None:
    async with staged(World().hsmctl()) as stage:
        await _armed_at_cluster(stage)
        await stage.enter("add eu-nowhere-1a")
        await stage.sees("eu-nowhere-1a")
        assert not isinstance(stage.app.screen, ConfirmScreen)


async def test_an_empty_list_teaches() -> None:
    async with staged(World().hsmctl()) as stage:
        await stage.press("x")
        await stage.sees("Nothing was changed from this machine", ":arm")
        assert isinstance(stage.app.screen, OperationScreen)


def _answer(asked: list[str], prompt: str) -> Secret:
    """Note what was asked."""
    asked.append(prompt)
    return Secret("correct horse")


async def _armed_at_cluster(stage: Stage) -> None:
    await stage.enter("arm")
    await stage.press("enter")
    await stage.sees("fleet ▸ lab", HSMS[0], "ARMED")


def _plan() -> Plan:
    world = World()
    facade = world.hsmctl()
    return facade.hsm.plan_add(world.plane.held[CLUSTER], ["eu-central-1a"], {})


async def test_a_record_of_a_step_says_what_the_step_is_and_leads_to_its_operation(tmp_path: Path) -> None:
    async with staged(World().hsmctl(folder=tmp_path), (120, 40)) as stage:
        await stage.enter("arm")
        await stage.press("enter")
        await stage.enter("add eu-central-1b")
        await stage.sees("create an HSM")
        await stage.press("tab", "enter")
        await stage.settle()
        await stage.enter("log")
        await stage.sees_line("step-done", "1 create an HSM in eu-central-1b")
        await stage.misses("{")
        await stage.press("enter")
        await stage.sees_line("add 1 HSM to", "finished")
