"""The trail of a packet: the stations it passes, what each has against it, and what becomes of the sender's identity.

A trail is walked once for a client and an HSM; only network ACLs depend on ports, so they are kept as crossings and
judged later, once for each port. Walking never stops at the first obstacle: what lies behind it is judged as if it
let packets pass, so that one look shows every blocker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hsmctl.domain.net_acl import Crossing, Span, judge_crossing
from hsmctl.domain.net_endpoint import Endpoint, Subnet
from hsmctl.domain.net_finding import Direction, Finding, Hop, HopKind, verdict_of
from hsmctl.domain.net_gap import gap
from hsmctl.domain.net_hybrid import Door, links_of
from hsmctl.domain.net_security_group import Identity
from hsmctl.domain.net_snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A packet's direction and its two ends."""

    direction: Direction
    source: Endpoint
    destination: Endpoint


Judged = tuple[Hop, tuple[Finding, ...]]
"""A hop and what it has against the packet."""


@dataclass(slots=True, kw_only=True)
class Station:
    """A place on the trail; with a crossing it is an ACL that still has to be asked about a port."""

    kind: HopKind
    id: str
    leads_to: str = ""
    findings: list[Finding] = field(default_factory=list)
    crossing: Crossing | None = None


class Trail:
    """One direction of one client and HSM, while it is walked and afterwards."""

    def __init__(self, snapshot: Snapshot, flow: Flow) -> None:
        self.snapshot = snapshot
        self.flow = flow
        self.stations: list[Station] = []
        self.identity = Identity()
        self.via: set[str] = set()
        """The gateways, peerings and appliances it runs through."""
        self.left: set[str] = set()
        """The subnets whose route tables have sent it on."""
        self.rewritten = False
        """Whether a NAT gateway changed the source address, so that nothing behind it can be judged by it."""
        self.door: Door | None = None

    @property
    def direction(self) -> Direction:
        """Whether these are the client's packets or the HSM's."""
        return self.flow.direction

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.to.address.family

    @property
    def to(self) -> Endpoint:
        """Where the packet wants to go."""
        return self.flow.destination

    def visit(self, kind: HopKind, identifier: str, leads_to: str = "", *, via: bool = False) -> None:
        """Come to the next station; `via` marks the ones by which two directions are compared."""
        self.stations.append(Station(kind=kind, id=identifier, leads_to=leads_to))
        if via:
            self.via.add(identifier)

    def find(self, *findings: Finding | None) -> None:
        """Note what is the matter at this station."""
        self.stations[-1].findings.extend(finding for finding in findings if finding is not None)

    def cross(self, subnets: Sequence[Subnet], *, egress: bool) -> None:
        """Pass the border of a subnet, or of whichever of several the packet will be in."""
        if self.rewritten:
            return
        acls = self.snapshot.acls
        places = tuple((subnet.id, acls[subnet.id]) for subnet in subnets if subnet.id in acls)
        self.visit(HopKind.NETWORK_ACL, "|".join(sorted({acl.id for _, acl in places})) or "network ACL")
        unread = [subnet.id for subnet in subnets if subnet.id not in acls]
        self.find(*(gap("NetworkAcls", f"the network ACL of {subnet_id}", self.direction) for subnet_id in unread))
        if places:
            remote = self.to if egress else self.flow.source
            self.stations[-1].crossing = Crossing(places=places, egress=egress, remote=remote.address)

    def lose_identity(self, identity: Identity) -> None:
        """Know about the sender's groups what this station leaves of it; what is lost stays lost."""
        if self.identity.ingress is True:
            self.identity = identity

    def use_links(self, door: Door) -> None:
        """Leave AWS, or enter it, over the links behind a door."""
        self.door = door
        ends = (self.flow.source, self.to)
        site, hsm = ends[::-1] if self.flow.source.vpc_id else ends
        links = links_of(self.snapshot, door, site, hsm)
        best = links.best
        self.visit(best.kind if best else HopKind.VPN, best.id if best else f"links of {door.gateway_id}")
        self.find(*links.weigh(self.direction))

    @property
    def findings(self) -> Iterator[Finding]:
        """Everything found so far, in walking order; not what ACLs say."""
        return (finding for station in self.stations for finding in station.findings)

    @property
    def blocked(self) -> bool:
        """Whether the way is blocked, whatever the port."""
        return any(finding.blocks for finding in self.findings)

    def judge(self, span: Span) -> Iterator[Judged]:
        """Each station as a hop, with what it has against this span of ports."""
        for station in self.stations:
            found = tuple(station.findings)
            if station.crossing is not None:
                denial = judge_crossing(station.crossing, span, self.direction)
                found += () if denial is None else (denial,)
            yield hop_of(station.kind, station.id, found, station.leads_to), found


def hop_of(kind: HopKind, identifier: str, findings: Sequence[Finding], leads_to: str = "") -> Hop:
    """The hop these findings make."""
    if not findings:
        return Hop(kind=kind, id=identifier, leads_to=leads_to)
    return Hop(
        kind=kind,
        id=identifier,
        leads_to=leads_to,
        verdict=verdict_of(findings),
        codes=tuple(finding.code for finding in findings),
    )
