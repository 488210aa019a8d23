"""Site-to-site VPN: whether a connection carries this client's packets to this HSM and back.

Sources: Site-to-Site VPN user guide, "Tunnel options", "Static and dynamic routing", "VPN tunnel telemetry"; EC2
API `VgwTelemetry`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hsmctl.domain.net_cidr import Address, Cidr
from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Direction, Finding, aws, make
from hsmctl.domain.net_gap import gap
from hsmctl.domain.net_row import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """One of a connection's tunnels as AWS last saw it."""

    outside: str
    status: str
    message: str
    accepted: int | None
    """BGP routes taken from the customer's side."""

    @classmethod
    def read(cls, row: Row) -> Tunnel:
        """The tunnel of a `VgwTelemetry` row."""
        return cls(
            outside=row.text("OutsideIpAddress"),
            status=row.need("Status").upper(),
            message=row.text("StatusMessage").upper(),
            accepted=row.number("AcceptedRouteCount"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Vpn:
    """A site-to-site VPN connection; its keys and configuration are never read."""

    id: str
    vgw_id: str
    state: str
    static: bool | None
    """None where the snapshot does not say."""
    inside_family: int
    site_selectors: tuple[Cidr, ...]
    """The prefixes on the customer's side that the tunnels take; EC2 calls them local."""
    aws_selectors: tuple[Cidr, ...]
    """The prefixes on AWS's side that the tunnels take; EC2 calls them remote."""
    static_routes: tuple[Cidr, ...]
    tunnels: tuple[Tunnel, ...]

    @classmethod
    def read(cls, row: Row) -> Vpn:
        """The connection of a DescribeVpnConnections row."""
        options = row.row("Options")
        alive = [route for route in row.rows("Routes") if route.text("State") in ("", "available")]
        routes = (route.cidr("DestinationCidrBlock") for route in alive)
        return cls(
            id=row.need("VpnConnectionId"),
            vgw_id=row.text("VpnGatewayId"),
            state=row.text("State"),
            static=options.flag("StaticRoutesOnly"),
            inside_family=6 if options.text("TunnelInsideIpVersion") == "ipv6" else 4,
            site_selectors=_selectors(options, "Local"),
            aws_selectors=_selectors(options, "Remote"),
            static_routes=tuple(cidr for cidr in routes if cidr is not None),
            tunnels=tuple(map(Tunnel.read, row.rows("VgwTelemetry"))),
        )


def judge_vpn(vpn: Vpn, site: Address, hsm: Address) -> Iterator[Finding]:
    """Everything that is the matter with this connection for packets between the site's address and the HSM's."""
    if vpn.state not in ("", "available"):
        yield _finding(vpn, Code.VPN_STATE, f"{vpn.id} is {vpn.state}.")
        return
    yield from _family(vpn, site.family)
    yield from _tunnels(vpn)
    yield from _routes(vpn, site)
    yield from _selected(vpn, vpn.site_selectors, site)
    yield from _selected(vpn, vpn.aws_selectors, hsm)


def _family(vpn: Vpn, family: int) -> Iterator[Finding]:
    """A virtual private gateway's VPN carries no IPv6; a transit gateway's carries the one family of its tunnels."""
    if family == vpn.inside_family and not (family == 6 and vpn.vgw_id):
        return
    if family == 6:
        yield _finding(vpn, Code.VPN_IPV6_UNSUPPORTED, f"the tunnels of {vpn.id} carry IPv4 only.")
    else:
        yield _finding(vpn, Code.VPN_SELECTOR_MISMATCH, f"the tunnels of {vpn.id} carry IPv6 only.")


def _tunnels(vpn: Vpn) -> Iterator[Finding]:
    """At least one tunnel must be up; "IPSEC IS UP" on a tunnel that is down means that only BGP is missing."""
    rest = [tunnel for tunnel in vpn.tunnels if tunnel.status != "UP"]
    outside = [tunnel.outside for tunnel in rest]
    if not rest and vpn.tunnels:
        return
    if len(rest) < len(vpn.tunnels):
        words = f"tunnel {outside[0]} of {vpn.id} is not up: the connection has no redundancy."
        yield _finding(vpn, Code.VPN_ONE_TUNNEL_DOWN, words, *outside)
    elif not vpn.tunnels or any(tunnel.status != "DOWN" for tunnel in rest):
        yield gap("VpnConnections", f"the tunnel telemetry of {vpn.id}", Direction.BOTH)
    elif not vpn.static and any("IPSEC IS UP" in tunnel.message for tunnel in rest):
        words = f"IPsec of {vpn.id} is up and BGP is down on {', '.join(outside)}: no routes are exchanged."
        yield _finding(vpn, Code.VPN_BGP_DOWN, words, *outside)
    else:
        words = f"every tunnel of {vpn.id} is down: {', '.join(outside)}."
        yield _finding(vpn, Code.VPN_TUNNELS_ALL_DOWN, words, *outside)


def _routes(vpn: Vpn, site: Address) -> Iterator[Finding]:
    """AWS must know the site's prefix: from the connection's static routes (on a VGW), or by BGP."""
    if vpn.static is None:
        yield gap("VpnConnections", f"the routing option of {vpn.id}", Direction.RETURN)
    elif vpn.static:
        if vpn.vgw_id and not any(cidr.holds(site) for cidr in vpn.static_routes):
            known = ", ".join(map(str, vpn.static_routes)) or "none"
            yield make(
                Code.VPN_STATIC_ROUTE_MISSING,
                Direction.RETURN,
                f"static VPN {vpn.id} has no route to {site} (it has: {known}).",
                evidence=(vpn.id,),
                fix=aws(
                    *("ec2", "create-vpn-connection-route", "--vpn-connection-id", vpn.id),
                    *("--destination-cidr-block", str(site.host)),
                ),
            )
        return
    up = [tunnel for tunnel in vpn.tunnels if tunnel.status == "UP"]
    if up and all(tunnel.accepted == 0 for tunnel in up):
        words = f"BGP of {vpn.id} is up and the customer's side announces no route."
        yield _finding(vpn, Code.VPN_NO_ACCEPTED_ROUTES, words, direction=Direction.RETURN)


def _selected(vpn: Vpn, selectors: tuple[Cidr, ...], address: Address) -> Iterator[Finding]:
    """The tunnels take only packets inside their traffic selectors (`LocalIpv4NetworkCidr` and its siblings)."""
    same = [cidr for cidr in selectors if cidr.family == address.family]
    if same and not any(cidr.holds(address) for cidr in same):
        words = f"the tunnels of {vpn.id} take {', '.join(map(str, same))}, which leaves out {address}."
        yield _finding(vpn, Code.VPN_SELECTOR_MISMATCH, words)


def _finding(vpn: Vpn, code: Code, sentence: str, *evidence: str, direction: Direction = Direction.BOTH) -> Finding:
    return make(
        code,
        direction,
        sentence,
        evidence=(vpn.id, *evidence),
        fix=aws("ec2", "describe-vpn-connections", "--vpn-connection-ids", vpn.id, "--query", _FACTS),
    )


_FACTS = "VpnConnections[].[State,VgwTelemetry,Routes]"


def _selectors(options: Row, side: str) -> tuple[Cidr, ...]:
    found = (options.cidr(f"{side}Ipv4NetworkCidr"), options.cidr(f"{side}Ipv6NetworkCidr"))
    return tuple(cidr for cidr in found if cidr is not None)
