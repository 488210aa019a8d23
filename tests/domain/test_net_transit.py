"""Proves what happens at transit gateways: attachments, zones, tables, peered gateways, inspection VPCs."""

from __future__ import annotations

import copy

import pytest
from connectivity import Document, ask, codes, deciding, finding, row, scenario

from hsmctl.domain.net_cidr import Address, Cidr
from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Direction, Verdict
from hsmctl.domain.net_row import Row
from hsmctl.domain.net_transit_gateway import choose, read_table


def vpc_attachment(document: Document, identifier: str) -> Document:
    """The VPC attachment with this id."""
    return row(document, "TransitGatewayVpcAttachments", identifier)


def routes(document: Document) -> list[Document]:
    """The routes of the one transit gateway route table."""
    found: list[Document] = document["snapshot"]["TgwRoutes"]["tgw-rtb-1"]
    return found


def transit_route(cidr: str, kind: str = "propagated", resource: str = "vpc", **more: str) -> Document:
    """A route as SearchTransitGatewayRoutes shows it."""
    hop = {"TransitGatewayAttachmentId": f"att-{resource}", "ResourceType": resource, "ResourceId": resource}
    return {"DestinationCidrBlock": cidr, "Type": kind, "State": "active", "TransitGatewayAttachments": [hop], **more}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (transit_route("10.0.1.0/24"), transit_route("10.0.0.0/16", "static")),
        (transit_route("10.0.0.0/16", "static", "vpn"), transit_route("10.0.0.0/16", "propagated", "vpc")),
        (
            transit_route("10.0.0.0/16", "static", "vpn"),
            transit_route("10.0.0.0/16", "static", "vpc", PrefixListId="pl-1"),
        ),
        (transit_route("10.0.0.0/16", resource="vpc"), transit_route("10.0.0.0/16", resource="direct-connect-gateway")),
        (transit_route("10.0.0.0/16", resource="direct-connect-gateway"), transit_route("10.0.0.0/16", resource="vpn")),
    ],
)
def test_the_longest_prefix_wins_then_the_better_class(better: Document, worse: Document) -> None:
    for order in ((better, worse), (worse, better)):
        route = choose(read_table([Row(one, "route") for one in order]), Address.parse("10.0.1.1"))
        assert route is not None
        assert route.cidr == Cidr.parse(better["DestinationCidrBlock"])
        assert route.attachments[0][1] == better["TransitGatewayAttachments"][0]["ResourceType"]


def test_a_vpc_needs_an_attachment_of_its_own() -> None:
    document = scenario("S25")
    document["snapshot"]["TransitGatewayVpcAttachments"] = [vpc_attachment(document, "att-h")]
    pair = ask(document)
    assert deciding(pair) == {Code.TGW_ATTACHMENT_MISSING}
    assert "--subnet-ids sn-c" in finding(pair, Code.TGW_ATTACHMENT_MISSING).fix


@pytest.mark.parametrize(("state", "verdict"), [("modifying", "reachable"), ("pendingAcceptance", "blocked")])
def test_an_attachment_must_be_available(state: str, verdict: str) -> None:
    document = scenario("S25")
    vpc_attachment(document, "att-c")["State"] = state
    row(document, "TransitGatewayAttachments", "att-c")["State"] = state
    pair = ask(document)
    assert pair.verdict == verdict
    if verdict == "blocked":
        assert deciding(pair) == {Code.TGW_ATTACHMENT_STATE}
        assert finding(pair, Code.TGW_ATTACHMENT_STATE).direction is Direction.BOTH


def test_of_two_attachments_the_one_that_works_counts() -> None:
    document = scenario("S25")
    dead = {**vpc_attachment(document, "att-c"), "TransitGatewayAttachmentId": "att-dead", "State": "deleted"}
    document["snapshot"]["TransitGatewayVpcAttachments"].insert(0, dead)
    assert ask(document).verdict is Verdict.REACHABLE


