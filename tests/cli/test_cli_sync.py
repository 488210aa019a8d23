"""Proves that `sync check` gives each verdict its words, its exit code and its monitoring line, and never more."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from transcript import hsmctl
from world import ACCOUNT, HSMS, FakePlane, World, aes, seed_keys, three_hsms

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.key import Proof, ProofKind
from hsmctl.errors import Denied, ExitCode, Unreachable
from hsmctl.secret import Source, SourceKind
from hsmctl.settings import Context
from hsmctl.settings_entry import TokenEntry

FIGURES = "| keys=5 replicas=3 unreadable"


def missing() -> World:
    world = World()
    world.tokens.held[HSMS[1]].pop(3)
    return world


def attributes() -> World:
    world = World()
    world.tokens.held[HSMS[2]][0] = aes("db-kek-000", key_id=bytes(4), extractable=True)
    return world


def unreadable(*names: str, error: type[Denied] | type[Unreachable] = Unreachable) -> World:
    world = World()
    world.tokens.errors.update({name: error(name, "no answer in 10 s") for name in names})
    return world


def proved() -> World:
    return World(keys=[replace(key, proof=Proof(ProofKind.DIGEST, b"x", "encrypt")) for key in World().keys])


@pytest.mark.parametrize(
    ("world", "code", "words", "nagios", "line"),
    [
        (missing(), 1, "✖ not in sync: 1 key differs", 2, "CRITICAL - not in sync: 1 key differs: db-kek-003 missing"),
        (attributes(), 1, "~ attributes differ: 1 key differs", 1, "WARNING - attributes differ"),
        (unreadable(HSMS[0]), 6, "▒ incomplete: 1 of 3 replicas not readable", 1, "WARNING - incomplete: 1 of 3"),
        (unreadable(*HSMS), 3, "▒ unknown: 3 of 3 replicas not readable", 3, "UNKNOWN - unknown: 3 of 3"),
        (unreadable(*HSMS, error=Denied), 4, "▒ unknown: 3 of 3", 3, "UNKNOWN - unknown: 3 of 3"),
        (World(), 0, "◍ no difference seen (0 proved, 5 unproven)", 0, "OK - no difference seen (0 proved, 5"),
        (proved(), 0, "● in sync", 0, "OK - in sync"),
    ],
    ids=["missing", "attributes", "incomplete", "unknown", "denied", "unproven", "proved"],
)
def test_each_verdict_has_its_words_and_codes(world: World, code: int, words: str, nagios: int, line: str) -> None:
    table = hsmctl(world, "sync", "check")
    assert table.code == code
    assert table.out.startswith(words)
    document = hsmctl(world, "sync", "check", "-o", "json")
    assert (document.code, document.document["data"]["exit"]) == (code, code)
    monitored = hsmctl(world, "sync", "check", "-o", "nagios")
    assert monitored.code == nagios
    assert monitored.out.startswith(f"LAB SYNC {line}")
    assert len(monitored.out.splitlines()) == 1


def test_the_missing_key_and_its_hsm_are_named_everywhere() -> None:
    table = hsmctl(missing(), "sync", "check").out
    assert "✖  db-kek-003  AES-256  secret-key  missing on hsm-bbbbbbbbbbb" in table
    difference = hsmctl(missing(), "sync", "check", "-o", "json").document["data"]["differences"]
    assert [(each["label"], each["cells"][HSMS[1]]) for each in difference] == [("db-kek-003", "missing")]
    assert hsmctl(missing(), "sync", "check", "-o", "name").out == "db-kek-003\n"
    monitored = hsmctl(missing(), "sync", "check", "-o", "nagios").out
    assert f"db-kek-003 missing on hsm-bbbbbbbbbbb {FIGURES}=0" in monitored


def test_a_monitoring_line_names_three_keys_and_counts_the_rest() -> None:
    world = World()
    world.tokens.held[HSMS[1]].clear()
    line = hsmctl(world, "sync", "check", "-o", "nagios").out
    assert "db-kek-002 missing on hsm-bbbbbbbbbbb, 2 more |" in line


def test_an_unreadable_replica_is_named_with_its_reason() -> None:
    assert f"▒  {HSMS[0]}  eu-central-1a     –  no answer in 10 s" in hsmctl(unreadable(HSMS[0]), "sync", "check").out


def test_another_account_is_denied_before_any_hsm_is_asked() -> None:
    world = missing()
    world.aws.account = "999999999999"
    ran = hsmctl(world, "sync", "check")

    assert (ran.code, ran.out) == (ExitCode.DENIED, "")
    assert ACCOUNT in ran.err
    monitored = hsmctl(world, "sync", "check", "-o", "nagios")
    assert monitored.code == 3
    assert monitored.out.startswith("LAB SYNC UNKNOWN - account 999999999999")


def test_who_watches_sees_answers_come_and_who_pipes_does_not() -> None:
    assert hsmctl(World(), "sync", "check").err == ""
    assert len(hsmctl(World(), "sync", "check", terminal=True).err.splitlines()) == len(HSMS)


def test_only_the_named_replicas_are_compared() -> None:
    world = missing()
    assert hsmctl(world, "sync", "check", "--replica", HSMS[0], "--replica", HSMS[2]).code == ExitCode.OK
    assert hsmctl(world, "sync", "check", "--replica", "nope").code == ExitCode.CONFLICT


def test_requiring_proof_or_scope_makes_agreement_partial() -> None:
    assert hsmctl(World(), "sync", "check", "--require", "proved").code == ExitCode.PARTIAL
    assert hsmctl(World(), "sync", "check", "--require", "proved", "-o", "nagios").code == 1
    assert hsmctl(proved(), "sync", "check", "--require", "proved", "--require-scope", "full").code == ExitCode.OK
    half = proved()
    half.tokens.hidden = 3
    told = hsmctl(half, "sync", "check")
    assert told.out.startswith("◍ visible keys agree")
    assert told.err == "warning: 3 objects not visible to crypto_user: unproven\n"
    document = hsmctl(half, "sync", "check", "-o", "json").document
    assert document["warnings"] == ["3 objects not visible to crypto_user: unproven"]
    assert hsmctl(half, "sync", "check", "--require-scope", "full").code == ExitCode.PARTIAL
    assert hsmctl(missing(), "sync", "check", "--require", "proved").code == ExitCode.NO


def test_keys_that_prove_themselves_are_in_sync_and_those_that_do_not_are_named_with_the_reason() -> None:
    world = World()
    assert hsmctl(world, "sync", "check", "--deep", "--require", "proved").out.startswith("● in sync\n")
    assert len(world.tokens.used) == len(world.keys) * len(HSMS)

    world.tokens.answers["", "db-kek-001"] = Proof(ProofKind.NONE, reason="it can only unwrap")
    told = hsmctl(world, "sync", "check", "--deep")
    assert told.code == ExitCode.OK
    assert told.out.startswith("◍ no difference seen (4 proved, 1 unproven)\n")
    assert "\n  1 unproven: it can only unwrap\n" in told.out
    assert "db-kek-001" not in told.out
    assert (
        "?  db-kek-001  AES-256  secret-key  00000001  it can only unwrap"
        in hsmctl(world, "sync", "check", "--deep", "-o", "wide").out
    )
    assert hsmctl(world, "sync", "check", "--deep", "--require", "proved").code == ExitCode.PARTIAL
    data = hsmctl(world, "sync", "check", "--deep", "-o", "json").document["data"]
    assert data["reasons"] == {"it can only unwrap": 1}
    assert [(key["label"], key["reasons"]) for key in data["unproven_keys"]] == [("db-kek-001", ["it can only unwrap"])]


def test_a_twin_of_the_same_name_and_check_value_is_found_only_by_using_it() -> None:
    world = World()
    world.tokens.answers[HSMS[1], "db-kek-002"] = Proof(ProofKind.DIGEST, b"of a twin", "encrypt")
    assert hsmctl(world, "sync", "check").code == ExitCode.OK

    told = hsmctl(world, "sync", "check", "--deep")
    assert told.code == ExitCode.NO
    assert "≠  db-kek-002  AES-256  secret-key  different on hsm-bbbbbbbbbbb" in told.out


def onprem(*deep_allow: str) -> Context:
    tokens = tuple(TokenEntry(name=name, module="/usr/lib/p11.so", password=Source(SourceKind.PROMPT)) for name in HSMS)
    return Context(name="onprem", tokens=tokens, deep_allow=deep_allow)


def test_outside_the_lab_keys_are_used_only_by_permission_and_on_demand() -> None:
    world = World()
    denied = hsmctl(world, "sync", "check", "--deep", "--yes", context=onprem())
    assert denied.code == ExitCode.DENIED
    assert "add deep_allow" in denied.err
    asked = hsmctl(world, "sync", "check", "--deep", context=onprem("db-kek-00[01]", "app-*"))
    assert asked.code == ExitCode.USAGE
    assert "each key named db-kek-00[01], app-* once; HSMs log that" in asked.err
    assert world.tokens.used == []

    told = hsmctl(world, "sync", "check", "--deep", "--yes", context=onprem("db-kek-00[01]", "app-*"))
    assert told.out.startswith("◍ no difference seen (2 proved, 3 unproven)\n")
    assert "  3 unproven: deep_allow does not name it\n" in told.out
    assert {label for _, label in world.tokens.used} == {b"db-kek-000", b"db-kek-001"}


def test_what_a_check_takes_from_others_is_counted_and_bounded() -> None:
    ran = hsmctl(World(), "sync", "check", "--deep")
    data = hsmctl(World(), "sync", "check", "-o", "json").document["data"]
    assert "  3 logins (at most 9), 15 keys used, 2 AWS requests" in ran.out.splitlines()
    assert [data[name] for name in ("reads", "reads_limit", "uses", "aws_requests")] == [3, 9, 0, 2]


def test_keys_that_there_is_no_time_for_are_not_used() -> None:
    world = World(keys=seed_keys(60))
    told = hsmctl(world, "sync", "check", "--deep", "--yes", "--deadline", "2s", context=onprem("db-*"))
    assert told.code == ExitCode.UNKNOWN
    assert "no time to use 60 keys: at 20 in a second that takes 3 s" in told.out
    assert world.tokens.used == []


def test_tokens_of_a_context_without_an_account_need_no_aws() -> None:
    world = World()
    world.aws.error = Denied("sts", "would be asked")
    tokens = tuple(TokenEntry(name=name, module="/usr/lib/p11.so", password=Source(SourceKind.PROMPT)) for name in HSMS)
    ran = hsmctl(world, "sync", "check", "-o", "nagios", context=Context(name="onprem", tokens=tokens))
    assert ran.out.startswith("SYNC OK - no difference seen")


def test_a_context_without_tokens_cannot_be_compared_and_says_why() -> None:
    ran = hsmctl(World(), "sync", "check", context=Context(name="prod", account_id=ACCOUNT))
    assert ran.code == ExitCode.USAGE
    assert "has no tokens" in ran.err


@pytest.mark.parametrize("deadline", ["soon", "10y", "-1", ""])
def test_a_deadline_is_a_time(deadline: str) -> None:
    assert hsmctl(World(), "sync", "check", "--deadline", deadline).code == ExitCode.USAGE


def test_too_few_copies_fail_the_check_though_nothing_differs() -> None:
    told = hsmctl(World(), "sync", "check", "--min-copies", "4")
    assert told.code == ExitCode.NO
    assert told.out.startswith("◍ no difference seen (0 proved, 5 unproven); 5 keys on fewer than 4 replicas\n")
    assert "!  db-kek-000  secret-key       3" in told.out
    assert hsmctl(World(), "sync", "check", "--min-copies", "3").code == ExitCode.OK
    assert hsmctl(World(), "sync", "check", "--min-copies", "4", "-o", "nagios").code == 2
    assert hsmctl(unreadable(HSMS[0]), "sync", "check", "--min-copies", "3").code == ExitCode.PARTIAL


def test_a_key_that_is_gone_everywhere_is_found_by_the_baseline(tmp_path: Path) -> None:
    file = str(tmp_path / "keys.json")
    assert hsmctl(World(), "sync", "check", "--save-baseline", file).code == ExitCode.OK
    assert hsmctl(World(), "sync", "check", "--baseline", file).code == ExitCode.OK

    told = hsmctl(World(keys=seed_keys(4)), "sync", "check", "--baseline", file)
    assert told.code == ExitCode.NO
    assert told.out.startswith("◍ no difference seen (0 proved, 4 unproven); since the baseline 1 gone, 0 changed\n")
    assert "✖ db-kek-004 (secret-key) is gone" in told.out
    document = hsmctl(World(keys=seed_keys(6)), "sync", "check", "--baseline", file, "-o", "json").document
    assert document["data"]["baseline"]["new"] == 1
    assert hsmctl(World(keys=seed_keys(4)), "sync", "check", "--baseline", file, "-o", "nagios").code == 2


def test_a_file_that_is_no_baseline_is_refused_and_one_is_written_only_of_everything(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    assert hsmctl(World(), "sync", "check", "--baseline", str(file)).code == ExitCode.CONFLICT
    for content in ("{", "[]", '{"schema": "hsmctl/sync.baseline@9"}', '{"schema": "hsmctl/sync.baseline@1"}'):
        file.write_text(content)
        assert hsmctl(World(), "sync", "check", "--baseline", str(file)).code == ExitCode.USAGE
    kept = hsmctl(unreadable(HSMS[0]), "sync", "check", "--save-baseline", str(tmp_path / "new.json"))
    assert kept.code == ExitCode.UNKNOWN
    assert not (tmp_path / "new.json").exists()


def test_the_attribute_that_differs_and_the_other_name_are_said() -> None:
    assert f"other extractable on {HSMS[2]}" in hsmctl(attributes(), "sync", "check").out
    world = World()
    world.tokens.held[HSMS[1]][3] = replace(world.keys[3], identity=aes("moved").identity)
    told = hsmctl(world, "sync", "check").out
    assert f"missing on {HSMS[1]}, which call it moved" in told


def test_aws_that_never_answers_is_given_up_at_the_deadline() -> None:
    world, forever = World(), threading.Event()

    class Silent(FakePlane):
        def clusters(self, ids: Sequence[str] = ()) -> tuple[Cluster, ...]:
            forever.wait()
            return super().clusters(ids)

    world.plane = world.aws.plane = Silent(three_hsms())
    ran = hsmctl(world, "sync", "check", "--deadline", "200ms")
    forever.set()
    assert ran.code == ExitCode.UNKNOWN
    assert "AWS: no answer before the deadline" in ran.err
