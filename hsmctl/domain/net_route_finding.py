"""What can be the matter on the way through a VPC's route tables: the findings.

Sources: VPC user guide, "Route tables", "Route priority" and "Internet gateways"; EC2 API `RouteState`; VPN user
guide, "Route tables and VPN route priority".
"""

from __future__ import annotations

from collections.abc import Iterator

from hsmctl.domain.net_cidr import Cidr
from hsmctl.domain.net_code import Code
from hsmctl.domain.net_endpoint import Endpoint
from hsmctl.domain.net_finding import Direction, Finding, aws, make
from hsmctl.domain.net_gap import gap
from hsmctl.domain.net_route import Choice, Route, RouteTable, TargetKind

Way = tuple[str, str]
"""The flag and the id by which `aws ec2 create-route` names a target."""

_PRIVATE = frozenset({TargetKind.PEERING, TargetKind.TRANSIT_GATEWAY, TargetKind.VPN_GATEWAY})


def judge_choice(table: RouteTable, choice: Choice, direction: Direction) -> Iterator[Finding]:
    """A route carries packets while it is active; `filtered` is another state EC2 has, not explained."""
    route, words = choice.route, f"route {choice.cidr} -> {choice.route.target} of {table.id}"
    shown = (table.id, str(choice.cidr), route.target)
    if route.state == "blackhole":
        sentence = f"{words} is a black hole: its target is gone or not ready."
        yield make(Code.RT_BLACKHOLE, direction, sentence, evidence=shown, fix=_look(table))
    elif route.state == "filtered":
        yield make(Code.RT_FILTERED, direction, f"{words} is filtered.", evidence=shown, fix=_look(table))
    elif route.state != "active":
        yield gap("RouteTables", f"the state of {words}", direction)


def ambiguous(table: RouteTable, cidr: Cidr, rivals: tuple[Route, Route], direction: Direction) -> Finding:
    """Of two prefix lists that hold one prefix AWS picks either's target."""
    lists = tuple(route.prefix_list for route in rivals)
    return make(
        Code.RT_AMBIGUOUS_PREFIX_LIST,
        direction,
        f"{' and '.join(lists)} both hold {cidr} in {table.id} and lead to different targets: AWS picks either.",
        evidence=(table.id, *lists),
        fix=_look(table),
    )


def shadowed(table: RouteTable, choice: Choice, direction: Direction) -> Iterator[Finding]:
    """Where the chosen way fails, the private route it was chosen over, if there is one."""
    if choice.runner_up is None or choice.route.kind is TargetKind.LOCAL:
        return
    cidr, route = choice.runner_up
    if route.kind in _PRIVATE:
        yield make(
            Code.RT_SHADOWED,
            direction,
            f"in {table.id} {choice.cidr} -> {choice.route.target} beats {cidr} -> {route.target}.",
            evidence=(table.id, str(choice.cidr), choice.route.target, str(cidr), route.target),
            fix=_delete(table, choice.cidr, choice.route),
        )


def no_route(table: RouteTable, subnet_id: str, to: Endpoint, cidr: Cidr, way: Way, direction: Direction) -> Finding:
    """A packet that no route covers is dropped."""
    return make(
        Code.RT_NO_ROUTE,
        direction,
        f"{table.id} of {subnet_id} has no route to {to}.",
        evidence=(table.id, subnet_id, str(cidr)),
        fix=_create(table.id, cidr, way),
    )


def unsuitable(table_id: str, route: Route, to: Endpoint, cidr: Cidr, way: Way, direction: Direction) -> Finding:
    """Internet, carrier and local gateways drop packets for private addresses, and NAT gateways carry no replies."""
    return make(
        Code.RT_TARGET_UNSUITABLE,
        direction,
        f"{table_id} sends packets for {to} to {route.target} ({route.kind}), which does not carry them:"
        f" a route of its own for {cidr} is missing.",
        evidence=(table_id, route.target, str(cidr)),
        fix=_create(table_id, cidr, way),
    )


def captured(vpc_id: str, cidr: Cidr | None, to: Endpoint, direction: Direction) -> Finding:
    """The local route catches every address of the VPC's own range, whoever else has it."""
    where = f"{cidr or 'a range'} of {vpc_id}"
    help_ = aws("ec2", "create-nat-gateway", "help")
    shown = (vpc_id, *(() if cidr is None else (str(cidr),)), str(to.address.host))
    if not to.vpc_id:
        sentence = f"{to} is outside AWS, but it lies in {where}: the replies never leave the VPC."
        return make(Code.ONPREM_CIDR_OVERLAPS_VPC, direction, sentence, evidence=shown, fix=help_)
    sentence = f"{to} lies in {where} as well: the packets never leave that VPC."
    return make(Code.RT_LOCAL_CAPTURE, direction, sentence, evidence=shown, fix=help_)


