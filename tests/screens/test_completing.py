"""Proves that fields of forms complete as `:` does, and that nothing typed or sent off is lost unsaid."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import pytest
from hsmctl.screens import form as windows
from hsmctl.screens.completing import Completion, paths
from hsmctl.screens.form import FormScreen
from hsmctl.screens.leaving import LeaveScreen
from stage import Stage, opened
from textual.widgets import Input
from world import CLUSTER, World, aes

from hsmctl.bootstrap import Hsmctl
from hsmctl.cli import form as forms
from hsmctl.domain.form import Answer, Filled, Form


def test_tab_goes_through_what_fits_and_ends_where_it_is_whole() -> None:
    completion = Completion(lambda typed: [each for each in ("tls-a", "tls-b", "kek") if each.startswith(typed)])
    assert [completion.next("tls"), completion.next("tls-a"), completion.next("tls-b")] == ["tls-a", "tls-b", "tls-a"]
    assert completion.offer("tls-a") == ("tls-a", "tls-b")
    assert Completion(lambda _: ["kek"]).next("kek") is None
    assert Completion(lambda _: []).next("x") is None


def test_files_complete_through_folders_and_hide_what_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.pem").touch()
    (tmp_path / ".secret").touch()
    assert paths(f"{tmp_path}/") == (f"{tmp_path}/certs/",)
    assert paths(f"{tmp_path}/certs/c") == (f"{tmp_path}/certs/ca.pem",)
    assert paths(f"{tmp_path}/.") == (f"{tmp_path}/.secret",)
    assert paths(f"{tmp_path}/nothing/x") == ()


async def test_a_field_completes_keys_seen_files_and_ids(tmp_path: Path) -> None:
    (tmp_path / "message.bin").touch()
    async with _at_keys(World([aes("kek"), aes("tls-1"), aes("tls-2")])) as stage:
        await stage.enter("wrap")
        by = await _focus(stage, "by")
        await stage.pilot.press(*"tls")
        await stage.sees("tls-1  tls-2")
        await stage.pilot.press("tab", "tab")
        assert by.value == "tls-2"
        out = await _focus(stage, "out")
        out.value = f"{tmp_path}/mess"
        await stage.pilot.press("tab")
        assert out.value == f"{tmp_path}/message.bin"
        on = await _focus(stage, "on")
        await stage.pilot.press(*"hsm-b", "tab")
        assert on.value == "hsm-bbbbbbbbbbb"
        await stage.pilot.press("tab")
        assert stage.app.focused is not on


async def test_what_was_typed_is_dropped_only_when_that_is_asked_for_twice() -> None:
    async with _at_keys(World()) as stage:
        await stage.enter("generate")
        label = await _focus(stage, "label")
        await stage.pilot.press(*"db", "escape")
        await stage.sees("esc again drops what was typed")
        await stage.pilot.press("x", "escape")
        assert label.value == "dbx"
        assert isinstance(stage.app.screen, FormScreen)
        await stage.pilot.press("escape")
        await stage.pilot.pause()
        assert not isinstance(stage.app.screen, FormScreen)


async def test_who_does_not_confirm_the_plan_is_back_in_the_form_with_what_was_typed() -> None:
    async with _at_keys(World([aes("kek")])) as stage:
        await stage.enter("rename")
        await _focus(stage, "label")
        await stage.pilot.press(*"new-name", "ctrl+j")
        await stage.sees("Cancel", "before")
        await stage.pilot.press("escape")
        await stage.sees_line("label", "new-name")
        assert isinstance(stage.app.screen, FormScreen)


@pytest.mark.parametrize("seconds", [0.05, 300.0], ids=["waited long enough", "left"])
async def test_a_command_that_was_sent_off_goes_on_counts_and_is_answered(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow()
    monkeypatch.setattr(windows, "FORM_SECONDS", seconds)
    async with _at_keys(World()) as stage:
        stage.app.forms = slow
        await stage.enter("generate")
        await stage.sees("label *")
        await stage.pilot.press("ctrl+j")
        assert slow.began.wait(10)
        if seconds > 1:
            await stage.pilot.press("escape")
        await stage.sees("key generate goes on")
        await stage.sees_line("fleet", "◌ 1 op")
        await stage.enter("stop")
        await stage.pilot.press("q")
        await stage.sees("1 change still going on", "no answer yet", "look before repeating")
        assert isinstance(stage.app.screen, LeaveScreen)
        await stage.pilot.press("enter")
        slow.go.set()
        await stage.settle()
        await stage.sees("made at last")
        await stage.misses("◌ 1 op")


class Slow:
    """Forms whose command answers when it is told to."""

    def __init__(self) -> None:
        self.began, self.go = Event(), Event()

    def form(self, path: Sequence[str]) -> Form:
        return forms.form(path)

    def fill(self, facade: Hsmctl, form: Form, filled: Filled) -> Answer:
        self.began.set()
        assert self.go.wait(20)
        return Answer(lines=("made at last",))


@asynccontextmanager
async def _at_keys(world: World) -> AsyncIterator[Stage]:
    """The keys of the lab's cluster, armed, in a wide window."""
    async with opened(world, size=(120, 44)) as stage:
        await stage.enter("arm")
        await stage.enter(f"key {CLUSTER}")
        await stage.sees("crypto_user")
        await stage.settle()
        yield stage


async def _focus(stage: Stage, name: str) -> Input:
    """Put the cursor into a field."""
    window = stage.app.screen
    for _ in range(100):
        window = stage.app.screen
        if isinstance(window, FormScreen):
            break
        await stage.pilot.pause(0.01)
    assert isinstance(window, FormScreen)
    control = window.controls[name]
    assert isinstance(control, Input)
    control.focus()
    await stage.pilot.pause()
    return control
