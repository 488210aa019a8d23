"""Proves that watch tells changes alone, that diff names the side that lacks something, and that holds need reasons."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from transcript import hsmctl
from world import CLUSTER, HSMS, FakeClock, World, aes, three_hsms

from hsmctl.errors import Denied, ExitCode, Unreachable


class Busy(FakeClock):
    """A clock during whose sleeps something happens to a world."""

    def __init__(self, *happens: object) -> None:
        super().__init__()
        self._happens = list(happens)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self._happens:
            happens = self._happens.pop(0)
            assert callable(happens)
            happens()


def lines(out: str) -> list[tuple[str, str, str]]:
    return [(line["kind"], line["subject"], line["after"]) for line in map(json.loads, out.splitlines())]


def test_a_watch_writes_a_line_for_each_change_and_nothing_else() -> None:
    world = World()
    lost = world.keys[3]
    world.clock = Busy(
        lambda: world.tokens.held[HSMS[1]].remove(lost),
        lambda: None,
        lambda: world.tokens.held[HSMS[1]].append(lost),
        lambda: world.tokens.errors.update({HSMS[0]: Unreachable(HSMS[0], "no answer")}),
    )
    ran = hsmctl(world, "sync", "watch", "--every", "5s", "--count", "5")

    assert lines(ran.out) == [
        ("verdict", "", "no difference seen"),
        ("verdict", "", "not in sync"),
        ("key", "db-kek-003 (secret-key)", "missing"),
        ("verdict", "", "no difference seen"),
        ("key", "db-kek-003 (secret-key)", "fine"),
        ("verdict", "", "incomplete"),
        ("replica", HSMS[0], "unreadable"),
    ]
    assert ran.code == ExitCode.PARTIAL
    assert world.clock.monotonic() == 20.0


def test_a_check_that_fails_is_told_once_and_tried_again() -> None:
    world = World()
    world.aws.error = Denied("sts", "expired")
    world.clock = Busy(lambda: None, lambda: setattr(world.aws, "error", None))
    ran = hsmctl(world, "sync", "watch", "--count", "3")
    assert lines(ran.out) == [("error", "", "not checked"), ("verdict", "", "no difference seen")]


def test_a_watch_can_be_read_by_people() -> None:
    ran = hsmctl(World(), "sync", "watch", "--count", "1", "-o", "table")
    assert "no difference seen (0 proved, 5 unproven)" in ran.out.splitlines()[1]


def test_a_diff_names_the_side_and_says_how_they_are_alike() -> None:
    world = World()
    world.tokens.held[HSMS[1]].pop(3)
    world.tokens.held[HSMS[1]].append(aes("west"))
    ran = hsmctl(world, "sync", "diff", HSMS[0], HSMS[1])

    assert ran.code == ExitCode.NO
    first = f"✖ 1 key only on {HSMS[0]}; 1 key only on {HSMS[1]}; 4 keys alike"
    assert ran.out.splitlines()[0] == first
    assert f"db-kek-003  AES-256  secret-key  only on {HSMS[0]}" in ran.out
    assert hsmctl(world, "sync", "diff", HSMS[0], HSMS[2]).code == ExitCode.OK
    assert hsmctl(world, "sync", "diff", HSMS[0], "nope").code == ExitCode.CONFLICT


def test_a_side_that_cannot_be_read_is_no_difference() -> None:
    world = World()
    world.tokens.errors[HSMS[1]] = Unreachable(HSMS[1], "no answer")
    ran = hsmctl(world, "sync", "diff", HSMS[0], HSMS[1])
    assert (ran.code, ran.out.splitlines()[0]) == (ExitCode.PARTIAL, "▒ incomplete: 1 of 2 replicas not readable")


def test_clusters_are_compared_in_what_they_are_too() -> None:
    world, other = World(), "cluster-b2b3c4d5e6f"
    clone = three_hsms()
    hsms = tuple(replace(hsm, hsm_id=f"{hsm.hsm_id[:-1]}x") for hsm in clone.hsms)
    world.plane.held[other] = replace(clone, cluster_id=other, mode="NON_FIPS", hsms=hsms)
    for hsm in hsms:
        world.tokens.held[hsm.hsm_id] = list(world.keys)
    ran = hsmctl(world, "sync", "diff", CLUSTER, other, "-o", "json")

    data = ran.document["data"]
    assert ran.code == ExitCode.NO
    assert data["first"]["replicas"] == list(HSMS)
    assert [(fact["what"], fact["first"], fact["second"]) for fact in data["facts"] if not fact["same"]] == [
        ("mode", "FIPS", "NON_FIPS")
    ]
    assert data["common"] == len(world.keys)


def test_a_hold_is_set_listed_and_released_with_reasons_and_journaled(tmp_path: Path) -> None:
    world = World()
    hold = ("sync", "hold")
    assert hsmctl(world, *hold, "list", folder=tmp_path).err == "no cluster is held\n"
    put = hsmctl(world, *hold, "set", CLUSTER, "--reason", "sole copy", folder=tmp_path)
    assert put.out == f"! {CLUSTER} is held: nothing is removed there\n"
    assert "sole copy" in hsmctl(world, *hold, "list", folder=tmp_path).out

    again = hsmctl(world, *hold, "set", CLUSTER, "--reason", "other", folder=tmp_path)
    assert (again.code, "sole copy" in again.err) == (ExitCode.CONFLICT, True)
    assert hsmctl(world, *hold, "release", CLUSTER, "--reason", " ", folder=tmp_path).code == ExitCode.USAGE
    assert hsmctl(world, *hold, "release", CLUSTER, folder=tmp_path).code == ExitCode.USAGE
    assert hsmctl(world, *hold, "release", CLUSTER, "--reason", "healed", folder=tmp_path).code == ExitCode.OK
    assert hsmctl(world, *hold, "release", CLUSTER, "--reason", "healed", folder=tmp_path).code == ExitCode.CONFLICT
    assert [record["kind"] for record in world.journal.written] == ["hold-set", "hold-released"]
