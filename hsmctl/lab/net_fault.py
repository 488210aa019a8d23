"""What can be wrong with the lab's network: each fault an edit of the healthy document, with the code that finds it.

An edit changes a fresh document and is made anew each time, so clearing a fault is not making its edit any more.
Refuses to know processes: what a blocked way does to an HSM's listener is the business of `network`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from hsmctl.domain.net_code import Code
from hsmctl.errors import Conflict
from hsmctl.lab.fault import Fault
from hsmctl.lab.ground import Ground, Topology
from hsmctl.lab.topology_part import HSM_PORTS, Document, Row

Edit = Callable[[Document, Ground, tuple[str, ...]], None]
"""Breaks a document in these zones."""

_ALL = tuple(Topology)
_DENY_FIRST = 50
"""A rule number before the one that lets everything pass."""


@dataclass(frozen=True, slots=True)
class NetFault:
    """One kind of fault in the network."""

    edit: Edit
    codes: Mapping[Topology, Code]
    """What explains it, for each topology it can happen in."""


def check_possible(name: str, topology: Topology) -> None:
    """Refuse a fault of something the network does not have.

    Raises:
        Conflict: it cannot happen in this topology.
    """
    codes = NET_FAULTS[name].codes
    if topology not in codes:
        others = ", ".join(codes)
        hint = f"hsmctl lab reset --yes, then hsmctl lab up --network {next(iter(codes))}"
        raise Conflict(f"{name} cannot happen in {topology}", f"it happens in {others}", hint)


def broken(document: Document, ground: Ground, faults: Iterable[Fault]) -> Document:
    """The document with every fault in it, each in the zone of its HSM or in all; the one given is changed."""
    zones = {hsm.hsm_id: hsm.zone for hsm in ground.hsms}
    for fault in faults:
        if fault.hsm is None:
            NET_FAULTS[fault.name].edit(document, ground, tuple(ground.subnets))
        elif zone := zones.get(fault.hsm):
            NET_FAULTS[fault.name].edit(document, ground, (zone,))
    return document


def _drop_routes(document: Document, ground: Ground, zones: tuple[str, ...]) -> None:
    for table in _hsm_tables(document, ground, zones):
        table["Routes"] = [each for each in table["Routes"] if each["DestinationCidrBlock"] != ground.client_cidr]
        table["PropagatingVgws"] = []


def _close_acl(document: Document, ground: Ground, zones: tuple[str, ...]) -> None:
    _deny(document, ground, zones, HSM_PORTS, egress=False)


def _close_acl_to_replies(document: Document, ground: Ground, zones: tuple[str, ...]) -> None:
    _deny(document, ground, zones, (1024, 65535), egress=True)


def _revoke_group(document: Document, ground: Ground, _: tuple[str, ...]) -> None:
    """The client's own rule goes; a client that is a member of the groups leaves them."""
    for group in document["SecurityGroups"]:
        if group["GroupId"] in ground.groups:
            group["IpPermissions"] = [rule for rule in group["IpPermissions"] if not rule["IpRanges"]]
    for interface in document["NetworkInterfaces"]:
        if "Attachment" in interface:
            interface["Groups"] = [each for each in interface["Groups"] if each["GroupId"] not in ground.groups]


def _delete_peering(document: Document, ground: Ground, _: tuple[str, ...]) -> None:
    """EC2 shows a deleted peering for a while; routes over it become black holes (VPC peering guide, "Delete")."""
    for peering in document["VpcPeeringConnections"]:
        peering["Status"] = {"Code": "deleted", "Message": f"Deleted by {ground.account_id}"}
        for side in ("RequesterVpcInfo", "AccepterVpcInfo"):
            peering[side].pop("CidrBlock")
            peering[side].pop("CidrBlockSet")
    for table in document["RouteTables"]:
        for each in table["Routes"]:
            if "VpcPeeringConnectionId" in each:
                each["State"] = "blackhole"


def _detach_zones(document: Document, ground: Ground, zones: tuple[str, ...]) -> None:
    gone = {ground.id("subnet", "tgw", ground.vpc_id, zone) for zone in zones}
    for attachment in document["TransitGatewayVpcAttachments"]:
        if attachment["VpcId"] == ground.vpc_id:
            attachment["SubnetIds"] = [name for name in attachment["SubnetIds"] if name not in gone]


def _stop_propagation(document: Document, ground: Ground, _: tuple[str, ...]) -> None:
    """The transit gateway's table no longer learns the way to the HSMs' VPC."""
    attachment_id = ground.id("tgw-attach", "hsm")
    for name, routes in document["TgwRoutes"].items():
        document["TgwRoutes"][name] = [each for each in routes if each["DestinationCidrBlock"] != ground.vpc_cidr]
        document["TgwPropagations"][name].remove(attachment_id)


