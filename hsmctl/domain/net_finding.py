"""What the evaluator says of a client and an HSM: the verdict, the findings behind it, and both paths hop by hop.

Values only. A finding weighs what its code weighs unless a rule weakens it, as a dead tunnel beside a healthy one.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hsmctl.domain.net_code import Code, Severity
from hsmctl.words import counted


class Verdict(StrEnum):
    """Whether a client can open a connection to an HSM, best first."""

    REACHABLE = "reachable"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"


WORST_FIRST = (Verdict.BLOCKED, Verdict.DEGRADED, Verdict.UNKNOWN, Verdict.REACHABLE)
"""As exit codes have it."""
_VERDICTS = {
    Severity.BLOCK: Verdict.BLOCKED,
    Severity.UNKNOWN: Verdict.UNKNOWN,
    Severity.DEGRADED: Verdict.DEGRADED,
}
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class Direction(StrEnum):
    """Which packets a finding concerns: the client's, the HSM's replies, or either."""

    FORWARD = "forward"
    RETURN = "return"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is the matter, with what proves it and the command that mends it."""

    code: Code
    severity: Severity
    direction: Direction
    sentence: str
    evidence: tuple[str, ...]
    """Ids of the resources that show it."""
    fix: str
    """A command; nothing runs it."""
    cause_of: Code | None = None
    """The finding this one explains."""
    action: str = ""
    """The IAM action that is missing, where that is the matter."""
    ranges: tuple[str, ...] = ()
    """Where the client is a range: the parts of it that this concerns."""

    @property
    def blocks(self) -> bool:
        """Whether this alone stops the connection."""
        return self.severity is Severity.BLOCK

    @property
    def decides(self) -> bool:
        """Whether it makes a verdict other than reachable."""
        return self.severity in (Severity.BLOCK, Severity.UNKNOWN, Severity.DEGRADED)


class HopKind(StrEnum):
    """What a hop is."""

    CLIENT = "client"
    HSM = "hsm"
    SECURITY_GROUP = "security_group"
    NETWORK_ACL = "network_acl"
    ROUTE_TABLE = "route_table"
    APPLIANCE = "appliance"
    PEERING = "peering"
    TRANSIT_GATEWAY = "transit_gateway"
    TRANSIT_GATEWAY_TABLE = "transit_gateway_table"
    VPN_GATEWAY = "vpn_gateway"
    VPN = "vpn"
    DIRECT_CONNECT = "direct_connect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A station of a path; its verdict speaks of this station only."""

    kind: HopKind
    id: str
    leads_to: str = ""
    """Where a route table sends the packet."""
    verdict: Verdict = Verdict.REACHABLE
    codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One direction, hop by hop from sender to receiver; what is behind a broken hop is judged as if that let pass."""

    direction: Direction
    hops: tuple[Hop, ...]

    @property
    def broken(self) -> int | None:
        """The index of the first hop that stops the packet, or None."""
        return next((index for index, hop in enumerate(self.hops) if hop.verdict is Verdict.BLOCKED), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The answer for one client, HSM, port and address family."""

    client: str
    hsm: str
    port: int
    family: int
    verdict: Verdict
    findings: tuple[Finding, ...]
    """Everything that was found: a cause before its consequence, else in walking order."""
    forward: Path
    reply: Path

    @property
    def primary(self) -> Finding | None:
        """The finding to name first: the first of those that made the verdict, or None where the HSM is reachable."""
        if self.verdict is Verdict.REACHABLE:
            return None
        return next(finding for finding in self.findings if _VERDICTS.get(finding.severity) is self.verdict)


def summary(verdicts: Sequence[str]) -> str:
    """`1 of 3 pairs blocked, 2 reachable`."""
    counts = Counter(map(str, verdicts))
    told = [f"{counts[verdict]:,} {verdict}" for verdict in WORST_FIRST if counts[verdict]]
    first, _, rest = told[0].partition(" ")
    return ", ".join([f"{first} of {counted(len(verdicts), 'pair')} {rest}", *told[1:]])


def make(
    code: Code,
    direction: Direction,
    sentence: str,
    *,
    evidence: Iterable[str],
    fix: str,
    cause_of: Code | None = None,
) -> Finding:
    """A finding of its code's own severity."""
    return Finding(
        code=code,
        severity=code.severity,
        direction=direction,
        sentence=sentence,
        evidence=tuple(evidence),
        fix=fix,
        cause_of=cause_of,
    )


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """The verdict these findings make together: blocked beats unknown beats degraded; warnings change nothing."""
    worst = min((finding.severity for finding in findings), key=_RANK.__getitem__, default=Severity.INFO)
    return _VERDICTS.get(worst, Verdict.REACHABLE)


def aws(*words: str) -> str:
    """An AWS CLI command, quoted for a shell: an id of a snapshot somebody sent may hold anything."""
    return shlex.join(("aws", *words))
