"""How the clusters of a region stand: every source asked at once about every cluster, a dead one hides none.

Nothing is changed, no key is used, nobody knocks at an HSM and nobody logs in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hsmctl.domain.cluster import Cluster, ClusterState, called, is_id
from hsmctl.domain.coverage import Source
from hsmctl.domain.evidence import Failed, Outcome
from hsmctl.domain.operation import Operation, OperationState
from hsmctl.domain.status import Standing, standing, worst_first
from hsmctl.domain.status_cluster import RUNNING
from hsmctl.domain.status_facts import Facts, LastCheck, Paper, Reach
from hsmctl.errors import Conflict, HsmctlError
from hsmctl.ports import Clock, ControlPlane, Identity
from hsmctl.ports_ceremony import Papers
from hsmctl.ports_hold import Holds
from hsmctl.ports_interlock import KeyStores, Metrics
from hsmctl.ports_sync import History
from hsmctl.services.evidence import EvidenceService
from hsmctl.services.fanout import each, within
from hsmctl.services.interlock import UNHEALTHY

OLDEST_BACKUP = timedelta(hours=26)
"""How old the newest backup may be: they are taken at least every 24 hours (user guide, backups)."""

_SPAN = timedelta(minutes=15)
"""How far back a metric's value may be; HSMs publish one a minute, with minutes of delay."""
_REMEMBERED = timedelta(hours=24)
"""How old the last comparison of keys may be to be told."""
_SESSIONS = "HsmSessionCount"
_PAPERS = ("cluster", "hsm", "aws_hardware", "manufacturer_hardware")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWish:
    """What is asked."""

    ids: Sequence[str] = ()
    """Clusters; without any those of the context."""
    oldest_backup: timedelta = OLDEST_BACKUP
    host: bool = False
    """Whether a client host is asked for users and policies too."""
    reach: bool = True
    """Whether the network's configuration is read, where the context has clients."""
    seconds: float = 20.0
    """How long everything may take; what is silent then is unknown."""


