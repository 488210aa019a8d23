"""The doors between AWS and a site outside it, and the links behind a door, of which one that works is enough.

Links are judged one by one (`net_link`) and weighed together here. What happens on the customer's side no AWS API
tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hsmctl.domain.net_code import Code, Severity
from hsmctl.domain.net_endpoint import Endpoint
from hsmctl.domain.net_finding import Direction, Finding, HopKind, Verdict, aws, make
from hsmctl.domain.net_gap import gap
from hsmctl.domain.net_link import Link, over_association, over_interface, over_vpn
from hsmctl.domain.net_route import RouteTable
from hsmctl.domain.net_snapshot import Snapshot
from hsmctl.domain.net_transit_gateway import Attachment

SITE_KINDS = frozenset({"vpn", "direct-connect-gateway"})
"""The resource types of transit gateway attachments that lead to a site."""

_ELSEWHERE = frozenset(
    {
        Code.VPN_STATIC_ROUTE_MISSING,
        Code.VPN_NO_ACCEPTED_ROUTES,
        Code.VPN_SELECTOR_MISMATCH,
        Code.VPN_IPV6_UNSUPPORTED,
        Code.DX_PREFIX_NOT_RECEIVED,
        Code.DX_BGP_NO_PEER_FOR_FAMILY,
        Code.DX_VIF_TYPE_MISMATCH,
    }
)
"""What only says that a link serves other addresses: no matter beside a link that serves these."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where packets leave AWS for a site and enter: a virtual private gateway, or attachments of a transit gateway."""

    gateway_id: str
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Links:
    """Every way between a door and a site, and what could not be read about them."""

    links: tuple[Link, ...]
    gaps: tuple[Finding, ...]

    @property
    def best(self) -> Link | None:
        """The link to draw: the first that does best."""
        order = list(Verdict)
        return min(self.links, key=lambda link: order.index(link.verdict), default=None)

    @property
    def usable(self) -> bool:
        """Whether some link is known to work."""
        return self.best is not None and self.best.verdict in (Verdict.REACHABLE, Verdict.DEGRADED)

    def weigh(self, direction: Direction) -> tuple[Finding, ...]:
        """What the links together have against packets in this direction."""
        return tuple(f for f in self._weighed() if f.direction in (direction, Direction.BOTH))

    def _weighed(self) -> Iterator[Finding]:
        """Beside a link that works a broken one costs redundancy; beside one that was not read it proves nothing."""
        unread = bool(self.gaps) or any(link.verdict is Verdict.UNKNOWN for link in self.links)
        for link in self.links:
            spare = self.usable and link.verdict in (Verdict.BLOCKED, Verdict.UNKNOWN)
            for finding in link.findings:
                if spare and finding.code in _ELSEWHERE:
                    continue
                if finding.blocks and (spare or unread):
                    yield replace(finding, severity=Severity.DEGRADED)
                else:
                    yield replace(finding, severity=Severity.WARN) if spare else finding
        if not self.usable:
            yield from self.gaps


def doors_of(snapshot: Snapshot, vpc_id: str) -> tuple[Door, ...]:
    """Where packets may enter this VPC from a site: its own gateway, and the sites of its transit gateways."""
    own = [Door(vgw.id) for vgw in (snapshot.vpn_gateways or {}).values() if vgw.vpc_id == vpc_id]
    gateways = {found.gateway_id for found in snapshot.vpc_attachments or () if found.vpc_id == vpc_id}
    shared = [
        Door(attachment.gateway_id, (attachment,))
        for attachment in (snapshot.attachments or {}).values()
        if attachment.gateway_id in gateways and attachment.kind in SITE_KINDS
    ]
    return (*own, *shared)


def links_of(snapshot: Snapshot, door: Door, site: Endpoint, hsm: Endpoint) -> Links:
    """The links behind a door, judged for packets between this site's address and this HSM."""
    if not door.attachments:
        links, gaps = tuple(_of_vgw(snapshot, door.gateway_id, site, hsm)), tuple(_unread(snapshot, door.gateway_id))
        return Links(links, gaps if links or gaps else (_no_link(snapshot, door.gateway_id),))
    unread = tuple(found for each in door.attachments for found in _unread_behind(snapshot, each))
    return Links(tuple(link for each in door.attachments for link in _of_attachment(snapshot, each, site, hsm)), unread)


