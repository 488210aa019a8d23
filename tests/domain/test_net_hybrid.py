"""Proves what VPNs, virtual interfaces and associations have against a client outside AWS, alone and together."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from connectivity import Document, ask, codes, deciding, finding, row, scenario

from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Direction, HopKind, Verdict


def vpn(document: Document) -> Document:
    """The one VPN connection."""
    return row(document, "VpnConnections", "vpn-1")


def interface(document: Document) -> Document:
    """The one virtual interface."""
    return row(document, "VirtualInterfaces", "dxvif-1")


def association(document: Document) -> Document:
    """The one Direct Connect gateway association."""
    return row(document, "DxAssociations", "assoc-1")


def with_direct_connect(document: Document) -> Document:
    """The same gateway with a healthy Direct Connect beside its VPN."""
    for section in ("VirtualInterfaces", "DxGateways", "DxAssociations"):
        document["snapshot"][section] = scenario("S44")["snapshot"][section]
    return document


@pytest.mark.parametrize("state", ["pending", "deleting"])
def test_a_vpn_must_be_available(state: str) -> None:
    document = scenario("S34")
    vpn(document)["State"] = state
    assert deciding(ask(document)) == {Code.VPN_STATE}


def test_a_deleted_vpn_is_no_link() -> None:
    document = scenario("S34")
    vpn(document)["State"] = "deleted"
    assert deciding(ask(document)) == {Code.NO_HYBRID_LINK}


@pytest.mark.parametrize(
    ("key", "excluded"), [("LocalIpv4NetworkCidr", "192.168.50.7"), ("RemoteIpv4NetworkCidr", "10.0.1.10")]
)
def test_tunnels_take_only_what_their_selectors_hold(key: str, excluded: str) -> None:
    document = scenario("S34")
    vpn(document)["Options"][key] = "172.16.0.0/12"
    pair = ask(document)
    assert deciding(pair) == {Code.VPN_SELECTOR_MISMATCH}
    assert f"leaves out {excluded}" in finding(pair, Code.VPN_SELECTOR_MISMATCH).sentence


def test_static_routes_of_a_transit_gateways_vpn_are_in_the_gateways_table() -> None:
    document = scenario("S42")
    vpn(document)["Options"]["StaticRoutesOnly"] = True
    assert ask(document).verdict is Verdict.REACHABLE


def test_bgp_without_any_route_brings_nothing() -> None:
    document = scenario("S34")
    for tunnel in vpn(document)["VgwTelemetry"]:
        tunnel["AcceptedRouteCount"] = 0
    pair = ask(document)
    assert deciding(pair) == {Code.VPN_NO_ACCEPTED_ROUTES}
    assert finding(pair, Code.VPN_NO_ACCEPTED_ROUTES).direction is Direction.RETURN


@pytest.mark.parametrize(("static", "code"), [(True, Code.VPN_TUNNELS_ALL_DOWN), (False, Code.VPN_BGP_DOWN)])
def test_ipsec_up_means_bgp_down_only_where_there_is_bgp(static: bool, code: Code) -> None:
    document = scenario("S37")
    vpn(document)["Options"]["StaticRoutesOnly"] = static
    vpn(document)["Routes"] = [{"DestinationCidrBlock": "192.168.0.0/16", "State": "available"}]
    assert deciding(ask(document)) == {code, Code.RT_NO_ROUTE}


def test_a_vpn_without_telemetry_is_unknown() -> None:
    document = scenario("S34")
    vpn(document)["VgwTelemetry"] = []
    pair = ask(document)
    assert pair.verdict is Verdict.UNKNOWN
    assert finding(pair, Code.PERMISSION_GAP).action == "ec2:DescribeVpnConnections"


def six(document: Document) -> Document:
    """The same question asked over IPv6, with every route and rule for it in place."""
    document["client"] = {"kind": "ip", "addr": "2600:cc::7", "family": 6}
    for route in list(row(document, "RouteTables", "rtb-h")["Routes"]):
        if route.get("DestinationCidrBlock") == "192.168.0.0/16":
            more = {key: value for key, value in route.items() if key != "DestinationCidrBlock"}
            row(document, "RouteTables", "rtb-h")["Routes"].append({**more, "DestinationIpv6CidrBlock": "2600:cc::/32"})
    row(document, "SecurityGroups", "sg-hsm")["IpPermissions"][1]["Ipv6Ranges"] = [{"CidrIpv6": "2600:cc::/32"}]
    for table in document["snapshot"]["TgwRoutes"].values():
        for route, cidr in zip(list(table), ("2600:aa::/56", "2600:cc::/32"), strict=True):
            table.append({**route, "DestinationCidrBlock": cidr})
    return document


def test_a_virtual_private_gateways_vpn_carries_no_ipv6() -> None:
    document = six(scenario("S34"))
    assert deciding(ask(document)) == {Code.VPN_IPV6_UNSUPPORTED}
    vpn(document)["Options"]["TunnelInsideIpVersion"] = "ipv6"
    assert deciding(ask(document)) == {Code.VPN_IPV6_UNSUPPORTED}


def test_a_transit_gateways_vpn_carries_the_family_of_its_tunnels() -> None:
    document = six(scenario("S42"))
    assert deciding(ask(document)) == {Code.VPN_IPV6_UNSUPPORTED}
    vpn(document)["Options"]["TunnelInsideIpVersion"] = "ipv6"
    assert deciding(ask(document)) == set()
    document["client"] = scenario("S42")["client"]
    assert deciding(ask(document)) == {Code.VPN_SELECTOR_MISMATCH}


def test_direct_connect_carries_ipv6_over_a_session_for_it() -> None:
    document = six(scenario("S44"))
    assert deciding(ask(document)) == {Code.DX_BGP_NO_PEER_FOR_FAMILY, Code.DX_ALLOWED_PREFIX_MISMATCH}
    interface(document)["bgpPeers"].append({"bgpPeerId": "p6", "addressFamily": "ipv6", "bgpStatus": "up"})
    association(document)["allowedPrefixesToDirectConnectGateway"].append({"cidr": "2600:aa::/56"})
    assert deciding(ask(document)) == set()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"virtualInterfaceState": "down"}, {Code.DX_VIF_DOWN}),
        ({"virtualInterfaceState": "unknown"}, {Code.PERMISSION_GAP}),
        ({"virtualInterfaceState": "deleted"}, {Code.DX_NO_VIF}),
        ({"virtualInterfaceType": "transit"}, {Code.DX_VIF_TYPE_MISMATCH}),
        ({"bgpPeers": []}, {Code.DX_BGP_NO_PEER_FOR_FAMILY}),
        ({"bgpPeers": None}, {Code.PERMISSION_GAP}),
        ({"bgpPeers": [{"addressFamily": "ipv4", "bgpStatus": "unknown"}]}, {Code.PERMISSION_GAP}),
    ],
)
def test_a_virtual_interface_must_be_up_and_of_the_right_kind(change: dict[str, Any], expected: set[Code]) -> None:
    document = scenario("S44")
    interface(document).update(change)
    assert deciding(ask(document)) == expected


def test_a_connection_that_is_down_is_the_cause_of_what_is_down_on_it() -> None:
    document = scenario("S47")
    interface(document).update({"connectionId": "dxcon-1", "virtualInterfaceState": "down"})
    document["snapshot"]["DxConnections"] = [{"connectionId": "dxcon-1", "connectionState": "down"}]
    pair = ask(document)
    assert [(found.code, found.cause_of) for found in pair.findings if found.blocks] == [
        (Code.DX_CONNECTION_DOWN, Code.DX_VIF_DOWN),
        (Code.DX_VIF_DOWN, Code.DX_BGP_DOWN),
        (Code.DX_BGP_DOWN, None),
    ]


def test_the_gateway_and_its_association_must_work() -> None:
    document = scenario("S44")
    association(document)["associationState"] = "disassociating"
    document["snapshot"]["DxGateways"][0] |= {"directConnectGatewayState": "deleting", "stateChangeError": "why not"}
    pair = ask(document)
    assert deciding(pair) == {Code.DX_ASSOC_STATE, Code.DX_DXGW_STATE}
    assert "why not" in finding(pair, Code.DX_DXGW_STATE).sentence
    association(document)["associationState"] = "updating"
    document["snapshot"]["DxGateways"] = []
    assert deciding(ask(document)) == {Code.CROSS_ACCOUNT_OPAQUE}


@pytest.mark.parametrize("name", ["S44", "S48"])
def test_a_direct_connect_gateway_must_be_associated(name: str) -> None:
    document = scenario(name)
    document["snapshot"]["DxAssociations"] = []
    pair = ask(document)
    assert deciding(pair) == {Code.DX_ASSOC_MISSING}
    assert finding(pair, Code.DX_ASSOC_MISSING).evidence[0] == "dxgw-1"


def test_a_private_interface_may_end_at_the_gateway_itself() -> None:
    document = scenario("S44")
    document["snapshot"] |= {"DxAssociations": [], "DxGateways": []}
    interface(document).update({"directConnectGatewayId": None, "virtualGatewayId": "vgw-1"})
    pair = ask(document)
    assert pair.verdict is Verdict.REACHABLE
    assert [hop.id for hop in pair.forward.hops][:3] == ["192.168.50.7", "dxvif-1", "vgw-1"]


def test_an_allowed_prefix_may_be_added_by_the_fix() -> None:
    assert "cidr=10.0.0.0/16" in finding(ask(scenario("S45")), Code.DX_ALLOWED_PREFIX_MISMATCH).fix
    assert "cidr=10.0.3.10/32" in finding(ask(scenario("S48")), Code.DX_ALLOWED_PREFIX_MISMATCH).fix


def test_an_empty_list_of_allowed_prefixes_is_unknown_for_a_virtual_private_gateway_only() -> None:
    document = scenario("S44")
    association(document)["allowedPrefixesToDirectConnectGateway"] = []
    assert deciding(ask(document)) == {Code.PERMISSION_GAP}
    document = scenario("S48")
    association(document)["allowedPrefixesToDirectConnectGateway"] = []
    assert deciding(ask(document)) == {Code.DX_ALLOWED_PREFIX_MISMATCH}


@pytest.mark.parametrize(
    ("accepted", "advertised", "expected"),
    [
        ("192.168.0.0/16", "10.0.0.0/16", set()),
        ("192.168.99.0/24", "10.0.0.0/16", {Code.DX_PREFIX_NOT_RECEIVED}),
        ("192.168.0.0/16", "10.9.0.0/16", {Code.DX_ALLOWED_PREFIX_MISMATCH}),
    ],
)
def test_the_routes_an_interface_really_exchanges_beat_inference(
    accepted: str, advertised: str, expected: set[Code]
) -> None:
    document = scenario("S45")
    document["snapshot"]["VifRoutes"] = {
        "dxvif-1": [
            {"cidr": accepted, "routeDirection": "accepted"},
            {"cidr": advertised, "routeDirection": "advertised"},
        ]
    }
    assert deciding(ask(document)) == expected


def test_a_dead_vpn_beside_direct_connect_costs_redundancy_only() -> None:
    document = with_direct_connect(scenario("S34"))
    for tunnel in vpn(document)["VgwTelemetry"]:
        tunnel |= {"Status": "DOWN", "StatusMessage": ""}
    pair = ask(document)
    assert pair.verdict is Verdict.DEGRADED
    assert finding(pair, Code.VPN_TUNNELS_ALL_DOWN).severity == "degraded"
    assert HopKind.DIRECT_CONNECT in {hop.kind for hop in pair.forward.hops}


def test_a_link_to_other_addresses_is_no_matter_beside_one_to_these() -> None:
    document = with_direct_connect(scenario("S39"))
    pair = ask(document)
    assert pair.verdict is Verdict.REACHABLE
    assert Code.VPN_STATIC_ROUTE_MISSING not in codes(pair)


def test_a_dead_link_proves_nothing_while_another_was_not_read() -> None:
    document = with_direct_connect(scenario("S47"))
    interface(document)["bgpPeers"][0]["bgpStatus"] = "down"
    document["snapshot"]["VpnConnections"] = None
    pair = ask(document)
    assert pair.verdict is Verdict.UNKNOWN
    assert finding(pair, Code.DX_BGP_DOWN).severity == "degraded"


def test_every_reason_is_given_where_all_links_fail() -> None:
    document = with_direct_connect(scenario("S36"))
    interface(document)["bgpPeers"][0]["bgpStatus"] = "down"
    pair = ask(document)
    assert {Code.VPN_TUNNELS_ALL_DOWN, Code.DX_BGP_DOWN, Code.RT_NO_ROUTE} == deciding(pair)
    assert {found.cause_of for found in pair.findings if found.code is Code.DX_BGP_DOWN} == {Code.RT_NO_ROUTE}


def test_a_table_that_propagates_a_healthy_gateway_and_has_no_route_was_not_told_one() -> None:
    document = scenario("S34")
    row(document, "RouteTables", "rtb-h")["Routes"].pop()
    assert deciding(ask(document)) == {Code.RT_NO_ROUTE}


def test_a_transit_table_without_the_sites_route_says_whether_it_was_withdrawn_or_never_there() -> None:
    document = scenario("S42")
    table = document["snapshot"]["TgwRoutes"]["tgw-rtb-1"]
    table.pop()
    assert deciding(ask(document)) == {Code.TGW_NO_ROUTE}
    document["snapshot"]["TgwPropagations"]["tgw-rtb-1"] = ["att-h"]
    assert deciding(ask(document)) == {Code.TGW_PROPAGATION_MISSING}
    document["snapshot"]["TgwPropagations"]["tgw-rtb-1"] = ["att-h", "att-x"]
    for tunnel in vpn(document)["VgwTelemetry"]:
        tunnel |= {"Status": "DOWN", "StatusMessage": ""}
    pair = ask(document)
    assert deciding(pair) == {Code.VPN_TUNNELS_ALL_DOWN, Code.TGW_NO_ROUTE}
    assert finding(pair, Code.VPN_TUNNELS_ALL_DOWN).cause_of is Code.TGW_NO_ROUTE


def test_a_missing_way_to_a_transit_gateway_is_mended_by_a_static_route() -> None:
    document = scenario("S42")
    row(document, "RouteTables", "rtb-h")["Routes"].pop()
    pair = ask(document)
    assert deciding(pair) == {Code.RT_NO_ROUTE}
    assert "--destination-cidr-block 192.168.50.7/32 --transit-gateway-id tgw-1" in pair.findings[0].fix


def test_of_two_doors_the_one_that_does_best_is_taken_when_the_reply_shows_none() -> None:
    document = scenario("S42")
    row(document, "RouteTables", "rtb-h")["Routes"].pop()
    dead = copy.deepcopy(vpn(document)) | {"VpnConnectionId": "vpn-dead", "State": "deleting"}
    attachment = copy.deepcopy(row(document, "TransitGatewayAttachments", "att-x"))
    attachment |= {"TransitGatewayAttachmentId": "att-dead", "ResourceId": "vpn-dead"}
    document["snapshot"]["VpnConnections"].insert(0, dead)
    document["snapshot"]["TransitGatewayAttachments"].insert(0, attachment)
    pair = ask(document)
    assert deciding(pair) == {Code.RT_NO_ROUTE}
    assert pair.forward.broken is None


def test_a_vpn_of_another_account_is_unknown() -> None:
    document = scenario("S42")
    document["snapshot"]["VpnConnections"] = []
    assert deciding(ask(document)) == {Code.CROSS_ACCOUNT_OPAQUE}


def test_what_the_customer_does_is_always_said_to_be_unseen() -> None:
    pair = ask(scenario("S34"))
    assert codes(pair) == {Code.ONPREM_UNVERIFIABLE, Code.MTU_RISK}
    assert pair.verdict is Verdict.REACHABLE
