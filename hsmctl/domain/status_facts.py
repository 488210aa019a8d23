"""What is found out about a cluster before anybody judges how it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hsmctl.domain.cluster import Backup, Cluster
from hsmctl.domain.coverage_verdict import CoverageReport
from hsmctl.domain.evidence import Outcome
from hsmctl.domain.hold import Hold
from hsmctl.domain.interlock import KeyStore, Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A certificate and until when it is good."""

    what: str
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LastCheck:
    """The last comparison of keys that was made from this machine."""

    at: datetime
    verdict: str
    says: str
    well: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What AWS's configuration says of the ways from the context's clients."""

    verdicts: Mapping[str, str]
    """By client, the worst of its ways: reachable, degraded, unknown or blocked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that was found out about one cluster; None is what was not asked."""

    cluster: Cluster
    at: datetime
    unhealthy: Outcome[Samples] | None = None
    sessions: Outcome[Samples] | None = None
    coverage: Outcome[CoverageReport] | None = None
    last_check: Outcome[LastCheck | None] | None = None
    stores: Outcome[Sequence[KeyStore]] | None = None
    backups: Outcome[Sequence[Backup]] | None = None
    papers: Outcome[Sequence[Paper]] | None = None
    reach: Outcome[Reach] | None = None
    hold: Outcome[Hold | None] | None = None
    open_operations: Outcome[Sequence[str]] | None = None
