"""Following a packet through transit gateways: in by an attachment, from table to table, out into a VPC or to a site.

The table is that of the attachment the packet came in by, so every turn asks: which table is mine, which route
wins, where does it lead. Where that cannot be answered, the way to the wanted VPC is supposed, so that what lies
behind is judged too. Source: transit gateway guide, "How transit gateways work".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hsmctl.domain.net_endpoint import Subnet
from hsmctl.domain.net_finding import Finding, HopKind
from hsmctl.domain.net_gap import foreign, gap
from hsmctl.domain.net_hybrid import SITE_KINDS, Door, links_of
from hsmctl.domain.net_route import TargetKind
from hsmctl.domain.net_route import choose as choose_vpc_route
from hsmctl.domain.net_trail import Trail
from hsmctl.domain.net_transit_finding import (
    black_hole,
    judge_attachment,
    judge_state,
    leads_elsewhere,
    needs_static,
    no_route,
    no_table,
    not_attached,
    not_in_zone,
    not_propagated,
)
from hsmctl.domain.net_transit_gateway import PEERINGS, TransitRoute, VpcAttachment, choose, identity_through

_MIDDLEBOXES = frozenset({TargetKind.INTERFACE, TargetKind.ENDPOINT, TargetKind.NAT})


@dataclass(frozen=True, slots=True)
class _Entrance:
    """Where a packet came in: from a VPC in one of its zones, or from a site, which has neither."""

    near: VpcAttachment | None = None
    zone: str = ""


def from_subnet(trail: Trail, subnet: Subnet, gateway_id: str) -> tuple[Subnet, ...]:
    """The subnets a packet of this one may come out in; none where it comes out in no VPC."""
    near = trail.snapshot.vpc_attachment(gateway_id, subnet.vpc_id)
    lost = None if near is None else _cross_into(trail, near, subnet)
    trail.visit(HopKind.TRANSIT_GATEWAY, gateway_id, via=True)
    if near is None:
        trail.find(_not_attached(trail, subnet.vpc_id, gateway_id))
        return ()
    trail.find(*judge_attachment(near, trail.family, trail.direction), lost)
    return _follow(trail, gateway_id, near.id, _Entrance(near, subnet.zone))


def from_site(trail: Trail, door: Door) -> tuple[Subnet, ...]:
    """The subnets a packet from a site may come out in; none where it comes out in no VPC."""
    trail.visit(HopKind.TRANSIT_GATEWAY, door.gateway_id, via=True)
    return _follow(trail, door.gateway_id, door.attachments[0].id, _Entrance())


def _cross_into(trail: Trail, near: VpcAttachment, subnet: Subnet) -> Finding | None:
    """A packet enters in its own zone only, past the inbound ACL rules of the attachment's subnet there."""
    subnets = trail.snapshot.subnets
    here = [subnets[each] for each in near.subnet_ids if each in subnets and subnets[each].zone == subnet.zone]
    unread = [each for each in near.subnet_ids if each not in subnets]
    if here:
        trail.cross(here[:1], egress=False)
        return None
    if unread:
        return gap("Subnets", f"the zone of {unread[0]}", trail.direction)
    return not_in_zone(near, subnet.id, subnet.zone, trail.direction)


def _follow(trail: Trail, gateway_id: str, attachment_id: str, entrance: _Entrance) -> tuple[Subnet, ...]:
    """From table to table, until a route leads out of the gateways."""
    route = _look_up(trail, gateway_id, attachment_id)
    if route is None:
        return _suppose(trail, gateway_id, entrance)
    next_attachment, kind, resource_id = route.attachments[0]
    if kind == "vpc":
        return _into_vpc(trail, gateway_id, route, entrance)
    if kind in SITE_KINDS and not trail.to.vpc_id:
        _to_site(trail, gateway_id, route)
        return ()
    if kind in PEERINGS and resource_id not in trail.via:
        trail.visit(HopKind.TRANSIT_GATEWAY, resource_id, via=True)
        return _follow(trail, resource_id, next_attachment, entrance)
    trail.find(_leads_elsewhere(trail, route))
    return _suppose(trail, gateway_id, entrance)


