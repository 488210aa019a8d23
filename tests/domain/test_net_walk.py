"""Proves what happens at each kind of route target of a VPC, one changed scenario a rule."""

from __future__ import annotations

import pytest
from connectivity import Document, ask, codes, deciding, finding, row, scenario

from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Direction, HopKind, Verdict

OPEN = [
    {"RuleNumber": 100, "Egress": egress, "RuleAction": "allow", "Protocol": "-1", "CidrBlock": "0.0.0.0/0"}
    for egress in (True, False)
]


def client_route(document: Document, **target: str) -> None:
    """Send the client's packets for the HSMs' VPC elsewhere."""
    table = row(document, "RouteTables", "rtb-c")
    table["Routes"] = [route for route in table["Routes"] if route.get("DestinationCidrBlock") != "10.0.0.0/16"]
    table["Routes"].append(
        {"DestinationCidrBlock": "10.0.0.0/16", "State": "active", "Origin": "CreateRoute", **target}
    )


def hsm_route(document: Document, destination: str, **target: str) -> None:
    """Send the HSM's replies for this prefix elsewhere."""
    table = row(document, "RouteTables", "rtb-h")
    table["Routes"] = [route for route in table["Routes"] if route.get("DestinationCidrBlock") != destination]
    table["Routes"].append({"DestinationCidrBlock": destination, "State": "active", "Origin": "CreateRoute", **target})


@pytest.mark.parametrize("key", ["GatewayId", "CarrierGatewayId", "LocalGatewayId"])
def test_gateways_to_the_internet_carry_no_private_packets(key: str) -> None:
    document = scenario("S16")
    client_route(document, **{key: "igw-1"})
    pair = ask(document)
    assert deciding(pair) == {Code.RT_TARGET_UNSUITABLE}
    assert "--vpc-peering-connection-id pcx-1" in finding(pair, Code.RT_TARGET_UNSUITABLE).fix


def test_a_default_route_to_a_nat_gateway_ends_where_the_nat_gateways_own_subnet_leads() -> None:
    document = scenario("S16")
    client_route(document, NatGatewayId="nat-1")
    pair = ask(document)
    assert deciding(pair) == {Code.RT_MIDDLEBOX, Code.PERMISSION_GAP, Code.ASYMMETRIC_PATH}
    assert finding(pair, Code.PERMISSION_GAP).action == "ec2:DescribeNatGateways"
    document["snapshot"]["NatGateways"] = [{"NatGatewayId": "nat-1", "SubnetId": "sn-nat"}]
    document["snapshot"]["Subnets"].append({**row(document, "Subnets", "sn-c"), "SubnetId": "sn-nat"})
    document["snapshot"]["RouteTables"].append(
        {
            "RouteTableId": "rtb-nat",
            "VpcId": "vpc-c",
            "Associations": [{"SubnetId": "sn-nat"}],
            "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}],
        }
    )
    assert deciding(ask(document)) == {Code.RT_MIDDLEBOX, Code.RT_TARGET_UNSUITABLE}


def test_a_nat_gateway_carries_no_replies() -> None:
    document = scenario("S16")
    hsm_route(document, "10.1.0.0/16", NatGatewayId="nat-1")
    pair = ask(document)
    assert deciding(pair) == {Code.RT_TARGET_UNSUITABLE}
    assert finding(pair, Code.RT_TARGET_UNSUITABLE).direction is Direction.RETURN


def test_behind_a_nat_gateway_nothing_is_judged_by_the_clients_address() -> None:
    document = scenario("S18")
    client_route(document, NatGatewayId="nat-1")
    assert Code.SG_REF_NOT_PRESERVED not in codes(ask(document))


