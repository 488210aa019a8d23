"""What the screens know about the estate at one moment, with its age; replaced as a whole, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from hsmctl.domain.cluster import Cluster
    from hsmctl.domain.status import Standing
    from hsmctl.errors import HsmctlError
    from hsmctl.ports_hold import Hold

    from .check import Check
    from .problem import Problem
    from .running import Run

_NONE: Mapping[str, Any] = MappingProxyType({})


class Estate(NamedTuple):
    """Everything known."""

    account: str
    region: str
    clusters: tuple[Cluster, ...] | None = None
    """None until the first answer."""
    read_at: datetime | None = None
    reading: bool = False
    error: HsmctlError | None = None
    """Why the last question to AWS failed."""
    checks: Mapping[str, Check] = _NONE
    """By cluster id."""
    holds: Mapping[str, Hold] = _NONE
    """By cluster id: where nothing may be removed, by somebody's word."""
    unheld: HsmctlError | None = None
    """Why holds could not be read, which is no permission."""
    standings: Mapping[str, Standing] = _NONE
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
        from .check import Check

        return self.checks.get(cluster.cluster_id, Check())

    def cluster(self, name: str) -> Cluster | None:
        """The cluster with this id or Name tag."""
        known = (cluster for cluster in self.clusters or () if name in (cluster.cluster_id, cluster.tags.get("Name")))
        return next(known, None)
