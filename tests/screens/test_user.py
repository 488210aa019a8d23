"""Proves that users and quorum are shown with what is wrong and how far the answer goes, and changed as plans."""

from __future__ import annotations

from pathlib import Path

from stage import opened, staged
from world import HSMS, World

from hsmctl.errors import Unreachable


async def test_users_are_shown_the_wrong_ones_first_with_what_is_wrong() -> None:
    world = World()
    cluster = world.consoles.cluster
    del cluster.users[HSMS[1]]["crypto_user"]
    async with opened(world, size=(120, 34)) as stage:
        await stage.press("u")
        await stage.settle()
        await stage.sees_line("✖ 1 user not the same everywhere", "connected to 3 of 3 active HSMs")
        rows = [line for line in stage.text.splitlines() if "crypto_user" in line or " admin " in line]
        assert "missing on some HSM" in rows[0]
        await stage.sees("QUORUM", "approvals needed")


async def test_a_host_that_misses_an_hsm_speaks_of_the_others_only() -> None:
    world = World()
    world.consoles.cluster.connected.discard(HSMS[0])
    async with opened(world, size=(120, 34)) as stage:
        await stage.press("u")
        await stage.settle()
        await stage.sees_line("◐ users agree (reported)", "connected to 2 of 3")


async def test_a_user_is_planned_and_an_odd_role_refused(tmp_path: Path) -> None:
    async with staged(World().hsmctl(folder=tmp_path), (120, 40)) as stage:
        await stage.enter("arm")
        await stage.press("u")
        await stage.settle()
        await stage.enter("create_user bob emperor")
        await stage.sees(":create_user NAME")
        await stage.enter("create_user bob")
        await stage.sees("bob", "Cancel", "Apply")


async def test_without_a_client_host_it_says_what_is_missing() -> None:
    world = World()
    facade = world.hsmctl()
    world.consoles.cluster.down["app1"] = Unreachable("app1", "no answer", "ssh app1")
    async with staged(facade, (120, 30)) as stage:
        await stage.press("u")
        await stage.settle()
        await stage.sees("▒")