def test_an_attachment_carries_ipv6_only_where_that_is_on() -> None:
    document = scenario("S25")
    document["client"]["family"] = 6
    vpc_attachment(document, "att-h")["Options"]["Ipv6Support"] = "disable"
    for name, cidr in (("rtb-c", "2600:aa::/56"), ("rtb-h", "2600:bb::/56")):
        route = {"DestinationIpv6CidrBlock": cidr, "TransitGatewayId": "tgw-1", "State": "active"}
        row(document, "RouteTables", name)["Routes"].append(route)
    for cidr, like in (("2600:aa::/56", routes(document)[0]), ("2600:bb::/56", routes(document)[1])):
        routes(document).append({**like, "DestinationCidrBlock": cidr})
    row(document, "SecurityGroups", "sg-hsm")["IpPermissions"][1]["Ipv6Ranges"] = [{"CidrIpv6": "2600:bb::/56"}]
    assert deciding(ask(document)) == {Code.TGW_V6_DISABLED}
    vpc_attachment(document, "att-h")["Options"]["Ipv6Support"] = "enable"
    assert deciding(ask(document)) == set()


def test_the_fix_for_a_zone_names_the_attachment_and_a_subnet_there() -> None:
    found = finding(ask(scenario("S26")), Code.TGW_AZ_NOT_ATTACHED)
    assert found.evidence == ("sn-h3", "use1-az3x", "att-h")
    assert "--transit-gateway-attachment-id att-h --add-subnet-ids sn-h3" in found.fix


def test_an_association_with_a_policy_table_is_unknown() -> None:
    document = scenario("S25")
    row(document, "TransitGatewayAttachments", "att-c")["Association"] = {
        "TransitGatewayPolicyTableId": "tgw-ptb-1",
        "State": "associated",
    }
    assert deciding(ask(document)) == {Code.TGW_POLICY_OPAQUE}


def test_a_table_into_which_both_propagate_may_still_lack_a_route() -> None:
    document = scenario("S27")
    document["snapshot"]["TgwPropagations"]["tgw-rtb-1"] = ["att-h", "att-c"]
    assert deciding(ask(document)) == {Code.TGW_NO_ROUTE}
    document["snapshot"]["TgwPropagations"] = None
    assert deciding(ask(document)) == {Code.TGW_NO_ROUTE}


def test_a_route_that_leads_to_another_vpc_is_the_wrong_one() -> None:
    document = scenario("S25")
    routes(document)[0]["TransitGatewayAttachments"][0] = {
        "TransitGatewayAttachmentId": "att-c",
        "ResourceType": "vpc",
        "ResourceId": "vpc-c",
    }
    pair = ask(document)
    assert deciding(pair) == {Code.TGW_ROUTE_WRONG_ATTACHMENT}
    assert "vpc-h is not there" in finding(pair, Code.TGW_ROUTE_WRONG_ATTACHMENT).sentence


@pytest.mark.parametrize("kind", ["connect", "client-vpn", "network-function"])
def test_attachments_nobody_sees_into_are_unknown(kind: str) -> None:
    document = scenario("S25")
    routes(document)[0]["TransitGatewayAttachments"][0]["ResourceType"] = kind
    assert deciding(ask(document)) == {Code.TGW_ATTACHMENT_TYPE_OPAQUE}


def test_a_vpc_of_another_account_is_unknown() -> None:
    document = scenario("S25")
    routes(document)[0]["TransitGatewayAttachments"][0]["ResourceId"] = "vpc-elsewhere"
    assert deciding(ask(document)) == {Code.CROSS_ACCOUNT_OPAQUE}


