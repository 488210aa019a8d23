"""What is wanted of a network: one thing at a time, and in the groups in which things are needed.

A group is what a verdict about one place takes: a VPC, a transit gateway, the links of a gateway to a site.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from hsmctl.domain.net_endpoint import Client, ClientKind, Interface
from hsmctl.domain.net_snapshot import Snapshot
from hsmctl.domain.net_transit_gateway import Attachment
from hsmctl.domain.network import Chosen, JsonObject, NetworkKind

HSM_PORTS = (2223, 2225)
"""The first and the last port an HSM listens on (CloudHSM user guide, security group of the cluster)."""

Want = tuple[NetworkKind, str, Chosen, str]
"""A kind of object, the Region, how it is chosen, and by which value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The answers so far."""

    snapshot: Snapshot
    rows: Callable[[NetworkKind], Iterable[tuple[str, JsonObject]]]
    """The rows of a kind, each with the Region it was asked in."""
    asked: Collection[Want]


class Wants:
    """The wants of one round; a method says whether something of what it adds was not asked before."""

    def __init__(self, found: Found) -> None:
        self.all: set[Want] = set()
        self._found = found

    def add(self, kind: NetworkKind, region: str, chosen: Chosen, *values: str) -> bool:
        """These objects."""
        wants = {(kind, region, chosen, value) for value in values}
        self.all |= wants
        return not all(want in self._found.asked for want in wants)

    def client(self, client: Client, region: str) -> None:
        """What tells where a client is: its interfaces; of an address, the interface that has it, if any."""
        if client.kind is ClientKind.ENI:
            self.add(NetworkKind.INTERFACES, region, Chosen.BY_ID, client.name)
        elif client.kind is ClientKind.INSTANCE:
            self.add(NetworkKind.INTERFACES, region, Chosen.BY_INSTANCE, client.name)
            self.add(NetworkKind.INSTANCES, region, Chosen.BY_ID, client.name)
        elif client.kind is ClientKind.IP:
            self.add(NetworkKind.INTERFACES, region, Chosen.BY_ADDRESS, str(client.address))

    def vpc(self, vpc_id: str, region: str) -> bool:
        """A VPC and all that routes and filters packets in it."""
        if not vpc_id:
            return False
        asked = self.add(NetworkKind.VPCS, region, Chosen.BY_ID, vpc_id)
        for kind in (NetworkKind.SUBNETS, NetworkKind.ROUTE_TABLES, NetworkKind.NETWORK_ACLS):
            asked |= self.add(kind, region, Chosen.BY_VPC, vpc_id)
        return asked

    def members(self, interface: Interface, region: str) -> None:
        """Whoever carries a group that an HSM's groups let in."""
        for group_id in interface.group_ids or ():
            group = self._found.snapshot.groups.get(group_id)
            for rule in group.ingress if group else ():
                if rule.ports[0] <= HSM_PORTS[1] and rule.ports[1] >= HSM_PORTS[0]:
                    self.add(NetworkKind.INTERFACES, region, Chosen.BY_GROUP, *rule.group_ids)

    def groups(self, interface: Interface, region: str) -> None:
        """The security groups an interface carries, and the prefix lists of those rules that matter to an HSM."""
        for group_id in interface.group_ids or ():
            self.add(NetworkKind.SECURITY_GROUPS, region, Chosen.BY_ID, group_id)
            group = self._found.snapshot.groups.get(group_id)
            for rule in (*group.ingress, *group.egress) if group else ():
                if rule.ports[0] <= HSM_PORTS[1] and rule.ports[1] >= HSM_PORTS[0]:
                    self.add(NetworkKind.PREFIX_LISTS, region, Chosen.BY_ID, *rule.unread_lists)

    def transit_gateway(self, gateway_id: str, region: str) -> bool:
        """A transit gateway and its attachments."""
        asked = self.add(NetworkKind.TRANSIT_GATEWAYS, region, Chosen.BY_ID, gateway_id)
        asked |= self.add(NetworkKind.TRANSIT_ATTACHMENTS, region, Chosen.BY_GATEWAY, gateway_id)
        return asked | self.add(NetworkKind.VPC_ATTACHMENTS, region, Chosen.BY_GATEWAY, gateway_id)

    def transit_table(self, table_id: str, region: str) -> bool:
        """The routes of a transit gateway route table, and who writes into it."""
        asked = self.add(NetworkKind.TRANSIT_ROUTES, region, Chosen.BY_ID, table_id)
        return asked | self.add(NetworkKind.TRANSIT_PROPAGATIONS, region, Chosen.BY_ID, table_id)

    def vpn_gateway_links(self, gateway_id: str, region: str) -> None:
        """Every link of a virtual private gateway: of VPN and Direct Connect either may stand in for the other."""
        self.add(NetworkKind.VPNS, region, Chosen.BY_GATEWAY, gateway_id)
        self.add(NetworkKind.DX_ASSOCIATIONS, region, Chosen.BY_GATEWAY, gateway_id)
        associations = self._found.snapshot.dx_associations or ()
        self._direct_connect(region, {a.gateway_id for a in associations if a.associated_id == gateway_id}, gateway_id)

    def attachment_links(self, attachment: Attachment, region: str) -> None:
        """The links behind a transit gateway's attachment to a site."""
        if attachment.kind == "vpn":
            self.add(NetworkKind.VPNS, region, Chosen.BY_GATEWAY, attachment.gateway_id)
        else:
            self.add(NetworkKind.DX_ASSOCIATIONS, region, Chosen.BY_GATEWAY, attachment.gateway_id)
            self._direct_connect(region, {attachment.resource_id})

    def region_across(self, attachment: Attachment, region: str) -> str:
        """The Region of the transit gateway across a peering attachment, "" while it is not known."""
        for _, row in self._found.rows(NetworkKind.TRANSIT_PEERINGS):
            for side in (row.get("RequesterTgwInfo"), row.get("AccepterTgwInfo")):
                if isinstance(side, dict) and side.get("TransitGatewayId") == attachment.resource_id:
                    return text(side, "Region")
        self.add(NetworkKind.TRANSIT_PEERINGS, region, Chosen.BY_ID, attachment.id)
        return ""

    def _direct_connect(self, region: str, gateway_ids: set[str], vgw_id: str = "") -> None:
        """Direct Connect gateways, which belong to no Region, and the virtual interfaces there and at the VGW."""
        self.add(NetworkKind.VIRTUAL_INTERFACES, region, Chosen.ALL, "")
        self.add(NetworkKind.DX_GATEWAYS, region, Chosen.BY_ID, *gateway_ids)
        self.add(NetworkKind.DX_ATTACHMENTS, region, Chosen.BY_ID, *gateway_ids)
        for _, row in self._found.rows(NetworkKind.DX_ATTACHMENTS):
            if text(row, "directConnectGatewayId") in gateway_ids and text(row, "virtualInterfaceRegion"):
                self.add(NetworkKind.VIRTUAL_INTERFACES, text(row, "virtualInterfaceRegion"), Chosen.ALL, "")
        for place, row in self._found.rows(NetworkKind.VIRTUAL_INTERFACES):
            at_vgw = bool(vgw_id) and text(row, "virtualGatewayId") == vgw_id
            if at_vgw or text(row, "directConnectGatewayId") in gateway_ids:
                self.add(NetworkKind.DX_CONNECTIONS, place, Chosen.ALL, "")
                if _is_up(row):
                    name = text(row, "virtualInterfaceId")
                    self.add(NetworkKind.VIRTUAL_INTERFACE_ROUTES, place, Chosen.BY_ID, name)


def _is_up(interface: JsonObject) -> bool:
    """Whether a virtual interface has a BGP session that is up; without one it has no routes, which is no news."""
    peers = interface.get("bgpPeers")
    return isinstance(peers, list) and any(peer.get("bgpStatus") == "up" for peer in peers)


def text(row: JsonObject, key: str) -> str:
    """The text under a key, "" where there is none."""
    value = row.get(key)
    return value if isinstance(value, str) else ""
