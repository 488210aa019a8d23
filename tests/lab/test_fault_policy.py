"""Proves that faults of policies and of the client host bend one thing, undo it, and leave a repair alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cli_lab import CliLab

from hsmctl.errors import Conflict
from hsmctl.lab.cli_config import chosen, read, servers, write
from hsmctl.lab.fault import Fault, FaultBook, asked
from hsmctl.lab.fault_client import ClientFaults
from hsmctl.lab.fault_policy import PolicyFaults
from hsmctl.lab.folder import LabFolder
from hsmctl.lab.policy import Anchor, Enforcement, Policies

HSMS = ("hsm-a", "hsm-b")
ANCHORS = Policies(anchors=(Anchor(1, "a certificate"),))


class Bench:
    """Two HSMs that are folders."""

    def __init__(self, path: Path) -> None:
        self.lab = LabFolder(path)
        self.book = FaultBook(self.lab.faults)
        self.expired = 0
        for hsm in HSMS:
            ANCHORS.write(self.lab.node(hsm).policies)
        self.faults = PolicyFaults(
            lab=self.lab, book=self.book, put=self.put, expire=self.expire, hsms=lambda: list(HSMS)
        )

    def put(self, hsm: str, policies: Policies) -> None:
        policies.write(self.lab.node(hsm).policies)

    def expire(self) -> None:
        self.expired += 1

    def inject(self, name: str, hsm: str | None = None) -> Fault:
        fault = self.book.add(self.faults.prepare(asked(name, hsm=hsm)))
        self.faults.settle(fault)
        return fault

    def clear(self, fault: Fault) -> None:
        self.book.remove(fault.fault_id)
        self.faults.settle(fault)

    @property
    def now(self) -> list[Policies]:
        return [Policies.read(self.lab.node(hsm).policies) for hsm in HSMS]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("anchor-missing", Policies()),
        ("quorum-value", replace(ANCHORS, quorum={"user": 2, "quorum": 0, "cluster": 0})),
        ("mtls-demanded", replace(ANCHORS, enforcement=Enforcement.CLUSTER)),
    ],
)
def test_one_hsm_is_bent_and_put_right_again(bench: Bench, name: str, after: Policies) -> None:
    fault = bench.inject(name, HSMS[1])
    assert bench.now == [ANCHORS, after]
    assert fault.hsms == (HSMS[1],)
    bench.faults.settle(fault)  # as after a restart
    assert bench.now == [ANCHORS, after]
    bench.clear(fault)
    assert bench.now == [ANCHORS, ANCHORS]


def test_what_an_operator_has_repaired_stays(bench: Bench) -> None:
    fault = bench.inject("quorum-value", HSMS[0])
    repaired = ANCHORS.with_value("user", 5)
    bench.put(HSMS[0], repaired)
    bench.clear(fault)
    assert bench.now == [repaired, ANCHORS]


def test_everybody_demands_certificates_of_an_anchor_nobody_has(bench: Bench) -> None:
    for hsm in HSMS:
        bench.put(hsm, Policies())
    bench.inject("mtls-demanded")
    assert [(len(each.anchors), each.enforcement) for each in bench.now] == [(1, "cluster")] * 2


def test_nothing_to_bend_and_bent_already_are_refused(bench: Bench) -> None:
    bench.inject("anchor-missing", HSMS[0])
    with pytest.raises(Conflict, match="bent already"):
        bench.inject("quorum-value", HSMS[0])
    bench.put(HSMS[1], Policies())
    with pytest.raises(Conflict, match="nothing to bend"):
        bench.inject("anchor-missing", HSMS[1])


def test_tokens_run_out_once(bench: Bench) -> None:
    bench.faults.settle(bench.faults.prepare(asked("quorum-expired")))
    assert bench.expired == 1


@pytest.fixture
def client(tmp_path: Path) -> tuple[CliLab, ClientFaults]:
    lab = CliLab(tmp_path)
    lab.add("10.0.1.10", "10.0.2.10")
    for component in ("cli", "pkcs11"):
        cluster = {"servers": servers(["10.0.1.10", "10.0.2.10"])}
        write(lab.installation.configuration(component), {"clusters": [{"cluster": cluster}]})
    lab.installation.customer_ca.write_text("the right one")
    book = FaultBook(tmp_path / "faults.json")
    return lab, ClientFaults(installation=lab.installation, book=book, address={"hsm-b": "10.0.2.10"}.__getitem__)


@pytest.mark.parametrize(("hsm", "left"), [("hsm-b", ["10.0.1.10"]), (None, ["10.0.1.10", "10.0.1.254"])])
def test_a_stale_configuration_reaches_fewer_hsms(
    client: tuple[CliLab, ClientFaults], hsm: str | None, left: list[str]
) -> None:
    lab, faults = client
    fault = faults.book.add(faults.prepare(asked("client-stale", hsm=hsm)))
    faults.settle(fault)
    for component in ("cli", "pkcs11"):
        document = read(lab.installation.configuration(component))
        assert [host for host, _ in chosen(document, "").addresses] == left
    assert len(lab.run("cluster", "hsm-info", env={}).data["hsms"]) == 1
    faults.book.remove(fault.fault_id)
    faults.settle(fault)
    assert len(lab.run("cluster", "hsm-info", env={}).data["hsms"]) == 2


def test_another_ca_is_trusted_until_it_is_cleared(client: tuple[CliLab, ClientFaults]) -> None:
    lab, faults = client
    fault = faults.book.add(faults.prepare(asked("client-ca")))
    faults.settle(fault)
    assert "BEGIN CERTIFICATE" in lab.installation.customer_ca.read_text()
    faults.book.remove(fault.fault_id)
    faults.settle(fault)
    assert lab.installation.customer_ca.read_text() == "the right one"


def test_a_client_nobody_configured_cannot_be_stale(tmp_path: Path) -> None:
    book = FaultBook(tmp_path / "faults.json")
    faults = ClientFaults(installation=CliLab(tmp_path).installation, book=book, address=str)
    for name in ("client-stale", "client-ca"):
        with pytest.raises(Conflict):
            faults.prepare(asked(name))