def test_an_inspection_vpc_is_an_appliance_not_a_wrong_turn() -> None:
    document = scenario("S25")
    snapshot = document["snapshot"]
    routes(document)[0]["TransitGatewayAttachments"][0]["ResourceId"] = "vpc-i"
    inspection = {**vpc_attachment(document, "att-c"), "TransitGatewayAttachmentId": "att-i"}
    snapshot["TransitGatewayVpcAttachments"].append(inspection | {"VpcId": "vpc-i", "SubnetIds": ["sn-it"]})
    snapshot["Subnets"].append({**row(document, "Subnets", "sn-c"), "SubnetId": "sn-it", "VpcId": "vpc-i"})
    snapshot["NetworkAcls"][0]["Associations"].append({"SubnetId": "sn-it"})
    snapshot["RouteTables"].append(
        {
            "RouteTableId": "rtb-i",
            "VpcId": "vpc-i",
            "Associations": [{"Main": True}],
            "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "vpce-fw", "State": "active"}],
        }
    )
    assert deciding(ask(document)) == {Code.RT_MIDDLEBOX, Code.ASYMMETRIC_PATH}


def one_closed_transit_subnet() -> Document:
    """S25 with an ACL in zone 2's transit subnet of the HSMs' VPC that denies everything."""
    document = scenario("S25")
    closed = copy.deepcopy(row(document, "NetworkAcls", "acl-ht"))
    closed |= {"NetworkAclId": "acl-closed", "Associations": [{"SubnetId": "sn-ht2"}], "Entries": []}
    row(document, "NetworkAcls", "acl-ht")["Associations"].pop(1)
    document["snapshot"]["NetworkAcls"].append(closed)
    return document


def test_a_packet_comes_out_in_its_own_zone_if_it_can() -> None:
    document = one_closed_transit_subnet()
    assert ask(document).verdict is Verdict.REACHABLE
    vpc_attachment(document, "att-h")["SubnetIds"] = ["sn-ht2"]
    assert Code.NACL_FWD_EGRESS_DENY in deciding(ask(document))


def test_acls_of_only_some_transit_subnets_degrade() -> None:
    document = one_closed_transit_subnet()
    vpc_attachment(document, "att-h")["Options"]["ApplianceModeSupport"] = "enable"
    pair = ask(document)
    assert pair.verdict is Verdict.DEGRADED
    assert finding(pair, Code.NACL_SOME_TGW_SUBNETS_DENY).evidence == ("sn-ht2", "acl-closed")


def test_in_the_transit_subnet_itself_no_acl_is_asked_on_the_way_out_of_the_gateway() -> None:
    document = scenario("S25")
    vpc_attachment(document, "att-h")["SubnetIds"] = ["sn-h1", "sn-ht2", "sn-ht3"]
    row(document, "NetworkAcls", "acl-h")["Entries"] = [
        {"RuleNumber": 1, "Egress": egress, "RuleAction": "allow", "Protocol": "-1", "CidrBlock": "10.1.0.0/16"}
        for egress in (True,)
    ]
    pair = ask(document)
    assert Code.NACL_FWD_INGRESS_DENY not in codes(pair)
    assert Code.NACL_RET_INGRESS_DENY in codes(pair)


@pytest.mark.parametrize("zone", ["use1-az3", "use1-az1"])
def test_groups_are_not_known_through_a_transit_gateway_in_one_zone(zone: str) -> None:
    document = scenario("S31")
    for name in ("sn-c", "sn-ct1"):
        row(document, "Subnets", name)["AvailabilityZoneId"] = zone
    expected = {Code.SG_REF_NOT_PRESERVED} if zone == "use1-az3" else set()
    assert deciding(ask(document)) == expected


def test_egress_rules_name_no_groups_through_a_transit_gateway() -> None:
    document = scenario("S31")
    row(document, "SecurityGroups", "sg-c")["IpPermissionsEgress"] = [
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-hsm"}]}
    ]
    pair = ask(document)
    assert deciding(pair) == {Code.SG_REF_NOT_PRESERVED}
    assert "in ingress rules only" in finding(pair, Code.SG_REF_NOT_PRESERVED).sentence


