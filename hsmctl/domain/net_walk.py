"""Walking a packet through VPCs: out of a subnet, along the route its table chooses, into the subnet it is meant for.

Every kind of route target has one function here that says what happens there and walks on; what can be the matter
is worded in `net_route_finding`. Gateways between VPCs and sites have rooms of their own: `net_peering`,
`net_transit`, `net_hybrid`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hsmctl.domain.net_cidr import Cidr
from hsmctl.domain.net_endpoint import Subnet
from hsmctl.domain.net_finding import Direction, Finding, HopKind, Verdict, verdict_of
from hsmctl.domain.net_gap import foreign, gap
from hsmctl.domain.net_hybrid import Door, doors_of, no_candidate, why_no_route
from hsmctl.domain.net_peering import identity_through, judge_far_end, judge_state
from hsmctl.domain.net_route import Route, RouteTable, TargetKind, choose, unread_lists
from hsmctl.domain.net_route_finding import (
    Way,
    ambiguous,
    captured,
    core_network,
    encryption_enforced,
    goes_round,
    judge_choice,
    middlebox,
    no_route,
    shadowed,
    source_dest_check,
    unsuitable,
    vgw_not_a_transit,
    vgw_not_attached,
)
from hsmctl.domain.net_security_group import Identity
from hsmctl.domain.net_snapshot import Snapshot
from hsmctl.domain.net_trail import Flow, Trail
from hsmctl.domain.net_transit import from_site, from_subnet
from hsmctl.domain.net_transit_gateway import PEERINGS


def walk(snapshot: Snapshot, flow: Flow) -> Trail:
    """The trail of a packet that starts in a subnet; inside one subnet neither routes nor ACLs are asked."""
    trail = Trail(snapshot, flow)
    start, end = flow.source.subnet, flow.destination.subnet
    if start is not None and not (end is not None and start.id == end.id):
        trail.cross((start,), egress=True)
        _follow_table(trail, start)
    return trail


def walk_from_site(snapshot: Snapshot, flow: Flow, reply: Trail) -> Trail:
    """The trail of a packet that comes from a site: by the door the reply leaves by, else by the one that does best."""
    doors = (reply.door,) if reply.door else doors_of(snapshot, flow.destination.vpc_id)
    if not doors:
        return _no_way_in(snapshot, flow, reply)
    order = list(Verdict)
    trails = [_through_door(snapshot, flow, door) for door in doors]
    return min(trails, key=lambda trail: order.index(verdict_of(trail.findings)))


def _no_way_in(snapshot: Snapshot, flow: Flow, reply: Trail) -> Trail:
    """Nothing leads from sites into this VPC; why, the reply has found out."""
    trail = Trail(snapshot, flow)
    trail.visit(HopKind.VPN_GATEWAY, flow.destination.vpc_id)
    trail.find(*(finding for finding in reply.findings if finding.direction is Direction.BOTH))
    _arrive(trail)
    return trail


def _through_door(snapshot: Snapshot, flow: Flow, door: Door) -> Trail:
    trail = Trail(snapshot, flow)
    trail.use_links(door)
    if door.attachments:
        _come_out(trail, from_site(trail, door))
    else:
        trail.visit(HopKind.VPN_GATEWAY, door.gateway_id, via=True)
        _come_in(trail, door.gateway_id)
    return trail


def _come_in(trail: Trail, gateway_id: str) -> None:
    """Enter the VPC, past an appliance if the gateway has a table that says so (VPC guide, "Gateway route tables")."""
    edge = trail.snapshot.tables.get(gateway_id)
    choice = choose(edge, trail.to.address) if edge else None
    if edge is None or choice is None or choice.route.kind is TargetKind.LOCAL or trail.to.subnet is None:
        _arrive(trail)
        return
    trail.visit(HopKind.ROUTE_TABLE, edge.id, choice.route.target)
    trail.find(*judge_choice(edge, choice, trail.direction))
    _FOLLOW[choice.route.kind](trail, trail.to.subnet, choice.route)


def _follow_table(trail: Trail, subnet: Subnet) -> None:
    """Go where the subnet's route table sends the packet; where it has been before it will go the same way again."""
    table = trail.snapshot.table_of(subnet)
    if subnet.id in trail.left:
        trail.find(goes_round(subnet.id, trail.to, trail.direction))
        _arrive(trail)
        return
    trail.left.add(subnet.id)
    if table is None:
        trail.visit(HopKind.ROUTE_TABLE, "route table")
        trail.find(gap("RouteTables", f"the route table of {subnet.id}", trail.direction))
        _arrive(trail)
        return
    choice = choose(table, trail.to.address)
    trail.visit(HopKind.ROUTE_TABLE, table.id, choice.route.target if choice else "")
    here = trail.stations[-1]
    undecided = [gap("PrefixLists", f"prefix list {name}", trail.direction) for name in unread_lists(table)]
    if choice is not None and choice.rival is not None:
        undecided.append(ambiguous(table, choice.cidr, (choice.route, choice.rival), trail.direction))
    if undecided or choice is None:
        trail.find(*(undecided or _no_route(trail, table, subnet)))
        _arrive(trail)
        return
    trail.find(*judge_choice(table, choice, trail.direction))
    _FOLLOW[choice.route.kind](trail, subnet, choice.route)
    if trail.blocked:
        here.findings.extend(shadowed(table, choice, trail.direction))


