"""Proves that a collected snapshot gives the verdict the whole network would give, and asks for nothing else."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest
from connectivity import NAMES, Document, codes, scenario
from network_world import REGION, SnapshotNetwork, cluster_of, collected, collector
from world import FakeClock, NoCache

from hsmctl.domain.net_code import Code
from hsmctl.domain.net_endpoint import parse_client
from hsmctl.domain.net_finding import Pair, Verdict
from hsmctl.domain.net_gap import ACTIONS
from hsmctl.domain.network import Chosen, NetworkAnswer, NetworkKind, NetworkQuery, Unreadable
from hsmctl.errors import Conflict, UsageError
from hsmctl.services.net import explain, load
from hsmctl.services.net_collect import Collection
from hsmctl.services.net_ends import Ends
from hsmctl.services.net_gathering import Gathering

TRANSIT = {kind for kind in NetworkKind if kind.startswith(("Transit", "Tgw"))}
HYBRID = {kind for kind in NetworkKind if kind.startswith(("Vpn", "Dx", "Vif", "Virtual"))}
ALWAYS = {
    NetworkKind.INTERFACES,
    NetworkKind.VPCS,
    NetworkKind.SUBNETS,
    NetworkKind.ROUTE_TABLES,
    NetworkKind.NETWORK_ACLS,
    NetworkKind.SECURITY_GROUPS,
}


def answers(document: object) -> tuple[Pair, ...]:
    """The answers to a document as somebody reads it who got it as a file."""
    return explain(load(json.loads(json.dumps(document)))).pairs


def kinds(reader: SnapshotNetwork) -> set[NetworkKind]:
    return {query.kind for query in reader.queries}


def collect(document: Document, reader: SnapshotNetwork, *clients: str, families: tuple[int, ...] = (4,)) -> Collection:
    named = tuple(parse_client(client) for client in clients)
    return collector(reader).collect(Ends(cluster=cluster_of(document), clients=named, families=families))


@pytest.mark.parametrize("name", NAMES)
def test_a_collected_scenario_is_explained_like_the_original(name: str) -> None:
    document = scenario(name)
    original, again = explain(load(document)), explain(load(json.loads(json.dumps(collected(document).document))))
    asked_about = {pair.hsm for pair in original.pairs}
    assert tuple(pair for pair in again.pairs if pair.hsm in asked_about) == original.pairs
    assert again.asked == original.asked


@pytest.mark.parametrize(
    ("name", "besides"),
    [
        ("S01", set()),
        ("S16", {NetworkKind.PEERINGS}),
        ("S20", {NetworkKind.PEERINGS, NetworkKind.VPC_ATTACHMENTS}),
        ("S25", TRANSIT - {NetworkKind.TRANSIT_PEERINGS}),
        (
            "S34",
            {NetworkKind.VPN_GATEWAYS, NetworkKind.VPNS, NetworkKind.DX_ASSOCIATIONS, NetworkKind.VIRTUAL_INTERFACES},
        ),
        ("S42", TRANSIT - {NetworkKind.TRANSIT_PEERINGS} | {NetworkKind.VPNS}),
        ("S47", HYBRID - {NetworkKind.VIRTUAL_INTERFACE_ROUTES}),
        ("S48", TRANSIT - {NetworkKind.TRANSIT_PEERINGS} | HYBRID - {NetworkKind.VPN_GATEWAYS, NetworkKind.VPNS}),
    ],
)
def test_only_what_the_ways_mention_is_asked_for(name: str, besides: set[NetworkKind]) -> None:
    document = scenario(name)
    reader = SnapshotNetwork(document["snapshot"])
    collected(document, reader)
    assert kinds(reader) == ALWAYS | besides


def test_what_lies_beside_the_way_is_not_asked_for() -> None:
    document = scenario("S16")
    for table in document["snapshot"]["RouteTables"]:
        for target in ("TransitGatewayId", "VpcPeeringConnectionId"):
            route = {"DestinationCidrBlock": "10.66.0.0/16", target: f"{target}-x", "State": "active"}
            table["Routes"].append(route | {"Origin": "CreateRoute"})
    reader = SnapshotNetwork(document["snapshot"])
    collected(document, reader)
    assert kinds(reader) == ALWAYS | {NetworkKind.PEERINGS}
    assert [query.values for query in reader.queries if query.kind is NetworkKind.PEERINGS] == [("pcx-1",)]


@pytest.mark.parametrize("name", ["S01", "S16", "S25", "S42", "S48"])
def test_the_number_of_calls_does_not_depend_on_the_number_of_hsms(name: str) -> None:
    few, many = (collected_with(scenario(name), count) for count in (3, 32))
    assert few.calls == many.calls
    assert 6 <= few.calls <= 18
    assert len(answers(many.document)) == 32


def collected_with(document: Document, count: int) -> Collection:
    """What is collected where the cluster has this many HSMs."""
    first = load(document).hsms[0]
    interface = next(row for row in document["snapshot"]["NetworkInterfaces"] if row["NetworkInterfaceId"] == "eni-h1")
    hsms = []
    for index in range(count):
        hsm = replace(first, hsm_id=f"hsm-{index}", eni_id=f"eni-hsm-{index}", address=f"10.0.1.{100 + index}")
        row = {**interface, "NetworkInterfaceId": hsm.eni_id, "PrivateIpAddress": hsm.address}
        document["snapshot"]["NetworkInterfaces"].append(row)
        hsms.append(hsm)
    ends = Ends(cluster=cluster_of(document, tuple(hsms)), clients=load(document).clients)
    return collector(SnapshotNetwork(document["snapshot"])).collect(ends)


@pytest.mark.parametrize("kind", sorted(ALWAYS | TRANSIT - {NetworkKind.TRANSIT_PEERINGS}))
def test_a_denied_call_leaves_a_hole_that_names_the_action(kind: NetworkKind) -> None:
    document = scenario("S31")
    reader = SnapshotNetwork(document["snapshot"])
    reader.denied = {kind}
    found = collected(document, reader)
    assert {(hole.kind, hole.action, hole.denied) for hole in found.holes} == {(kind, f"action:{kind}", True)}
    section = found.document["snapshot"][kind]  # type: ignore[index]
    assert section is None or set(section.values()) == {None}
    if kind not in (NetworkKind.VPCS, NetworkKind.TRANSIT_PROPAGATIONS):  # which only tell why a route is missing
        gaps = [finding for pair in answers(found.document) for finding in pair.findings if finding.action]
        assert {pair.verdict for pair in answers(found.document)} == {Verdict.UNKNOWN}
        assert ACTIONS[kind] in {finding.action for finding in gaps}


@pytest.mark.parametrize("kind", [NetworkKind.VPNS, NetworkKind.VPN_GATEWAYS])
def test_a_denied_link_is_unknown_and_never_reachable(kind: NetworkKind) -> None:
    document = scenario("S34")
    reader = SnapshotNetwork(document["snapshot"])
    reader.denied = {kind}
    assert {pair.verdict for pair in answers(collected(document, reader).document)} == {Verdict.UNKNOWN}


def test_what_does_not_answer_in_time_is_a_hole_and_not_a_denial() -> None:
    release = threading.Event()

    class Hanging(SnapshotNetwork):
        def read(self, query: NetworkQuery) -> NetworkAnswer | Unreadable:
            if query.kind is NetworkKind.NETWORK_ACLS:
                release.wait()
            return super().read(query)

    document = scenario("S01")
    ends = Ends(cluster=cluster_of(document), clients=load(document).clients)
    service = replace(collector(Hanging(document["snapshot"])), seconds=0.3)
    found = service.collect(ends)
    release.set()
    assert [(hole.kind, hole.denied) for hole in found.holes] == [(NetworkKind.NETWORK_ACLS, False)]
    assert {pair.verdict for pair in answers(found.document)} == {Verdict.UNKNOWN}


def test_an_instance_is_found_with_all_its_interfaces_and_its_platform() -> None:
    document = scenario("S06")
    interfaces = document["snapshot"]["NetworkInterfaces"]
    app = next(row for row in interfaces if row["NetworkInterfaceId"] == "eni-app")
    app["Attachment"] = {"InstanceId": "i-app", "DeviceIndex": 0}
    interfaces.append(
        {**app, "NetworkInterfaceId": "eni-app-2", "Attachment": {"InstanceId": "i-app", "DeviceIndex": 1}}
    )
    document["snapshot"]["Instances"] = [
        {"InstanceId": "i-app", "State": {"Name": "running"}, "PlatformDetails": "Windows"}
    ]
    reader = SnapshotNetwork(document["snapshot"])
    found = collect(document, reader, "i-app")
    first = answers(found.document)[0]
    assert {Code.NACL_EPHEMERAL_PARTIAL, Code.CLIENT_MULTI_ENI} <= codes(first)
    assert kinds(reader) == ALWAYS | {NetworkKind.INSTANCES}


@pytest.mark.parametrize("client", ["10.0.11.5", "10.0.11.5@vpc-h", "eni-app"])
def test_an_address_is_the_interface_that_has_it(client: str) -> None:
    document = scenario("S01")
    found = collect(document, SnapshotNetwork(document["snapshot"]), client)
    assert {pair.verdict for pair in answers(found.document)} == {Verdict.REACHABLE}


@pytest.mark.parametrize("client", ["10.1.11.5", "10.1.11.5@vpc-c", "eni-c"])
def test_a_client_in_another_region_is_found_across_the_peering(client: str) -> None:
    document = scenario("S18")
    reader = SnapshotNetwork(document["snapshot"])
    found = collect(document, reader, client)
    assert all(Code.SG_REF_NOT_PRESERVED in codes(pair) for pair in answers(found.document))
    regions = {query.region for query in reader.queries if query.kind is NetworkKind.ROUTE_TABLES}
    assert regions == {REGION, "eu-west-1"}


def test_a_client_that_is_nowhere_is_searched_for_and_then_not_found() -> None:
    document = scenario("S18")
    found = collect(document, SnapshotNetwork(document["snapshot"]), "eni-nobody")
    assert all(codes(pair) == {Code.CLIENT_NOT_FOUND} for pair in answers(found.document))


def test_every_part_of_a_prefix_is_followed() -> None:
    document = scenario("S34")
    [table] = document["snapshot"]["RouteTables"]
    table["Routes"].append(
        {
            "DestinationCidrBlock": "192.168.50.0/28",
            "TransitGatewayId": "tgw-9",
            "State": "active",
            "Origin": "CreateRoute",
        }
    )
    reader = SnapshotNetwork(document["snapshot"])
    collect(document, reader, "192.168.50.0/24")
    assert {NetworkKind.VPN_GATEWAYS, NetworkKind.TRANSIT_GATEWAYS} <= kinds(reader)
    reader = SnapshotNetwork(document["snapshot"])
    collect(document, reader, "192.168.50.128/25")
    assert NetworkKind.TRANSIT_GATEWAYS not in kinds(reader)


def test_clients_share_the_questions() -> None:
    document = scenario("S16")
    one, both = (SnapshotNetwork(document["snapshot"]) for _ in range(2))
    collect(document, one, "eni-c")
    found = collect(document, both, "eni-c", "eni-app")
    assert both.calls == one.calls
    assert {pair.client for pair in answers(found.document)} == {"eni-c", "eni-app"}


def test_only_prefix_lists_that_can_matter_are_read() -> None:
    document = scenario("S16")
    snapshot = document["snapshot"]
    for table in snapshot["RouteTables"]:
        for route in table["Routes"]:
            if "VpcPeeringConnectionId" in route:
                route["DestinationPrefixListId"] = f"pl-{route.pop('DestinationCidrBlock')}"
    permissions = next(row for row in snapshot["SecurityGroups"] if row["GroupId"] == "sg-hsm")["IpPermissions"]
    permissions[1] |= {"IpRanges": [], "PrefixListIds": [{"PrefixListId": "pl-clients"}]}
    permissions.append(
        permissions[1] | {"FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": "pl-admins"}]}
    )
    snapshot["PrefixLists"] = {
        "pl-10.0.0.0/16": ["10.0.0.0/16"],
        "pl-10.1.0.0/16": ["10.1.0.0/16"],
        "pl-clients": ["10.1.11.0/24"],
    }
    reader = SnapshotNetwork(snapshot)
    found = collected(document, reader)
    assert {pair.verdict for pair in answers(found.document)} == {Verdict.REACHABLE}
    asked = {value for query in reader.queries if query.kind is NetworkKind.PREFIX_LISTS for value in query.values}
    assert asked == set(snapshot["PrefixLists"])


def test_a_transit_gateway_in_another_region_is_followed_across_its_peering() -> None:
    document = scenario("S25")
    two_regions(document["snapshot"])
    reader = SnapshotNetwork(document["snapshot"])
    found = collect(document, reader, "10.1.11.5")
    assert answers(found.document) == explain(load({**document, "client": found.document["client"]})).pairs
    assert {query.region for query in reader.queries if query.kind is NetworkKind.TRANSIT_ROUTES} == {
        REGION,
        "eu-west-1",
    }


def two_regions(snapshot: Document) -> None:
    """Put the client's VPC and its attachment to another transit gateway in another Region, with a peering between."""
    far: Document = {"_region": "eu-west-1"}
    next(row for row in snapshot["Vpcs"] if row["VpcId"] == "vpc-c")["_region"] = "eu-west-1"
    snapshot["TransitGateways"].append({**snapshot["TransitGateways"][0], "TransitGatewayId": "tgw-2"} | far)
    for row in (*snapshot["TransitGatewayAttachments"], *snapshot["TransitGatewayVpcAttachments"]):
        if row["TransitGatewayAttachmentId"] == "att-c":
            row |= far | {"TransitGatewayId": "tgw-2"}
            if "Association" in row:
                row["Association"] = {"TransitGatewayRouteTableId": "tgw-rtb-2", "State": "associated"}
    for table in snapshot["RouteTables"]:
        for route in table["Routes"]:
            if table["VpcId"] == "vpc-c" and "TransitGatewayId" in route:
                route["TransitGatewayId"] = "tgw-2"
    ends = {"tgw-1": "tgw-rtb-1", "tgw-2": "tgw-rtb-2"}
    for (here, table_id), there in zip(ends.items(), reversed(ends), strict=True):
        snapshot["TransitGatewayAttachments"].append(
            {
                "TransitGatewayAttachmentId": "att-peering",
                "TransitGatewayId": here,
                "ResourceType": "peering",
                "ResourceId": there,
                "State": "available",
                "Association": {"TransitGatewayRouteTableId": table_id, "State": "associated"},
                "_region": REGION if here == "tgw-1" else "eu-west-1",
            }
        )
    peering = ("att-peering", "peering", "tgw-2"), ("att-h", "vpc", "vpc-h")
    back = ("att-c", "vpc", "vpc-c"), ("att-peering", "peering", "tgw-1")
    for table_id, ways in (("tgw-rtb-1", peering), ("tgw-rtb-2", back)):
        snapshot["TgwRoutes"][table_id] = [
            transit_route(cidr, *way) for cidr, way in zip(("10.1.0.0/16", "10.0.0.0/16"), ways, strict=True)
        ]
    sides = [{"TransitGatewayId": "tgw-1", "Region": REGION}, {"TransitGatewayId": "tgw-2", "Region": "eu-west-1"}]
    snapshot["TransitGatewayPeeringAttachments"] = [
        {"TransitGatewayAttachmentId": "att-peering", "RequesterTgwInfo": sides[0], "AccepterTgwInfo": sides[1]}
    ]


