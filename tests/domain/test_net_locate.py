"""Proves that both ends are found by every name they have, and that an end that is not there is explained."""

from __future__ import annotations

from dataclasses import replace

import pytest
from connectivity import Document, ask, codes, deciding, finding, row, scenario

from hsmctl.domain.net_code import Code
from hsmctl.domain.net_endpoint import ClientKind, parse_client
from hsmctl.domain.net_finding import Verdict
from hsmctl.services.net import explain, load


def on_instance(document: Document, name: str, index: int) -> None:
    """Attach an interface to instance i-1."""
    row(document, "NetworkInterfaces", name)["Attachment"] = {"InstanceId": "i-1", "DeviceIndex": index}


@pytest.mark.parametrize(
    ("text", "kind", "vpc_id"),
    [
        ("eni-0a", ClientKind.ENI, ""),
        ("i-0a", ClientKind.INSTANCE, ""),
        ("10.0.0.1", ClientKind.IP, ""),
        ("2600::1@vpc-1", ClientKind.IP, "vpc-1"),
        ("10.0.0.0/8", ClientKind.CIDR, ""),
    ],
)
def test_a_client_is_named_by_id_address_or_prefix(text: str, kind: ClientKind, vpc_id: str) -> None:
    client = parse_client(text, "linux")
    assert (client.kind, client.name, client.vpc_id, client.platform) == (kind, text, vpc_id, "linux")


@pytest.mark.parametrize("text", ["app1", "10.0.0.300", "10.0.0.0/33", ""])
def test_other_words_name_no_client(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_client(text)


@pytest.mark.parametrize(
    "client",
    [
        {"kind": "ip", "addr": "10.0.11.5"},
        {"kind": "ip", "addr": "10.0.11.5", "vpc": "vpc-h"},
        {"kind": "instance", "id": "i-1"},
    ],
)
def test_an_address_or_an_instance_is_its_interface(client: Document) -> None:
    document = scenario("S02")
    on_instance(document, "eni-app", 0)
    document["client"] = client
    assert deciding(ask(document)) == {Code.SG_INGRESS_NO_MATCH}


def test_a_delegated_prefix_belongs_to_its_interface() -> None:
    document = scenario("S01")
    row(document, "NetworkInterfaces", "eni-app")["Ipv4Prefixes"] = [{"Ipv4Prefix": "10.0.11.16/28"}]
    document["client"] = {"kind": "ip", "addr": "10.0.11.20"}
    assert ask(document).verdict is Verdict.REACHABLE


@pytest.mark.parametrize(
    "client",
    [
        {"kind": "eni", "id": "eni-none"},
        {"kind": "instance", "id": "i-none"},
        {"kind": "ip", "addr": "10.0.11.5", "vpc": "vpc-none"},
    ],
)
def test_a_client_that_does_not_exist_is_not_found(client: Document) -> None:
    document = scenario("S01")
    document["client"] = client
    assert deciding(ask(document)) == {Code.CLIENT_NOT_FOUND}


def test_an_address_two_vpcs_share_needs_the_vpc() -> None:
    document = scenario("S16")
    row(document, "NetworkInterfaces", "eni-app")["PrivateIpAddress"] = "10.1.11.5"
    document["client"] = {"kind": "ip", "addr": "10.1.11.5"}
    assert deciding(ask(document)) == {Code.CLIENT_NOT_FOUND}
    document["client"]["vpc"] = "vpc-c"
    assert ask(document).verdict is Verdict.REACHABLE


def test_a_client_without_an_address_of_the_family_is_told_so() -> None:
    document = scenario("S01")
    document["client"]["family"] = 6
    assert deciding(ask(document)) == {Code.CLIENT_NO_ADDRESS}


def test_an_address_is_asked_about_in_its_own_family_and_an_interface_in_those_asked_for() -> None:
    document = scenario("S01")
    interface = document["client"]
    document["clients"] = [{"kind": "ip", "addr": "2600::1"}, interface, {**interface, "family": 6}]
    document["hsms"] = [document["hsm"]]
    inquiry = load(document)
    assert [pair.family for pair in explain(inquiry).pairs] == [6, 4, 6]
    both = explain(replace(inquiry, families=(4, 6)))
    assert [pair.family for pair in both.pairs] == [6, 4, 6, 4, 6]
    four = explain(replace(inquiry, families=(4,)))
    assert [codes(pair) == {Code.CLIENT_NO_ADDRESS} for pair in four.pairs] == [True, False, False]


def test_an_instance_sends_by_its_interface_in_the_hsms_subnet() -> None:
    document = scenario("S09")
    on_instance(document, "eni-app", 0)
    on_instance(document, "eni-same", 1)
    document["client"] = {"kind": "instance", "id": "i-1"}
    document["snapshot"]["Instances"] = [{"InstanceId": "i-1", "State": {"Name": "stopped"}}]
    pair = ask(document)
    assert pair.verdict is Verdict.REACHABLE
    assert codes(pair) == {Code.CLIENT_NOT_RUNNING, Code.CLIENT_MULTI_ENI}
    assert "eni-same is judged, eni-app not" in finding(pair, Code.CLIENT_MULTI_ENI).sentence


@pytest.mark.parametrize(("platform", "verdict"), [("Windows", "degraded"), ("Linux/UNIX", "reachable")])
def test_the_platform_is_the_instances(platform: str, verdict: str) -> None:
    document = scenario("S05") | {"platform": None}
    on_instance(document, "eni-app", 0)
    document["client"] = {"kind": "instance", "id": "i-1"}
    document["snapshot"]["Instances"] = [
        {"InstanceId": "i-1", "State": {"Name": "running"}, "PlatformDetails": platform}
    ]
    assert ask(document).verdict == verdict


@pytest.mark.parametrize(
    ("hsm", "expected"),
    [
        ({"State": "DEGRADED"}, set()),
        ({"State": "DELETE_IN_PROGRESS"}, {Code.HSM_NOT_ACTIVE}),
        ({"State": ""}, {Code.PERMISSION_GAP}),
        ({"EniId": None}, {Code.PERMISSION_GAP}),
        ({"EniId": "eni-none"}, {Code.HSM_ENI_MISSING}),
        ({"EniIp": "not an address"}, set()),
    ],
)
def test_an_hsm_must_be_active_and_have_an_interface(hsm: Document, expected: set[Code]) -> None:
    document = scenario("S01")
    document["hsm"] |= hsm
    pair = ask(document)
    assert deciding(pair) == expected
    assert (Code.HSM_NOT_ACTIVE in codes(pair)) == ("State" in hsm and hsm["State"] != "")


def test_an_hsm_without_ipv6_is_told_so() -> None:
    document = scenario("S16")
    document["client"]["family"] = 6
    document["hsm"].pop("EniIpV6")
    row(document, "NetworkInterfaces", "eni-h1")["Ipv6Addresses"] = []
    assert deciding(ask(document)) == {Code.HSM_NO_IPV6}


def test_both_ends_are_explained_where_neither_is_there() -> None:
    document = scenario("S14")
    document["client"]["id"] = "eni-none"
    pair = ask(document)
    assert deciding(pair) == {Code.CLIENT_NOT_FOUND, Code.HSM_NOT_ACTIVE}
    assert [hop.id for hop in pair.forward.hops] == ["eni-none", "hsm-9"]