def why_no_route(snapshot: Snapshot, table: RouteTable, site: Endpoint, hsm: Endpoint) -> tuple[Finding, ...]:
    """Why a VPC's table knows no way to a site: no door, a dead link whose route was withdrawn, or no propagation."""
    doors = doors_of(snapshot, table.vpc_id)
    vgw = next((door for door in doors if not door.attachments), None)
    if vgw is not None:
        links = links_of(snapshot, vgw, site, hsm)
        if not links.usable:
            return links.weigh(Direction.RETURN)
        on = vgw.gateway_id in table.propagating
        return () if on else (_propagation_off(vgw.gateway_id, table.id, site),)
    if doors:
        return ()
    if snapshot.vpn_gateways is None:
        return (gap("VpnGateways", f"the virtual private gateway of {table.vpc_id}", Direction.RETURN),)
    if snapshot.vpc_attachments is None or snapshot.attachments is None:
        return (gap("TransitGatewayAttachments", f"the transit gateway of {table.vpc_id}", Direction.RETURN),)
    attached = any(found.vpc_id == table.vpc_id for found in snapshot.vpc_attachments)
    return () if attached else (no_candidate(table.vpc_id, site.name),)


def no_candidate(one: str, other: str) -> Finding:
    """The finding that nothing joins two places."""
    verb = "create-vpc-peering-connection" if other.startswith("vpc-") else "create-vpn-connection"
    return make(
        Code.NO_CANDIDATE_PATH,
        Direction.BOTH,
        f"no peering, transit gateway, VPN or Direct Connect joins {one} and {other}.",
        evidence=(one, other),
        fix=aws("ec2", verb, "help"),
    )


def _of_vgw(snapshot: Snapshot, vgw_id: str, site: Endpoint, hsm: Endpoint) -> Iterator[Link]:
    for vpn in (snapshot.vpns or {}).values():
        if vpn.vgw_id == vgw_id and vpn.state != "deleted":
            yield over_vpn(snapshot, vpn.id, site, hsm)
    for interface in snapshot.virtual_interfaces or ():
        if interface.vgw_id == vgw_id and interface.state != "deleted":
            yield over_interface(snapshot, interface, None, site, hsm)
    for association in snapshot.dx_associations or ():
        if association.associated_id == vgw_id and association.state != "disassociated":
            yield from over_association(snapshot, association, site, hsm)


def _unread(snapshot: Snapshot, vgw_id: str) -> Iterator[Finding]:
    sections = (
        ("VpnConnections", snapshot.vpns),
        ("VirtualInterfaces", snapshot.virtual_interfaces),
        ("DxAssociations", snapshot.dx_associations),
    )
    return (
        gap(section, f"the list of links of {vgw_id}", Direction.BOTH) for section, read in sections if read is None
    )


def _of_attachment(snapshot: Snapshot, attachment: Attachment, site: Endpoint, hsm: Endpoint) -> Iterator[Link]:
    if attachment.kind == "vpn":
        if snapshot.vpns is not None:
            yield over_vpn(snapshot, attachment.resource_id, site, hsm)
        return
    wanted = (attachment.resource_id, attachment.gateway_id)
    found = [a for a in snapshot.dx_associations or () if (a.gateway_id, a.associated_id) == wanted]
    for association in found:
        yield from over_association(snapshot, association, site, hsm)
    if not found and snapshot.dx_associations is not None:
        yield Link(HopKind.DIRECT_CONNECT, attachment.resource_id, (_not_associated(*wanted),))


def _unread_behind(snapshot: Snapshot, attachment: Attachment) -> Iterator[Finding]:
    section = "VpnConnections" if attachment.kind == "vpn" else "DxAssociations"
    if (snapshot.vpns if attachment.kind == "vpn" else snapshot.dx_associations) is None:
        yield gap(section, f"what is attached as {attachment.id}", Direction.BOTH)


def _no_link(snapshot: Snapshot, vgw_id: str) -> Finding:
    """Nothing is behind this gateway; or a Direct Connect gateway with private interfaces lacks its association."""
    private = [v.gateway_id for v in snapshot.virtual_interfaces or () if v.kind == "private" and v.gateway_id]
    if private:
        return _not_associated(private[0], vgw_id)
    return make(
        Code.NO_HYBRID_LINK,
        Direction.BOTH,
        f"{vgw_id} has no VPN connection, virtual interface or Direct Connect gateway association.",
        evidence=(vgw_id,),
        fix=aws("ec2", "create-vpn-connection", "help"),
    )


def _not_associated(gateway_id: str, other_id: str) -> Finding:
    return make(
        Code.DX_ASSOC_MISSING,
        Direction.BOTH,
        f"Direct Connect gateway {gateway_id} is not associated with {other_id}.",
        evidence=(gateway_id, other_id),
        fix=aws(
            *("directconnect", "create-direct-connect-gateway-association"),
            *("--direct-connect-gateway-id", gateway_id, "--gateway-id", other_id),
        ),
    )


def _propagation_off(vgw_id: str, table_id: str, site: Endpoint) -> Finding:
    return make(
        Code.VGW_PROPAGATION_OFF,
        Direction.RETURN,
        f"the links of {vgw_id} work, but {table_id} does not let it write its routes, {site.name}'s among them.",
        evidence=(table_id, vgw_id),
        fix=aws("ec2", "enable-vgw-route-propagation", "--gateway-id", vgw_id, "--route-table-id", table_id),
    )
