"""What the screens know about the estate at one moment, with its age; replaced as a whole, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from hsmctl.errors import Denied, HsmctlError
from hsmctl.mark import Mark

if TYPE_CHECKING:
    from hsmctl.domain.cluster import Cluster
    from hsmctl.domain.coverage_verdict import CoverageReport
    from hsmctl.domain.status import Standing
    from hsmctl.domain.sync import Reading, Replica, Report
    from hsmctl.domain.sync_history import Past
    from hsmctl.ports_hold import Hold

    from .judgement import Judgement
    from .running import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something an operator should look at."""

    mark: Mark
    brief: str
    """In two or three words."""
    text: str
    """In a sentence that names the thing and its cause."""
    noun: str = "cluster"
    """The place that shows it."""
    cluster: Cluster | None = None
    error: HsmctlError | None = None
    """The error behind it, told whole on demand."""
    where: str = ""
    """The context and region it is about, where several are looked at; empty where it is a cluster's."""

    @property
    def identity(self) -> tuple[str, str]:
        """What makes two problems the same across refreshes."""
        return self.cluster.cluster_id if self.cluster else "", self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The comparison of one cluster's replicas: the last one, and the one that is running."""

    replicas: tuple[Replica, ...] = ()
    judgement: Judgement | None = None
    coverage: CoverageReport | None = None
    """What the cluster says about itself, where its replicas cannot be asked one by one."""
    found: tuple[Problem, ...] = ()
    """What that amounts to."""
    past: tuple[Past, ...] = ()
    """The checks of the same replicas that this machine remembers, oldest first, this one among them."""
    at: datetime | None = None
    """When every replica had last been read."""
    awaited: frozenset[str] = frozenset()
    """The replicas that have not answered yet."""
    running: bool = False
    error: HsmctlError | None = None
    """Why there was no comparison, the last time."""
    ended: datetime | None = None
    """When the last attempt ended."""

    @property
    def report(self) -> Report | None:
        """The report, as soon as there is one."""
        return self.judgement.report if self.judgement else None

    @property
    def whole(self) -> bool:
        """Whether the report covers every replica."""
        if self.report is None:
            return self.coverage is not None
        return len(self.report.readings) == len(self.replicas)

    @property
    def denied(self) -> bool:
        """Whether somebody refused us, so that nothing may try again by itself: five wrong PINs lock a user."""
        readings = self.report.readings if self.report else ()
        return isinstance(self.error, Denied) or any(map(_refused, readings))

    def reading(self, name: str) -> Reading | None:
        """What the replica of this name answered."""
        readings = self.report.readings if self.report else ()
        return next((reading for reading in readings if reading.replica.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """Everything known."""

    account: str
    region: str
    clusters: tuple[Cluster, ...] | None = None
    """None until the first answer."""
    read_at: datetime | None = None
    reading: bool = False
    error: HsmctlError | None = None
    """Why the last question to AWS failed."""
    checks: Mapping[str, Check] = field(default_factory=dict)
    """By cluster id."""
    holds: Mapping[str, Hold] = field(default_factory=dict)
    """By cluster id: where nothing may be removed, by somebody's word."""
    unheld: HsmctlError | None = None
    """Why holds could not be read, which is no permission."""
    standings: Mapping[str, Standing] = field(default_factory=dict)
    """By cluster id: what `hsmctl status` finds about backups, key stores, users, reach, certificates and limits."""
    stood_at: datetime | None = None
    """When that was asked."""
    unstanding: HsmctlError | None = None
    """Why it could not be asked, the last time."""
    unread: tuple[Problem, ...] = ()
    """Of several places that are looked at together, those that could not be read."""
    runs: tuple[Run, ...] = ()
    """The changes this session has started, oldest first."""

    @property
    def answered(self) -> bool:
        """Whether anything is known, if only that something is not."""
        return self.clusters is not None or bool(self.error or self.unheld or self.unstanding or self.unread)

    def check(self, cluster: Cluster) -> Check:
        """The check of a cluster, an empty one if there was none."""
        return self.checks.get(cluster.cluster_id, Check())

    def cluster(self, name: str) -> Cluster | None:
        """The cluster with this id or Name tag."""
        known = (cluster for cluster in self.clusters or () if name in (cluster.cluster_id, cluster.tags.get("Name")))
        return next(known, None)


def _refused(reading: Reading) -> bool:
    from hsmctl.domain.evidence import Failed

    return isinstance(reading.outcome, Failed) and isinstance(reading.outcome.error, Denied)