def transit_route(cidr: str, attachment_id: str, kind: str, resource_id: str) -> Document:
    hop = {"TransitGatewayAttachmentId": attachment_id, "ResourceType": kind, "ResourceId": resource_id}
    return {"DestinationCidrBlock": cidr, "Type": "static", "State": "active", "TransitGatewayAttachments": [hop]}


def test_virtual_interfaces_are_read_in_the_region_their_gateway_names() -> None:
    document = scenario("S44")
    document["snapshot"]["VirtualInterfaces"][0]["_region"] = "us-west-2"
    reader = SnapshotNetwork(document["snapshot"])
    found = collected(document, reader)
    assert {pair.verdict for pair in answers(found.document)} == {Verdict.REACHABLE}
    regions = {query.region for query in reader.queries if query.kind is NetworkKind.VIRTUAL_INTERFACES}
    assert regions == {REGION, "us-west-2"}


def test_a_document_tells_how_it_came_about() -> None:
    document = scenario("S33")
    found = collected(document)
    assert set(found.document) == {"cluster", "client", "hsm", "hsms", "port", "platform", "snapshot"}
    provenance = found.document["snapshot"]["_collection"]  # type: ignore[index]
    assert provenance["calls"] == found.calls
    assert provenance["consistency"] == "consistent"
    [hole] = provenance["unreadable"]
    assert (hole["kind"], hole["values"], hole["denied"]) == ("TgwRoutes", ("tgw-rtb-1",), True)


