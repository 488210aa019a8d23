"""Proves on live HSMs that each fault does what it says, to these keys and HSMs alone, lasts, and leaves nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest
from bent import CUT, KINDS, LABELS, LATE, MAKER, Bend, Named, expected, named
from live import LiveLab, replica, until

from hsmctl.domain.evidence import Ok
from hsmctl.domain.key import KeyKind
from hsmctl.domain.sync import Reading, compare
from hsmctl.errors import Denied, Unreachable
from hsmctl.lab import command
from hsmctl.lab.fault import asked
from hsmctl.lab.folder import LabFolder
from hsmctl.ports import LabOptions

SINGLE = [Bend(*bend) for bend in product(KINDS, LABELS, (1,))]


class FaultyLab(LiveLab):
    """Three HSMs with a key of each kind, and what goes wrong with them."""

    def inject(
        self, name: str, hsm: int, *, key: str | None = None, seconds: float | None = None, heal: float | None = None
    ) -> str:
        """The id of the fault that is in force now."""
        fault = asked(name, hsm=self.ids()[hsm], key=key, seconds=seconds)
        return str(command.inject(LabFolder(self.folder), fault, heal)["fault_id"])

    def clear(self, fault_id: str | None = None) -> None:
        command.clear(LabFolder(self.folder), fault_id)

    def ids(self) -> list[str]:
        return [hsm.hsm_id for hsm in self.hsms()]

    def named(self) -> Named:
        """What a check names now."""
        return named(compare([Reading(replica(hsm), Ok(self.inventory(hsm))) for hsm in self.hsms()]))

    def nodes(self) -> list[Mapping[str, Any]]:
        """The HSMs as the lab's status shows them."""
        return sorted(command.status(LabFolder(self.folder))["nodes"], key=lambda node: str(node["hsm_id"]))

    def states(self) -> list[str]:
        return [node["state"] for node in self.nodes()]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyLab]:
    live = FaultyLab(tmp_path_factory.mktemp("lab"), LabOptions(hsms=3, zones=3, seed_keys=0))
    try:
        live.start()
        live.create()
        (first,) = live.hsms()
        for kind, size, label in (
            (KeyKind.AES, "256", "aes"),
            (KeyKind.RSA, "2048", "rsa"),
            (KeyKind.EC, "P-256", "ec"),
            (KeyKind.AES, "128", "beside"),
        ):
            live.generate(first, kind, size, label)
        live.add("us-east-1b", "us-east-1c")
        yield live
    finally:
        live.program.reset()


@pytest.fixture(autouse=True)
def _clean(lab: FaultyLab) -> Iterator[None]:
    """What a test broke is cleared, and then nothing is wrong."""
    yield
    lab.clear()
    until(lambda: not any(node["waiting"] for node in lab.nodes()))
    assert lab.named() == {}
    assert lab.states() == ["running"] * 3


@pytest.mark.parametrize("bend", SINGLE, ids=lambda bend: f"{bend.fault} {bend.label}")
def test_a_fault_of_a_key_is_named_exactly(lab: FaultyLab, bend: Bend) -> None:
    lab.inject(bend.fault, bend.hsm, key=bend.label)
    assert lab.named() == expected([bend], lab.ids())


@pytest.mark.parametrize("hsm", [MAKER, 1])
def test_a_key_made_behind_a_cut_is_missing_until_it_ends(lab: FaultyLab, hsm: int) -> None:
    lab.inject(CUT, hsm)
    lab.generate(lab.hsms()[MAKER], KeyKind.AES, "192", f"late {hsm}")
    meant = expected([Bend(CUT, LATE, hsm)], lab.ids())
    assert lab.named() == {(f"late {hsm}", half): cells for (_, half), cells in meant.items()}


def test_faults_last_over_a_restart_and_go_one_by_one(lab: FaultyLab) -> None:
    bends = [Bend("key-missing", "aes", 1), Bend("key-different", "rsa", 2), Bend("key-attribute", "ec", 0)]
    first, *_ = [lab.inject(bend.fault, bend.hsm, key=bend.label) for bend in bends]
    lab.program.stop()
    lab.start()
    assert lab.named() == expected(bends, lab.ids())
    lab.clear(first)
    assert lab.named() == expected(bends[1:], lab.ids())


def test_a_fault_heals_when_its_time_is_over(lab: FaultyLab) -> None:
    lab.inject("key-missing", 1, key="aes", heal=0.1)
    until(lambda: not command.faults(LabFolder(lab.folder))["faults"])
    assert lab.named() == {}


@pytest.mark.parametrize(
    ("fault", "state"), [("node-down", "dead"), ("node-killed", "dead"), ("node-frozen", "unresponsive")]
)
def test_an_hsm_that_is_out_of_order_is_so_until_it_is_cleared(lab: FaultyLab, fault: str, state: str) -> None:
    lab.inject(fault, 1)
    assert lab.states() == ["running", state, "running"]
    assert not lab.start().healthy
    lab.clear()
    assert lab.states() == ["running"] * 3


@pytest.mark.parametrize(("fault", "stays"), [("hsm-replaced", True), ("hsm-moved", False)])
def test_an_hsm_that_aws_replaces_has_another_id_and_the_same_keys(lab: FaultyLab, fault: str, *, stays: bool) -> None:
    old = lab.hsms()[1]
    known = lab.ids()
    lab.inject(fault, 1)
    until(lambda: len(lab.hsms()) == 3)
    (new,) = (hsm for hsm in lab.hsms() if hsm.hsm_id not in known)
    assert old.hsm_id not in lab.ids()
    assert (new.address == old.address, new.zone) == (stays, old.zone)


def test_an_hsm_is_degraded_until_it_is_not(lab: FaultyLab) -> None:
    lab.inject("hsm-degraded", 1)
    assert sorted(hsm.state for hsm in lab.cluster().hsms) == ["active", "active", "degraded"]
    lab.clear()
    assert len(lab.hsms()) == 3


def test_an_hsm_that_is_stuck_is_finished_when_the_fault_is_cleared(lab: FaultyLab) -> None:
    command.inject(LabFolder(lab.folder), asked("hsm-stuck"), None)
    made = lab.plane.create_hsm(lab.cluster().cluster_id, "us-east-1b")
    until(lambda: "building" not in lab.states())
    assert len(lab.hsms()) == 3
    lab.clear()
    until(lambda: len(lab.hsms()) == 4)
    lab.plane.delete_hsm(lab.cluster().cluster_id, made.hsm_id)
    until(lambda: len(lab.cluster().hsms) == 3)


def test_a_slow_hsm_answers_late(lab: FaultyLab) -> None:
    lab.inject("node-slow", 1, seconds=0.4)
    began = time.monotonic()
    lab.inventory(lab.hsms()[1])
    assert time.monotonic() - began > 0.4


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("user-missing", Denied),
        ("user-locked", Denied),
        ("user-role", Denied),
        ("user-password", Denied),
        ("certificate-wrong", Unreachable),
        ("certificate-expired", Unreachable),
    ],
)
def test_an_hsm_that_lets_nobody_in_is_the_only_one(lab: FaultyLab, fault: str, error: type[Exception]) -> None:
    lab.inject(fault, 1)
    first, odd, third = lab.hsms()
    with pytest.raises(error):
        lab.inventory(odd)
    assert lab.inventory(first).keys == lab.inventory(third).keys
