"""Proves that the `lab` commands bring up, report, export and remove a lab, without any context."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from transcript import hsmctl
from world import CLUSTER, ENDPOINT, HSMS, World

from hsmctl.domain.cluster import HsmState
from hsmctl.errors import ExitCode
from hsmctl.ports import LabFault, LabOptions


def without_lab() -> World:
    world = World()
    world.lab.reset()
    world.lab.running = False
    world.tokens.held.clear()
    return world


def test_up_narrates_on_standard_error_and_answers_with_time_and_memory(tmp_path: Path) -> None:
    world = without_lab()
    ran = hsmctl(world, "lab", "up", "--hsms", "4", "--seed-keys", "3", "--delay", "0", folder=tmp_path)

    assert ran.code == ExitCode.OK
    assert ran.err.splitlines()[0] == f"lab at {ENDPOINT}"
    assert "is ACTIVE with 4 HSMs after" in ran.out
    assert "11.7 / 11.7 / 11.7 MiB (min/median/max)" in ran.out
    assert world.lab.options == LabOptions(hsms=4, seed_keys=3)
    assert [world.lab.equipped] == list(world.plane.held)


def test_up_empty_makes_no_cluster() -> None:
    ran = hsmctl(world := without_lab(), "lab", "up", "--empty")
    assert (ran.code, world.lab.equipped) == (ExitCode.OK, "")
    assert "is up after 0.0 s and has no cluster yet" in ran.out


def test_up_goes_on_with_the_lab_as_it_was_made() -> None:
    world = World()
    world.lab.options = LabOptions(hsms=3, zones=2, seed_keys=7)
    assert hsmctl(world, "lab", "up").code == ExitCode.OK
    assert hsmctl(world, "lab", "up", "--azs", "2").code == ExitCode.OK
    assert hsmctl(world, "lab", "up", "--azs", "3").code == ExitCode.CONFLICT


def test_up_waits_for_no_hsm_whose_process_has_ended() -> None:
    world = World()
    world.lab.options = LabOptions(hsms=4)
    world.plane.stuck = True
    world.lab.dead.add("hsm-new00000003")
    ran = hsmctl(world, "lab", "up", "--hsms", "4")
    assert ran.code == ExitCode.UNKNOWN
    assert "the lab is not whole: hsm-new00000003 is dead" in ran.err
    again = hsmctl(world, "lab", "up", "--hsms", "4")
    assert (again.code, len(world.plane.held[CLUSTER].hsms)) == (ExitCode.UNKNOWN, 4)


@pytest.mark.parametrize(
    ("name", "state"), [("hsm-degraded", HsmState.DEGRADED), ("hsm-stuck", HsmState.CREATE_IN_PROGRESS)]
)
def test_up_waits_for_no_hsm_that_a_fault_keeps_from_becoming_active(name: str, state: HsmState) -> None:
    world = World()
    world.plane.stuck = True
    whole = world.plane.held[CLUSTER]
    kept = replace(whole, hsms=(replace(whole.hsms[0], state=state), *whole.hsms[1:]))
    world.plane.held[CLUSTER] = kept
    fault = world.faults.inject(LabFault(name=name), None)
    ran = hsmctl(world, "lab", "up")
    assert ran.code == ExitCode.CONFLICT
    assert f"{HSMS[0]} does not become ACTIVE: the fault {name} keeps it {state}" in ran.err
    assert f"hint: hsmctl lab fault clear {fault.fault_id}" in ran.err


def test_up_with_other_options_is_a_conflict() -> None:
    ran = hsmctl(World(), "lab", "up", "--hsms", "5")
    assert ran.code == ExitCode.CONFLICT
    assert "hint: hsmctl lab reset --yes" in ran.err


def test_status_answers_no_when_something_is_broken() -> None:
    world = World()
    assert hsmctl(world, "lab", "status").code == ExitCode.OK
    world.lab.dead.add(HSMS[1])
    broken = hsmctl(world, "lab", "status")
    assert broken.code == ExitCode.NO
    assert f"✖  {HSMS[1]}  dead" in broken.out
    world.lab.stop()
    assert hsmctl(world, "lab", "status", "-o", "json", "--query", "running").out == "false\n"


def test_status_document_is_how_other_programs_find_the_lab() -> None:
    data = hsmctl(World(), "lab", "status", "-o", "json").document["data"]
    assert data["endpoint_url"] == data["env"]["AWS_ENDPOINT_URL"] == ENDPOINT
    assert [node["hsm_id"] for node in data["nodes"]] == list(HSMS)
    assert data["pss"] == {"minimum": 12_000, "median": 12_000, "maximum": 12_000}


def test_a_shell_that_evaluates_env_has_the_variables_and_loses_the_others() -> None:
    world = World()
    script = hsmctl(world, "lab", "env").out + 'echo "$AWS_ENDPOINT_URL ${AWS_PROFILE-gone} ${AWS_SESSION_TOKEN-gone}"'
    environ = {"AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "t", "PATH": "/usr/bin:/bin"}
    shell = subprocess.run(["sh", "-euc", script], env=environ, capture_output=True, text=True, check=True)
    assert shell.stdout == f"{ENDPOINT} gone gone\n"


def test_env_of_no_lab_is_a_conflict() -> None:
    ran = hsmctl(without_lab(), "lab", "env")
    assert (ran.code, ran.out) == (ExitCode.CONFLICT, "")
    assert "hint: hsmctl lab up" in ran.err


def test_reset_needs_a_yes() -> None:
    world = World()
    assert hsmctl(world, "lab", "reset").code == ExitCode.USAGE
    assert world.lab.exists
    assert hsmctl(world, "lab", "reset", "--yes").code == ExitCode.OK
    assert not world.lab.exists


def test_down_keeps_the_state_and_says_nothing_on_standard_output() -> None:
    world = World()
    ran = hsmctl(world, "lab", "down")
    assert (ran.code, ran.out) == (ExitCode.OK, "")
    assert (world.lab.running, world.lab.exists) == (False, True)


def test_logs_are_the_answer() -> None:
    assert hsmctl(World(), "lab", "logs").out == "supervisor ready\nhsm-aaaaaaaaaaa ready\n"
