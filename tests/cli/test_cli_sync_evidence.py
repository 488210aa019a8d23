"""Proves that a real cluster is checked by its own evidence, whose words never say more than what was seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from transcript import Ran, hsmctl
from world import HSMS, NOW, World, lab_context

from hsmctl.domain.audit import AuditEntry
from hsmctl.domain.coverage import ReportedKey
from hsmctl.errors import ExitCode, Unreachable
from hsmctl.secret import Source, SourceKind
from hsmctl.settings import Context
from hsmctl.settings_entry import ClientEntry

PROD = Context(
    name="prod",
    clients=(ClientEntry(name="app1", host="app1.internal"),),
    user="crypto_user",
    password=Source(SourceKind.PROMPT),
)


def keys(count: int) -> tuple[ReportedKey, ...]:
    return tuple(
        ReportedKey(
            reference=f"0x{number:016x}", label=f"key-{number}", coverage="full", owners={"crypto_user": "full"}
        )
        for number in range(count)
    )


def world(count: int = 5) -> World:
    """A world in which the HSMs count five token keys, of which the crypto user sees some."""
    made = World()
    made.consoles.cluster.keys = keys(count)
    return made


def check(made: World, *more: str) -> Ran:
    return hsmctl(made, "sync", "check", *more, context=PROD)


def test_a_real_cluster_is_asked_at_every_level_and_called_reported() -> None:
    ran = check(world())
    assert ran.code == ExitCode.OK
    assert ran.out.splitlines() == [
        "◍ no difference seen (reported, not proved)",
        "  3 ACTIVE HSMs; app1 reaches 3; 3 users; 5 keys seen as crypto_user",
        "  2 AWS requests",
    ]


def test_the_lab_is_looked_at_as_aws_is_once_it_has_a_client_host() -> None:
    lab = replace(lab_context(), clients=PROD.clients)

    def schema(context: Context, *more: str) -> str:
        return str(hsmctl(world(), "sync", "check", *more, "-o", "json", context=context).document["schema"])

    assert schema(lab) == "hsmctl/sync.coverage@1"
    assert schema(lab_context()) == "hsmctl/sync.check@1"
    for more in (["--via", "lab-node"], ["--deep"], ["--min-copies", "3"]):
        assert schema(lab, *more) == "hsmctl/sync.check@1"
    told = hsmctl(world(), "sync", "check", "--via", "host", "-o", "json").document
    assert (told["schema"], told["data"]["keys"]) == ("hsmctl/sync.coverage@1", None)


def test_keys_that_the_user_does_not_see_are_said_and_may_be_demanded() -> None:
    ran = check(world(2), "--require-scope", "full")
    assert ran.code == ExitCode.PARTIAL
    assert "the HSMs report 5 token keys; 3 not visible: unproven" in ran.out
    assert ran.out.startswith("◍ visible keys agree (reported, not proved)\n")
    assert check(world(2), "-o", "nagios").out.startswith("SYNC OK - visible keys agree (reported, not proved)")
    assert check(world(5), "--require-scope", "full").code == ExitCode.OK


def test_drift_of_users_and_keys_has_its_repair_and_its_grade() -> None:
    made = world()
    del made.consoles.cluster.users[HSMS[0]]["app_user"]
    made.consoles.cluster.keys = (replace(keys(1)[0], coverage="inconsistent"), *keys(5)[1:])
    ran = check(made)
    assert (ran.code, "✖ not in sync: 2 findings" in ran.out) == (ExitCode.NO, True)
    assert "repair: hsmctl user repair app_user" in ran.out
    nagios = check(made, "-o", "nagios")
    assert nagios.code == 2
    assert "user app_user missing on some HSM" in nagios.out


def test_a_locked_user_is_not_logged_in_and_its_keys_are_not_seen() -> None:
    made = world()
    for users in made.consoles.cluster.users.values():
        users["crypto_user"] = replace(users["crypto_user"], failures=5)
    ran = check(made)
    assert (ran.code, made.consoles.cluster.attempts) == (ExitCode.NO, [])
    assert "locked; attempts left: unknown" in ran.out


def test_a_client_host_that_is_gone_leaves_the_counts() -> None:
    made = world()
    made.consoles.cluster.down["app1"] = Unreachable("app1", "no answer")
    ran = check(made)
    assert (ran.code, "▒ unknown: 1 thing not seen" in ran.out) == (ExitCode.UNKNOWN, True)
    made.estate.keys = {HSMS[0]: [5.0, 5.0], HSMS[1]: [4.0, 4.0], HSMS[2]: [5.0, 5.0]}
    assert check(made).code == ExitCode.NO
    assert check(made, "--via", "control").code == ExitCode.NO


@pytest.mark.parametrize(
    "words",
    [
        ["--via", "lab-node"],
        ["--via", "login", "--deep", "--yes"],
        ["--via", "host", "--replica", "x"],
        ["--via", "host", "--require", "proved"],
    ],
)
def test_what_cannot_be_had_together_is_said(words: list[str]) -> None:
    assert check(world(), *words).code == ExitCode.USAGE


def test_an_audit_log_says_which_hsm_missed_the_change_that_a_user_lacks() -> None:
    made, at = world(), NOW - timedelta(hours=1)

    def entry(sequence: int, opcode: str, user: str) -> AuditEntry:
        moment = at + timedelta(minutes=sequence)
        return AuditEntry(at=moment, sequence=sequence, opcode=opcode, code=0, response="", user=user)

    begun, heard = entry(0, "CN_LOGIN", "admin"), entry(1, "CN_CREATE_USER", "late_cu")
    mended = entry(2, "CN_DELETE_USER", "crypto_user")  # what was mended since is nobody's business
    made.audit.logs = {HSMS[0]: [begun, heard, mended], HSMS[1]: [begun], HSMS[2]: [begun, heard]}
    assert "audit log" not in check(made).out  # nothing is wrong, so nothing is read
    for hsm in (HSMS[0], HSMS[2]):
        made.consoles.cluster.users[hsm]["late_cu"] = made.consoles.cluster.users[hsm]["crypto_user"]
    rows = check(made, "-o", "json").document["data"]["findings"]
    (trace,) = [row for row in rows if row["kind"] == "audit log"]
    assert (trace["name"], trace["grade"], trace["severity"]) == ("late_cu", "inferred", "note")
    assert trace["says"].startswith(f"{HSMS[1]} did not log: crypto user created")