def test_what_a_nat_gateway_hides_no_peering_tells() -> None:
    document = scenario("S17")
    row(document, "SecurityGroups", "sg-c")["IpPermissionsEgress"] = [
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-hsm"}]}
    ]
    assert ask(document).verdict is Verdict.REACHABLE
    peered = row(document, "RouteTables", "rtb-c")["Routes"]
    nat = {"RouteTableId": "rtb-nat", "VpcId": "vpc-c", "Associations": [{"SubnetId": "sn-nat"}], "Routes": peered}
    document["snapshot"]["RouteTables"].append(nat)
    document["snapshot"]["Subnets"].append({**row(document, "Subnets", "sn-c"), "SubnetId": "sn-nat"})
    document["snapshot"]["NatGateways"] = [{"NatGatewayId": "nat-1", "SubnetId": "sn-nat"}]
    client_route(document, NatGatewayId="nat-1")
    pair = ask(document)
    assert finding(pair, Code.SG_REF_NOT_PRESERVED).evidence == ("eni-c", "sg-c", "nat-1")


def test_a_firewall_endpoint_is_unknown() -> None:
    document = scenario("S16")
    client_route(document, GatewayId="vpce-1")
    pair = ask(document)
    assert pair.verdict is Verdict.UNKNOWN
    assert Code.RT_MIDDLEBOX in codes(pair)


def test_an_appliance_on_one_direction_only_costs_redundancy() -> None:
    pair = ask(scenario("S12"))
    assert finding(pair, Code.ASYMMETRIC_PATH).severity == "degraded"
    assert [hop.kind for hop in pair.forward.hops].count(HopKind.APPLIANCE) == 1


def test_two_ways_without_an_appliance_are_a_warning() -> None:
    document = scenario("S16")
    other = {**row(document, "VpcPeeringConnections", "pcx-1"), "VpcPeeringConnectionId": "pcx-2"}
    document["snapshot"]["VpcPeeringConnections"].append(other)
    hsm_route(document, "10.1.0.0/16", VpcPeeringConnectionId="pcx-2")
    pair = ask(document)
    assert pair.verdict is Verdict.REACHABLE
    assert codes(pair) == {Code.ASYMMETRIC_PATH}
    assert finding(pair, Code.ASYMMETRIC_PATH).evidence == ("pcx-1", "pcx-2")


def test_cloud_wan_is_unknown() -> None:
    document = scenario("S16")
    client_route(document, CoreNetworkArn="arn:aws:networkmanager::1:core-network/core-1")
    assert deciding(ask(document)) == {Code.CLOUDWAN_OPAQUE}


def test_a_target_of_a_kind_nobody_knew_is_unknown() -> None:
    document = scenario("S17")
    client_route(document, OdbNetworkArn="arn:aws:odb:1")
    assert ask(document).verdict is Verdict.UNKNOWN


def test_a_virtual_private_gateway_joins_no_vpcs() -> None:
    document = scenario("S16")
    client_route(document, GatewayId="vgw-1")
    document["snapshot"]["VpnGateways"] = [
        {"VpnGatewayId": "vgw-1", "VpcAttachments": [{"VpcId": "vpc-c", "State": "attached"}]}
    ]
    assert deciding(ask(document)) == {Code.VGW_NOT_A_TRANSIT}
    document["snapshot"]["VpnGateways"][0]["VpcAttachments"][0]["State"] = "detaching"
    assert deciding(ask(document)) == {Code.VGW_NOT_A_TRANSIT, Code.VGW_NOT_ATTACHED}


def test_a_detached_virtual_private_gateway_is_the_cause_of_its_black_hole() -> None:
    document = scenario("S34")
    document["snapshot"]["VpnGateways"][0]["VpcAttachments"] = []
    row(document, "RouteTables", "rtb-h")["Routes"][-1]["State"] = "blackhole"
    pair = ask(document)
    assert pair.primary is not None
    assert (pair.primary.code, pair.primary.cause_of) == (Code.VGW_NOT_ATTACHED, Code.RT_BLACKHOLE)


