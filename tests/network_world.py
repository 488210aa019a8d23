"""AWS in memory, made of a snapshot: it answers what a collector asks as EC2 and Direct Connect would.

`SnapshotNetwork` implements ports.NetworkReader: it knows in which Region everything is, gives an interface its VpcId
as EC2 does, and counts its calls. A test denies kinds of objects with `denied`, or puts rows elsewhere with `_region`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from world import ACCOUNT, FakeClock, FakeIdentity, NoCache

from hsmctl.domain.cluster import Cluster, ClusterState, Hsm
from hsmctl.domain.network import Chosen, JsonObject, NetworkAnswer, NetworkKind, NetworkQuery, Unreadable
from hsmctl.ports import Clock, NetworkCache, NetworkReader
from hsmctl.services.net import load
from hsmctl.services.net_collect import Collection, NetCollectService
from hsmctl.services.net_ends import Ends

REGION = "us-east-1"

_IDS = {
    NetworkKind.VPCS: "VpcId",
    NetworkKind.SECURITY_GROUPS: "GroupId",
    NetworkKind.INTERFACES: "NetworkInterfaceId",
    NetworkKind.INSTANCES: "InstanceId",
    NetworkKind.NAT_GATEWAYS: "NatGatewayId",
    NetworkKind.PEERINGS: "VpcPeeringConnectionId",
    NetworkKind.TRANSIT_GATEWAYS: "TransitGatewayId",
    NetworkKind.TRANSIT_PEERINGS: "TransitGatewayAttachmentId",
    NetworkKind.VPN_GATEWAYS: "VpnGatewayId",
    NetworkKind.DX_GATEWAYS: "directConnectGatewayId",
    NetworkKind.DX_ATTACHMENTS: "directConnectGatewayId",
}


class SnapshotNetwork:
    """ports.NetworkReader over one snapshot."""

    def __init__(self, snapshot: Mapping[str, Any], clock: Clock | None = None) -> None:
        self.snapshot = snapshot
        self._clock = clock or FakeClock()
        self.queries: list[NetworkQuery] = []
        self.denied: set[NetworkKind] = set()
        self._lock = threading.Lock()

    @property
    def calls(self) -> int:
        return len(self.queries)

    def read(self, query: NetworkQuery) -> NetworkAnswer | Unreadable:
        with self._lock:
            self.queries.append(query)
        if query.kind in self.denied:
            return Unreadable(action=f"action:{query.kind}", why="not authorized", denied=True)
        if query.chosen is Chosen.BY_ID and query.kind not in _IDS:
            return self._filed(query)
        rows = [row for row in self._rows(query.kind) if self._chosen(query, row)]
        here = [row for row in rows if query.region in self._regions(query.kind, row)]
        return NetworkAnswer(rows=tuple(map(_served, here)), fetched_at=self._clock.now())

    def _filed(self, query: NetworkQuery) -> NetworkAnswer | Unreadable:
        """What a snapshot holds by id; a null there, and routes of a virtual interface it lacks, were denied."""
        (name,) = query.values
        unknown = None if query.kind is NetworkKind.VIRTUAL_INTERFACE_ROUTES else ()
        rows = self.snapshot.get(query.kind, {}).get(name, unknown)
        if rows is None:
            return Unreadable(action=f"action:{query.kind}", why="not authorized", denied=True)
        if query.kind is NetworkKind.TRANSIT_PROPAGATIONS:
            rows = [{"TransitGatewayAttachmentId": name, "State": "enabled"} for name in rows]
        if query.kind is NetworkKind.PREFIX_LISTS:
            rows = [{"Cidr": cidr} for cidr in rows]
        return NetworkAnswer(rows=tuple(rows), fetched_at=self._clock.now())

    def _rows(self, kind: NetworkKind) -> Iterator[dict[str, Any]]:
        subnets = {row["SubnetId"]: row["VpcId"] for row in self.snapshot["Subnets"]}
        if kind is NetworkKind.INTERFACES:
            yield from ({"VpcId": subnets.get(row["SubnetId"], ""), **row} for row in self.snapshot[kind] or ())
        elif kind is NetworkKind.DX_ATTACHMENTS and kind not in self.snapshot:
            for row in self.snapshot[NetworkKind.VIRTUAL_INTERFACES]:
                if row.get("directConnectGatewayId"):
                    yield {**row, "virtualInterfaceRegion": row.get("_region", REGION)}
        else:
            yield from self.snapshot.get(kind) or ()

    def _chosen(self, query: NetworkQuery, row: Mapping[str, Any]) -> bool:
        values = set(query.values)
        sides = {row[side]["VpcId"] for side in ("RequesterVpcInfo", "AccepterVpcInfo") if side in row}
        addresses = {row.get("PrivateIpAddress"), *(each["Ipv6Address"] for each in row.get("Ipv6Addresses", ()))}
        attached = {each["VpcId"] for each in row.get("VpcAttachments", ())}
        rules: dict[Chosen, Callable[[], bool]] = {
            Chosen.ALL: lambda: True,
            Chosen.BY_ID: lambda: row[_IDS[query.kind]] in values,
            Chosen.BY_VPC: lambda: not values.isdisjoint({row.get("VpcId"), *attached}),
            Chosen.BY_SUBNET: lambda: row.get("SubnetId") in values,
            Chosen.BETWEEN_VPCS: lambda: sides <= values,
            Chosen.BY_GROUP: lambda: not values.isdisjoint(each["GroupId"] for each in row.get("Groups", ())),
            Chosen.BY_INSTANCE: lambda: row.get("Attachment", {}).get("InstanceId") in values,
            Chosen.BY_ADDRESS: lambda: not values.isdisjoint(addresses),
            Chosen.BY_GATEWAY: lambda: (
                not values.isdisjoint(
                    {row.get("TransitGatewayId"), row.get("VpnGatewayId"), row.get("associatedGateway", {}).get("id")}
                )
            ),
        }
        return rules[query.chosen]()

    def _regions(self, kind: NetworkKind, row: Mapping[str, Any]) -> set[str]:
        """Where AWS shows an object: a peering on both sides, Direct Connect gateways everywhere, the rest at home."""
        if kind in (NetworkKind.DX_GATEWAYS, NetworkKind.DX_ASSOCIATIONS, NetworkKind.DX_ATTACHMENTS):
            return {REGION}
        if "_region" in row:
            return {row["_region"]}
        regions = {vpc["VpcId"]: vpc["_region"] for vpc in self.snapshot["Vpcs"]}
        if kind is NetworkKind.PEERINGS:
            return {row[side]["Region"] for side in ("RequesterVpcInfo", "AccepterVpcInfo")}
        if kind is NetworkKind.SECURITY_GROUPS:
            group, interfaces = {"GroupId": row["GroupId"]}, self._rows(NetworkKind.INTERFACES)
            return {regions[each["VpcId"]] for each in interfaces if group in each["Groups"]}
        return {regions.get(row.get("VpcId", ""), REGION)}


def _served(row: JsonObject) -> JsonObject:
    return {key: value for key, value in row.items() if key != "_region"}


def cluster_of(document: Mapping[str, Any], hsms: tuple[Hsm, ...] = ()) -> Cluster:
    """The cluster a scenario is about, as DescribeClusters would show it."""
    inquiry = load(document)
    listed = hsms or inquiry.hsms
    asked = (inquiry.asked,) if inquiry.asked and inquiry.asked not in listed and not hsms else ()
    return Cluster(
        cluster_id="cluster-a2b3c4d5e6f",
        state=ClusterState.ACTIVE,
        region=REGION,
        vpc_id="vpc-h",
        security_group="sg-hsm",
        hsms=(*listed, *asked),
    )


def collector(
    reader: NetworkReader, cache: NetworkCache | None = None, clock: Clock | None = None
) -> NetCollectService:
    """The service over a reader."""
    return NetCollectService(
        clock=clock or FakeClock(),
        identity=FakeIdentity(ACCOUNT, None, None),
        reader=reader,
        cache=cache or NoCache(),
    )


def collected(document: Mapping[str, Any], reader: NetworkReader | None = None) -> Collection:
    """What is collected of a scenario, by default with everything allowed."""
    ends = Ends(cluster=cluster_of(document), clients=load(document).clients)
    asked = document["hsm"]["HsmId"]
    service = collector(reader or SnapshotNetwork(document["snapshot"]))
    return service.collect(ends, port=document["port"], hsm_id=asked)
