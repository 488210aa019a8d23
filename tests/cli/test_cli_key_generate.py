"""Proves that `key generate` makes what was asked, tells where it arrived, keeps a record, and stops at every guard."""

from __future__ import annotations

from dataclasses import replace

import pytest
from transcript import hsmctl
from world import ACCOUNT, HSMS, World, lab_context

from hsmctl.errors import ExitCode, Unreachable
from hsmctl.settings import Context


def test_a_new_key_is_shown_and_seen_everywhere() -> None:
    world = World()
    ran = hsmctl(world, "key", "generate", "AES", "--label", "payments", "--id", "0a01")

    assert ran.code == ExitCode.OK
    assert "payments  AES-256  secret-key  0a01" in ran.out
    assert f"◍ seen on 3 replicas: {', '.join(HSMS)}" in ran.out
    assert [world.tokens.held[name][-1].identity.label for name in HSMS] == [b"payments"] * 3


def test_a_pair_has_two_halves_and_the_wanted_curve() -> None:
    document = hsmctl(World(), "key", "generate", "ec", "--label", "tls", "--size", "P-384", "-o", "json").document
    assert [(key["object_class"], key["curve"]) for key in document["data"]["keys"]] == [
        ("private-key", "P-384"),
        ("public-key", "P-384"),
    ]


def test_a_key_that_did_not_arrive_is_partial_and_says_where_it_is_not() -> None:
    world = World()
    world.tokens.replicate = False
    ran = hsmctl(world, "key", "generate", "AES", "--label", "lonely", "--on", HSMS[1])

    assert ran.code == ExitCode.PARTIAL
    assert f"seen on 1 replica: {HSMS[1]}" in ran.out
    assert f"✖ not seen in time on {HSMS[0]}, {HSMS[2]}" in ran.out


def test_the_journal_knows_before_and_after() -> None:
    world = World()
    hsmctl(world, "key", "generate", "AES", "--label", "payments")
    world.tokens.errors[HSMS[0]] = Unreachable(HSMS[0], "down")
    hsmctl(world, "key", "generate", "AES", "--label", "refunds", "--deadline", "1s")

    kinds = [record["kind"] for record in world.journal.written]
    assert kinds == ["key-generate", "key-generated", "key-generate", "key-not-generated"]
    assert world.journal.written[1]["seen_on"] == HSMS


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["AES", "--label", "db-kek-001"], ExitCode.CONFLICT),
        (["RSA", "--label", "x", "--size", "1024"], ExitCode.USAGE),
        (["DES", "--label", "x"], ExitCode.USAGE),
        (["AES", "--label", ""], ExitCode.USAGE),
        (["AES"], ExitCode.USAGE),
        (["AES", "--label", "x", "--id", "zz"], ExitCode.USAGE),
        (["AES", "--label", "x", "--on", "hsm-nope"], ExitCode.CONFLICT),
    ],
)
def test_what_makes_no_sense_makes_no_key(arguments: list[str], code: ExitCode) -> None:
    world = World()
    ran = hsmctl(world, "key", "generate", *arguments)

    assert ran.code == code
    assert ran.out == ""
    assert all(len(keys) == 5 for keys in world.tokens.held.values())


@pytest.mark.parametrize(
    "context",
    [
        Context(account_id=ACCOUNT),
        replace(lab_context(), read_only=True),
        replace(lab_context(), protect=True),
        replace(lab_context(), account_id="999999999999"),
    ],
    ids=["no context", "read-only", "protected", "another account"],
)
def test_every_guard_denies_and_nothing_is_recorded_as_done(context: Context) -> None:
    world = World()
    ran = hsmctl(world, "key", "generate", "AES", "--label", "x", context=context)

    assert ran.code == ExitCode.DENIED
    assert world.journal.written == []
    assert all(len(keys) == 5 for keys in world.tokens.held.values())


def test_breaking_the_glass_is_recorded_with_its_reason() -> None:
    world = World()
    protected = replace(lab_context(), protect=True)
    ran = hsmctl(world, "key", "generate", "AES", "--label", "x", "--break-glass", "outage 4711", context=protected)

    assert ran.code == ExitCode.OK
    assert world.journal.written[0]["break_glass"] == "outage 4711"
