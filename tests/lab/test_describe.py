"""Proves that AWS's own clients read the lab's network over the wire, filtered as EC2 filters, beside moto's."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aws_lab import KEY_ID, BotoClient
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import ClientError
from network_world import collector
from topology import CASES, ground
from world import FakeClock

from hsmctl.adapters.network import AwsNetwork
from hsmctl.domain.cluster import Cluster, ClusterState, Hsm, HsmState
from hsmctl.domain.net_finding import Pair, Verdict
from hsmctl.lab.fault import Fault
from hsmctl.lab.gap_network import network_gaps
from hsmctl.lab.gateway import Credentials, Gateway, serve
from hsmctl.lab.ground import Ground, Topology
from hsmctl.lab.net_fault import NET_FAULTS, broken
from hsmctl.lab.routing import Router
from hsmctl.lab.topology import healthy
from hsmctl.lab.topology_part import Document
from hsmctl.lab.wire import Answer, Call, not_implemented
from hsmctl.services.net import explain, load
from hsmctl.services.net_ends import Ends

REGION = "us-east-1"
BESIDE = """<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2013-10-15/"><requestId>1</requestId><vpcSet>
<item><vpcId>vpc-of-moto</vpcId><cidrBlock>10.9.0.0/16</cidrBlock></item>
<item><vpcId>vpc-0123456789abcdef0</vpcId><cidrBlock>127.77.0.0/16</cidrBlock></item>
</vpcSet></DescribeVpcsResponse>"""


@dataclass
class Wire:
    """A gateway that serves one document, and boto3's clients of it."""

    document: Document
    answer_beside: str = ""
    url: str = ""
    session: Session = field(default_factory=Session)
    clients: list[BotoClient] = field(default_factory=list)

    def answer(self, call: Call) -> Answer:
        """What moto would answer."""
        if not self.answer_beside:
            raise not_implemented(call.operation)
        return Answer(body=self.answer_beside.encode(), content_type="text/xml")

    def issued(self, access_key_id: str) -> bool:
        return False

    def client(self, service: str, region: str = REGION) -> BotoClient:
        client = self.session.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )
        self.clients.append(client)
        return client


@contextmanager
def serving(wire: Wire) -> Iterator[Wire]:
    gaps = network_gaps(lambda: wire.document, REGION, wire, beside=lambda: bool(wire.answer_beside))
    gateway = Gateway(Router(gaps=gaps), Credentials(access_key_id=KEY_ID, control_token=""), {})
    server = serve(gateway, "127.0.0.1")
    wire.url = f"http://127.0.0.1:{server.port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield wire
    finally:
        for client in wire.clients:
            client.close()
        server.shutdown()


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with serving(Wire({})) as wire:
        yield wire


def explained(wire: Wire, reader: AwsNetwork, place: Ground) -> tuple[Pair, ...]:
    """What is made of the network that was read over the wire."""
    hsms = tuple(
        Hsm(
            hsm_id=hsm.hsm_id,
            state=HsmState.ACTIVE,
            zone=hsm.zone,
            subnet_id=place.subnets[hsm.zone],
            eni_id=hsm.eni_id,
            address=hsm.address,
        )
        for hsm in place.hsms
    )
    cluster = Cluster(
        cluster_id="cluster-a2b3c4d5e6f",
        state=ClusterState.ACTIVE,
        region=REGION,
        vpc_id=place.vpc_id,
        security_group="sg-hsm",
        hsms=hsms,
    )
    found = collector(reader).collect(Ends(cluster=cluster, clients=(place.client,)))
    assert found.holes == ()
    return explain(load(found.document)).pairs


@pytest.fixture(scope="module")
def reader(wire: Wire) -> AwsNetwork:
    return AwsNetwork(wire.client, FakeClock())


@pytest.mark.parametrize("topology", Topology)
def test_a_network_that_is_well_is_well_over_the_wire(wire: Wire, reader: AwsNetwork, topology: Topology) -> None:
    place = ground(topology)
    wire.document = healthy(place)
    assert [pair.verdict for pair in explained(wire, reader, place)] == [Verdict.REACHABLE] * 3


