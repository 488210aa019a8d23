"""Proves that a wrong PIN file costs one attempt on one live HSM, whatever number of HSMs and runs meet it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from live import LiveLab

from hsmctl.cli.root import run
from hsmctl.lab.folder import LabFolder
from hsmctl.lab.user import Users
from hsmctl.ports import LabOptions
from hsmctl.private import write_private


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LiveLab]:
    """Three HSMs without keys."""
    live = LiveLab(tmp_path, LabOptions(hsms=3, zones=3, seed_keys=0))
    try:
        live.start()
        live.create()
        live.add("us-east-1b", "us-east-1c")
        yield live
    finally:
        live.program.reset()


def hsmctl(lab: LiveLab, *arguments: str) -> tuple[int, Any]:
    answer = io.StringIO()
    environ = {"HSMCTL_LAB_HOME": str(lab.folder), "HSMCTL_STATE_HOME": str(lab.folder / "state")}
    with redirect_stdout(answer), redirect_stderr(io.StringIO()):
        code = run([*arguments, "-o", "json"], None, environ)
    return code, json.loads(answer.getvalue())["data"]


def failures(lab: LiveLab) -> list[int]:
    """The wrong passwords that each HSM has counted for the user since the last right one."""
    folder = LabFolder(lab.folder)
    users = (Users(folder.node(hsm.hsm_id).users).get("ops_cu") for hsm in lab.hsms())
    return [user.failures for user in users if user]


def test_one_attempt_then_none_until_the_secret_changes_or_it_is_reset(lab: LiveLab) -> None:
    path = lab.folder / "secrets" / "ops_cu"
    right = path.read_bytes()
    write_private(path, b"wrong wrong")
    code, data = hsmctl(lab, "sync", "check", "--via", "lab-node")
    errors = [each["error"] for each in data["replicas"]]
    again, _ = hsmctl(lab, "sync", "check", "--via", "lab-node")

    assert (code, again, sorted(failures(lab))) == (4, 4, [0, 0, 1])
    assert sum("CKR_PIN_INCORRECT" in error for error in errors) == 1
    assert sum("so it is not tried again" in error for error in errors) == 2
    assert hsmctl(lab, "login", "reset", "ops_cu")[0] == 0
    assert hsmctl(lab, "sync", "check", "--via", "lab-node")[0] == 4
    assert sum(failures(lab)) == 2

    write_private(path, right)
    code, data = hsmctl(lab, "sync", "check", "--via", "lab-node")
    assert (code, data["verdict"], failures(lab)) == (0, "no difference seen", [0, 0, 0])
