"""Direct Connect: whether a virtual interface carries this client's packets to this HSM and back.

Sources: Direct Connect user guide, "Virtual interfaces", "Direct Connect gateways", "Allowed prefixes
interactions"; the service model's states. Field names are lower camel case, unlike EC2's. Keys and router
configurations are never read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hsmctl.domain.net_cidr import Address, Cidr
from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Direction, Finding, aws, make
from hsmctl.domain.net_gap import gap
from hsmctl.domain.net_row import Row, malformed

_ALLOWED = "allowedPrefixesToDirectConnectGateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpPeer:
    """A BGP session of a virtual interface."""

    id: str
    family: int
    status: str

    @classmethod
    def read(cls, row: Row) -> BgpPeer:
        """The peer of a `bgpPeers` row."""
        return cls(
            id=row.text("bgpPeerId"),
            family=6 if row.text("addressFamily") == "ipv6" else 4,
            status=row.text("bgpStatus"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualInterface:
    """A virtual interface."""

    id: str
    kind: str
    state: str
    vgw_id: str
    gateway_id: str
    """The Direct Connect gateway it ends at, "" where it ends at a virtual private gateway."""
    connection_id: str
    peers: tuple[BgpPeer, ...] | None
    """None where the snapshot does not say."""

    @classmethod
    def read(cls, row: Row) -> VirtualInterface:
        """The interface of a DescribeVirtualInterfaces row."""
        kind = row.need("virtualInterfaceType")
        if kind != "public" and not (row.has("virtualGatewayId") or row.has("directConnectGatewayId")):
            raise malformed(row.place, "it ends at no gateway")
        return cls(
            id=row.need("virtualInterfaceId"),
            kind=kind,
            state=row.text("virtualInterfaceState"),
            vgw_id=row.text("virtualGatewayId"),
            gateway_id=row.text("directConnectGatewayId"),
            connection_id=row.text("connectionId"),
            peers=tuple(map(BgpPeer.read, row.rows("bgpPeers"))) if row.has("bgpPeers") else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DxGateway:
    """A Direct Connect gateway."""

    id: str
    state: str
    error: str

    @classmethod
    def read(cls, row: Row) -> DxGateway:
        """The gateway of a DescribeDirectConnectGateways row."""
        return cls(
            id=row.need("directConnectGatewayId"),
            state=row.text("directConnectGatewayState"),
            error=row.text("stateChangeError"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """What joins a Direct Connect gateway and a virtual private or transit gateway."""

    id: str
    gateway_id: str
    associated_id: str
    state: str
    allowed: tuple[Cidr, ...] | None
    """None where the snapshot does not say."""

    @classmethod
    def read(cls, row: Row) -> Association:
        """The association of a DescribeDirectConnectGatewayAssociations row."""
        return cls(
            id=row.need("associationId"),
            gateway_id=row.need("directConnectGatewayId"),
            associated_id=row.text("virtualGatewayId") or row.row("associatedGateway").need("id"),
            state=row.text("associationState"),
            allowed=row.cidrs(_ALLOWED, "cidr") if row.has(_ALLOWED) else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VifRoutes:
    """The routes a virtual interface really exchanges (ListVirtualInterfaceRoutes)."""

    accepted: tuple[Cidr, ...]
    advertised: tuple[Cidr, ...]

    @classmethod
    def read(cls, rows: tuple[Row, ...]) -> VifRoutes:
        """The routes of one interface."""
        found = [(row.text("routeDirection"), row.cidr("cidr")) for row in rows]
        return cls(
            accepted=tuple(cidr for way, cidr in found if cidr is not None and way == "accepted"),
            advertised=tuple(cidr for way, cidr in found if cidr is not None and way == "advertised"),
        )


def judge_gateway(gateway: DxGateway) -> Iterator[Finding]:
    """A Direct Connect gateway works while it is available."""
    if gateway.state not in ("", "available"):
        why = f": {gateway.error}" if gateway.error else ""
        yield make(
            Code.DX_DXGW_STATE,
            Direction.BOTH,
            f"Direct Connect gateway {gateway.id} is {gateway.state}{why}.",
            evidence=(gateway.id,),
            fix=_describe("direct-connect-gateways", "--direct-connect-gateway-id", gateway.id),
        )


def judge_association(association: Association) -> Iterator[Finding]:
    """An association works while it is associated or updating."""
    if association.state not in ("", "associated", "updating"):
        yield make(
            Code.DX_ASSOC_STATE,
            Direction.BOTH,
            f"association {association.id} of {association.gateway_id} is {association.state}.",
            evidence=(association.id, association.gateway_id),
            fix=_describe("direct-connect-gateway-associations", "--association-id", association.id),
        )


def judge_allowed(association: Association, hsm: Address, vpc_cidr: Cidr | None) -> Iterator[Finding]:
    """The site learns the way to the HSM only through the allowed prefixes, which mean two things."""
    if association.allowed is None:
        yield gap("DxAssociations", f"the list of allowed prefixes of {association.id}", Direction.FORWARD)
    elif association.associated_id.startswith("tgw-"):
        yield from _listed(association, association.allowed, hsm)
    else:
        yield from _filtered(association, association.allowed, hsm, vpc_cidr)


def judge_interface(interface: VirtualInterface, family: int, connection_state: str) -> Iterator[Finding]:
    """An interface works while it and its connection are available and a BGP session of the right family is up.

    The service model's state `unknown` says that AWS cannot tell at the moment.
    """
    if connection_state not in ("", "available", "unknown"):
        yield make(
            Code.DX_CONNECTION_DOWN,
            Direction.BOTH,
            f"connection {interface.connection_id} of {interface.id} is {connection_state}.",
            evidence=(interface.connection_id, interface.id),
            fix=_describe("connections", "--connection-id", interface.connection_id),
        )
    if interface.state == "unknown":
        yield gap("VirtualInterfaces", f"the state of {interface.id}", Direction.BOTH)
    elif interface.state not in ("", "available"):
        yield _about(interface, Code.DX_VIF_DOWN, f"virtual interface {interface.id} is {interface.state}.")
    yield from _sessions(interface, family)


def judge_routes(interface: VirtualInterface, routes: VifRoutes, site: Address, hsm: Address) -> Iterator[Finding]:
    """What is really exchanged beats what the configuration suggests: the site's prefix in, the HSM's prefix out."""
    if not any(cidr.holds(site) for cidr in routes.accepted):
        words = f"AWS accepted no route over {interface.id} that covers {site}."
        yield _about(interface, Code.DX_PREFIX_NOT_RECEIVED, words, direction=Direction.RETURN)
    if not any(cidr.holds(hsm) for cidr in routes.advertised):
        words = f"AWS advertises no route over {interface.id} that covers the HSM's {hsm}."
        yield _about(interface, Code.DX_ALLOWED_PREFIX_MISMATCH, words, direction=Direction.FORWARD)


def _listed(association: Association, allowed: tuple[Cidr, ...], hsm: Address) -> Iterator[Finding]:
    """To a transit gateway the list itself is announced, so an entry must hold the HSM."""
    if not any(cidr.holds(hsm) for cidr in allowed):
        yield _not_allowed(association, allowed, hsm.host, f"no entry holds the HSM's {hsm}")


def _filtered(
    association: Association, allowed: tuple[Cidr, ...], hsm: Address, vpc_cidr: Cidr | None
) -> Iterator[Finding]:
    """To a virtual private gateway the list filters the VPC's prefixes: an entry must be equal to one or wider.

    What an empty list does there is not documented.
    """
    if vpc_cidr is None:
        yield gap("Vpcs", f"the prefix of the HSM's VPC that holds {hsm}", Direction.FORWARD)
    elif not allowed:
        yield gap("DxAssociations", f"an allowed prefix of {association.id}", Direction.FORWARD)
    elif not any(cidr.covers(vpc_cidr) for cidr in allowed):
        why = f"the VPC announces {vpc_cidr} or nothing, and no entry is equal or wider"
        yield _not_allowed(association, allowed, vpc_cidr, why)


def _not_allowed(association: Association, allowed: tuple[Cidr, ...], wanted: Cidr, why: str) -> Finding:
    return make(
        Code.DX_ALLOWED_PREFIX_MISMATCH,
        Direction.FORWARD,
        f"the site does not learn the way to the HSM: {association.id} allows"
        f" {', '.join(map(str, allowed)) or 'nothing'}; {why}.",
        evidence=(association.id, association.gateway_id, association.associated_id),
        fix=aws(
            *("directconnect", "update-direct-connect-gateway-association"),
            *("--association-id", association.id),
            *("--add-allowed-prefixes-to-direct-connect-gateway", f"cidr={wanted}"),
        ),
    )


def _sessions(interface: VirtualInterface, family: int) -> Iterator[Finding]:
    """Of the BGP sessions of this family at least one must be up; `unknown` is AWS's own word."""
    if interface.peers is None:
        yield gap("VirtualInterfaces", f"the BGP state of {interface.id}", Direction.BOTH)
        return
    peers = [peer for peer in interface.peers if peer.family == family]
    down = [peer for peer in peers if peer.status == "down"]
    if not peers:
        words = f"{interface.id} has no BGP session for IPv{family}."
        yield _about(interface, Code.DX_BGP_NO_PEER_FOR_FAMILY, words)
    elif len(down) == len(peers):
        words = f"BGP of {interface.id} is down ({', '.join(peer.id for peer in down)})."
        yield _about(interface, Code.DX_BGP_DOWN, words, *(peer.id for peer in down))
    elif not any(peer.status == "up" for peer in peers):
        yield gap("VirtualInterfaces", f"the BGP state of {interface.id}", Direction.BOTH)


def _about(
    interface: VirtualInterface,
    code: Code,
    sentence: str,
    *evidence: str,
    direction: Direction = Direction.BOTH,
) -> Finding:
    fix = _describe("virtual-interfaces", "--virtual-interface-id", interface.id)
    return make(code, direction, sentence, evidence=(interface.id, *evidence), fix=fix)


def _describe(what: str, *words: str) -> str:
    return aws("directconnect", f"describe-{what}", *words)
