"""Proves that users and quorum are shown with what is wrong and how far the answer goes, and changed as plans."""

from __future__ import annotations

from pathlib import Path

from approval_files import write_bundle, write_key
from hsmctl.screens.form import FormScreen
from stage import opened, staged
from textual.widgets import Input
from world import HSMS, World

from hsmctl.errors import Unreachable


async def test_users_are_shown_the_wrong_ones_first_with_what_is_wrong() -> None:
    world = World()
    cluster = world.consoles.cluster
    del cluster.users[HSMS[1]]["crypto_user"]
    async with opened(world, size=(120, 34)) as stage:
        await stage.press("u")
        await stage.settle()
        await stage.sees_line("✖ 1 user not the same everywhere", "seen from", "on 3 of 3 ACTIVE HSMs")
        rows = [line for line in stage.text.splitlines() if "crypto_user" in line or " admin " in line]
        assert "missing on some HSM" in rows[0]
        await stage.sees("QUORUM", "approvals needed")


async def test_a_host_that_misses_an_hsm_speaks_of_the_others_only() -> None:
    world = World()
    world.consoles.cluster.connected.discard(HSMS[0])
    async with opened(world, size=(120, 34)) as stage:
        await stage.press("u")
        await stage.settle()
        await stage.sees_line("◐ users agree where seen (reported)", "on 2 of 3 ACTIVE HSMs")


async def test_a_user_is_made_through_the_form_of_the_command_line(tmp_path: Path) -> None:
    async with staged(World().hsmctl(folder=tmp_path), (120, 40)) as stage:
        await stage.enter("arm")
        await stage.press("u")
        await stage.enter("create_user")
        await stage.sees("user create", "name *", "$ hsmctl --lab user create")
        await stage.pilot.press(*"bob", "down", "right", "right")
        await stage.sees("‹ crypto-user ›")
        await stage.pilot.press("ctrl+j")
        await stage.sees("bob", "Cancel", "Apply")
        await stage.press("right", "enter")
        await stage.sees_line("bob", "crypto-user", "full")


async def test_the_user_under_the_cursor_is_the_one_that_is_changed(tmp_path: Path) -> None:
    async with staged(World().hsmctl(folder=tmp_path), (120, 40)) as stage:
        await stage.enter("arm")
        await stage.press("u")
        await stage.settle()
        name = stage.app.screen.subject  # type: ignore[attr-defined]
        await stage.enter("password")
        await stage.sees("user change-password", f"change-password --cluster=cluster-a2b3c4d5e6f {name}")


async def test_a_file_that_asks_for_approval_counts_down_and_is_completed(tmp_path: Path) -> None:
    path, key = write_bundle(tmp_path / "approve.json"), write_key(tmp_path / "alice.pem")
    world = World()
    async with opened(world, size=(120, 40)) as stage:
        await stage.press("u")
        await stage.enter(f"bundle {path}")
        await stage.sees("APPROVAL", "admin: create bob as admin", "◌◌ 0 of 2", "10:00 left at most")
        world.clock.sleep(500)
        await stage.sees("1:40 left at most")
        await stage.enter("approve")
        await stage.sees("quorum sign", "admin asks: create bob as admin")
        window = stage.app.screen
        assert isinstance(window, FormScreen)
        for name, value in (("user", "alice"), ("key", str(key))):
            control = window.controls[name]
            assert isinstance(control, Input)
            control.value = value
        await stage.pilot.press("ctrl+j")
        await stage.sees("esc closes")
        await stage.pilot.press("escape")
        await stage.sees("alice", "●◌ 1 of 2", ":approve, or hand the file to")
        world.clock.sleep(100)
        await stage.sees("ended: ask anew")
        await stage.enter("bundle /nowhere.json")
        await stage.sees("/nowhere.json")
        await stage.misses("APPROVAL")


async def test_without_a_client_host_it_says_what_is_missing() -> None:
    world = World()
    facade = world.hsmctl()
    world.consoles.cluster.down["app1"] = Unreachable("app1", "no answer", "ssh app1")
    async with staged(facade, (120, 30)) as stage:
        await stage.press("u")
        await stage.settle()
        await stage.sees("▒")