def _arrive(trail: Trail) -> None:
    """Enter the destination's subnet, or what would be entered if the packet had come so far."""
    if trail.to.subnet is not None:
        trail.cross((trail.to.subnet,), egress=False)


def _come_out(trail: Trail, subnets: tuple[Subnet, ...]) -> None:
    """Come out of a transit gateway in one of these subnets, whose own tables send the packet on.

    In the destination's own subnet no ACL is asked (transit gateway guide, "How network ACLs work").
    """
    for subnet in subnets:
        if not _is_local(trail, subnet):
            trail.cross((subnet,), egress=True)
            _follow_table(trail, subnet)
            return
    if trail.to.subnet not in subnets:
        if subnets:
            trail.cross(subnets, egress=True)
        _arrive(trail)


def _is_local(trail: Trail, subnet: Subnet) -> bool:
    """Whether the subnet's table surely delivers the packet inside the VPC it is meant for."""
    table = trail.snapshot.table_of(subnet)
    choice = choose(table, trail.to.address) if table else None
    if table is None or choice is None or any(unread_lists(table)):
        return False
    return choice.route.kind is TargetKind.LOCAL and subnet.vpc_id == trail.to.vpc_id


def _deliver(trail: Trail, subnet: Subnet, _route: Route) -> None:
    if trail.to.vpc_id != subnet.vpc_id:
        vpc = trail.snapshot.vpcs.get(subnet.vpc_id)
        cidr = vpc.cidr_of(trail.to.address) if vpc else None
        trail.find(captured(subnet.vpc_id, cidr, trail.to, trail.direction))
    _arrive(trail)


def _over_peering(trail: Trail, subnet: Subnet, route: Route) -> None:
    trail.visit(HopKind.PEERING, route.target, via=True)
    peering = (trail.snapshot.peerings or {}).get(route.target)
    if trail.snapshot.peerings is None:
        trail.find(gap("VpcPeeringConnections", f"peering {route.target}", trail.direction))
    elif peering is not None:
        trail.find(judge_state(peering, trail.direction))
        trail.find(judge_far_end(peering, subnet.vpc_id, trail.to, trail.direction))
        trail.find(*_encryption(trail, subnet.vpc_id, "VpcPeering"))
        trail.lose_identity(identity_through(peering))
    elif route.state != "blackhole":
        trail.find(foreign("peering", route.target, trail.direction))
    _arrive(trail)


def _over_transit_gateway(trail: Trail, subnet: Subnet, route: Route) -> None:
    _come_out(trail, from_subnet(trail, subnet, route.target))


def _over_vpn_gateway(trail: Trail, subnet: Subnet, route: Route) -> None:
    trail.visit(HopKind.VPN_GATEWAY, route.target, via=True)
    gateway = (trail.snapshot.vpn_gateways or {}).get(route.target)
    if trail.snapshot.vpn_gateways is None:
        trail.find(gap("VpnGateways", f"the attachment of {route.target}", trail.direction))
    elif gateway is None or gateway.vpc_id != subnet.vpc_id:
        trail.find(vgw_not_attached(route.target, subnet.vpc_id, trail.direction))
    if trail.to.vpc_id:
        trail.find(vgw_not_a_transit(route.target, subnet.vpc_id, trail.to, trail.direction))
        _arrive(trail)
    else:
        trail.find(*_encryption(trail, subnet.vpc_id, "VirtualPrivateGateway"))
        trail.use_links(Door(route.target))


def _through_appliance(trail: Trail, _subnet: Subnet, route: Route) -> None:
    """Where an appliance sends a packet on, and by which of its interfaces, it decides itself."""
    interface = trail.snapshot.interface_named(route.target)
    trail.visit(HopKind.APPLIANCE, interface.id if interface else route.target, via=True)
    if interface is not None and interface.source_dest_check:
        trail.find(source_dest_check(interface.id, trail.direction))
    _hide(trail, route)
    _arrive(trail)