def peered() -> Document:
    """S25 with the client's VPC behind a gateway of its own, peered with the HSMs' and static routes between them."""
    document = scenario("S25")
    snapshot = document["snapshot"]
    row(document, "RouteTables", "rtb-c")["Routes"][-1]["TransitGatewayId"] = "tgw-2"
    for section in ("TransitGatewayAttachments", "TransitGatewayVpcAttachments"):
        row(document, section, "att-c")["TransitGatewayId"] = "tgw-2"
    row(document, "TransitGatewayAttachments", "att-c")["Association"]["TransitGatewayRouteTableId"] = "tgw-rtb-2"
    snapshot["TransitGateways"].append({"TransitGatewayId": "tgw-2", "Options": {}})
    over = {"TransitGatewayAttachmentId": "att-p", "ResourceType": "peering"}
    snapshot["TransitGatewayAttachments"] += [
        over
        | {
            "TransitGatewayId": near,
            "ResourceId": far,
            "State": "available",
            "Association": {"TransitGatewayRouteTableId": table, "State": "associated"},
        }
        for near, far, table in (("tgw-1", "tgw-2", "tgw-rtb-1"), ("tgw-2", "tgw-1", "tgw-rtb-2"))
    ]
    to_hsms, to_client = routes(document)
    static = {"Type": "static", "State": "active"}
    snapshot["TgwRoutes"] = {
        "tgw-rtb-1": [
            to_hsms,
            {
                **static,
                "DestinationCidrBlock": "10.1.0.0/16",
                "TransitGatewayAttachments": [over | {"ResourceId": "tgw-2"}],
            },
        ],
        "tgw-rtb-2": [
            to_client,
            {
                **static,
                "DestinationCidrBlock": "10.0.0.0/16",
                "TransitGatewayAttachments": [over | {"ResourceId": "tgw-1"}],
            },
        ],
    }
    return document


def test_peered_transit_gateways_are_followed() -> None:
    pair = ask(peered())
    assert pair.verdict is Verdict.REACHABLE
    passed = [hop.id for hop in pair.forward.hops if hop.id.startswith("tgw-")]
    assert passed == ["tgw-2", "tgw-rtb-2", "tgw-1", "tgw-rtb-1"]


def test_peered_transit_gateways_need_static_routes() -> None:
    document = peered()
    document["snapshot"]["TgwRoutes"]["tgw-rtb-2"].pop()
    pair = ask(document)
    assert deciding(pair) == {Code.TGW_PEERING_NO_STATIC}
    assert "--transit-gateway-attachment-id att-p" in finding(pair, Code.TGW_PEERING_NO_STATIC).fix


def test_the_far_side_of_a_peering_in_another_account_is_unknown() -> None:
    document = peered()
    attachments = document["snapshot"]["TransitGatewayAttachments"]
    document["snapshot"]["TransitGatewayAttachments"] = [
        one for one in attachments if (one["TransitGatewayId"], one["TransitGatewayAttachmentId"]) != ("tgw-1", "att-p")
    ]
    pair = ask(document)
    assert deciding(pair) == {Code.CROSS_ACCOUNT_OPAQUE}


def test_a_peering_that_leads_back_and_forth_is_given_up() -> None:
    document = peered()
    tables = document["snapshot"]["TgwRoutes"]
    over = copy.deepcopy(tables["tgw-rtb-1"][1]["TransitGatewayAttachments"])
    tables["tgw-rtb-1"][0]["TransitGatewayAttachments"] = over
    assert Code.TGW_ROUTE_WRONG_ATTACHMENT in deciding(ask(document))


def test_groups_are_not_known_through_two_transit_gateways() -> None:
    document = peered()
    row(document, "SecurityGroups", "sg-hsm")["IpPermissions"] = scenario("S31")["snapshot"]["SecurityGroups"][0][
        "IpPermissions"
    ]
    assert deciding(ask(document)) == {Code.SG_REF_NOT_PRESERVED}
