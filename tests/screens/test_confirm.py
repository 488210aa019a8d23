"""Proves that a plan of any length is read whole in its window, and that its answers are always there."""

from __future__ import annotations

from datetime import timedelta

from hsmctl.screens.confirm import ConfirmScreen
from stage import opened
from textual.widgets import Button
from world import ACCOUNT, CLUSTER, NOW, REGION

from hsmctl.domain.plan import Action, Plan, Precondition, Step

LONG = Plan(
    title="scale",
    region=REGION,
    account=ACCOUNT,
    made_at=NOW,
    cluster_id=CLUSTER,
    preconditions=(Precondition(what="nobody joins", holds=False, why="one does", way_out="wait"),),
    steps=(
        Step(action=Action.CREATE_HSM, says="create an HSM", usual=timedelta(minutes=6)),
        Step(action=Action.WRITE_SECRET, says=f"put the password into file /tmp/{'deep/' * 7}admin.pw and read it"),
        *(Step(action=Action.WAIT_HSM, says=f"wait for HSM {number}") for number in range(30)),
    ),
)


async def test_the_answers_are_there_and_the_rest_is_a_page_away() -> None:
    async with opened() as stage:
        stage.app.push_screen(ConfirmScreen(LONG, done={1}))
        await stage.sees("1 condition cannot be waived", "Cancel", "pgup pgdn the whole plan")
        await stage.sees_line("◍    1  create an HSM", "done")
        await stage.misses("wait for HSM 29")
        for _ in range(4):
            await stage.pilot.press("pagedown")
        await stage.sees_line("32  wait for HSM 29")
        window = stage.app.screen
        assert all(window.region.contains_region(button.region) for button in window.query(Button))


async def test_a_step_goes_on_below_where_it_began() -> None:
    async with opened() as stage:
        stage.app.push_screen(ConfirmScreen(LONG))
        await stage.sees_line("2  put the password into file")
        assert stage.line("admin.pw").startswith("│ " + " " * 8)
