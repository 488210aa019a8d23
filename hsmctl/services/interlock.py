"""Interlocks over the estate: reads what each is judged by, when a change is planned and again before each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from hsmctl.domain import interlock
from hsmctl.domain.cluster import Backup, Cluster
from hsmctl.domain.evidence import Failed, Ok, Outcome
from hsmctl.domain.interlock import Interlock, Leaving, Samples, leaving_of
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Precondition
from hsmctl.errors import Conflict, HsmctlError
from hsmctl.ports import Clock, ControlPlane
from hsmctl.ports_hold import Holds
from hsmctl.ports_interlock import CustomerCa, KeyStores, Metrics
from hsmctl.services.operation import Reader

T = TypeVar("T")

Waivers = Mapping[Interlock, str]
"""Interlocks that need not hold, each with the operator's reason."""

COUNTED = "HsmKeysTokenOccupied"
"""Token keys on an HSM (user guide, hsm-metrics-cw)."""
UNHEALTHY = "HsmUnhealthy"

_ALWAYS = (Interlock.SETTLED, Interlock.KEY_STORE, Interlock.SIZE, Interlock.ZONES)
_WITH_KEYS = (Interlock.COUNTS, Interlock.RICHEST)
_LAST = (Interlock.CUSTOMER_CA, Interlock.BACKUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interlocks:
    """Everything that stands between an operator and a removal."""

    clock: Clock
    plane: ControlPlane
    holds: Holds
    key_stores: KeyStores
    metrics: Metrics
    customer_ca: CustomerCa
    span: timedelta
    """How long the counts must have been equal."""

    def before_removal(self, cluster: Cluster, leaving: Leaving, waivers: Waivers) -> tuple[Precondition, ...]:
        """What must hold before an HSM is deleted, as it is seen now."""
        asked = [*_ALWAYS, *(_WITH_KEYS if interlock.has_keys(cluster) else ())]
        if interlock.has_keys(cluster) and not sum(leaving.left(cluster).values()):
            asked += _LAST
        samples = self._samples(cluster) if interlock.has_keys(cluster) else Ok({})
        return tuple(self._judged(key, cluster, leaving, samples, waivers) for key in asked)

    def before_all(
        self, cluster: Cluster, *keys: Interlock, waivers: Waivers, leaving: frozenset[str] = frozenset()
    ) -> tuple[Precondition, ...]:
        """These interlocks about the whole cluster, as it is seen now; what is `leaving` is not asked to be well."""
        nothing = Leaving(hsm_ids=leaving, keep={})
        wants = Interlock.COUNTS in keys
        samples: Outcome[Samples] = self._samples(cluster) if wants else Ok({})
        return tuple(self._judged(key, cluster, nothing, samples, waivers) for key in keys)

    def readers(self) -> Mapping[str, Reader]:
        """Reads each interlock again for a step that is about to begin."""
        return {str(key): self._read for key in Interlock}

    def counts(self, cluster: Cluster) -> Precondition:
        """Whether all ACTIVE HSMs have held equally many token keys for a while."""
        active = [hsm.hsm_id for hsm in cluster.active_hsms]
        return interlock.equal_counts(active, self._samples(cluster), self.span)

    def last_counts(self, cluster: Cluster) -> Mapping[str, float]:
        """The last count of token keys of each HSM that CloudWatch has one of; nothing where it cannot be read."""
        samples = self._samples(cluster)
        known = samples.value if isinstance(samples, Ok) else {}
        return {name: values[-1].value for name, values in known.items() if values}

    def _read(self, precondition: Precondition, found: Found) -> Precondition:
        """The precondition as it is now."""
        clusters = self.plane.clusters([found["cluster_id"]])
        if not clusters:
            raise Conflict(
                f"{found['cluster_id']} not found", "it was there when this was planned", "hsmctl cluster list"
            )
        key, leaving = Interlock(precondition.key), leaving_of(precondition.inputs)
        wants = key in _WITH_KEYS
        samples: Outcome[Samples] = self._samples(clusters[0]) if wants else Ok({})
        now = self._judged(key, clusters[0], leaving, samples, {})
        return now.waived_by(precondition.waived)

    def _judged(
        self, key: Interlock, cluster: Cluster, leaving: Leaving, samples: Outcome[Samples], waivers: Waivers
    ) -> Precondition:
        judges: Mapping[Interlock, Callable[[], Precondition]] = {
            Interlock.SETTLED: lambda: interlock.settled(cluster),
            Interlock.HOLD: lambda: interlock.no_hold(
                cluster.cluster_id, _outcome(lambda: self.holds.of(cluster.cluster_id))
            ),
            Interlock.KEY_STORE: lambda: interlock.no_key_store(cluster, leaving, _outcome(self.key_stores.all)),
            Interlock.COUNTS: lambda: interlock.equal_counts(
                [hsm.hsm_id for hsm in cluster.active_hsms], samples, self.span
            ),
            Interlock.RICHEST: lambda: interlock.not_richest(cluster, leaving, samples),
            Interlock.SIZE: lambda: interlock.enough_left(cluster, leaving),
            Interlock.ZONES: lambda: interlock.zones_left(cluster, leaving),
            Interlock.BACKUP: lambda: interlock.recent_backup(cluster, self._backups(cluster), self.clock.now()),
            Interlock.RESTORABLE: lambda: interlock.restorable(cluster, self._backups(cluster)),
            Interlock.CUSTOMER_CA: lambda: interlock.ca_located(_outcome(lambda: self.customer_ca.located(cluster))),
            Interlock.HEALTHY: lambda: interlock.healthy(cluster, leaving, self._unhealthy(cluster)),
        }
        return judges[key]().waived_by(waivers.get(key, ""))

    def _samples(self, cluster: Cluster) -> Outcome[Samples]:
        return self._metric(cluster, COUNTED)

    def _metric(self, cluster: Cluster, name: str) -> Outcome[Samples]:
        ids = [hsm.hsm_id for hsm in cluster.hsms]
        if not ids:
            return Ok({})
        return _outcome(lambda: self.metrics.samples(cluster.cluster_id, ids, name, self.span))

    def _unhealthy(self, cluster: Cluster) -> Outcome[frozenset[str]]:
        samples = self._metric(cluster, UNHEALTHY)
        if isinstance(samples, Failed):
            return samples
        return Ok(frozenset(name for name, values in samples.value.items() if values and values[-1].value > 0))

    def _backups(self, cluster: Cluster) -> Outcome[Sequence[Backup]]:
        return _outcome(lambda: self.plane.backups(cluster.cluster_id))


def _outcome(read: Callable[[], T]) -> Outcome[T]:
    """What was read, or why it could not be."""
    try:
        return Ok(read())
    except HsmctlError as error:
        return Failed(error)
