"""One link between a door and a site: a VPN connection, or a virtual interface and what joins it to the gateway."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hsmctl.domain.net_code import Code
from hsmctl.domain.net_direct_connect import (
    Association,
    VirtualInterface,
    judge_allowed,
    judge_association,
    judge_gateway,
    judge_interface,
    judge_routes,
)
from hsmctl.domain.net_endpoint import Endpoint
from hsmctl.domain.net_finding import Direction, Finding, HopKind, Verdict, aws, make, verdict_of
from hsmctl.domain.net_gap import foreign, gap
from hsmctl.domain.net_snapshot import Snapshot
from hsmctl.domain.net_vpn import judge_vpn


@dataclass(frozen=True, slots=True)
class Link:
    """One way between a door and a site."""

    kind: HopKind
    id: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether this link alone would do."""
        return verdict_of(self.findings)


def over_vpn(snapshot: Snapshot, vpn_id: str, site: Endpoint, hsm: Endpoint) -> Link:
    """The link over a VPN connection."""
    vpn = (snapshot.vpns or {}).get(vpn_id)
    if vpn is None:
        return Link(HopKind.VPN, vpn_id, (foreign("VPN connection", vpn_id, Direction.BOTH),))
    return Link(HopKind.VPN, vpn_id, tuple(judge_vpn(vpn, site.address, hsm.address)))


def over_association(snapshot: Snapshot, association: Association, site: Endpoint, hsm: Endpoint) -> Iterator[Link]:
    """A link for each interface of the right type: transit ones serve transit gateways, private ones the others."""
    gateway_id = association.gateway_id
    if snapshot.virtual_interfaces is None:
        unread = gap("VirtualInterfaces", f"the list of virtual interfaces of {gateway_id}", Direction.BOTH)
        yield Link(HopKind.DIRECT_CONNECT, gateway_id, (unread,))
        return
    kind = "transit" if association.associated_id.startswith("tgw-") else "private"
    here = [v for v in snapshot.virtual_interfaces if v.gateway_id == gateway_id and v.state != "deleted"]
    fitting = [interface for interface in here if interface.kind == kind]
    for interface in fitting:
        yield over_interface(snapshot, interface, association, site, hsm)
    if not fitting:
        yield Link(HopKind.DIRECT_CONNECT, gateway_id, (_no_interface(association, kind, here),))


def over_interface(
    snapshot: Snapshot, interface: VirtualInterface, association: Association | None, site: Endpoint, hsm: Endpoint
) -> Link:
    """The link over a virtual interface that ends at the gateway itself, or at one associated with it.

    The routes it really exchanges, where they were read, replace what the association allows.
    """
    connection = snapshot.dx_connections.get(interface.connection_id, "")
    findings = [*judge_interface(interface, site.address.family, connection)]
    if association is not None:
        findings += [*_judge_gateway(snapshot, association.gateway_id), *judge_association(association)]
    if interface.id in snapshot.vif_routes:
        findings += judge_routes(interface, snapshot.vif_routes[interface.id], site.address, hsm.address)
    elif association is not None:
        vpc = snapshot.vpcs.get(hsm.vpc_id)
        findings += judge_allowed(association, hsm.address, vpc.cidr_of(hsm.address) if vpc else None)
    return Link(HopKind.DIRECT_CONNECT, interface.id, tuple(findings))


def _judge_gateway(snapshot: Snapshot, gateway_id: str) -> Iterator[Finding]:
    if snapshot.dx_gateways is None:
        yield gap("DxGateways", f"the state of {gateway_id}", Direction.BOTH)
    elif gateway_id not in snapshot.dx_gateways:
        yield foreign("Direct Connect gateway", gateway_id, Direction.BOTH)
    else:
        yield from judge_gateway(snapshot.dx_gateways[gateway_id])


def _no_interface(association: Association, kind: str, here: Sequence[VirtualInterface]) -> Finding:
    others = f", only {', '.join(sorted({v.kind for v in here}))} ones" if here else ""
    return make(
        Code.DX_VIF_TYPE_MISMATCH if here else Code.DX_NO_VIF,
        Direction.BOTH,
        f"{association.gateway_id} has no {kind} virtual interface{others}, and {association.associated_id} needs one.",
        evidence=(association.gateway_id, association.associated_id, *(v.id for v in here)),
        fix=aws("directconnect", f"create-{kind}-virtual-interface", "help"),
    )
