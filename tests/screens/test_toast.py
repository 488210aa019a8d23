"""Proves that a toast is read whole and lies on no answer of a window."""

from __future__ import annotations

from hsmctl.screens.confirm import ConfirmScreen
from stage import opened
from textual.widgets import Button
from textual.widgets._toast import Toast
from world import CLUSTER, World


async def test_toasts_are_shown_whole_however_long_their_titles_are() -> None:
    async with opened() as stage:
        stage.app.notify("started; :operation shows how it goes")
        stage.app.notify("done", title="remove 1 HSM from cluster-a2b3c4d5e6f and then something longer than a line")
        await stage.sees("started; :operation shows how it goes", "longer than a line", "▌ done")


async def test_toasts_leave_the_answers_of_the_fullest_window_free() -> None:
    world = World()
    plan = world.hsmctl().hsm.plan_remove(world.plane.held[CLUSTER], ["hsm-aaaaaaaaaaa"], {})
    async with opened() as stage:
        stage.app.notify("armed for ten minutes; :disarm ends it")
        stage.app.push_screen(ConfirmScreen(plan))
        await stage.sees("before", "armed for ten minutes")
        window = stage.app.screen
        answers = [button.region for button in window.query(Button)]
        assert answers
        for toast in window.query(Toast):
            assert not any(toast.region.overlaps(answer) for answer in answers)
