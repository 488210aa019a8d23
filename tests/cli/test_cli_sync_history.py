"""Proves that checks are remembered, that the past is told as it was, and that a young key heals outside the lab."""

from __future__ import annotations

import hashlib
import json
import stat
from datetime import timedelta
from pathlib import Path

from transcript import hsmctl
from world import ACCOUNT, CLUSTER, HSMS, World, aes, seed_keys

from hsmctl.domain.sync import Report, Verdict
from hsmctl.domain.sync_again import GRACE
from hsmctl.errors import ExitCode, Unreachable


def test_checks_are_listed_and_summed_up() -> None:
    world = World()
    assert hsmctl(world, "sync", "history").err == "no check was made in that time\n"
    lost = world.keys[3]
    stories = (world.keys, [key for key in world.keys if key != lost], world.keys)
    for held in stories:
        world.tokens.held[HSMS[1]] = list(held)
        hsmctl(world, "sync", "check")
        world.clock.sleep(90)

    listed = hsmctl(world, "sync", "history").out
    assert [line.split()[-3:] for line in listed.splitlines()[1:]] == [
        ["no", "difference", "seen"],
        ["not", "in", "sync"],
        ["no", "difference", "seen"],
    ]
    told = hsmctl(world, "sync", "report", CLUSTER).out
    assert f"◍ {CLUSTER}: well in 2 of 3 checks since" in told
    assert "1 time trouble ended: median 2 min, longest 2 min" in told
    assert f"{HSMS[1]}  ▁█▁" in told
    assert hsmctl(world, "sync", "report", "cluster-other").code == ExitCode.CONFLICT
    assert hsmctl(world, "sync", "history", "--since", "soon").code == ExitCode.USAGE


def test_a_history_that_cannot_be_written_changes_no_verdict() -> None:
    world = World()
    world.history.error = Unreachable("history.sqlite", "database is locked")
    assert hsmctl(world, "sync", "check").code == ExitCode.OK


def report(world: World, grace: timedelta) -> Report:
    facade = world.hsmctl()
    service = facade.sync
    object.__setattr__(service, "grace", grace)
    return service.check(facade.replicas(facade.cluster.only(None)), seconds=10)


def test_a_key_that_was_seen_to_appear_is_healing_within_the_grace_and_missing_after_it() -> None:
    world = World()
    report(world, GRACE)
    world.tokens.held[HSMS[0]].append(aes("young"))
    world.clock.sleep(60)
    report(world, GRACE)
    young = report(world, GRACE)
    assert (young.verdict, young.words) == (Verdict.INCOMPLETE, "incomplete: 1 key healing")

    world.clock.sleep(GRACE.total_seconds())
    assert report(world, GRACE).verdict is Verdict.NOT_IN_SYNC
    assert report(World(keys=seed_keys()), timedelta(0)).verdict is Verdict.NO_DIFFERENCE_SEEN


def test_evidence_shows_what_differs_where_and_names_neither_keys_nor_people(tmp_path: Path) -> None:
    world, file = World(), tmp_path / "case.json"
    world.tokens.held[HSMS[1]].remove(world.keys[3])
    ran = hsmctl(world, "sync", "evidence", "--file", str(file))
    bundle = json.loads(file.read_text())

    assert ran.code == ExitCode.OK
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert hashlib.sha256(file.read_bytes()).hexdigest() in ran.out
    assert [(key["key"], key["cells"][HSMS[1]]) for key in bundle["keys"]] == [(1, "missing")]
    assert [hsm["hsm_id"] for hsm in bundle["clusters"][0]["hsms"]] == list(HSMS)
    for secret in ("db-kek", world.keys[3].identity.label.hex(), "crypto_user", "CERTIFICATE", ACCOUNT):
        assert secret not in file.read_text()

    again = hsmctl(world, "sync", "evidence", "--file", str(file))
    assert (again.code, "never overwritten" in again.err) == (ExitCode.USAGE, True)
    named = tmp_path / "named.json"
    hsmctl(world, "sync", "evidence", "--file", str(named), "--with-names")
    assert json.loads(named.read_text())["keys"][0]["label"] == b"db-kek-003".hex()