@dataclass(frozen=True, slots=True)
class _Ask:
    """One question about one cluster."""

    cluster_id: str
    field: str
    """The fact it answers."""
    ask: Callable[[], Any]

    def __str__(self) -> str:
        return f"{self.field} of {self.cluster_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusService:
    """The clusters of one region of a context."""

    clock: Clock
    plane: ControlPlane
    identity: Identity
    wanted: Sequence[str]
    """The context's clusters; none named means all."""
    metrics: Metrics
    key_stores: KeyStores
    holds: Holds
    papers: Papers
    customer_ca: Callable[[], str | None]
    """The customer CA's certificate, where the context has it."""
    history: History
    operations: Callable[[], tuple[Operation, ...]]
    busy: Callable[[Operation], bool]
    """Whether a process of this machine is at an operation."""
    evidence: EvidenceService
    reach: Callable[[Cluster], Reach] | None
    """Explains the ways from the context's clients; None where it has none."""

    def look(self, wish: StatusWish) -> tuple[Standing, ...]:
        """Every cluster with how it stands, worst first.

        Raises:
            Denied: IAM does not allow cloudhsm:DescribeClusters, or we are of another account than the context.
            Unreachable: CloudHSM did not answer in time.
            Conflict: a cluster that was named is not there.
        """
        deadline = self.clock.monotonic() + wish.seconds
        clusters = within(lambda: self._clusters(wish.ids), "CloudHSM", clock=self.clock, deadline=deadline)
        now = self.clock.now()
        told: dict[str, dict[str, Any]] = {cluster.cluster_id: {} for cluster in clusters}
        asks = [ask for cluster in clusters for ask in self._asks(cluster, wish)]
        asks.append(_Ask("", "stores", self.key_stores.all))
        everywhere: dict[str, Any] = {}
        for ask, outcome in each(asks, lambda ask: ask.ask(), clock=self.clock, deadline=deadline):
            told.get(ask.cluster_id, everywhere)[ask.field] = outcome
        known = (Facts(cluster=one, at=now, **everywhere, **told[one.cluster_id]) for one in clusters)
        return worst_first([standing(facts, wish.oldest_backup) for facts in known])

    def _clusters(self, ids: Sequence[str]) -> list[Cluster]:
        self.identity.caller()  # a verdict about another account's clusters would be none
        if not all(map(is_id, ids)):
            known = self.plane.clusters()
            ids = [called(each, known).cluster_id for each in ids]
        found = [
            each for each in self.plane.clusters(ids or self.wanted) if each.state is not ClusterState.DELETED or ids
        ]
        missing = set(ids or self.wanted) - {each.cluster_id for each in found}
        if missing:
            region = self.plane.region
            raise Conflict(f"{', '.join(sorted(missing))} not found", f"not in {region}", "hsmctl cluster list")
        return found

    def _asks(self, cluster: Cluster, wish: StatusWish) -> Iterator[_Ask]:
        name = cluster.cluster_id
        active = [hsm.hsm_id for hsm in cluster.active_hsms]
        yield _Ask(name, "backups", lambda: self.plane.backups(name))
        yield _Ask(name, "papers", lambda: tuple(self._papers(cluster)))
        yield _Ask(name, "hold", lambda: self.holds.of(name))
        yield _Ask(name, "open_operations", lambda: self._cut_off(name))
        yield _Ask(name, "last_check", lambda: self._last_check(name))
        if active:
            yield _Ask(name, "unhealthy", lambda: self.metrics.samples(name, active, UNHEALTHY, _SPAN))
        if active and cluster.state in RUNNING:
            levels = frozenset({Source.CONTROL, *([Source.HOST] if wish.host else [])})
            yield _Ask(name, "coverage", lambda: self.evidence.check(cluster, levels))
            yield _Ask(name, "sessions", lambda: self.metrics.samples(name, active, _SESSIONS, _SPAN))
        reach = self.reach
        if wish.reach and reach is not None and cluster.hsms:
            yield _Ask(name, "reach", lambda: reach(cluster))

    def _papers(self, cluster: Cluster) -> Iterator[Paper]:
        """Each certificate of the cluster, and the customer CA's."""
        texts = {name.replace("_", " "): getattr(cluster.certificates, name) for name in _PAPERS}
        texts["customer CA"] = self.customer_ca() if cluster.certificates.cluster else None
        for what, text in texts.items():
            if text:
                yield Paper(what=what, expires=self.papers.describe(text).expires)

    def _cut_off(self, cluster_id: str) -> tuple[str, ...]:
        """The operations on the cluster that are open and that nobody is at."""
        mine = [each for each in self.operations() if each.target == cluster_id]
        return tuple(each.operation_id for each in mine if each.state is OperationState.OPEN and not self.busy(each))

    def _last_check(self, cluster_id: str) -> LastCheck | None:
        checks = self.history.checks(cluster_id, self.clock.now() - _REMEMBERED)
        if not checks:
            return None
        last = checks[-1]
        return LastCheck(at=last.at, verdict=last.verdict, says=last.says, well=last.well)


@dataclass(frozen=True, slots=True)
class Region:
    """A region of a context, and how its clusters are looked at."""

    context: str
    name: str
    look: Callable[[], tuple[Standing, ...]]

    def __str__(self) -> str:
        return f"{self.context}/{self.name}" if self.context else self.name


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What one region answered."""

    region: Region
    outcome: Outcome[tuple[Standing, ...]]

    @property
    def error(self) -> HsmctlError | None:
        """Why nothing is known of it."""
        return self.outcome.error if isinstance(self.outcome, Failed) else None


def survey(regions: Sequence[Region], clock: Clock, seconds: float) -> tuple[Surveyed, ...]:
    """Every region with how its clusters stand, in the order given; one that is silent hides none of the others."""
    deadline = clock.monotonic() + seconds
    told = {
        id(region): outcome
        for region, outcome in each(regions, lambda region: region.look(), clock=clock, deadline=deadline)
    }
    return tuple(Surveyed(region, told[id(region)]) for region in regions)
