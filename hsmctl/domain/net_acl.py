"""Network ACLs: which ports a subnet's ACL lets pass, and what a packet meets where it crosses a subnet's border.

An ACL is stateless, so a connection asks it four times: the request on the HSM's port, the reply on every port the
client may have chosen. It is therefore evaluated over a span of ports, never over one. Source: VPC user guide,
"Network ACL rules".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hsmctl.domain.net_cidr import Address, Cidr
from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Direction, Finding, aws, make
from hsmctl.domain.net_row import Row, malformed

Span = tuple[int, int]
"""The first and the last port."""

LAST_RULE = 32767
"""The number of the rule nobody can remove: deny everything."""

_CODES = {
    (Direction.FORWARD, True): Code.NACL_FWD_EGRESS_DENY,
    (Direction.FORWARD, False): Code.NACL_FWD_INGRESS_DENY,
    (Direction.RETURN, True): Code.NACL_RET_EGRESS_DENY,
    (Direction.RETURN, False): Code.NACL_RET_INGRESS_DENY,
}
_EPHEMERAL = {"linux": (32768, 60999), "windows": (49152, 65535)}
_ANY_TCP = frozenset({"-1", "6", "tcp", "all"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A rule of an ACL that can match TCP."""

    number: int
    egress: bool
    allow: bool
    cidr: Cidr
    ports: Span


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Acl:
    """A network ACL: its subnets and its rules in the order AWS tries them; equal to itself alone."""

    id: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    egress: tuple[Entry, ...]
    ingress: tuple[Entry, ...]

    @classmethod
    def read(cls, row: Row) -> Acl:
        """The ACL of a DescribeNetworkAcls row."""
        found = [entry for entry in map(_read_entry, row.need_rows("Entries")) if entry is not None]
        entries = sorted(found, key=lambda entry: entry.number)
        return cls(
            id=row.need("NetworkAclId"),
            vpc_id=row.text("VpcId"),
            subnet_ids=tuple(association.text("SubnetId") for association in row.rows("Associations")),
            egress=tuple(entry for entry in entries if entry.egress),
            ingress=tuple(entry for entry in entries if not entry.egress),
        )


@dataclass(frozen=True, slots=True)
class Passage:
    """What an ACL does with a span of ports."""

    allowed: tuple[Span, ...]
    denied_by: int
    """The number of the rule that denies most of what is denied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A packet at the border of a subnet, or of one of several subnets the transit gateway may use."""

    places: tuple[tuple[str, Acl], ...]
    """Subnet id and its ACL."""
    egress: bool
    remote: Address
    """The far address: the destination on the way out, the source on the way in."""


def ephemeral_ports(platform: str) -> Span:
    """The ports a client may send from: its kernel's default, or everything unprivileged where the kernel is not known.

    Sources: net.ipv4.ip_local_port_range (Linux), netsh dynamicport (Windows); VPC user guide, "Ephemeral ports".
    """
    return _EPHEMERAL.get(platform, (1024, 65535))


@lru_cache(maxsize=16384)
def passage(acl: Acl, *, egress: bool, remote: Address, span: Span) -> Passage:
    """The ports of the span the ACL lets pass; each port is decided by the first rule that names it, else denied.

    Remembered, because a matrix asks the same of an HSM's subnet for every client and of a client's for every HSM.
    """
    remaining: tuple[Span, ...] = (span,)
    allowed: list[Span] = []
    denied: dict[int, int] = {}
    for entry in acl.egress if egress else acl.ingress:
        if not entry.cidr.holds(remote):
            continue
        taken = intersect(remaining, entry.ports)
        if not taken:
            continue
        remaining = subtract(remaining, entry.ports)
        if entry.allow:
            allowed.extend(taken)
        else:
            denied[entry.number] = width(taken)
        if not remaining:
            break
    denied.setdefault(LAST_RULE, width(remaining))
    return Passage(union(allowed), max(denied, key=denied.__getitem__))


def judge_crossing(crossing: Crossing, span: Span, direction: Direction) -> Finding | None:
    """What the ACL has against the span: nothing, some of it, or all of it.

    Of several subnets a transit gateway may use, all must deny to block (its guide, "How network ACLs work").
    """
    passages = [passage(acl, egress=crossing.egress, remote=crossing.remote, span=span) for _, acl in crossing.places]
    whole = width((span,))
    widths = [width(found.allowed) for found in passages]
    if all(found == whole for found in widths):
        return None
    if all(found == 0 for found in widths):
        return _denied(crossing, passages[0], span, direction)
    if any(found == 0 for found in widths):
        return _some_subnets_deny(crossing, widths, span, direction)
    worst = widths.index(min(widths))
    return _partly_denied(crossing, worst, passages[worst], span, direction)


