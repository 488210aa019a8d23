"""Proves that what a live cluster reports of itself through cloudhsm-cli agrees with what its HSMs hold."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout

import pytest
from live import LiveLab

from hsmctl.cli.root import run
from hsmctl.domain.key import KeyKind
from hsmctl.ports import LabFault, LabOptions

KEY_FAULTS = {"key-missing": "not in sync", "key-different": "not in sync", "key-attribute": "attributes differ"}
USER_FAULTS = ("user-missing", "user-quorum")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveLab]:
    """Two HSMs with a key and a pair, and a client host that knows them."""
    live = LiveLab(tmp_path_factory.mktemp("lab"), LabOptions(hsms=2, zones=2, seed_keys=0))
    try:
        live.start()
        cluster_id = live.create()
        (first,) = live.hsms()
        live.generate(first, KeyKind.AES, "256", "kek")
        live.generate(first, KeyKind.EC, "P-256", "tls")
        live.add("us-east-1b")
        live.program.equip(cluster_id)
        yield live
    finally:
        live.program.reset()


def verdict(lab: LiveLab, via: str) -> str:
    answer = io.StringIO()
    environ = {"HSMCTL_LAB_HOME": str(lab.folder), "HSMCTL_STATE_HOME": str(lab.folder / "state")}
    with redirect_stdout(answer), redirect_stderr(io.StringIO()):
        run(["sync", "check", "--via", via, "-o", "json"], None, environ)
    return str(json.loads(answer.getvalue())["data"]["verdict"])


def test_what_is_reported_of_keys_is_what_the_oracle_sees(lab: LiveLab) -> None:
    assert [verdict(lab, via) for via in ("login", "lab-node")] == ["no difference seen"] * 2
    for name, expected in KEY_FAULTS.items():
        lab.program.inject(LabFault(name=name, hsm=lab.hsms()[1].hsm_id, key="kek"), None)
        assert [verdict(lab, via) for via in ("login", "lab-node")] == [expected] * 2, name
        lab.program.clear(None)
    assert verdict(lab, "login") == "no difference seen"


def test_drift_of_users_is_reported_without_a_login(lab: LiveLab) -> None:
    for name in USER_FAULTS:
        lab.program.inject(LabFault(name=name, hsm=lab.hsms()[1].hsm_id, user="admin"), None)
        assert verdict(lab, "host") == "not in sync", name
        lab.program.clear(None)
    assert verdict(lab, "host") == "no difference seen"


def test_a_stale_client_reports_nothing_as_everything(lab: LiveLab) -> None:
    lab.program.inject(LabFault(name="client-stale", hsm=lab.hsms()[1].hsm_id), None)
    assert verdict(lab, "host") == "incomplete"
    lab.program.clear(None)