@pytest.mark.parametrize(("state", "code"), [("filtered", Code.RT_FILTERED), ("odd", Code.PERMISSION_GAP)])
def test_a_route_must_be_active(state: str, code: Code) -> None:
    document = scenario("S16")
    row(document, "RouteTables", "rtb-c")["Routes"][-1]["State"] = state
    assert deciding(ask(document)) == {code}


def test_a_black_hole_whose_peering_is_gone_is_no_riddle() -> None:
    document = scenario("S19")
    document["snapshot"]["VpcPeeringConnections"] = []
    assert deciding(ask(document)) == {Code.RT_BLACKHOLE}


def test_a_peering_that_is_not_in_the_snapshot_is_of_somebody_else() -> None:
    document = scenario("S16")
    document["snapshot"]["VpcPeeringConnections"] = []
    assert deciding(ask(document)) == {Code.CROSS_ACCOUNT_OPAQUE}


def test_overlapping_vpcs_cannot_be_peered() -> None:
    document = scenario("S19")
    peering = row(document, "VpcPeeringConnections", "pcx-1")
    peering["Status"]["Code"] = "failed"
    peering["RequesterVpcInfo"]["CidrBlockSet"] = [{"CidrBlock": "10.0.128.0/17"}]
    pair = ask(document)
    assert deciding(pair) == {Code.PCX_CIDR_OVERLAP, Code.RT_BLACKHOLE}
    assert finding(pair, Code.PCX_CIDR_OVERLAP).cause_of is Code.RT_BLACKHOLE


def test_vpcs_that_nothing_joins_have_no_candidate_path() -> None:
    document = scenario("S20")
    document["snapshot"]["VpcPeeringConnections"] = []
    pair = ask(document)
    assert pair.primary is not None
    assert (pair.primary.code, pair.primary.cause_of) == (Code.NO_CANDIDATE_PATH, Code.RT_NO_ROUTE)


def test_nothing_is_concluded_from_peerings_that_were_not_read() -> None:
    document = scenario("S20")
    document["snapshot"]["VpcPeeringConnections"] = None
    assert Code.NO_CANDIDATE_PATH not in codes(ask(document))


def test_a_vpcs_own_range_catches_the_packets_for_a_peer_with_the_same_range() -> None:
    document = scenario("S16")
    row(document, "RouteTables", "rtb-c")["Routes"][0]["DestinationCidrBlock"] = "10.0.0.0/8"
    row(document, "RouteTables", "rtb-c")["Routes"].pop()
    assert deciding(ask(document)) == {Code.RT_LOCAL_CAPTURE}


def test_prefix_lists_are_looked_into() -> None:
    document = scenario("S16")
    route = row(document, "RouteTables", "rtb-c")["Routes"][-1]
    del route["DestinationCidrBlock"]
    route["DestinationPrefixListId"] = "pl-1"
    pair = ask(document)
    assert deciding(pair) == {Code.PERMISSION_GAP}
    assert finding(pair, Code.PERMISSION_GAP).action == "ec2:GetManagedPrefixListEntries"
    for entries in (["10.0.0.0/16"], [{"Cidr": "10.0.0.0/16"}]):
        document["snapshot"]["PrefixLists"] = {"pl-1": entries}
        assert ask(document).verdict is Verdict.REACHABLE
    document["snapshot"]["PrefixLists"] = {"pl-1": []}
    assert deciding(ask(document)) == {Code.RT_NO_ROUTE}


def test_two_prefix_lists_that_disagree_are_unknown() -> None:
    document = scenario("S16")
    routes = row(document, "RouteTables", "rtb-c")["Routes"]
    del routes[-1]["DestinationCidrBlock"]
    routes[-1]["DestinationPrefixListId"] = "pl-1"
    routes.append({**routes[-1], "DestinationPrefixListId": "pl-2", "VpcPeeringConnectionId": "pcx-2"})
    document["snapshot"]["PrefixLists"] = {"pl-1": ["10.0.0.0/16"], "pl-2": ["10.0.0.0/16"]}
    assert deciding(ask(document)) == {Code.RT_AMBIGUOUS_PREFIX_LIST}


