"""Questions about a network and their answers: what a collector asks AWS, in words that are no API's.

A question names one kind of object in one Region and how the objects are chosen; an answer is rows as the describe_*
calls give them, without anything secret, or the reason why there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

JsonObject = Mapping[str, object]
"""An object of a describe_* answer as JSON holds it."""


class NetworkKind(StrEnum):
    """What can be asked about; the words are the sections of a snapshot (`net_snapshot`)."""

    VPCS = "Vpcs"
    SUBNETS = "Subnets"
    ROUTE_TABLES = "RouteTables"
    NETWORK_ACLS = "NetworkAcls"
    SECURITY_GROUPS = "SecurityGroups"
    INTERFACES = "NetworkInterfaces"
    INSTANCES = "Instances"
    NAT_GATEWAYS = "NatGateways"
    PREFIX_LISTS = "PrefixLists"
    PEERINGS = "VpcPeeringConnections"
    TRANSIT_GATEWAYS = "TransitGateways"
    TRANSIT_ATTACHMENTS = "TransitGatewayAttachments"
    VPC_ATTACHMENTS = "TransitGatewayVpcAttachments"
    TRANSIT_PEERINGS = "TransitGatewayPeeringAttachments"
    TRANSIT_ROUTES = "TgwRoutes"
    TRANSIT_PROPAGATIONS = "TgwPropagations"
    VPN_GATEWAYS = "VpnGateways"
    VPNS = "VpnConnections"
    VIRTUAL_INTERFACES = "VirtualInterfaces"
    VIRTUAL_INTERFACE_ROUTES = "VifRoutes"
    DX_GATEWAYS = "DxGateways"
    DX_ASSOCIATIONS = "DxAssociations"
    DX_ATTACHMENTS = "DxAttachments"
    DX_CONNECTIONS = "DxConnections"


TELEMETRY = frozenset(
    {
        NetworkKind.TRANSIT_ROUTES,
        NetworkKind.VPNS,
        NetworkKind.VIRTUAL_INTERFACES,
        NetworkKind.VIRTUAL_INTERFACE_ROUTES,
    }
)
"""What changes without anybody changing it: tunnels, BGP sessions and the routes they bring."""

OLDEST = timedelta(seconds=60)
"""The age up to which an answer about configuration may be used again."""

OLDEST_TELEMETRY = timedelta(seconds=15)
"""The age up to which an answer about `TELEMETRY` may be used again."""


APART = frozenset(
    {
        NetworkKind.PREFIX_LISTS,
        NetworkKind.TRANSIT_ROUTES,
        NetworkKind.TRANSIT_PROPAGATIONS,
        NetworkKind.VIRTUAL_INTERFACE_ROUTES,
    }
)
"""What is asked for one id at a time and filed under it: the rows themselves do not say whose they are."""


class Chosen(StrEnum):
    """How the objects of a question are chosen."""

    BY_ID = "id"
    BY_VPC = "vpc"
    BY_SUBNET = "subnet"
    BETWEEN_VPCS = "vpcs"
    """Both ends are among the VPCs."""
    BY_GATEWAY = "gateway"
    """Of these virtual private, or these transit gateways."""
    BY_INSTANCE = "instance"
    BY_GROUP = "group"
    """Whoever carries one of these security groups."""
    BY_ADDRESS = "address"
    ALL = "all"
    """Whatever the account has in the Region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkQuery:
    """The objects of one kind in one Region that any of the values chooses."""

    kind: NetworkKind
    region: str
    chosen: Chosen
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} of {self.region}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAnswer:
    """The objects a query asked for, those that exist and may be seen."""

    rows: tuple[JsonObject, ...]
    fetched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Why a query has no answer: the IAM action it takes, and AWS's reason."""

    action: str
    why: str
    denied: bool
    """Whether IAM said no; otherwise trying again may work."""
