"""Transit gateways: what they are, which route a table chooses, and whether groups are known across one.

Sources: transit gateway guide, "How transit gateways work" (Availability Zones, route evaluation order, route table
association), "Transit gateway peering" (static routes only), "Security group referencing".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hsmctl.domain.net_cidr import Address, Cidr, PrefixMap
from hsmctl.domain.net_row import Row
from hsmctl.domain.net_security_group import Identity

NO_REFERENCING_ZONE = "use1-az3"
"""The one zone without security group referencing through a transit gateway."""

PEERINGS = frozenset({"peering", "tgw-peering"})
"""The resource types of attachments that lead to another transit gateway."""

_CLASSES = ("vpc", "direct-connect-gateway", "connect", "vpn", "vpn-concentrator", "client-vpn", "peering")
"""Propagated routes of equal length, best class first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitGateway:
    """A transit gateway."""

    id: str
    references_groups: bool | None

    @classmethod
    def read(cls, row: Row) -> TransitGateway:
        """The gateway of a DescribeTransitGateways row."""
        return cls(id=row.need("TransitGatewayId"), references_groups=_enabled(row, _REFERENCING))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What joins a transit gateway and something else, and the table that packets from there are looked up in."""

    id: str
    gateway_id: str
    kind: str
    """The resource type, as EC2 names it."""
    resource_id: str
    state: str
    table_id: str
    """The associated route table, "" where there is none."""
    policy_table_id: str
    table_unread: bool
    """Whether it is associated with a table the snapshot does not name."""

    @classmethod
    def read(cls, row: Row) -> Attachment:
        """The attachment of a DescribeTransitGatewayAttachments row."""
        association = row.row("Association")
        associated = association.text("State") in ("", "associated")
        named = association.has("TransitGatewayRouteTableId") or association.has("TransitGatewayPolicyTableId")
        return cls(
            id=row.need("TransitGatewayAttachmentId"),
            gateway_id=row.need("TransitGatewayId"),
            kind=row.need("ResourceType"),
            resource_id=row.need("ResourceId"),
            state=row.text("State"),
            table_id=association.text("TransitGatewayRouteTableId") if associated else "",
            policy_table_id=association.text("TransitGatewayPolicyTableId"),
            table_unread=row.has("Association") and not named,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VpcAttachment:
    """What only a VPC's attachment has: a subnet in each zone it serves, and options."""

    id: str
    gateway_id: str
    vpc_id: str
    state: str
    subnet_ids: tuple[str, ...]
    carries_ipv6: bool | None
    """None, here and below, where the snapshot does not say."""
    appliance_mode: bool
    references_groups: bool | None

    @classmethod
    def read(cls, row: Row) -> VpcAttachment:
        """The attachment of a DescribeTransitGatewayVpcAttachments row."""
        options = row.row("Options")
        return cls(
            id=row.need("TransitGatewayAttachmentId"),
            gateway_id=row.need("TransitGatewayId"),
            vpc_id=row.need("VpcId"),
            state=row.text("State"),
            subnet_ids=row.need_texts("SubnetIds"),
            carries_ipv6=_enabled(row, "Ipv6Support"),
            appliance_mode=options.text("ApplianceModeSupport") == "enable",
            references_groups=_enabled(row, _REFERENCING),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitRoute:
    """A route of a transit gateway route table; the API shows only the winner among equal prefixes."""

    cidr: Cidr
    kind: str
    state: str
    prefix_list: str
    attachments: tuple[tuple[str, str, str], ...]
    """Attachment id, resource type and resource id of each next hop."""

    @classmethod
    def read(cls, row: Row) -> TransitRoute:
        """The route of a SearchTransitGatewayRoutes row."""
        hops = row.rows("TransitGatewayAttachments")
        return cls(
            cidr=row.need_cidr("DestinationCidrBlock"),
            kind=row.text("Type"),
            state=row.text("State"),
            prefix_list=row.text("PrefixListId"),
            attachments=tuple(
                (hop.text("TransitGatewayAttachmentId"), hop.text("ResourceType"), hop.text("ResourceId"))
                for hop in hops
            ),
        )


TransitTable = PrefixMap[TransitRoute]


def read_table(rows: Iterable[Row]) -> TransitTable:
    """The routes of one transit gateway route table."""
    return PrefixMap((route.cidr, route) for route in map(TransitRoute.read, rows))


def choose(table: TransitTable, address: Address) -> TransitRoute | None:
    """The route for an address: the longest prefix, then static, prefix list, and the better class of attachment.

    A black hole is a route and wins by its length.
    """
    matches = [(cidr.bits, -_rank(route), route) for cidr, route in table.matches(address) if route.state in _ALIVE]
    return max(matches, key=lambda match: match[:2])[2] if matches else None


def identity_through(
    gateway: TransitGateway | None, near: VpcAttachment, far: VpcAttachment, zones: Sequence[str]
) -> Identity:
    """Ingress rules may name groups where the gateway and both attachments allow it; egress rules never can."""
    lost_at = near.gateway_id
    options = (gateway.references_groups if gateway else None, near.references_groups, far.references_groups)
    if near.gateway_id != far.gateway_id:
        why = "reaches the other VPC through another transit gateway, and groups are not known across that"
    elif False in options:
        why = "has security group referencing off, on itself or on an attachment"
    elif None in options:
        return Identity(ingress=None, egress=False, lost_at=lost_at)
    elif NO_REFERENCING_ZONE in zones:
        why = f"does not support security group referencing in {NO_REFERENCING_ZONE}"
    else:
        why = "supports security group referencing in ingress rules only"
        return Identity(ingress=True, egress=False, lost_at=lost_at, why=why)
    return Identity(ingress=False, egress=False, lost_at=lost_at, why=why)


_ALIVE = frozenset({"", "active", "blackhole"})


def _rank(route: TransitRoute) -> int:
    if route.kind != "propagated":
        return 1 if route.prefix_list else 0
    kind = route.attachments[0][1] if route.attachments else ""
    return 2 + (_CLASSES.index(kind) if kind in _CLASSES else len(_CLASSES))


_REFERENCING = "SecurityGroupReferencingSupport"


def _enabled(row: Row, option: str) -> bool | None:
    options = row.row("Options")
    return options.text(option) == "enable" if options.has(option) else None
