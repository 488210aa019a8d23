"""Proves what `timeline` writes, what it leaves out unless asked, and its exit codes."""

from __future__ import annotations

import pytest
from timeline_world import event, logged
from transcript import hsmctl
from world import CLUSTER, HSMS, World

from hsmctl.errors import Conflict, Denied, ExitCode


def busy() -> World:
    """A night on which somebody deleted an HSM and made keys."""
    world = World()
    world.trail.events = [event("DeleteHsm", CLUSTER, HSMS[2], minutes=2), event("CreateHsm", CLUSTER, minutes=-90)]
    keys = [logged(number, "CN_GENERATE_KEY", seconds=number) for number in range(1, 40)]
    world.audit.logs = {HSMS[0]: [logged(0, "CN_LOGIN", user="ops"), *keys]}
    return world


def test_it_reads_from_top_to_bottom() -> None:
    ran = hsmctl(busy(), "timeline", CLUSTER, "--since", "1h")
    assert ran.code == ExitCode.OK
    assert ran.out.splitlines() == [
        f"{CLUSTER}  2026-11-23 01:10:00 UTC to 2026-11-23 02:10:00 UTC",
        "   TIME            SOURCE      WHO    WHERE            WHAT",
        "◍  11-23 02:00:01  audit log          hsm-aaaaaaaaaaa  39 × key generated",
        "!  11-23 02:02:00  cloudtrail  alice  hsm-ccccccccccc  cloudhsm:DeleteHsm",
        "1 login or session event left out: --sessions",
    ]


def test_more_and_less_of_it_are_options() -> None:
    options = ("timeline", "--since", "2026-11-23T00:00", "--until", "2026-11-23T03:01+01:00")
    assert hsmctl(busy(), *options, "-o", "name").out.count("\n") == 40
    rows = hsmctl(busy(), *options, "--sessions", "-o", "json").document["data"]["happenings"]
    assert [rows[0]["what"], rows[1]["says"], len(rows)] == ["CreateHsm", "login", 41]
    alarms = hsmctl(busy(), "timeline", "--alarms", "-o", "jsonl").out
    assert '"what": "DeleteHsm"' in alarms
    assert alarms.count("\n") == 1


def test_what_is_not_readable_is_unknown_and_the_answer_partial() -> None:
    world = busy()
    world.audit.errors[""] = Conflict(f"no log group /aws/cloudhsm/{CLUSTER}", "CloudHSM has delivered nothing")
    ran = hsmctl(world, "timeline")
    assert ran.code == ExitCode.PARTIAL
    assert f"UNKNOWN: audit log (streams): no log group /aws/cloudhsm/{CLUSTER}" in ran.out


def test_nothing_readable_is_no_answer() -> None:
    world = World()
    world.trail.error = world.audit.errors[""] = Denied("denied")
    assert hsmctl(world, "timeline").code == ExitCode.DENIED


def test_a_name_that_no_source_knows_is_not_found() -> None:
    ran = hsmctl(World(), "timeline", "cluster-typo0000000")
    assert (ran.code, ran.out) == (ExitCode.CONFLICT, "")
    assert "no source knows anything of it" in ran.err


@pytest.mark.parametrize("text", ["yesterday", "24", "1h30", "2026-13-01", "2027-01-01"])
def test_a_time_that_is_none_is_refused_or_is_seconds(text: str) -> None:
    ran = hsmctl(World(), "timeline", "--since", text)
    assert ran.code == (ExitCode.OK if text == "24" else ExitCode.USAGE)


def test_a_plan_shows_who_else_is_at_it() -> None:
    world = busy()
    ran = hsmctl(world, "hsm", "add", "--dry-run")
    assert "/alice called DeleteHsm 8 min ago (reported by CloudTrail, up to 15 min late)" in ran.out
