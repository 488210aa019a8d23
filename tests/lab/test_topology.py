"""Proves that in every network of the lab every HSM is reachable, and that each fault is explained by its own code."""

from __future__ import annotations

import pytest
from topology import CASES, ground

from hsmctl.domain.cluster import Hsm, HsmState
from hsmctl.domain.net import Question, explain
from hsmctl.domain.net_code import Code, Severity
from hsmctl.domain.net_finding import Pair, Verdict
from hsmctl.domain.net_snapshot import read_snapshot
from hsmctl.errors import Conflict, UsageError
from hsmctl.lab.fault import KINDS, Family, Fault, asked
from hsmctl.lab.ground import Ground, Topology
from hsmctl.lab.net_fault import NET_FAULTS, broken, check_possible
from hsmctl.lab.network import CERTIFICATE
from hsmctl.lab.topology import healthy
from hsmctl.ports import LAB_NETWORKS


def pairs(place: Ground, *faults: Fault) -> list[Pair]:
    """The answer for each HSM."""
    snapshot = read_snapshot(broken(healthy(place), place, faults))
    hsms = [
        Hsm(hsm_id=hsm.hsm_id, state=HsmState.ACTIVE, zone=hsm.zone, eni_id=hsm.eni_id, address=hsm.address)
        for hsm in place.hsms
    ]
    questions = [Question(hsm=hsm, ports=(2223,), group_id="sg-hsm") for hsm in hsms]
    return [pair for question in questions for pair in explain(snapshot, place.client, question)]


@pytest.mark.parametrize("topology", Topology)
def test_every_hsm_is_reachable_while_nothing_is_wrong(topology: Topology) -> None:
    found = pairs(ground(topology))
    assert [pair.verdict for pair in found] == [Verdict.REACHABLE] * 3
    assert [finding.code for pair in found for finding in pair.findings if finding.severity != Severity.INFO] == []


@pytest.mark.parametrize(("topology", "name"), CASES)
def test_a_fault_is_explained_by_its_code(topology: Topology, name: str) -> None:
    place = ground(topology)
    expected = NET_FAULTS[name].codes[topology]
    for pair in pairs(place, Fault(name=name)):
        assert pair.verdict is (Verdict.DEGRADED if expected.severity is Severity.DEGRADED else Verdict.BLOCKED)
        assert expected in {finding.code for finding in pair.findings}


@pytest.mark.parametrize("name", [name for name in NET_FAULTS if "hsm" in KINDS[name].takes])
def test_a_fault_in_the_zone_of_an_hsm_concerns_no_other(name: str) -> None:
    place = ground(Topology.TGW)
    found = pairs(place, Fault(name=name, hsm="hsm-2"))
    assert [pair.verdict for pair in found] == [Verdict.REACHABLE, Verdict.BLOCKED, Verdict.REACHABLE]


def test_faults_add_up() -> None:
    first, second, _ = pairs(ground(Topology.PEERING), Fault(name="net-route", hsm="hsm-1"), Fault(name="net-group"))
    assert {Code.RT_NO_ROUTE, Code.SG_INGRESS_NO_MATCH} <= {finding.code for finding in first.findings}
    assert Code.RT_NO_ROUTE not in {finding.code for finding in second.findings}


def test_the_fault_of_an_hsm_that_is_gone_is_none() -> None:
    found = pairs(ground(Topology.PEERING), Fault(name="net-acl", hsm="hsm-9"))
    assert [pair.verdict for pair in found] == [Verdict.REACHABLE] * 3


def test_a_fault_that_cannot_be_is_refused() -> None:
    with pytest.raises(Conflict, match=r"cannot happen in peering: it happens in vpn"):
        check_possible("net-tunnels", Topology.PEERING)
    with pytest.raises(UsageError, match="needs --hsm"):
        asked("net-zone-detached")
    with pytest.raises(UsageError, match="takes no hsm"):
        asked("net-group", hsm="hsm-1")
    assert asked("net-acl") == Fault(name="net-acl")


def test_every_network_fault_can_be_asked_for_and_every_network_chosen() -> None:
    known = {kind.name for kind in KINDS.values() if kind.family is Family.NETWORK}
    assert known == {*NET_FAULTS, CERTIFICATE}
    assert set(LAB_NETWORKS) == set(Topology)