def intersect(spans: Iterable[Span], other: Span) -> tuple[Span, ...]:
    """The ports that are in the spans and in the other one."""
    low, high = other
    return tuple((max(a, low), min(b, high)) for a, b in spans if max(a, low) <= min(b, high))


def subtract(spans: Iterable[Span], other: Span) -> tuple[Span, ...]:
    """The ports that are in the spans and not in the other one."""
    low, high = other
    pieces = [piece for a, b in spans for piece in ((a, min(b, low - 1)), (max(a, high + 1), b))]
    return tuple((a, b) for a, b in pieces if a <= b)


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same ports as few spans, in order."""
    merged: list[Span] = []
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def width(spans: Iterable[Span]) -> int:
    """How many ports disjoint spans hold."""
    return sum(high - low + 1 for low, high in spans)


def words(spans: Sequence[Span]) -> str:
    """Spans as people write them: 2223, 2224-2225."""
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def _read_entry(row: Row) -> Entry | None:
    """The rule, or None where it speaks of another protocol than TCP."""
    if row.need("Protocol").lower() not in _ANY_TCP:
        return None
    number, egress = row.number("RuleNumber"), row.flag("Egress")
    cidr = row.cidr("CidrBlock") or row.cidr("Ipv6CidrBlock")
    action = row.need("RuleAction").lower()
    if number is None or egress is None or cidr is None or action not in ("allow", "deny"):
        raise malformed(row.place, "it needs RuleNumber, Egress, RuleAction and one CIDR block")
    return Entry(number=number, egress=egress, allow=action == "allow", cidr=cidr, ports=_ports(row))


def _ports(row: Row) -> Span:
    if row.text("Protocol").lower() in ("-1", "all"):
        return (0, 65535)
    low, high = row.row("PortRange").number("From"), row.row("PortRange").number("To")
    if low is None or high is None:
        raise malformed(row.place, "a TCP rule needs PortRange.From and .To")
    return (low, high)


def _denied(crossing: Crossing, found: Passage, span: Span, direction: Direction) -> Finding:
    subnet_id, acl = crossing.places[0]
    what = "the reply is dropped: " if direction is Direction.RETURN else ""
    way = "out of" if crossing.egress else "into"
    return make(
        _CODES[direction, crossing.egress],
        direction,
        f"{what}rule {_rule(found.denied_by)} of {acl.id} denies tcp/{words((span,))} {way} {subnet_id}"
        f" {'to' if crossing.egress else 'from'} {crossing.remote}.",
        evidence=(acl.id, f"{acl.id}#{_rule(found.denied_by)}", *(place for place, _ in crossing.places)),
        fix=_allow(acl, found.denied_by, crossing, span),
    )


def _partly_denied(crossing: Crossing, place: int, found: Passage, span: Span, direction: Direction) -> Finding:
    subnet_id, acl = crossing.places[place]
    share = 100 * width(found.allowed) / width((span,))
    return make(
        Code.NACL_EPHEMERAL_PARTIAL,
        direction,
        f"only {share:.0f}% of the reply ports {words((span,))} pass {acl.id} at {subnet_id}"
        f" ({words(found.allowed)}): some connections hang, others work.",
        evidence=(acl.id, f"{acl.id}#{_rule(found.denied_by)}", subnet_id),
        fix=_allow(acl, found.denied_by, crossing, span),
    )


def _some_subnets_deny(crossing: Crossing, widths: Sequence[int], span: Span, direction: Direction) -> Finding:
    denying = [place for place, passed in zip(crossing.places, widths, strict=True) if not passed]
    acl = denying[0][1]
    return make(
        Code.NACL_SOME_TGW_SUBNETS_DENY,
        direction,
        f"{len(denying)} of {len(crossing.places)} subnets the transit gateway may use deny tcp/{words((span,))}:"
        f" {', '.join(subnet_id for subnet_id, _ in denying)}.",
        evidence=(*(subnet_id for subnet_id, _ in denying), *sorted({acl.id for _, acl in denying})),
        fix=_allow(acl, LAST_RULE, crossing, span),
    )


def _allow(acl: Acl, denied_by: int, crossing: Crossing, span: Span) -> str:
    """The rule that would let the span pass, put before the one that denies it."""
    taken = {entry.number for entry in (acl.egress if crossing.egress else acl.ingress)}
    number = next((n for n in range(min(denied_by, LAST_RULE) - 1, 0, -1) if n not in taken), 1)
    family = "--cidr-block" if crossing.remote.family == 4 else "--ipv6-cidr-block"
    return aws(
        *("ec2", "create-network-acl-entry", "--network-acl-id", acl.id),
        "--egress" if crossing.egress else "--ingress",
        *("--rule-number", str(number), "--protocol", "tcp", "--rule-action", "allow"),
        *("--port-range", f"From={span[0]},To={span[1]}", family, str(crossing.remote.host)),
    )


def _rule(number: int) -> str:
    return "*" if number >= LAST_RULE else str(number)
