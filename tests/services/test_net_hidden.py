"""Proves that what AWS keeps silent about another account's gateways makes a verdict unknown and never blocked."""

from __future__ import annotations

import pytest
from connectivity import Document, scenario
from network_world import REGION, SnapshotNetwork, collected
from world import ACCOUNT

from hsmctl.domain.net_finding import Verdict
from hsmctl.domain.network import NetworkKind
from hsmctl.services.net import explain, load

FOREIGN = "999988887777"


def verdicts(document: Document) -> set[Verdict]:
    return {pair.verdict for pair in explain(load(dict(collected(document).document))).pairs}


def test_the_route_table_of_an_attachment_is_known_to_the_gateways_owner_only() -> None:
    document = scenario("S25")
    for row in document["snapshot"]["TransitGatewayAttachments"]:
        del row["Association"]
        row["TransitGatewayOwnerId"] = FOREIGN
    assert verdicts(document) == {Verdict.UNKNOWN}
    [hole] = collected(document).holes
    assert hole.kind is NetworkKind.TRANSIT_ATTACHMENTS
    assert FOREIGN in hole.why


def test_an_attachment_of_our_own_gateway_without_a_route_table_is_a_blocker() -> None:
    document = scenario("S29")
    for row in document["snapshot"]["TransitGatewayAttachments"]:
        row["TransitGatewayOwnerId"] = ACCOUNT
    assert verdicts(document) == {Verdict.BLOCKED}
    assert collected(document).holes == ()


@pytest.mark.parametrize(
    ("name", "section", "blind"),
    [
        ("S34", "VpnGateways", NetworkKind.VPN_GATEWAYS),
        ("S25", "TransitGateways", NetworkKind.VPC_ATTACHMENTS),
    ],
)
def test_a_gateway_that_a_route_names_and_aws_does_not_show_is_somebody_elses(
    name: str, section: str, blind: NetworkKind
) -> None:
    document = scenario(name)
    document["snapshot"][section] = []
    document["snapshot"]["TransitGatewayVpcAttachments"] = []
    document["snapshot"]["TransitGatewayAttachments"] = []
    assert verdicts(document) == {Verdict.UNKNOWN}
    assert [hole.kind for hole in collected(document).holes] == [blind]


@pytest.mark.parametrize("name", ["S44", "S48"])
def test_the_virtual_interfaces_of_another_accounts_gateway_are_not_missing(name: str) -> None:
    document = scenario(name)
    document["snapshot"] |= {"DxGateways": [], "VirtualInterfaces": []}
    assert verdicts(document) == {Verdict.UNKNOWN}


def test_a_virtual_interface_of_another_account_is_a_link_of_unknown_state() -> None:
    document = scenario("S44")
    snapshot = document["snapshot"]
    snapshot["DxAttachments"] = [attachment("dxvif-1"), attachment("dxvif-theirs")]
    assert verdicts(document) == {Verdict.REACHABLE}
    snapshot["VirtualInterfaces"][0]["bgpPeers"][0]["bgpStatus"] = "down"
    assert verdicts(document) == {Verdict.UNKNOWN}
    snapshot["DxAttachments"][1]["attachmentState"] = "detached"
    assert verdicts(document) == {Verdict.BLOCKED}


def attachment(interface_id: str) -> Document:
    return {
        "directConnectGatewayId": "dxgw-1",
        "virtualInterfaceId": interface_id,
        "virtualInterfaceRegion": REGION,
        "attachmentState": "attached",
        "attachmentType": "PrivateVirtualInterface",
    }


def test_virtual_interfaces_in_regions_that_cannot_be_told_are_not_missing() -> None:
    document = scenario("S44")
    document["snapshot"]["VirtualInterfaces"][0]["_region"] = "us-west-2"
    reader = SnapshotNetwork(document["snapshot"])
    reader.denied = {NetworkKind.DX_ATTACHMENTS}
    found = collected(document, reader)
    assert {pair.verdict for pair in explain(load(dict(found.document))).pairs} == {Verdict.UNKNOWN}
    assert {hole.kind for hole in found.holes} == {NetworkKind.DX_ATTACHMENTS, NetworkKind.VIRTUAL_INTERFACES}