@pytest.mark.parametrize(("topology", "name"), CASES)
def test_a_fault_is_found_over_the_wire(wire: Wire, reader: AwsNetwork, topology: Topology, name: str) -> None:
    place = ground(topology)
    wire.document = broken(healthy(place), place, [Fault(name=name)])
    for pair in explained(wire, reader, place):
        assert NET_FAULTS[name].codes[topology] in {finding.code for finding in pair.findings}


def ids(rows: list[Mapping[str, Any]], key: str) -> set[str]:
    return {str(row[key]) for row in rows}


def test_filters_choose_as_ec2_does(wire: Wire) -> None:
    place = ground(Topology.PEERING)
    wire.document = healthy(place)
    ec2 = wire.client("ec2")
    some = [{"Name": "availability-zone", "Values": ["us-east-1?"]}, {"Name": "cidr-block", "Values": ["127.77.2.*"]}]
    assert ids(ec2.describe_subnets(Filters=some)["Subnets"], "SubnetId") == {"subnet-2"}
    main = [{"Name": "vpc-id", "Values": [place.vpc_id]}, {"Name": "association.main", "Values": ["true"]}]
    assert ids(ec2.describe_route_tables(Filters=main)["RouteTables"], "VpcId") == {place.vpc_id}
    carrying = [{"Name": "group-id", "Values": ["sg-hsm"]}]
    interfaces = ec2.describe_network_interfaces(Filters=carrying)["NetworkInterfaces"]
    assert ids(interfaces, "NetworkInterfaceId") == {"eni-1", "eni-2", "eni-3"}
    active = [{"Name": "status-code", "Values": ["active", "deleted"]}]
    assert len(ec2.describe_vpc_peering_connections(Filters=active)["VpcPeeringConnections"]) == 1
    assert ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["*"]}])["Vpcs"] == []


def test_what_is_not_there_is_refused_in_ec2s_words(wire: Wire) -> None:
    wire.document = healthy(ground(Topology.PEERING))
    ec2 = wire.client("ec2")
    assert ids(ec2.describe_subnets(SubnetIds=["subnet-3"])["Subnets"], "SubnetId") == {"subnet-3"}
    with pytest.raises(ClientError, match=r"InvalidSubnetID\.NotFound.*subnet-9"):
        ec2.describe_subnets(SubnetIds=["subnet-3", "subnet-9"])
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*'colour' is invalid"):
        ec2.describe_vpcs(Filters=[{"Name": "colour", "Values": ["blue"]}])
    with pytest.raises(ClientError, match=r"InvalidTransitGatewayRouteTableID\.NotFound"):
        ec2.search_transit_gateway_routes(TransitGatewayRouteTableId="tgw-rtb-9", Filters=[])


def test_what_is_beside_the_lab_is_shown_too(wire: Wire) -> None:
    place = ground(Topology.SAME_VPC)
    wire.document = healthy(place)
    wire.answer_beside = BESIDE
    try:
        shown = {vpc["VpcId"]: vpc["CidrBlock"] for vpc in wire.client("ec2").describe_vpcs()["Vpcs"]}
        assert shown == {place.vpc_id: place.vpc_cidr, "vpc-of-moto": "10.9.0.0/16"}
        assert len(wire.client("ec2").describe_vpcs(VpcIds=[place.vpc_id])["Vpcs"]) == 1
        assert len(wire.client("ec2", "eu-west-1").describe_vpcs()["Vpcs"]) == 2
    finally:
        wire.answer_beside = ""
    assert ids(wire.client("ec2").describe_vpcs()["Vpcs"], "VpcId") == {place.vpc_id}


def test_direct_connect_is_only_in_its_region(wire: Wire) -> None:
    wire.document = healthy(ground(Topology.DX))
    here = wire.client("directconnect").describe_virtual_interfaces()["virtualInterfaces"]
    assert [interface["bgpPeers"][0]["bgpStatus"] for interface in here] == ["up"]
    assert wire.client("directconnect", "eu-west-1").describe_virtual_interfaces()["virtualInterfaces"] == []