def vgw_not_attached(vgw_id: str, vpc_id: str, direction: Direction) -> Finding:
    """A virtual private gateway serves the VPC it is attached to."""
    fix = aws("ec2", "attach-vpn-gateway", "--vpn-gateway-id", vgw_id, "--vpc-id", vpc_id)
    words = f"{vgw_id} is not attached to {vpc_id}."
    return make(Code.VGW_NOT_ATTACHED, direction, words, evidence=(vgw_id, vpc_id), fix=fix)


def vgw_not_a_transit(vgw_id: str, near_vpc: str, to: Endpoint, direction: Direction) -> Finding:
    """A virtual private gateway joins its VPC and its sites, not two VPCs."""
    return make(
        Code.VGW_NOT_A_TRANSIT,
        direction,
        f"{vgw_id} leads to sites outside AWS, and {to.name} is in {to.vpc_id}.",
        evidence=(vgw_id, to.vpc_id),
        fix=aws("ec2", "create-vpc-peering-connection", "--vpc-id", near_vpc, "--peer-vpc-id", to.vpc_id),
    )


def source_dest_check(interface_id: str, direction: Direction) -> Finding:
    """An interface drops what is not addressed to it while its source/destination check is on."""
    verb = "modify-network-interface-attribute"
    return make(
        Code.ENI_SRC_DST_CHECK,
        direction,
        f"{interface_id} is a route's target and drops what is not addressed to it: its source/dest check is on.",
        evidence=(interface_id,),
        fix=aws("ec2", verb, "--network-interface-id", interface_id, "--no-source-dest-check"),
    )


def middlebox(identifier: str, what: TargetKind, direction: Direction) -> Finding:
    """What an appliance, firewall endpoint or NAT gateway does with a packet is not in any describe_* answer."""
    sentence = f"the path runs through {identifier} ({what}), whose rules are not visible."
    fix = "hsmctl net probe"
    return make(Code.RT_MIDDLEBOX, direction, sentence, evidence=(identifier,), fix=fix)


def goes_round(subnet_id: str, to: Endpoint, direction: Direction) -> Finding:
    """A packet that comes back to a subnet it was sent on from goes the same way again, until its hop limit ends it."""
    return make(
        Code.RT_LOOP,
        direction,
        f"packets for {to} come back to {subnet_id}, whose route table sends them on again.",
        evidence=(subnet_id, str(to.address.host)),
        fix=aws("ec2", "describe-route-tables", "--filters", f"Name=association.subnet-id,Values={subnet_id}"),
    )


def core_network(identifier: str, direction: Direction) -> Finding:
    """Cloud WAN is not evaluated."""
    return make(
        Code.CLOUDWAN_OPAQUE,
        direction,
        f"the path runs through core network {identifier}, which is not evaluated.",
        evidence=(identifier,),
        fix="hsmctl net probe",
    )


def encryption_enforced(vpc_id: str, through: str, direction: Direction) -> Finding:
    """A VPC whose encryption control enforces lets only exempted kinds of gateway pass traffic."""
    return make(
        Code.ENCRYPTION_CONTROL_ENFORCED,
        direction,
        f"{vpc_id} enforces encryption in transit and does not exempt {through}.",
        evidence=(vpc_id, through),
        fix=aws("ec2", "describe-vpc-encryption-controls", "--vpc-ids", vpc_id),
    )


def _create(table_id: str, cidr: Cidr, way: Way) -> str:
    flag = "--destination-cidr-block" if cidr.family == 4 else "--destination-ipv6-cidr-block"
    return aws("ec2", "create-route", "--route-table-id", table_id, flag, str(cidr), *way)


def _delete(table: RouteTable, cidr: Cidr, route: Route) -> str:
    flag = "--destination-cidr-block" if cidr.family == 4 else "--destination-ipv6-cidr-block"
    words = ("--destination-prefix-list-id", route.prefix_list) if route.prefix_list else (flag, str(cidr))
    return aws("ec2", "delete-route", "--route-table-id", table.id, *words)


def _look(table: RouteTable) -> str:
    return aws("ec2", "describe-route-tables", "--route-table-ids", table.id)
