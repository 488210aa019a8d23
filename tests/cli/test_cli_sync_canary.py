"""Proves that a canary leaves nothing behind, destroys only what is journaled as its own, and needs permission."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from transcript import Ran, hsmctl
from world import HSMS, World, aes

from hsmctl.adapters.lock import FileLocks
from hsmctl.errors import ExitCode, Unreachable
from hsmctl.services.canary import LABEL
from hsmctl.settings import Context
from hsmctl.settings_entry import TokenEntry

Fly = Callable[..., Ran]


@pytest.fixture
def fly(tmp_path: Path) -> Fly:
    """Runs `hsmctl sync canary` over a world."""

    def run(world: World, *words: str, context: Context | None = None) -> Ran:
        return hsmctl(world, "sync", "canary", *words, context=context, folder=tmp_path)

    return run


def canaries(world: World) -> list[str]:
    """Every canary that any replica still holds."""
    return [
        key.identity.label.decode()
        for name in HSMS
        for key in world.tokens.held[name]
        if key.identity.label.startswith(LABEL.encode())
    ]


def kinds(world: World) -> list[object]:
    return [record["kind"] for record in world.journal.written if str(record["kind"]).startswith("canary")]


def test_canaries_are_made_seen_everywhere_and_gone(fly: Fly) -> None:
    world = World()
    ran = fly(world, "--count", "3")

    assert ran.code == ExitCode.OK
    assert ran.out.startswith("● 3 canaries flown; everywhere after 0.0 s at most\n")
    assert [line.split()[1] for line in ran.out.splitlines() if line.startswith(LABEL)] == list(HSMS)
    assert canaries(world) == []
    assert kinds(world) == ["canary-intended", "canary-gone"] * 3
    assert all(len(world.tokens.held[name]) == len(world.keys) for name in HSMS)


def test_a_key_that_does_not_reach_an_hsm_is_told_and_still_destroyed(fly: Fly) -> None:
    world = World()
    world.tokens.replicate = False
    ran = fly(world, "--deadline", "1s")
    assert ran.code == ExitCode.NO
    assert f"{HSMS[1]}, {HSMS[2]}" in ran.out
    assert fly(world, "--deadline", "1s", "-o", "nagios").code == 2
    assert canaries(world) == []


def test_what_a_killed_run_left_behind_is_cleared_away_and_nothing_else_is(fly: Fly) -> None:
    world = World()
    left = aes(f"{LABEL}0011223344556677", key_id=b"12345678")
    foreign = aes(f"{LABEL}of-somebody-else", key_id=b"87654321")
    for name in HSMS:
        world.tokens.held[name] += [left, foreign]
    named = {"label": left.identity.label.hex(), "id": left.identity.key_id.hex(), "on": HSMS[0]}
    world.journal.append("canary-intended", named)
    ran = fly(world)

    assert f"  {LABEL}0011223344556677 of an earlier run was still there and is gone now" in ran.out
    assert set(canaries(world)) == {f"{LABEL}of-somebody-else"}


def test_ctrl_c_leaves_no_canary(fly: Fly) -> None:
    world = World()
    seen: list[int] = []
    sleep = world.clock.sleep

    def interrupted(seconds: float) -> None:
        sleep(seconds)
        seen.append(len(canaries(world)))
        raise KeyboardInterrupt

    world.tokens.replicate = False
    vars(world.clock)["sleep"] = interrupted
    ran = fly(world)
    assert ran.code == ExitCode.INTERRUPTED
    assert seen == [1]
    assert canaries(world) == []


def test_one_that_cannot_be_destroyed_is_told_and_owed(fly: Fly) -> None:
    world = World()
    sleep = world.clock.sleep

    def dies(seconds: float) -> None:
        sleep(seconds)
        world.tokens.errors[HSMS[0]] = Unreachable(HSMS[0], "it is gone")

    world.tokens.replicate = False
    vars(world.clock)["sleep"] = dies
    ran = fly(world, "--deadline", "1s", "-o", "json")
    data = ran.document["data"]
    assert len(data["left"]) == 1

    world.tokens.errors.clear()
    again = fly(world, "--deadline", "1s", "-o", "json").document["data"]
    assert again["cleared"] == data["left"]
    assert data["left"][0] not in canaries(world)


def onprem(*, canary: bool) -> Context:
    tokens = tuple(TokenEntry(name=name, module="/usr/lib/p11.so", user="canary_cu") for name in HSMS)
    return Context(name="onprem", tokens=tokens, canary=canary)


def test_outside_the_lab_it_needs_permission_and_a_user_of_its_own(fly: Fly) -> None:
    refused = fly(World(), context=onprem(canary=False))
    assert (refused.code, "canary = true" in refused.err) == (ExitCode.DENIED, True)
    world = World()
    other = fly(world, context=onprem(canary=True))
    assert (other.code, "5 other objects can be seen" in other.err) == (ExitCode.DENIED, True)
    assert kinds(world) == []
    alone = World(keys=())
    assert fly(alone, context=onprem(canary=True)).code == ExitCode.OK


def test_two_runs_at_once_do_not_take_each_other_for_left_behind(fly: Fly, tmp_path: Path) -> None:
    world = World()
    with FileLocks(tmp_path / "locks").hold("canary"):
        assert fly(world).code == ExitCode.CONFLICT
    assert kinds(world) == []


@pytest.mark.parametrize("count", ["0", "4"])
def test_there_are_three_at_most(fly: Fly, count: str) -> None:
    assert fly(World(), "--count", count).code == ExitCode.USAGE
