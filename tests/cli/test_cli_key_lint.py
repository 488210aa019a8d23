"""Proves that lint is a check with a verdict, and that it calls no rule kept that it could not judge."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from hostile import hostile
from transcript import hsmctl
from world import CLUSTER, HSMS, World

from hsmctl.domain.coverage import ReportedKey
from hsmctl.domain.key import KeyKind, KeySpec
from hsmctl.errors import ExitCode, Unreachable


def judged() -> World:
    """A world in which every rule can be judged: cloudhsm-cli lists the keys, and hsmctl made them yesterday."""
    world = World()
    world.consoles.cluster.keys = tuple(
        ReportedKey(
            reference=f"0x{number:016x}",
            label=key.identity.label.decode(),
            object_class="secret-key",
            use_quorum=0,
            attributes={"id": f"0x{key.identity.key_id.hex()}"},
        )
        for number, key in enumerate(world.keys)
    )
    for key in world.keys:
        spec = KeySpec(kind=KeyKind.AES, size="256", label=key.identity.label, key_id=key.identity.key_id)
        world.journal.append("key-generate", {"spec": spec, "on": HSMS[2], "cluster_id": CLUSTER})
        world.journal.append("key-generated", {"label": spec.label})
    return world


def test_what_is_high_is_the_answer_no() -> None:
    ran = hsmctl(hostile(), "key", "lint")
    assert ran.code == ExitCode.NO
    assert "KY-01" in ran.out
    assert "\x1b" not in ran.out
    assert hsmctl(hostile(), "key", "lint", "--allow", "=*", "--rule", "KY-01").code == ExitCode.OK


def test_all_is_kept_only_where_all_was_judged() -> None:
    ran = hsmctl(judged(), "key", "lint")
    assert ran.code == ExitCode.OK
    assert ran.out.splitlines() == [
        "◍ kept: KY-01, KY-02, KY-03, KY-04, KY-05, KY-06, KY-07, KY-08, KY-09, KY-10",
        f"◍ nothing found in 5 of 5 objects seen as crypto_user on {HSMS[0]}",
    ]


def test_what_nobody_can_judge_is_listed_with_its_reason_and_never_ok() -> None:
    world = judged()
    world.consoles.cluster.down = {"app1": Unreachable("app1", "no route to host", "hsmctl client list")}
    ran = hsmctl(world, "key", "lint", "--rule", "KY-01", "--rule", "KY-09")
    assert ran.code == ExitCode.PARTIAL
    assert ran.out.splitlines() == [
        "? KY-09 not judged for 5 keys: sharing and approvals are cloudhsm-cli's to tell: app1: no route to",
        "  host",
        "  next  hsmctl client list",
        "",
        "◍ kept: KY-01",
        f"? nothing found in 5 of 5 objects seen as crypto_user on {HSMS[0]}; not judged everywhere:",
        "  KY-09",
    ]
    told = json.loads(hsmctl(world, "key", "lint", "-o", "json").out)["data"]
    assert [(each["rule"], each["keys"]) for each in told["unjudged"]] == [("KY-09", 5)]
    assert {each["rule"]: each["outcome"] for each in told["rules"]}["KY-09"] == "unjudged"
    line = hsmctl(world, "key", "lint", "-o", "nagios")
    assert (line.code, line.out.startswith("LAB KEY UNKNOWN - nothing found")) == (3, True)
    assert "unjudged=5" in line.out


def test_notes_that_cannot_be_read_leave_every_age_open() -> None:
    world = judged()
    world.history.error = Unreachable("history.sqlite", "database is locked", "try again")
    ran = hsmctl(world, "key", "lint", "--rule", "KY-07")
    assert (ran.code, "history.sqlite: database is locked" in " ".join(ran.out.split())) == (ExitCode.PARTIAL, True)


def test_an_old_or_widely_shared_key_is_found_and_the_step_can_be_typed() -> None:
    world = judged()
    first, *others = world.consoles.cluster.keys
    shared = dict.fromkeys(["ann", "bob", "cyn"], "full")
    world.consoles.cluster.keys = (replace(first, shared=shared), *others)
    ran = hsmctl(world, "key", "lint")
    assert ran.code == ExitCode.OK
    assert "  db-kek-000 is shared with 3 users: ann, bob, cyn" in ran.out
    assert f"--filter key-reference={first.reference} --username NAME" in ran.out
    assert hsmctl(world, "key", "lint", "-o", "nagios").code == 1
    assert hsmctl(world, "key", "lint", "--share-limit", "3", "-o", "nagios").code == 0
    world.clock.sleep(timedelta(days=800).total_seconds())
    old = hsmctl(world, "key", "lint", "--rule", "KY-07").out
    assert "5 keys, each is 800 days old, of 730" in " ".join(old.split())
    assert hsmctl(world, "key", "lint", "--rule", "KY-07", "--max-age", "900").out.startswith("◍ kept: KY-07")


def test_monitoring_reads_it_too() -> None:
    ran = hsmctl(hostile(), "key", "lint", "-o", "nagios")
    assert ran.code == 2
    assert ran.out.startswith("LAB KEY CRITICAL - ")
    assert len(ran.out.splitlines()) == 1
    assert 'rule="KY-07"' in hsmctl(World(), "key", "lint", "-o", "prometheus").out
