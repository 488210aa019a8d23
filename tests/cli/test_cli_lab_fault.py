"""Proves that faults are listed, injected and cleared from the command line, and that scripts of them are played."""

from __future__ import annotations

from pathlib import Path

import pytest
from transcript import hsmctl
from world import HSMS, World

from hsmctl.errors import ExitCode
from hsmctl.ports import LabFault


def test_a_fault_is_injected_listed_and_cleared() -> None:
    world = World()
    injected = hsmctl(world, "lab", "fault", "inject", "key-missing", "--hsm", HSMS[1], "--key", "kek", "--heal", "5m")
    assert injected.out == f"! key-missing {HSMS[1]} kek: hsmctl lab fault clear f1\n"
    listed = hsmctl(world, "lab", "fault", "list").out.splitlines()
    assert listed[1].split()[:5] == ["!", "f1", "key-missing", HSMS[1], "kek"]
    assert "hsm key" in next(line for line in listed if line.startswith("key-different"))
    assert hsmctl(world, "lab", "fault", "list", "-o", "name").out == "f1\n"
    cleared = hsmctl(world, "lab", "fault", "clear", "f1")
    assert (cleared.code, cleared.out) == (ExitCode.OK, f"◍ key-missing {HSMS[1]} kek is cleared\n")
    assert hsmctl(world, "lab", "fault", "clear", "--all").err == "nothing was wrong\n"


def test_the_regions_fault_takes_the_option_every_command_has() -> None:
    world = World()
    hsmctl(world, "lab", "fault", "inject", "region-down", "--region", "us-west-2")
    assert [fault.region for fault in world.faults.known] == ["us-west-2"]


def test_the_network_breaks_by_short_names() -> None:
    world = World()
    ran = hsmctl(world, "lab", "fault", "net", "acl", "--hsm", HSMS[0])
    assert ran.out == f"! net-acl {HSMS[0]}: hsmctl lab fault clear f1\n"
    hsmctl(world, "lab", "fault", "net", "net-tunnels", "--heal", "10m")
    assert [fault.name for fault in world.faults.known] == ["net-acl", "net-tunnels"]
    assert hsmctl(world, "lab", "fault", "net", "node-down").code == ExitCode.USAGE


def test_what_happens_once_leaves_nothing_to_clear() -> None:
    world = World()
    assert hsmctl(world, "lab", "fault", "inject", "hsm-moved", "--hsm", HSMS[0]).out.endswith("once and is over\n")
    assert world.faults.known == []


@pytest.mark.parametrize("words", [["clear"], ["clear", "f1", "--all"], ["inject", "no-such"], ["inject"]])
def test_what_makes_no_sense_is_refused(words: list[str]) -> None:
    assert hsmctl(World(), "lab", "fault", *words).code == ExitCode.USAGE


def test_a_fault_nobody_knows_is_a_conflict() -> None:
    assert hsmctl(World(), "lab", "fault", "clear", "f9").code == ExitCode.CONFLICT


def test_a_shipped_script_is_played_and_leaves_its_faults() -> None:
    world = World()
    ran = hsmctl(world, "lab", "scenario", "play", "twin")
    assert ran.code == ExitCode.OK
    assert [fault.hsm for fault in world.faults.known[:2]] == [HSMS[0], HSMS[1]]
    assert f"key pin-block made on {HSMS[0]}" in ran.err
    assert "hsmctl --lab sync check --deep" in ran.err
    assert "key-different" in ran.out


def test_every_shipped_script_plays_and_only_injected_time_passes() -> None:
    for name in hsmctl(World(), "lab", "scenario", "list", "-o", "name").out.split():
        world = World()
        assert hsmctl(world, "lab", "scenario", "play", name).code == ExitCode.OK, name


def test_a_script_of_ones_own_is_played_to_the_step_that_fails(tmp_path: Path) -> None:
    world = World()
    script = tmp_path / "mine.toml"
    script.write_text(
        'title = "Mine"\n[[step]]\nfault = "key-missing"\nhsm = 3\nkey = "kek"\n'
        '[[step]]\nwait = 3600\n[[step]]\nwait = "replicated"\n[[step]]\nclear = "key-missing"\n'
        '[[step]]\nfault = "node-frozen"\nhsm = 4\n'
    )
    before = world.clock.monotonic()
    ran = hsmctl(world, "lab", "scenario", "play", str(script))
    assert ran.err.splitlines() == [
        "Mine",
        f"fault f1 key-missing {HSMS[2]} kek",
        "3600 s later",
        "every change is on every HSM",
        "fault f1 key-missing cleared",
        "hsmctl: no HSM 4: the lab has 3",
        "hint: hsmctl lab up --hsms 4",
    ]
    assert ran.code == ExitCode.CONFLICT
    assert world.clock.monotonic() >= before + 3600


def test_replication_that_never_ends_is_given_up(tmp_path: Path) -> None:
    world = World()
    world.lab.waiting[HSMS[1]] = 2
    script = tmp_path / "mine.toml"
    script.write_text('title = "Mine"\n[[step]]\nwait = "replicated"\n')
    assert hsmctl(world, "lab", "scenario", "play", str(script)).code == ExitCode.UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        "not toml at all",
        'says = "no title"',
        'title = "x"\n[[step]]\ndance = 1',
        'title = "x"\n[[step]]\nsay = "x"\nloud = true',
        'title = "x"\n[[step]]\ngenerate = "des"\nlabel = "x"',
        'title = "x"\n[[step]]\ngenerate = "rsa"\nsize = "1024"\nlabel = "x"',
        'title = "x"\n[[step]]\nwait = "long"',
        'title = "x"\nstep = 1',
    ],
)
def test_a_script_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    script = tmp_path / "mine.toml"
    script.write_text(text)
    ran = hsmctl(World(), "lab", "scenario", "play", str(script))
    assert ran.code == ExitCode.USAGE
    assert "scenario" in ran.err
    assert hsmctl(World(), "lab", "scenario", "play", "no-such").code == ExitCode.USAGE


def test_a_clone_for_a_program_is_what_a_shell_evaluates() -> None:
    ran = hsmctl(World(), "lab", "clone-for", "nginx", "--out", "/srv/hsm")
    assert "export SOFTHSM2_CONF=/srv/hsm/softhsm2.conf\n" in ran.out


def test_status_shows_what_is_wrong_with_an_hsm() -> None:
    world = World()
    world.lab.waiting[HSMS[1]] = 2
    world.faults.inject(LabFault(name="node-frozen", hsm=HSMS[0]), None)
    lines = hsmctl(world, "lab", "status").out.splitlines()
    assert "2 changes" in next(line for line in lines if HSMS[1] in line)