def _one_tunnel_down(document: Document, _: Ground, __: tuple[str, ...]) -> None:
    _set_tunnels(document, "IPSEC IS DOWN", count=1)


def _tunnels_down(document: Document, ground: Ground, _: tuple[str, ...]) -> None:
    _set_tunnels(document, "IPSEC IS DOWN")
    _withdraw(document, ground)


def _bgp_down(document: Document, ground: Ground, _: tuple[str, ...]) -> None:
    """The link stands and nobody says which prefixes are behind it."""
    _set_tunnels(document, "IPSEC IS UP")
    for interface in document["VirtualInterfaces"]:
        for peer in interface["bgpPeers"]:
            peer["bgpStatus"] = "down"
        document["VifRoutes"] = {}
    _withdraw(document, ground)


def _narrow_prefixes(document: Document, ground: Ground, _: tuple[str, ...]) -> None:
    for association in document["DxAssociations"]:
        association["allowedPrefixesToDirectConnectGateway"] = [{"cidr": ground.within("1.0/24")}]
    for name, routes in document["VifRoutes"].items():
        document["VifRoutes"][name] = [each for each in routes if each["routeDirection"] == "accepted"]


NET_FAULTS: Mapping[str, NetFault] = {
    "net-route": NetFault(
        _drop_routes,
        {
            Topology.PEERING: Code.RT_NO_ROUTE,
            Topology.TGW: Code.RT_NO_ROUTE,
            Topology.VPN: Code.VGW_PROPAGATION_OFF,
            Topology.DX: Code.VGW_PROPAGATION_OFF,
        },
    ),
    "net-acl": NetFault(_close_acl, dict.fromkeys(_ALL, Code.NACL_FWD_INGRESS_DENY)),
    "net-acl-replies": NetFault(_close_acl_to_replies, dict.fromkeys(_ALL, Code.NACL_RET_EGRESS_DENY)),
    "net-group": NetFault(_revoke_group, dict.fromkeys(_ALL, Code.SG_INGRESS_NO_MATCH)),
    "net-peering-deleted": NetFault(_delete_peering, {Topology.PEERING: Code.PCX_NOT_ACTIVE}),
    "net-zone-detached": NetFault(_detach_zones, {Topology.TGW: Code.TGW_AZ_NOT_ATTACHED}),
    "net-propagation": NetFault(_stop_propagation, {Topology.TGW: Code.TGW_PROPAGATION_MISSING}),
    "net-tunnel": NetFault(_one_tunnel_down, {Topology.VPN: Code.VPN_ONE_TUNNEL_DOWN}),
    "net-tunnels": NetFault(_tunnels_down, {Topology.VPN: Code.VPN_TUNNELS_ALL_DOWN}),
    "net-bgp": NetFault(_bgp_down, {Topology.VPN: Code.VPN_BGP_DOWN, Topology.DX: Code.DX_BGP_DOWN}),
    "net-prefixes": NetFault(_narrow_prefixes, {Topology.DX: Code.DX_ALLOWED_PREFIX_MISMATCH}),
}
"""Every fault of the document by its name in `fault.KINDS`."""


def _hsm_tables(document: Document, ground: Ground, zones: tuple[str, ...]) -> Iterator[Row]:
    """The route tables of the zones' HSMs."""
    wanted = {ground.id("rtb", ground.vpc_id, zone) for zone in zones}
    return (table for table in document["RouteTables"] if table["RouteTableId"] in wanted)


def _deny(document: Document, ground: Ground, zones: tuple[str, ...], ports: tuple[int, int], *, egress: bool) -> None:
    """Deny TCP between the client and the HSMs of some zones, before anything else is looked at."""
    wanted = {ground.id("acl", ground.vpc_id, zone) for zone in zones}
    entry = {
        "RuleNumber": _DENY_FIRST + egress,
        "Egress": egress,
        "RuleAction": "deny",
        "Protocol": "6",
        "CidrBlock": ground.client_cidr,
        "PortRange": {"From": ports[0], "To": ports[1]},
    }
    for acl in document["NetworkAcls"]:
        if acl["NetworkAclId"] in wanted:
            acl["Entries"].insert(0, entry)


def _set_tunnels(document: Document, message: str, count: int | None = None) -> None:
    """Take the first tunnels of every VPN down, with what AWS says about them."""
    for vpn in document["VpnConnections"]:
        for tunnel in vpn["VgwTelemetry"][:count]:
            tunnel |= {"Status": "DOWN", "StatusMessage": message, "AcceptedRouteCount": 0}


def _withdraw(document: Document, ground: Ground) -> None:
    """Take back the routes that BGP had brought."""
    for table in document["RouteTables"]:
        table["Routes"] = [each for each in table["Routes"] if each["DestinationCidrBlock"] != ground.client_cidr]