def test_the_route_that_was_beaten_is_named() -> None:
    found = finding(ask(scenario("S24")), Code.RT_SHADOWED)
    assert "10.1.11.0/24 -> pcx-old beats 10.1.0.0/16 -> pcx-1" in found.sentence
    assert "delete-route --route-table-id rtb-h --destination-cidr-block 10.1.11.0/24" in found.fix


def test_an_enforcing_vpc_that_does_not_exempt_peering_is_a_warning() -> None:
    document = scenario("S16")
    control: Document = {"Mode": "enforce"}
    row(document, "Vpcs", "vpc-c")["EncryptionControl"] = control
    assert codes(ask(document)) == {Code.ENCRYPTION_CONTROL_ENFORCED}
    control["ResourceExclusions"] = {"VpcPeering": {"State": "enabled"}}
    assert codes(ask(document)) == set()


def test_ipv6_is_walked_by_its_own_routes() -> None:
    document = scenario("S16")
    document["client"]["family"] = 6
    assert {Code.RT_NO_ROUTE, Code.SG_INGRESS_NO_MATCH} == deciding(ask(document))
    for name, cidr in (("rtb-c", "2600:aa::/56"), ("rtb-h", "2600:bb::/56")):
        route = {"DestinationIpv6CidrBlock": cidr, "VpcPeeringConnectionId": "pcx-1", "State": "active"}
        row(document, "RouteTables", name)["Routes"].append(route)
    rule = row(document, "SecurityGroups", "sg-hsm")["IpPermissions"][1]
    rule["Ipv6Ranges"] = [{"CidrIpv6": "2600:bb::/56"}]
    pair = ask(document)
    assert (pair.verdict, pair.family) == (Verdict.REACHABLE, 6)


def test_a_gateway_with_a_table_of_its_own_sends_what_enters_through_an_appliance() -> None:
    document = scenario("S34")
    document["snapshot"]["RouteTables"].append(
        {
            "RouteTableId": "rtb-edge",
            "VpcId": "vpc-h",
            "Associations": [{"GatewayId": "vgw-1"}],
            "Routes": [{"DestinationCidrBlock": "10.0.1.0/24", "NetworkInterfaceId": "eni-fw", "State": "active"}],
        }
    )
    pair = ask(document)
    assert deciding(pair) == {Code.RT_MIDDLEBOX, Code.ASYMMETRIC_PATH}


def test_an_acl_stands_between_two_subnets_of_a_peering() -> None:
    document = scenario("S16")
    row(document, "NetworkAcls", "acl-c")["Entries"] = [*OPEN[:1]]
    pair = ask(document)
    assert deciding(pair) == {Code.NACL_RET_INGRESS_DENY}
    assert [hop.id for hop in pair.reply.hops if hop.codes] == ["acl-c"]


def test_a_site_that_nothing_leads_to_has_no_candidate_path() -> None:
    document = scenario("S36")
    document["snapshot"]["VpnGateways"] = []
    pair = ask(document)
    assert deciding(pair) == {Code.NO_CANDIDATE_PATH, Code.RT_NO_ROUTE}
    assert pair.forward.broken is not None
    assert pair.reply.broken is not None


def test_a_static_route_back_to_where_the_packet_came_from_goes_round() -> None:
    document = scenario("S25")
    snapshot = document["snapshot"]
    hsm_table = row(document, "RouteTables", "rtb-h")
    hsm_table["Associations"] = [one for one in hsm_table["Associations"] if one.get("SubnetId") != "sn-ht1"]
    snapshot["RouteTables"].append(
        {
            "RouteTableId": "rtb-loop",
            "VpcId": "vpc-h",
            "Associations": [{"SubnetId": "sn-ht1"}],
            "Routes": [{"DestinationCidrBlock": "10.0.0.0/16", "TransitGatewayId": "tgw-1", "State": "active"}],
        }
    )
    assert Code.RT_LOOP in deciding(ask(document))