def test_nothing_is_collected_for_nobody_or_nowhere() -> None:
    document = scenario("S01")
    reader = SnapshotNetwork(document["snapshot"])
    ends = Ends(cluster=cluster_of(document), clients=load(document).clients)
    with pytest.raises(UsageError, match="no client"):
        collector(reader).collect(replace(ends, clients=()))
    with pytest.raises(Conflict, match="hsm-nine"):
        collector(reader).collect(ends, hsm_id="hsm-nine")
    with pytest.raises(Conflict, match="none"):
        collector(reader).collect(replace(ends, cluster=replace(ends.cluster, hsms=())))
    assert reader.calls == 0


def test_a_family_is_followed_by_its_own_routes() -> None:
    document = scenario("S16")
    reader = SnapshotNetwork(document["snapshot"])
    found = collect(document, reader, "eni-c", families=(6,))
    assert kinds(reader) == ALWAYS | {NetworkKind.PEERINGS, NetworkKind.VPC_ATTACHMENTS}
    assert all(Code.RT_NO_ROUTE in codes(pair) for pair in answers(found.document))


def test_a_vpc_found_later_is_asked_about_together_with_those_before() -> None:
    reader = SnapshotNetwork(scenario("S16")["snapshot"])
    gathering = Gathering(reader=reader, cache=NoCache(), clock=FakeClock(), scope="", deadline=60, fresh=False)
    early = {(NetworkKind.PEERINGS, REGION, Chosen.BETWEEN_VPCS, vpc_id) for vpc_id in ("vpc-h", "vpc-x")}
    gathering.ask(early)
    gathering.ask(early | {(NetworkKind.PEERINGS, REGION, Chosen.BETWEEN_VPCS, "vpc-c")})
    assert [query.values for query in reader.queries] == [("vpc-h", "vpc-x"), ("vpc-c", "vpc-h", "vpc-x")]
    assert len([*gathering.rows(NetworkKind.PEERINGS)]) == 1


