"""Proves that a lab lives: made through AWS's own wires, cloned, replicated, stopped, started, repaired and removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from live import LiveLab, until

from hsmctl.adapters.lab import LabProgram
from hsmctl.domain.key import KeyKind
from hsmctl.errors import Conflict, Denied, UsageError
from hsmctl.lab import softhsm
from hsmctl.lab.configuration import Options
from hsmctl.ports import LabOptions, Login
from hsmctl.secret import Secret
from hsmctl.settings import Flags
from hsmctl.settings_loader import load

OPTIONS = LabOptions(hsms=3, zones=2, seed_keys=0)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveLab]:
    """A cluster of three HSMs; the second and third are clones of one that had keys."""
    live = LiveLab(tmp_path_factory.mktemp("lab"), OPTIONS)
    try:
        live.start()
        live.create()
        (first,) = live.hsms()
        live.generate(first, KeyKind.AES, "256", "seeded")
        live.generate(first, KeyKind.EC, "P-384", "seeded pair")
        live.add("us-east-1a", "us-east-1b")
        yield live
    finally:
        live.program.reset()


def test_clones_hold_the_same_keys_at_addresses_of_their_zones(lab: LiveLab) -> None:
    hsms = lab.hsms()
    inventories = [lab.inventory(hsm) for hsm in hsms]
    assert [(len(each.keys), each.total) for each in inventories] == [(3, 3)] * 3
    assert len({frozenset(each.keys) for each in inventories}) == 1
    places = sorted((hsm.zone, str(hsm.address).split(".")[2]) for hsm in hsms)
    assert places == [("us-east-1a", "1"), ("us-east-1a", "1"), ("us-east-1b", "2")]


@pytest.mark.parametrize("number", range(3))
def test_a_key_made_on_one_hsm_is_on_all_when_the_answer_comes(lab: LiveLab, number: int) -> None:
    hsms = lab.hsms()
    made = lab.generate(hsms[number], KeyKind.EC, "P-256", f"made on {number}")
    for hsm in hsms:
        assert set(made) <= set(lab.inventory(hsm).keys)


def test_every_hsm_has_a_pin_of_its_own_and_the_users_of_its_origin(lab: LiveLab) -> None:
    folders = [lab.folder / "nodes" / hsm.hsm_id for hsm in lab.hsms()]
    pins = {json.loads((folder / "node.json").read_text())["tokens"]["ops_cu"]["pin"] for folder in folders}
    assert len(pins) == 3
    assert len({(folder / "users.json").read_text() for folder in folders}) == 1
    wrong = Login(user="ops_cu", password=Secret("wrong wrong"))
    with pytest.raises(Denied):
        lab.inventory(lab.hsms()[0], wrong)


def test_status_names_processes_and_their_size(lab: LiveLab) -> None:
    status = lab.program.status()
    assert (status.running, status.healthy) == (True, True)
    assert status.clusters == (lab.cluster().cluster_id,)
    assert [node.state for node in status.nodes] == ["running"] * 3
    for node in status.nodes:
        assert node.pid
        os.kill(node.pid, 0)
        assert 0 < (node.pss_kib or 0) < 40 * 1024


def test_the_context_is_what_the_settings_loader_reads(lab: LiveLab) -> None:
    status = lab.program.status()
    context = load(Flags(), {"HSMCTL_LAB_HOME": str(lab.folder), "HSMCTL_STATE_HOME": str(lab.folder)}).context
    assert (context.name, context.endpoint_url, context.user) == ("lab", status.endpoint_url, "ops_cu")
    assert context.access_key_id == status.env["AWS_ACCESS_KEY_ID"]
    assert context.subnets == status.subnets
    assert all(path.exists() for path in (context.customer_ca, *context.hardware_roots) if path)


def test_another_lab_in_the_same_folder_is_a_conflict(lab: LiveLab) -> None:
    with pytest.raises(Conflict, match="zones 2"):
        lab.program.start(replace(OPTIONS, zones=3))


def test_the_same_lab_again_is_left_as_it_is(lab: LiveLab) -> None:
    before = lab.program.status()
    assert _processes(lab.start()) == _processes(before)


def test_files_are_private_and_no_password_is_in_the_log(lab: LiveLab) -> None:
    for path in lab.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    log = "\n".join(lab.program.logs())
    assert "listens on" in log
    for secret in (lab.folder / "secrets").iterdir():
        assert secret.read_text() not in log


def test_a_dead_hsm_is_reported_and_only_a_start_brings_it_back(lab: LiveLab) -> None:
    victim = lab.program.status().nodes[1]
    assert victim.pid
    os.kill(victim.pid, signal.SIGKILL)
    until(lambda: lab.program.status().nodes[1].state == "dead")
    assert not lab.program.status().healthy
    hsm = next(hsm for hsm in lab.hsms() if hsm.hsm_id != victim.hsm_id)
    lab.generate(hsm, KeyKind.AES, "128", "made meanwhile")
    assert lab.start().healthy
    assert len({frozenset(lab.inventory(hsm).keys) for hsm in lab.hsms()}) == 1


def test_a_stopped_hsm_does_not_answer_and_a_start_lets_it_go_on(lab: LiveLab) -> None:
    victim = lab.program.status().nodes[1]
    assert victim.pid
    os.kill(victim.pid, signal.SIGSTOP)
    status = lab.program.status()
    assert [node.state for node in status.nodes] == ["running", "unresponsive", "running"]
    assert not status.healthy
    again = lab.start()
    assert again.healthy
    assert again.nodes[1].pid == victim.pid


def test_hsms_end_with_a_killed_supervisor_and_the_next_one_continues(lab: LiveLab) -> None:
    before = lab.program.status()
    keys = set(lab.inventory(lab.hsms()[0]).keys)
    frozen = before.nodes[0].pid
    assert before.pid
    assert frozen
    os.kill(frozen, signal.SIGSTOP)  # it cannot see the end of its pipe
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: [pid for pid in _processes(before) if _alive(pid)] == [frozen])
    after = lab.start()
    assert after.healthy
    assert after.endpoint_url == before.endpoint_url
    assert not _alive(frozen)
    assert set(lab.inventory(lab.hsms()[0]).keys) == keys


def test_an_object_taken_by_hand_is_missing_there_and_nowhere_else_and_stays_so(lab: LiveLab) -> None:
    first, second, third = lab.hsms()
    whole = lab.inventory(first)
    tokens = {hsm: lab.folder / "nodes" / hsm.hsm_id / "tokens" / "ops_cu" for hsm in (first, second)}
    taken = sorted(softhsm.object_files(tokens[second]))[0]
    (tokens[second] / taken).unlink()
    lab.generate(second, KeyKind.AES, "256", "after the theft")
    left = lab.inventory(second)
    (missing,) = set(lab.inventory(first).keys) - set(left.keys)
    assert missing in whole.keys
    assert left.total == len(left.keys) == len(whole.keys)
    assert set(lab.inventory(first).keys) == set(lab.inventory(third).keys)
    softhsm.copy_object(tokens[first], tokens[second], taken)
    assert set(lab.inventory(second).keys) == set(lab.inventory(first).keys)


def test_a_wanted_address_is_given_once(lab: LiveLab) -> None:
    cluster = lab.cluster()
    wanted = str(lab.hsms()[0].address).rsplit(".", 2)[0] + ".2.77"
    added = lab.plane.create_hsm(cluster.cluster_id, "us-east-1b", wanted)
    assert added.address == wanted
    until(lambda: len(lab.hsms()) == 4)
    for taken in (wanted, wanted.replace(".77", ".2")):
        with pytest.raises(Conflict):
            lab.plane.create_hsm(cluster.cluster_id, "us-east-1b", taken)
    lab.plane.delete_hsm(cluster.cluster_id, added.hsm_id)
    until(lambda: len(lab.cluster().hsms) == 3)


def test_a_deleted_hsm_is_gone_and_its_address_free(lab: LiveLab) -> None:
    (added,) = lab.add("us-east-1b")
    address = next(hsm.address for hsm in lab.hsms() if hsm.hsm_id == added)
    lab.plane.delete_hsm(lab.cluster().cluster_id, added)
    until(lambda: len(lab.cluster().hsms) == 3)
    assert not (lab.folder / "nodes" / added).exists()
    assert added not in [node.hsm_id for node in lab.program.status().nodes]
    (again,) = lab.add("us-east-1b")
    assert next(hsm.address for hsm in lab.hsms() if hsm.hsm_id == again) == address


def test_stop_leaves_no_process_and_start_finds_the_same_keys(lab: LiveLab) -> None:
    before = lab.program.status()
    keys = set(lab.inventory(lab.hsms()[0]).keys)
    lab.program.stop()
    assert not any(_alive(pid) for pid in _processes(before))
    stopped = lab.program.status()
    assert (stopped.running, stopped.healthy, stopped.endpoint_url) == (False, False, None)
    assert {node.state for node in stopped.nodes} == {"stopped"}
    with pytest.raises(Conflict, match="the lab is down"):
        lab.program.activate("cluster-x")
    lab.start()
    assert {frozenset(lab.inventory(hsm).keys) for hsm in lab.hsms()} == {frozenset(keys)}


def test_two_labs_at_once_have_networks_of_their_own_and_reset_leaves_nothing(lab: LiveLab, tmp_path: Path) -> None:
    other = LiveLab(tmp_path / "other", replace(OPTIONS, zones=1))
    try:
        other.start()
        other.create()
        (mine,), theirs = other.hsms(), lab.hsms()
        other.generate(mine, KeyKind.AES, "256", "mine")
        assert str(mine.address).split(".")[1] != str(theirs[0].address).split(".")[1]
        assert len(other.inventory(mine).keys) == 1
        assert b"mine" not in {key.identity.label for key in lab.inventory(theirs[0]).keys}
        processes = _processes(other.program.status())
    finally:
        other.program.reset()
    assert not other.folder.exists()
    assert not any(_alive(pid) for pid in processes)
    assert lab.program.status().healthy


def test_reset_keeps_what_is_not_the_labs(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    (tmp_path / "nodes").mkdir()
    LabProgram(tmp_path).reset()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_machine_without_softhsm_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HSMCTL_SOFTHSM", "/nonexistent/libsofthsm2.so")
    with pytest.raises(Conflict, match="SoftHSM not found"):
        LabProgram(tmp_path / "lab").start(OPTIONS)
    assert not (tmp_path / "lab").exists()


def test_options_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        LabProgram(tmp_path / "lab").start(LabOptions(hsms=33))
    for other in ({"zones": 7}, {"hsms": 0}, {"delay": -1.0}, {"seed_keys": -1}):
        with pytest.raises(UsageError):
            Options(**{**asdict(OPTIONS), **other}).check()


def test_a_lab_that_never_was_is_down(tmp_path: Path) -> None:
    program = LabProgram(tmp_path / "lab")
    program.stop()
    status = program.status()
    assert (status.running, status.nodes, status.options) == (False, (), None)
    assert list(program.logs()) == []


def _processes(status: object) -> list[int]:
    """Every process of a lab."""
    return sorted(_pids(status))


def _pids(status: object) -> Iterator[int]:
    pid = getattr(status, "pid", None)
    if pid:
        yield pid
    for node in getattr(status, "nodes", ()):
        yield from _pids(node)


def _alive(pid: int) -> bool:
    """Whether a process runs; one that ended and nobody waited for does not."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(shown.stdout.strip()) and not shown.stdout.startswith("Z")
