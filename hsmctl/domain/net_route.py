"""VPC route tables: which route a packet takes. Source: VPC user guide, "Route priority"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from hsmctl.domain.net_cidr import Address, Cidr, PrefixMap
from hsmctl.domain.net_row import Row, malformed
from hsmctl.domain.net_security_group import PrefixLists


class TargetKind(StrEnum):
    """What a route points at."""

    LOCAL = "local"
    PEERING = "peering"
    TRANSIT_GATEWAY = "transit gateway"
    VPN_GATEWAY = "virtual private gateway"
    INTERFACE = "interface"
    NAT = "NAT gateway"
    ENDPOINT = "VPC endpoint"
    CORE_NETWORK = "core network"
    INTERNET = "internet, carrier or local gateway"
    OTHER = "target of an unknown kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route, or one prefix list's worth of routes."""

    cidrs: tuple[Cidr, ...]
    prefix_list: str
    kind: TargetKind
    target: str
    state: str
    propagated: bool
    unread: bool
    """Whether it stands for a prefix list whose entries are not known."""

    @classmethod
    def read(cls, row: Row, lists: PrefixLists) -> Route:
        """The route of a DescribeRouteTables row."""
        kind, target = _read_target(row)
        name = row.text("DestinationPrefixListId")
        own = row.cidr("DestinationCidrBlock") or row.cidr("DestinationIpv6CidrBlock")
        if own is None and not name:
            raise malformed(row.place, "it names no destination")
        return cls(
            cidrs=lists.get(name, ()) if own is None else (own,),
            prefix_list=name,
            kind=kind,
            target=target,
            state=row.text("State"),
            propagated=row.text("Origin") == "EnableVgwRoutePropagation",
            unread=bool(name) and name not in lists,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """A VPC route table."""

    id: str
    vpc_id: str
    users: tuple[str, ...]
    """The subnets and gateways associated with it, and the VPC if it is its main table."""
    propagating: tuple[str, ...]
    """The virtual private gateways that may write into it."""
    routes: tuple[Route, ...]
    by_prefix: PrefixMap[Route] = field(compare=False, repr=False)

    @classmethod
    def read(cls, row: Row, lists: PrefixLists) -> RouteTable:
        """The table of a DescribeRouteTables row."""
        routes = tuple(Route.read(item, lists) for item in row.need_rows("Routes"))
        vpc_id = row.need("VpcId")
        return cls(
            id=row.need("RouteTableId"),
            vpc_id=vpc_id,
            users=tuple(
                vpc_id if item.flag("Main") else item.text("SubnetId") or item.need("GatewayId")
                for item in row.need_rows("Associations")
                if item.row("AssociationState").text("State") in ("", "associated")
            ),
            propagating=tuple(item.text("GatewayId") for item in row.rows("PropagatingVgws")),
            routes=routes,
            by_prefix=PrefixMap((cidr, route) for route in routes for cidr in route.cidrs),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The route a packet takes, and what it was chosen over."""

    cidr: Cidr
    route: Route
    runner_up: tuple[Cidr, Route] | None = None
    """The next best route that leads elsewhere."""
    rival: Route | None = None
    """A prefix list's route that ties with the winner: AWS picks either."""


def choose(table: RouteTable, address: Address) -> Choice | None:
    """The route for an address: local before anything propagated, then the longest prefix, then the better kind."""
    matches = list(table.by_prefix.matches(address))
    if any(route.kind is TargetKind.LOCAL for _, route in matches):
        matches = [(cidr, route) for cidr, route in matches if not route.propagated]
    if not matches:
        return None
    matches.sort(key=lambda match: (-match[0].bits, _rank(match[1])))
    cidr, route = matches[0]
    others = [(c, r) for c, r in matches[1:] if r.target != route.target]
    tied = [r for c, r in others if c == cidr and r.prefix_list and route.prefix_list]
    return Choice(
        cidr=cidr,
        route=route,
        runner_up=others[0] if others else None,
        rival=tied[0] if tied else None,
    )


def unread_lists(table: RouteTable) -> Iterator[str]:
    """The prefix lists of a table whose entries are not known: any of them may hold a better route."""
    return (route.prefix_list for route in table.routes if route.unread)


def _rank(route: Route) -> int:
    """Among equal prefixes: static, then prefix list, then propagated."""
    return 2 if route.propagated else 1 if route.prefix_list else 0


_TARGETS = (
    ("NetworkInterfaceId", TargetKind.INTERFACE),
    ("InstanceId", TargetKind.INTERFACE),
    ("NatGatewayId", TargetKind.NAT),
    ("TransitGatewayId", TargetKind.TRANSIT_GATEWAY),
    ("VpcPeeringConnectionId", TargetKind.PEERING),
    ("CoreNetworkArn", TargetKind.CORE_NETWORK),
    ("EgressOnlyInternetGatewayId", TargetKind.INTERNET),
    ("CarrierGatewayId", TargetKind.INTERNET),
    ("LocalGatewayId", TargetKind.INTERNET),
)
_GATEWAYS = (
    ("local", TargetKind.LOCAL),
    ("vgw-", TargetKind.VPN_GATEWAY),
    ("igw-", TargetKind.INTERNET),
    ("vpce-", TargetKind.ENDPOINT),
)


def _read_target(row: Row) -> tuple[TargetKind, str]:
    for key, kind in _TARGETS:
        if row.has(key):
            return kind, row.text(key)
    gateway = row.text("GatewayId")
    for start, kind in _GATEWAYS:
        if gateway.startswith(start):
            return kind, gateway
    return TargetKind.OTHER, gateway