def _look_up(trail: Trail, gateway_id: str, attachment_id: str) -> TransitRoute | None:
    """The route that carries the packet on, or None where nothing is known to."""
    attachment = (trail.snapshot.attachments or {}).get((gateway_id, attachment_id))
    if attachment is None:
        trail.find(_unread_attachment(trail, gateway_id, attachment_id))
        return None
    trail.find(*judge_state(attachment.id, attachment.state, trail.direction))
    if attachment.table_unread:
        trail.find(gap("TransitGatewayAttachments", f"the route table of {attachment.id}", trail.direction))
        return None
    if not attachment.table_id:
        others = (
            each.table_id for each in (trail.snapshot.attachments or {}).values() if each.gateway_id == gateway_id
        )
        trail.find(no_table(attachment, next(filter(None, others), "TABLE"), trail.direction))
        return None
    table = trail.snapshot.transit_tables.get(attachment.table_id)
    route = choose(table, trail.to.address) if table is not None else None
    leads_to = route.attachments[0][2] if route and route.attachments else ""
    trail.visit(HopKind.TRANSIT_GATEWAY_TABLE, attachment.table_id, leads_to)
    if table is None:
        trail.find(gap("TgwRoutes", f"transit gateway route table {attachment.table_id}", trail.direction))
    elif route is None:
        trail.find(*_why_no_route(trail, gateway_id, attachment.table_id))
    elif route.state == "blackhole":
        trail.find(black_hole(attachment.table_id, route, trail.direction))
    elif not route.attachments:
        trail.find(gap("TgwRoutes", f"the target of route {route.cidr}", trail.direction))
    else:
        return route
    return None


def _into_vpc(trail: Trail, gateway_id: str, route: TransitRoute, entrance: _Entrance) -> tuple[Subnet, ...]:
    vpc_id = route.attachments[0][2]
    far = trail.snapshot.vpc_attachment(gateway_id, vpc_id)
    if far is None:
        known = vpc_id == trail.to.vpc_id
        unseen = foreign("the transit gateway attachment of", vpc_id, trail.direction)
        trail.find(_not_attached(trail, vpc_id, gateway_id) if known else unseen)
        return ()
    if vpc_id != trail.to.vpc_id and not _inspects(trail, far):
        trail.find(_leads_elsewhere(trail, route))
        return _suppose(trail, gateway_id, entrance)
    return _come_out(trail, far, entrance)


def _suppose(trail: Trail, gateway_id: str, entrance: _Entrance) -> tuple[Subnet, ...]:
    """The way on if the gateway did lead to the wanted VPC."""
    far = trail.snapshot.vpc_attachment(gateway_id, trail.to.vpc_id)
    return _come_out(trail, far, entrance) if far else ()


def _come_out(trail: Trail, far: VpcAttachment, entrance: _Entrance) -> tuple[Subnet, ...]:
    """A packet comes out in its own zone if the attachment is there, else, or in appliance mode, in any."""
    trail.find(*judge_attachment(far, trail.family, trail.direction))
    subnets = trail.snapshot.subnets
    known = tuple(subnets[each] for each in far.subnet_ids if each in subnets)
    trail.find(*(gap("Subnets", f"subnet {each}", trail.direction) for each in far.subnet_ids if each not in subnets))
    if entrance.near is not None:
        gateway = trail.snapshot.transit_gateways.get(entrance.near.gateway_id)
        zones = (entrance.zone, trail.to.subnet.zone if trail.to.subnet else "")
        trail.lose_identity(identity_through(gateway, entrance.near, far, zones))
    own = tuple(subnet for subnet in known if subnet.zone == entrance.zone)
    return own if own and not far.appliance_mode else known


