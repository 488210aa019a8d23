"""A snapshot: the describe_* answers of one collection, read into values and filed under their ids.

A section that is null or absent was not read, which is another thing than a section that is empty: the rules ask
`snapshot.vpns is None` before they conclude anything from an absence. Which sections there are is the list in
`net_gap`, plus the optional `DxConnections` and `VifRoutes`, whose absence takes nothing away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from hsmctl.domain.net_acl import Acl
from hsmctl.domain.net_cidr import Address, Cidr
from hsmctl.domain.net_direct_connect import Association, DxGateway, VifRoutes, VirtualInterface
from hsmctl.domain.net_endpoint import Instance, Interface, Subnet, Vpc
from hsmctl.domain.net_peering import Peering
from hsmctl.domain.net_route import RouteTable
from hsmctl.domain.net_row import Row, malformed, row_of
from hsmctl.domain.net_security_group import SecurityGroup
from hsmctl.domain.net_transit_gateway import (
    Attachment,
    TransitGateway,
    TransitTable,
    VpcAttachment,
    read_table,
)
from hsmctl.domain.net_vpn import Vpn

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class VpnGateway:
    """A virtual private gateway."""

    id: str
    vpc_id: str
    """The VPC it is attached to, "" where it is attached to none."""

    @classmethod
    def read(cls, row: Row) -> VpnGateway:
        """The gateway of a DescribeVpnGateways row."""
        rows = row.need_rows("VpcAttachments")
        attached = [item.need("VpcId") for item in rows if item.need("State") == "attached"]
        return cls(id=row.need("VpnGatewayId"), vpc_id=attached[0] if attached else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a verdict is made of.

    A section that was not read is None; where every object there is must have its row, as every subnet has its ACL, the
    absence of the row says as much, and the section is empty.
    """

    vpcs: Mapping[str, Vpc]
    subnets: Mapping[str, Subnet]
    tables: Mapping[str, RouteTable]
    """Route tables by the subnet or gateway that uses them, a VPC's main table by the VPC."""
    acls: Mapping[str, Acl]
    """Network ACLs by subnet."""
    groups: Mapping[str, SecurityGroup]
    interfaces: Mapping[str, Interface] | None
    instances: Mapping[str, Instance] | None
    nat_subnets: Mapping[str, str]
    """NAT gateway to the subnet it stands in."""
    peerings: Mapping[str, Peering] | None
    transit_gateways: Mapping[str, TransitGateway]
    attachments: Mapping[tuple[str, str], Attachment] | None
    """By transit gateway and attachment: both gateways of a peering know it by one id."""
    vpc_attachments: tuple[VpcAttachment, ...] | None
    transit_tables: Mapping[str, TransitTable]
    propagations: Mapping[str, frozenset[str] | None] | None
    """Transit gateway route table to the attachments that propagate into it."""
    vpn_gateways: Mapping[str, VpnGateway] | None
    vpns: Mapping[str, Vpn] | None
    virtual_interfaces: tuple[VirtualInterface, ...] | None
    dx_gateways: Mapping[str, DxGateway] | None
    dx_associations: tuple[Association, ...] | None
    dx_connections: Mapping[str, str]
    vif_routes: Mapping[str, VifRoutes]

    def table_of(self, subnet: Subnet) -> RouteTable | None:
        """The route table a subnet uses: its own, else the VPC's main one (VPC user guide, "Subnet route tables")."""
        return self.tables.get(subnet.id) or self.tables.get(subnet.vpc_id)

    def vpc_attachment(self, gateway_id: str, vpc_id: str) -> VpcAttachment | None:
        """The attachment of this VPC to this transit gateway, one that works if there are several, or None."""
        found = [a for a in self.vpc_attachments or () if (a.gateway_id, a.vpc_id) == (gateway_id, vpc_id)]
        return min(found, key=lambda a: a.state not in ("", "available"), default=None)

    def interface_named(self, identifier: str) -> Interface | None:
        """The interface with this id, or the first of the instance with this id, or None."""
        known = (self.interfaces or {}).values()
        return next((each for each in known if identifier and identifier in (each.id, each.instance_id)), None)

    def interfaces_at(self, address: Address) -> tuple[Interface, ...]:
        """The interfaces that answer to an address; more than one where VPCs overlap."""
        return tuple(each for each in (self.interfaces or {}).values() if each.answers(address))

    def vpc_of(self, interface: Interface) -> str:
        """The VPC of an interface, "" where its subnet is not known."""
        subnet = self.subnets.get(interface.subnet_id)
        return subnet.vpc_id if subnet else ""

    def prefixes(self) -> Iterator[Cidr]:
        """Every prefix something here decides by: where a range of clients may be treated differently."""
        yield from (cidr for vpc in self.vpcs.values() for cidr in vpc.cidrs)
        for acl in self.acls.values():
            yield from (entry.cidr for entry in (*acl.egress, *acl.ingress))
        for group in self.groups.values():
            yield from (cidr for rule in (*group.egress, *group.ingress) for cidr in rule.cidrs)
        for table in self.tables.values():
            yield from table.by_prefix.prefixes()
        for transit_table in self.transit_tables.values():
            yield from transit_table.prefixes()
        for vpn in (self.vpns or {}).values():
            yield from (*vpn.site_selectors, *vpn.static_routes)
        for routes in self.vif_routes.values():
            yield from routes.accepted


