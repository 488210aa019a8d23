"""Proves that a VPC route table chooses as the VPC user guide's "Route priority" says."""

from __future__ import annotations

import pytest

from hsmctl.domain.net_cidr import Address, Cidr
from hsmctl.domain.net_route import RouteTable, TargetKind, choose, unread_lists
from hsmctl.domain.net_row import Row

LISTS = {"pl-1": (Cidr.parse("10.1.0.0/16"),), "pl-2": (Cidr.parse("10.1.0.0/16"), Cidr.parse("10.2.0.0/16"))}
LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
TARGETS = {"igw-": "GatewayId", "vgw-": "GatewayId", "pcx-": "VpcPeeringConnectionId", "eni-": "NetworkInterfaceId"}


def route(destination: str, target: str, *, propagated: bool = False) -> dict[str, object]:
    """A route as DescribeRouteTables shows it."""
    key = "DestinationPrefixListId" if destination.startswith("pl-") else "DestinationCidrBlock"
    key = "DestinationIpv6CidrBlock" if ":" in destination else key
    origin = "EnableVgwRoutePropagation" if propagated else "CreateRoute"
    return {key: destination, TARGETS[target[:4]]: target, "State": "active", "Origin": origin}


def table(*routes: dict[str, object]) -> RouteTable:
    """A table of these routes and the local one."""
    row = {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [], "Routes": [LOCAL, *routes]}
    return RouteTable.read(Row(row, "table"), LISTS)


@pytest.mark.parametrize(
    ("routes", "destination", "target"),
    [
        ((), "10.0.1.1", "local"),
        ((route("10.0.1.0/24", "eni-fw"),), "10.0.1.1", "eni-fw"),
        ((route("10.0.1.0/24", "vgw-1", propagated=True),), "10.0.1.1", "local"),
        ((route("10.1.0.0/16", "pcx-1"), route("10.1.1.0/24", "pcx-2")), "10.1.1.1", "pcx-2"),
        ((route("10.1.0.0/16", "pcx-1"), route("10.1.1.0/24", "pcx-2")), "10.1.2.1", "pcx-1"),
        ((route("10.1.0.0/16", "vgw-1", propagated=True), route("10.1.0.0/16", "pcx-1")), "10.1.2.1", "pcx-1"),
        ((route("pl-1", "pcx-2"), route("10.1.0.0/16", "pcx-1")), "10.1.2.1", "pcx-1"),
        ((route("10.1.0.0/16", "vgw-1", propagated=True), route("pl-1", "pcx-2")), "10.1.2.1", "pcx-2"),
        ((route("10.1.0.0/24", "vgw-1", propagated=True), route("pl-1", "pcx-2")), "10.1.0.1", "vgw-1"),
        ((route("0.0.0.0/0", "igw-1"), route("::/0", "eni-6")), "2600::1", "eni-6"),
    ],
)
def test_the_route_that_wins(routes: tuple[dict[str, object], ...], destination: str, target: str) -> None:
    for order in (routes, routes[::-1]):
        choice = choose(table(*order), Address.parse(destination))
        assert choice is not None
        assert choice.route.target == target


def test_no_route_of_the_other_family_is_taken() -> None:
    assert choose(table(route("0.0.0.0/0", "igw-1")), Address.parse("2600::1")) is None


def test_the_runner_up_is_the_next_best_that_leads_elsewhere() -> None:
    routes = (route("10.1.1.0/24", "pcx-2"), route("10.1.0.0/16", "pcx-1"), route("0.0.0.0/0", "igw-1"))
    choice = choose(table(*routes), Address.parse("10.1.1.1"))
    assert choice is not None
    assert choice.runner_up is not None
    assert choice.runner_up[1].target == "pcx-1"
    assert choice.rival is None


def test_two_prefix_lists_with_one_prefix_and_two_targets_are_rivals() -> None:
    choice = choose(table(route("pl-1", "pcx-1"), route("pl-2", "pcx-2")), Address.parse("10.1.1.1"))
    assert choice is not None
    assert choice.rival is not None
    same = choose(table(route("pl-1", "pcx-1"), route("pl-2", "pcx-1")), Address.parse("10.1.1.1"))
    assert same is not None
    assert same.rival is None


def test_a_prefix_list_that_was_not_read_is_known_to_be_missing() -> None:
    assert list(unread_lists(table(route("pl-9", "pcx-1"), route("pl-1", "pcx-1")))) == ["pl-9"]


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ({"GatewayId": "local"}, TargetKind.LOCAL),
        ({"GatewayId": "igw-1"}, TargetKind.INTERNET),
        ({"GatewayId": "vgw-1"}, TargetKind.VPN_GATEWAY),
        ({"GatewayId": "vpce-1"}, TargetKind.ENDPOINT),
        ({"InstanceId": "i-1", "NetworkInterfaceId": "eni-1"}, TargetKind.INTERFACE),
        ({"NatGatewayId": "nat-1"}, TargetKind.NAT),
        ({"TransitGatewayId": "tgw-1"}, TargetKind.TRANSIT_GATEWAY),
        ({"CoreNetworkArn": "arn"}, TargetKind.CORE_NETWORK),
        ({"EgressOnlyInternetGatewayId": "eigw-1"}, TargetKind.INTERNET),
        ({"OdbNetworkArn": "arn"}, TargetKind.OTHER),
    ],
)
def test_the_kind_of_target_is_read(target: dict[str, str], kind: TargetKind) -> None:
    read = table({"DestinationCidrBlock": "10.9.0.0/16", "State": "active", **target})
    assert read.routes[-1].kind is kind