@pytest.mark.parametrize("client", ["10.1.11.200", "10.1.11.200@vpc-c"])
def test_the_address_of_a_pod_is_the_interface_with_its_prefix(client: str) -> None:
    document = scenario("S16")
    interfaces = document["snapshot"]["NetworkInterfaces"]
    next(row for row in interfaces if row["NetworkInterfaceId"] == "eni-c")["Ipv4Prefixes"] = [
        {"Ipv4Prefix": "10.1.11.192/28"}
    ]
    found = collect(document, SnapshotNetwork(document["snapshot"]), client)
    assert {pair.verdict for pair in answers(found.document)} == {Verdict.REACHABLE}


def test_a_nat_gateway_and_an_instance_in_the_way_are_looked_at() -> None:
    document = scenario("S16")
    for table in document["snapshot"]["RouteTables"]:
        for route in table["Routes"]:
            if route.pop("VpcPeeringConnectionId", None):
                route |= {"NatGatewayId": "nat-1"} if table["VpcId"] == "vpc-c" else {"InstanceId": "i-firewall"}
    document["snapshot"]["NatGateways"] = [{"NatGatewayId": "nat-1", "SubnetId": "sn-c", "VpcId": "vpc-c"}]
    reader = SnapshotNetwork(document["snapshot"])
    found = collected(document, reader)
    assert kinds(reader) == ALWAYS | {NetworkKind.NAT_GATEWAYS}
    assert Chosen.BY_INSTANCE in {query.chosen for query in reader.queries}
    assert answers(found.document) == explain(load(document)).pairs


def test_a_vpc_behind_the_next_gateway_is_known_where_only_its_route_is_missing() -> None:
    document = scenario("S25")
    two_regions(document["snapshot"])
    del document["snapshot"]["TgwRoutes"]["tgw-rtb-1"][0]
    found = collect(document, SnapshotNetwork(document["snapshot"]), "eni-c")
    assert all(Code.TGW_PEERING_NO_STATIC in codes(pair) for pair in answers(found.document))
