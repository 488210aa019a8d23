"""Proves that a command of the command line is filled in, refused, corrected, confirmed and answered in the screens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hsmctl.screens.command import Command
from hsmctl.screens.confirm import ConfirmScreen
from hsmctl.screens.form import Choice, FormScreen
from hsmctl.screens.key_command import KEYS
from stage import Stage, opened, staged
from textual.events import Key
from textual.widgets import Input
from world import World, aes

from hsmctl.cli import form as forms
from hsmctl.domain.form import Answer, Field, Form, Kind, command_line, words
from hsmctl.errors import Conflict, UsageError
from hsmctl.secret import Secret


@pytest.mark.parametrize("command", [command for command in KEYS if command.form], ids=lambda each: each.name)
def test_a_form_has_what_the_command_takes_and_changes_only_what_that_changes(command: Command) -> None:
    form = forms.form(command.form)
    assert form.changes == command.changes
    assert form.help
    assert not {"dry_run", "confirm", "break_glass", "context", "output"} & {field.name for field in form.fields}


def test_there_is_no_form_of_what_is_no_command() -> None:
    for path in (("key", "nothing"), ("key",), ("cluster", "init", "nothing")):
        with pytest.raises(Conflict):
            forms.form(path)


def test_values_are_never_taken_for_options() -> None:
    key, label = _field("key", required=True), _field("label", option="--label")
    form = Form(path=("key", "rename"), help="", fields=(key, label), changes=True, plans=True)
    assert words(form, {"key": ["--all"], "label": ["-x"]}) == ("--label=-x", "--", "--all")
    assert command_line(form, {}, ("--lab",)) == "hsmctl --lab key rename KEY"
    with pytest.raises(UsageError, match="required"):
        words(form, {"label": ["x"]})


def test_standard_input_is_nobodys() -> None:
    with pytest.raises(UsageError, match="standard input"):
        forms.fill(World().hsmctl(), forms.form(("key", "sign")), {"key": ["a"], "file": ["-"]})


def test_what_was_typed_for_a_command_that_refuses_is_asked_again() -> None:
    facade, asked = World().hsmctl(), list[str]()

    def ask(prompt: str) -> Secret:
        asked.append(prompt)
        return Secret("wrong")

    facade.ask = ask
    for _ in range(2):
        facade.asked("passphrase of ca.key")
        with pytest.raises(UsageError):
            forms.fill(facade, forms.form(("cluster", "init", "sign")), {"ca_key": ["a"], "ca_key_out": ["b"]})
    assert asked == ["passphrase of ca.key"] * 2


async def test_no_field_runs_into_what_it_is_called(tmp_path: Path) -> None:
    async with staged(World().hsmctl(folder=tmp_path)) as stage:
        form = forms.form(("cluster", "init", "sign"))
        stage.app.push_screen(FormScreen(form, {}, lambda _: Answer(), typed={"ca_passphrase_file": ["secret"]}))
        await stage.sees_line("ca-passphrase-file   secret")


async def test_the_word_that_is_chosen_can_be_read_in_every_theme(tmp_path: Path) -> None:
    async with staged(World().hsmctl(folder=tmp_path)) as stage:
        stage.app.push_screen(FormScreen(forms.form(("key", "generate")), {}, lambda _: Answer()))
        await stage.pilot.pause()
        choice = stage.app.screen.query(Choice).first()
        choice.focus()
        for theme in ("hsmctl", "hsmctl-contrast", "textual-light"):
            stage.app.theme = theme
            await stage.pilot.pause()
            _, _, background, colour = choice.colors
            assert abs(background.brightness - colour.brightness) > 0.4, theme


async def test_nothing_is_made_before_arming() -> None:
    async with opened() as stage:
        await stage.press("K")
        for name in ("generate", "delete", "import", "wrap", "rotate"):
            await stage.enter(name)
            await stage.sees("changes something: :arm allows that")
            await stage.pilot.press("escape")


async def test_a_key_is_made_with_what_was_corrected() -> None:
    world = World()
    async with _at_keys(world) as stage:
        await stage.enter("generate")
        await stage.sees("key generate", "$ hsmctl --lab key generate")
        await stage.pilot.press("right")
        await _fill(stage, label="db-kek-000", size="256")
        await stage.sees_line("$ hsmctl --lab", "--label=db-kek-000", "aes", "cluster-a2b3c4d5e6f")
        await stage.pilot.press("ctrl+j")
        await stage.sees_line("✖", "is taken")
        await _fill(stage, label="brand-new")
        await stage.pilot.press("ctrl+j")
        await stage.sees("◍ seen on 3 replicas", "brand-new")
        await stage.pilot.press("escape")
        await stage.sees("6 objects as crypto_user", "brand-new")


async def test_the_arrows_choose_and_say_what_a_field_means() -> None:
    async with _at_keys(World()) as stage:
        await stage.enter("generate")
        await stage.sees("‹ – ›", "1 of")
        assert isinstance(stage.app.focused, Choice)
        await stage.pilot.press("right", "right")
        await stage.sees("‹ generic ›", "3 of")
        await stage.pilot.press("left", "left", "down")
        await stage.sees("CKA_LABEL, by which people find it.")


async def test_keys_that_are_typed_ahead_go_where_they_were_meant() -> None:
    async with _at_keys(World()) as stage:
        await stage.enter("generate")
        await stage.sees("‹ – ›")
        for key in ("right", "down", "x", "down", "2"):
            stage.app.post_message(Key(key, key if len(key) == 1 else None))
        await stage.sees_line("kind *", "‹ aes ›")
        await stage.sees_line("$ hsmctl", "--label=x --size=2")


async def test_what_is_missing_is_said_and_escape_does_nothing() -> None:
    world = World()
    async with _at_keys(world) as stage:
        await stage.enter("generate")
        await stage.sees("label *")
        await stage.pilot.press("ctrl+j")
        await stage.sees_line("✖ kind: it is required")
        await stage.pilot.press("escape")
        await stage.misses("label *")
        assert all(len(held) == 5 for held in world.tokens.held.values())


async def test_marks_are_what_a_change_is_about_and_the_plan_names_them() -> None:
    world = World([aes("a-one"), aes("b-two"), aes("c-three")])
    async with _at_keys(world) as stage:
        await stage.pilot.press("space", "space")
        await stage.sees("• 2 marked", "•a-one", "•b-two", " c-three")
        await stage.enter("rename")
        await stage.sees("rename takes one key")
        await stage.enter("disable")
        await stage.sees("key disable", "a-one", "b-two")
        await stage.pilot.press("ctrl+j")
        await stage.sees("disable 2 keys", "Cancel")
        assert isinstance(stage.app.screen, ConfirmScreen)


async def test_all_that_a_filter_keeps_is_marked_and_again_none() -> None:
    async with _at_keys(World([aes("tls-1"), aes("tls-2"), aes("kek")])) as stage:
        await stage.press("slash", *"tls", "enter", "asterisk", "slash", "escape")
        await stage.sees("• 2 marked")
        await stage.press("asterisk")
        await stage.sees("• 3 marked")
        await stage.press("asterisk")
        await stage.misses("marked")


async def test_a_label_that_looks_like_markup_or_an_option_is_a_label_in_a_form() -> None:
    async with _at_keys(World([aes("[/x] --all")])) as stage:
        await stage.enter("disable")
        await stage.sees("secret-key  [/x] --all", "object=[%2Fx]%20--all;type=secret-key")
        await stage.pilot.press("ctrl+j")
        await stage.sees("disable [/x] --all", "before")


async def test_what_uses_a_key_needs_no_arming_and_says_what_the_command_says(tmp_path: Path) -> None:
    file = tmp_path / "message"
    file.write_text("words")
    async with opened(World([aes("mac-key")]), size=(120, 40)) as stage:
        await stage.press("K")
        await stage.enter("mac")
        await stage.sees("key mac", "secret-key  mac-key")
        await _fill(stage, file=str(file), out=str(tmp_path / "mac.bin"))
        await stage.pilot.press("ctrl+j")
        await stage.sees("◍ cmac by", "mac.bin")
        assert (tmp_path / "mac.bin").exists()


async def test_what_speaks_against_a_key_stands_beside_it() -> None:
    async with opened(World([aes("leaky", extractable=True), aes("fine")]), size=(120, 40)) as stage:
        await stage.press("K")
        await stage.sees_line("leaky", "✖ KY-01")
        await stage.sees("KY-01  is extractable")
        assert "KY-" not in stage.line("fine")


@asynccontextmanager
async def _at_keys(world: World) -> AsyncIterator[Stage]:
    """The key browser, with changes allowed."""
    async with opened(world, size=(120, 40)) as stage:
        await stage.enter("arm")
        await stage.press("K")
        yield stage


def _field(name: str, option: str = "", *, required: bool = False) -> Field:
    return Field(name=name, option=option, kind=Kind.TEXT, required=required)


async def _fill(stage: Stage, **values: str) -> None:
    """Type into the fields of these names."""
    window = stage.app.screen
    assert isinstance(window, FormScreen)
    for name, value in values.items():
        control = window.controls[name]
        assert isinstance(control, Input)
        control.value = value
    await stage.pilot.pause()