def read_snapshot(document: object) -> Snapshot:
    """The snapshot a JSON object holds.

    Raises:
        UsageError: something in it has a shape no describe_* answer has; the error names the place.
    """
    row = row_of(document, "snapshot")
    lists = dict(_read_lists(row))
    subnets = _filed(row, "Subnets", Subnet.read) or {}
    tables = _filed(row, "RouteTables", lambda item: RouteTable.read(item, lists)) or {}
    acls = _filed(row, "NetworkAcls", Acl.read) or {}
    groups = _filed(row, "SecurityGroups", lambda item: SecurityGroup.read(item, lists)) or {}
    attachments = _read(row, "TransitGatewayAttachments", Attachment.read)
    return Snapshot(
        vpcs=_filed(row, "Vpcs", Vpc.read) or {},
        subnets=subnets,
        tables={user: table for table in tables.values() for user in table.users},
        acls={subnet_id: acl for acl in acls.values() for subnet_id in acl.subnet_ids},
        groups=groups,
        interfaces=_filed(row, "NetworkInterfaces", Interface.read),
        instances=_filed(row, "Instances", Instance.read),
        nat_subnets={item.need("NatGatewayId"): item.text("SubnetId") for item in row.rows("NatGateways")},
        peerings=_filed(row, "VpcPeeringConnections", Peering.read),
        transit_gateways=_filed(row, "TransitGateways", TransitGateway.read) or {},
        attachments=None if attachments is None else {(a.gateway_id, a.id): a for a in attachments},
        vpc_attachments=_read(row, "TransitGatewayVpcAttachments", VpcAttachment.read),
        transit_tables={name: read_table(rows) for name, rows in _tables(row, "TgwRoutes")},
        propagations=_read_propagations(row),
        vpn_gateways=_filed(row, "VpnGateways", VpnGateway.read),
        vpns=_filed(row, "VpnConnections", Vpn.read),
        virtual_interfaces=_read(row, "VirtualInterfaces", VirtualInterface.read),
        dx_gateways=_filed(row, "DxGateways", DxGateway.read),
        dx_associations=_read(row, "DxAssociations", Association.read),
        dx_connections={item.need("connectionId"): item.text("connectionState") for item in row.rows("DxConnections")},
        vif_routes={name: VifRoutes.read(rows) for name, rows in _tables(row, "VifRoutes")},
    )


def _read(row: Row, section: str, read: Callable[[Row], T]) -> tuple[T, ...] | None:
    """The values of a section, or None where it was not read."""
    return tuple(map(read, row.rows(section))) if row.has(section) else None


def _filed(row: Row, section: str, read: Callable[[Row], T]) -> dict[str, T] | None:
    """The values of a section by id, or None where it was not read; of two with one id the last."""
    key = _IDS[section]
    return {item.need(key): read(item) for item in row.rows(section)} if row.has(section) else None


_IDS = {
    "Vpcs": "VpcId",
    "Subnets": "SubnetId",
    "RouteTables": "RouteTableId",
    "NetworkAcls": "NetworkAclId",
    "SecurityGroups": "GroupId",
    "NetworkInterfaces": "NetworkInterfaceId",
    "Instances": "InstanceId",
    "VpcPeeringConnections": "VpcPeeringConnectionId",
    "TransitGateways": "TransitGatewayId",
    "VpnGateways": "VpnGatewayId",
    "VpnConnections": "VpnConnectionId",
    "DxGateways": "directConnectGatewayId",
}


def _tables(row: Row, section: str) -> Iterator[tuple[str, tuple[Row, ...]]]:
    """The lists of a section that maps names to lists; a list that is null was not read and is left out."""
    named = row.row(section)
    return ((name, named.rows(name)) for name in named.value if named.has(name))


def _read_lists(row: Row) -> Iterator[tuple[str, tuple[Cidr, ...]]]:
    """The entries of each prefix list that was read, be they texts or rows with `Cidr`."""
    named = row.row("PrefixLists")
    for name, value in named.value.items():
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            yield name, tuple(_cidr(text, f"{named.place}.{name}") for text in named.texts(name))
        elif value is not None:
            yield name, named.cidrs(name, "Cidr")


def _cidr(text: str, place: str) -> Cidr:
    try:
        return Cidr.parse(text)
    except ValueError:
        raise malformed(place, "it is not a prefix") from None


def _read_propagations(row: Row) -> Mapping[str, frozenset[str] | None] | None:
    if not row.has("TgwPropagations"):
        return None
    named = row.row("TgwPropagations")
    return {name: frozenset(named.texts(name)) if named.has(name) else None for name in named.value}
