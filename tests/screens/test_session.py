"""Proves how a session is bent: rate, arming, other contexts and regions, own keys, and what is remembered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hsmctl.screens.keymap import checked
from hsmctl.screens.memory import Memory, Remembered
from hsmctl.screens.pace import AWS_EVERY, LAB_EVERY
from hsmctl.screens.prompt import CommandLine
from hsmctl.screens.theme import checked as checked_theme
from stage import Stage, opened, staged
from textual.widgets import Input
from world import World, three_hsms

from hsmctl.bootstrap import Hsmctl
from hsmctl.errors import Conflict, UsageError
from hsmctl.settings import Context, ContextKind

AWS = Context(name="prod", kind=ContextKind.AWS, account_id="111122223333", region="eu-central-1")


async def test_changes_are_allowed_for_ten_minutes_once_somebody_says_so() -> None:
    world = World()
    async with opened(world) as stage:
        await stage.sees_line("LAB", "RO")
        await stage.enter("arm")
        await stage.sees_line("LAB", "ARMED 10 min")
        world.clock.sleep(9 * 60 + 1)
        await stage.press("r")
        await stage.sees_line("ARMED 1 min")
        world.clock.sleep(60)
        assert not stage.app.survey.arming.armed
        await stage.press("r")
        await stage.sees_line("LAB", "RO")


async def test_disarming_is_at_once() -> None:
    async with opened() as stage:
        await stage.enter("arm")
        await stage.sees_line("ARMED")
        await stage.enter("disarm")
        await stage.sees_line("LAB", "RO")


async def test_a_protected_context_wants_a_reason_and_hands_it_on() -> None:
    async with opened(context=replace(AWS, protect=True)) as stage:
        await stage.enter("arm")
        await stage.sees("it is protected")
        assert not stage.app.survey.arming.armed
        await stage.enter("arm restore the database")
        await stage.sees_line("ARMED")
        assert stage.app.survey.hsmctl.break_glass == "restore the database"
        await stage.enter("disarm")
        assert stage.app.survey.hsmctl.break_glass == ""


@pytest.mark.parametrize("context", [replace(AWS, read_only=True), replace(AWS, name="")])
async def test_a_context_that_may_only_read_is_never_armed(context: Context) -> None:
    async with opened(context=context) as stage:
        await stage.enter("arm because")
        await stage.pilot.pause()
        assert not stage.app.survey.arming.armed


async def test_the_rate_is_set_stopped_and_taken_up_again() -> None:
    async with staged(World().hsmctl()) as stage:
        assert stage.app.every == LAB_EVERY
        await stage.enter("every 5")
        assert stage.app.every == 5.0
        await stage.press("p")
        assert stage.app.every == 0.0
        await stage.sees_line("LAB", "paused")
        await stage.press("p")
        assert stage.app.every == 5.0
        await stage.enter("every off")
        assert stage.app.every == 0.0
        await stage.enter("every soon")
        await stage.sees("soon is no number of seconds")


async def test_a_real_account_is_asked_less_often() -> None:
    async with staged(World().hsmctl(AWS)) as stage:
        assert stage.app.every == AWS_EVERY


async def test_another_context_is_another_estate_with_nothing_left_open_or_armed() -> None:
    there = World()
    there.plane.held = {"cluster-zzz": replace(three_hsms(), cluster_id="cluster-zzz", tags={"Name": "payments"})}
    async with staged(World().hsmctl(), elsewhere=FakeElsewhere({"prod": there.hsmctl(AWS)})) as stage:
        await stage.enter("arm")
        await stage.press("s")
        await stage.sees("fleet ▸ lab ▸ sync")
        await stage.enter("context prod")
        await stage.settle()
        await stage.sees_line("fleet", "prod", "RO")
        await stage.sees_line("payments", "ACTIVE")
        assert len(stage.app.screen_stack) == 1
        assert stage.app.every == AWS_EVERY
        await stage.enter("context nowhere")
        await stage.sees("no context nowhere")
        await stage.sees_line("payments", "ACTIVE")


async def test_another_region_is_asked_for_by_name() -> None:
    elsewhere = FakeElsewhere({"eu-west-1": World().hsmctl(replace(AWS, region="eu-west-1"))})
    async with staged(World().hsmctl(), elsewhere=elsewhere) as stage:
        await stage.enter("region eu-west-1")
        await stage.settle()
        await stage.sees_line("fleet", "prod")
        assert elsewhere.asked == [("lab", "eu-west-1")]


async def test_keys_of_the_operator_replace_ours_and_the_line_of_keys_says_so() -> None:
    async with staged(World().hsmctl(), keymap={"sync": "S"}) as stage:
        await stage.sees_line("S sync")
        await stage.press("s")
        assert len(stage.app.screen_stack) == 1
        await stage.press("S")
        await stage.sees("fleet ▸ lab ▸ sync")


def test_a_key_for_no_command_and_a_theme_there_is_not_are_refused() -> None:
    with pytest.raises(UsageError, match="no command is called so"):
        checked({"refesh": "f5"})
    with pytest.raises(UsageError, match="S S !! is no key"):
        checked({"sync": "S S !!"})
    with pytest.raises(UsageError, match="nothing is no key"):
        checked({"quit": ""})
    with pytest.raises(UsageError, match="is typed"):
        checked({"generate": "ctrl+g"})
    with pytest.raises(UsageError, match="no theme mauve"):
        checked_theme("mauve")


async def test_a_place_has_keys_of_the_operator_for_its_own_commands_too() -> None:
    keys = checked({"mark": "M,f9"})
    async with staged(World().hsmctl(), keymap=keys) as stage:
        await stage.press("K")
        await stage.sees_line("M mark")
        await stage.press("M")
        await stage.sees("• 1 marked")
        await stage.press("f9")
        await stage.sees("• 2 marked")


async def test_theme_rate_order_and_columns_are_remembered(tmp_path: Path) -> None:
    async with staged(World().hsmctl(folder=tmp_path)) as stage:
        await stage.enter("theme hsmctl-contrast")
        await stage.enter("every 7")
        await stage.enter("sort -hsms")
        await stage.enter("hide state")
        await stage.settle()
    async with staged(World().hsmctl(folder=tmp_path)) as stage:
        assert (stage.app.theme, stage.app.every) == ("hsmctl-contrast", 7.0)
        await stage.sees_line("CLUSTER", "HSMS↓")
        assert "STATE" not in stage.line("CLUSTER")
    assert (tmp_path / "ui.json").stat().st_mode & 0o777 == 0o600


async def test_what_was_typed_is_there_again(tmp_path: Path) -> None:
    async with staged(World().hsmctl(folder=tmp_path)) as stage:
        await stage.enter("sync")
        await stage.enter("fleet")
        await stage.settle()
        await stage.pilot.press("colon", "up", "up")
        assert _typed(stage) == "sync"
        await stage.pilot.press("down")
        assert _typed(stage) == "fleet"


@pytest.mark.parametrize(
    "content", ["", "[]", '{"v": 2, "theme": "x"}', '{"v": 1, "theme": 3, "lines": {}, "every": []}']
)
def test_what_cannot_be_understood_is_as_good_as_nothing(tmp_path: Path, content: str) -> None:
    path = tmp_path / "ui.json"
    path.write_text(content)
    assert Memory(path).load() == Remembered()


def test_a_folder_that_takes_nothing_is_lived_with(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Memory(tmp_path / "file" / "ui.json").keep(Remembered(theme="x"))
    assert Memory(tmp_path / "file" / "ui.json").load() == Remembered()


def test_the_last_lines_are_kept_each_once(tmp_path: Path) -> None:
    remembered = Remembered(lines=tuple(str(number) for number in range(250)))
    assert remembered.with_line("7")[-1] == "7"
    assert len(remembered.with_line("7")) == 200
    Memory(tmp_path / "ui.json").keep(remembered)
    assert json.loads((tmp_path / "ui.json").read_text())["v"] == 1


class FakeElsewhere:
    """Contexts in memory."""

    def __init__(self, known: dict[str, Hsmctl]) -> None:
        self.known = known
        self.asked: list[tuple[str | None, str | None]] = []

    def contexts(self) -> Sequence[str]:
        return list(self.known)

    def regions(self) -> Sequence[str]:
        return ()

    def open(self, context: str | None, region: str | None) -> Hsmctl:
        self.asked.append((context, region))
        if (region or context) not in self.known:
            raise Conflict(f"no context {context}", "there is none", "hsmctl config show")
        return self.known[str(region or context)]


def _typed(stage: Stage) -> str:
    return stage.app.screen.query_one(CommandLine).query_one(Input).value