def _through_nat(trail: Trail, subnet: Subnet, route: Route) -> None:
    """A NAT gateway opens connections under its own address and from its own subnet; it carries no replies."""
    if trail.direction is Direction.RETURN:
        _to_nowhere(trail, subnet, route)
        return
    trail.visit(HopKind.APPLIANCE, route.target, via=True)
    _hide(trail, route)
    trail.rewritten = True
    behind = trail.snapshot.subnets.get(trail.snapshot.nat_subnets.get(route.target, ""))
    if behind is not None:
        _follow_table(trail, behind)
    else:
        trail.find(gap("NatGateways", f"the subnet of {route.target}", trail.direction))


def _hide(trail: Trail, route: Route) -> None:
    """Pass something whose rules nobody sees, and which hides who sent the packet."""
    identifier = trail.stations[-1].id
    trail.find(middlebox(identifier, route.kind, trail.direction))
    if route.kind is not TargetKind.OTHER:
        trail.lose_identity(Identity(ingress=False, egress=False, lost_at=identifier, why="hides who sent the packet"))


def _over_core_network(trail: Trail, _subnet: Subnet, route: Route) -> None:
    trail.find(core_network(route.target, trail.direction))
    _arrive(trail)


def _to_nowhere(trail: Trail, subnet: Subnet, route: Route) -> None:
    way, cidr = _way(trail, subnet.vpc_id) or _NO_WAY, _wanted(trail)
    trail.find(unsuitable(trail.stations[-1].id, route, trail.to, cidr, way, trail.direction))
    _arrive(trail)


_FOLLOW: dict[TargetKind, Callable[[Trail, Subnet, Route], None]] = {
    TargetKind.LOCAL: _deliver,
    TargetKind.PEERING: _over_peering,
    TargetKind.TRANSIT_GATEWAY: _over_transit_gateway,
    TargetKind.VPN_GATEWAY: _over_vpn_gateway,
    TargetKind.INTERFACE: _through_appliance,
    TargetKind.NAT: _through_nat,
    TargetKind.ENDPOINT: _through_appliance,
    TargetKind.OTHER: _through_appliance,
    TargetKind.CORE_NETWORK: _over_core_network,
    TargetKind.INTERNET: _to_nowhere,
}

_NO_WAY: Way = ("--gateway-id", "TARGET")


def _no_route(trail: Trail, table: RouteTable, subnet: Subnet) -> Iterator[Finding]:
    """No route covers the destination; first why, where the snapshot shows it."""
    snapshot, way = trail.snapshot, _way(trail, subnet.vpc_id)
    if not trail.to.vpc_id:
        yield from why_no_route(snapshot, table, trail.to, trail.flow.source)
    elif way is None and snapshot.peerings is not None and snapshot.vpc_attachments is not None:
        yield no_candidate(subnet.vpc_id, trail.to.vpc_id)
    yield no_route(table, subnet.id, trail.to, _wanted(trail), way or _NO_WAY, trail.direction)


def _way(trail: Trail, vpc_id: str) -> Way | None:
    """What joins this VPC and the destination, as the target of a route that is missing, or None."""
    snapshot, other = trail.snapshot, trail.to.vpc_id
    if not other:
        doors = doors_of(snapshot, vpc_id)
        flags = (("--transit-gateway-id" if door.attachments else "--gateway-id", door.gateway_id) for door in doors)
        return next(flags, None)
    for peering in (snapshot.peerings or {}).values():
        if peering.status == "active" and peering.joins(vpc_id, other):
            return ("--vpc-peering-connection-id", peering.id)
    near, far = ({a.gateway_id for a in snapshot.vpc_attachments or () if a.vpc_id == one} for one in (vpc_id, other))
    peered = far and any(found.kind in PEERINGS for found in (snapshot.attachments or {}).values())
    gateways = sorted(near & far) or (sorted(near) if peered else [])
    return ("--transit-gateway-id", gateways[0]) if gateways else None


def _wanted(trail: Trail) -> Cidr:
    """The prefix a missing route should have: the VPC's that holds the destination, or its address alone."""
    vpc = trail.snapshot.vpcs.get(trail.to.vpc_id)
    return (vpc.cidr_of(trail.to.address) if vpc else None) or trail.to.address.host


def _encryption(trail: Trail, vpc_id: str, kind: str) -> Iterator[Finding]:
    vpc = trail.snapshot.vpcs.get(vpc_id)
    if vpc is not None and vpc.enforces_encryption and kind not in vpc.exempt:
        yield encryption_enforced(vpc_id, trail.stations[-1].id, trail.direction)
