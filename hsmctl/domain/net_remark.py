"""What is worth saying about two paths as a whole; only an appliance on one of them costs anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hsmctl.domain.net_code import Code, Severity
from hsmctl.domain.net_endpoint import Endpoint
from hsmctl.domain.net_finding import Direction, Finding, HopKind, make
from hsmctl.domain.net_trail import Trail

_MTUS = (({HopKind.VPN, HopKind.DIRECT_CONNECT}, 1500), ({HopKind.TRANSIT_GATEWAY}, 8500))
"""Largest packets, smallest first (VPN and transit gateway guides, "MTU"); a virtual interface may allow more."""


def remark(client: Endpoint, forward: Trail, reply: Trail) -> Iterator[Finding]:
    """The remarks on the two directions."""
    yield from _asymmetry(forward, reply)
    yield from _packet_size(forward, reply)
    if client.subnet is None:
        yield make(
            Code.ONPREM_UNVERIFIABLE,
            Direction.BOTH,
            f"routers and firewalls on the side of {client.name} are not in any AWS answer: only a probe can tell.",
            evidence=(client.name,),
            fix=_PROBE,
        )


def _asymmetry(forward: Trail, reply: Trail) -> Iterator[Finding]:
    """Two directions by different ways are legal, but a stateful appliance that sees one of them drops it."""
    if forward.via == reply.via or forward.blocked or reply.blocked:
        return
    ways = [", ".join(sorted(trail.via)) or "the VPC itself" for trail in (forward, reply)]
    found = make(
        Code.ASYMMETRIC_PATH,
        Direction.BOTH,
        f"requests go by {ways[0]} and replies by {ways[1]}.",
        evidence=tuple(sorted(forward.via ^ reply.via)),
        fix=_PROBE,
    )
    appliance = any(station.kind is HopKind.APPLIANCE for trail in (forward, reply) for station in trail.stations)
    yield replace(found, severity=Severity.DEGRADED) if appliance else found


def _packet_size(forward: Trail, reply: Trail) -> Iterator[Finding]:
    """Where a hop takes smaller packets than the ends send, TCP connects and the TLS handshake may hang."""
    kinds = {station.kind for trail in (forward, reply) for station in trail.stations}
    for smaller, size in _MTUS:
        if kinds & smaller:
            yield make(
                Code.MTU_RISK,
                Direction.BOTH,
                f"the path takes packets of {size} bytes at most: if ICMP is filtered, TCP connects and TLS hangs.",
                evidence=tuple(sorted(forward.via | reply.via)),
                fix=_PROBE,
            )
            return


_PROBE = "hsmctl net probe"