def _to_site(trail: Trail, gateway_id: str, route: TransitRoute) -> None:
    """Out of AWS by the attachments of the route, which share the load."""
    listed = trail.snapshot.attachments or {}
    keys = [(gateway_id, attachment_id) for attachment_id, _, _ in route.attachments]
    trail.find(*(_unread_attachment(trail, *key) for key in keys if key not in listed))
    attachments = tuple(listed[key] for key in keys if key in listed)
    for found in attachments:
        trail.find(*judge_state(found.id, found.state, trail.direction))
    if attachments:
        trail.use_links(Door(gateway_id, attachments))


def _inspects(trail: Trail, far: VpcAttachment) -> bool:
    """Whether the attachment's subnets send the packet to an appliance, as those of an inspection VPC do."""
    tables = [trail.snapshot.table_of(trail.snapshot.subnets[s]) for s in far.subnet_ids if s in trail.snapshot.subnets]
    choices = [choose_vpc_route(table, trail.to.address) for table in tables if table]
    return any(choice is not None and choice.route.kind in _MIDDLEBOXES for choice in choices)


def _why_no_route(trail: Trail, gateway_id: str, table_id: str) -> Iterator[Finding]:
    """What is missing when a table has no route: an attachment, a propagation, a static route, or a link."""
    to = trail.to
    if to.vpc_id:
        yield _no_route_to_vpc(trail, gateway_id, table_id)
        return
    attachments = (trail.snapshot.attachments or {}).values()
    sites = [found for found in attachments if found.gateway_id == gateway_id and found.kind in SITE_KINDS]
    silent = [found for found in sites if not _propagates(trail, table_id, found.id)]
    if silent:
        yield not_propagated(table_id, silent[0].id, trail.direction)
        return
    for site in sites[:1]:
        yield from links_of(trail.snapshot, Door(gateway_id, (site,)), to, trail.flow.source).weigh(trail.direction)
    yield no_route(table_id, to.address, sites[0].id if sites else "ATTACHMENT", trail.direction)


def _no_route_to_vpc(trail: Trail, gateway_id: str, table_id: str) -> Finding:
    """A static route is the only way to a VPC of a peered gateway; VPCs of this one propagate theirs."""
    to = trail.to
    far = trail.snapshot.vpc_attachment(gateway_id, to.vpc_id)
    if far is not None:
        if _propagates(trail, table_id, far.id):
            return no_route(table_id, to.address, far.id, trail.direction)
        return not_propagated(table_id, far.id, trail.direction)
    for found in (trail.snapshot.attachments or {}).values():
        behind = found.gateway_id == gateway_id and found.kind in PEERINGS
        if behind and trail.snapshot.vpc_attachment(found.resource_id, to.vpc_id):
            return needs_static(table_id, to.address, found, trail.direction)
    return _not_attached(trail, to.vpc_id, gateway_id)


def _propagates(trail: Trail, table_id: str, attachment_id: str) -> bool:
    """Whether the attachment writes into the table, or the snapshot does not say; a table not listed takes nothing."""
    listed = trail.snapshot.propagations
    propagating = None if listed is None else listed.get(table_id, frozenset())
    return propagating is None or attachment_id in propagating


def _not_attached(trail: Trail, vpc_id: str, gateway_id: str) -> Finding:
    if trail.snapshot.vpc_attachments is None:
        return gap("TransitGatewayVpcAttachments", f"the attachment of {vpc_id} to {gateway_id}", trail.direction)
    ends = (trail.flow.source.subnet, trail.to.subnet)
    subnet_id = next((end.id for end in ends if end and end.vpc_id == vpc_id), "")
    return not_attached(vpc_id, gateway_id, subnet_id, trail.direction)


def _unread_attachment(trail: Trail, gateway_id: str, attachment_id: str) -> Finding:
    if trail.snapshot.attachments is None:
        return gap("TransitGatewayAttachments", f"attachment {attachment_id}", trail.direction)
    return foreign(f"attachment {attachment_id} at", gateway_id, trail.direction)


def _leads_elsewhere(trail: Trail, route: TransitRoute) -> Finding:
    to = trail.to
    return leads_elsewhere(trail.stations[-1].id, route, to.vpc_id or to.name, trail.direction)
