"""The HSMs' metrics inside moto's CloudWatch: measured when somebody asks, one value for each metric and minute.

Publishes what an hsm2m.medium publishes (user guide, hsm-metrics-cw) and no more. An HSM that does not answer has a
value for HsmUnhealthy alone: what was not seen is missing, not zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from hsmctl.domain.cluster import HsmState
from hsmctl.lab.cloudhsm_scene import Site
from hsmctl.lab.gap_ec2 import Clusters

NAMESPACE = "AWS/CloudHSM"
USERS_MAX = 1_024
"""The users an hsm2m.medium takes (user guide, limits)."""

_KEPT = timedelta(hours=3)
_ASKED_AT_ONCE = 8

Counts = Callable[[str], Mapping[str, Any] | None]
"""The number of an HSM's `objects` and `sessions`, its `users`; None where it does not answer."""


class MetricMirror:
    """A lab.motoservice.Preparation for CloudWatch."""

    def __init__(self, site: Site, clusters: Clusters, counts: Counts, clock: Callable[[], float]) -> None:
        self._site = site
        self._clusters = clusters
        self._counts = counts
        self._clock = clock

    def __call__(self, region: str) -> None:
        """Measure every HSM of the home region; the values replace those of the same minute."""
        if region != self._site.region:
            return
        from moto.cloudwatch.models import cloudwatch_backends

        backend = cloudwatch_backends[self._site.account_id][region]
        minute = _minute(self._clock())
        oldest = minute - _KEPT
        backend.metric_data[:] = [
            datum for datum in backend.metric_data if datum.namespace != NAMESPACE or oldest < datum.timestamp < minute
        ]
        backend.put_metric_data(NAMESPACE, self._measured(minute))

    def _measured(self, minute: datetime) -> list[dict[str, Any]]:
        """Each value of each HSM, at the three levels CloudHSM groups them by."""
        hsms = [
            (cluster.cluster_id, hsm.hsm_id)
            for cluster in self._clusters()
            for hsm in cluster.hsms.values()
            if hsm.state in (HsmState.ACTIVE, HsmState.DEGRADED)
        ]
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
            counts = list(pool.map(self._counts, (hsm_id for _, hsm_id in hsms)))
        return [
            {"MetricName": name, "Dimensions": dimensions, "Timestamp": minute, "Value": value, "Unit": "Count"}
            for (cluster_id, hsm_id), count in zip(hsms, counts, strict=True)
            for name, value in _values(count).items()
            for dimensions in _levels(self._site.region, cluster_id, hsm_id)
        ]


def _values(counts: Mapping[str, Any] | None) -> Mapping[str, float]:
    """An HSM's metrics; the lab's HSMs make token keys only."""
    if counts is None:
        return {"HsmUnhealthy": 1.0}
    return {
        "HsmUnhealthy": 0.0,
        "HsmKeysTokenOccupied": float(counts["objects"]),
        "HsmKeysSessionOccupied": 0.0,
        "HsmSessionCount": float(counts["sessions"]),
        "HsmUsersAvailable": float(USERS_MAX - len(counts["users"])),
    }


def _levels(region: str, cluster_id: str, hsm_id: str) -> list[list[dict[str, str]]]:
    """The dimensions of one value."""
    cluster = {"Name": "ClusterId", "Value": cluster_id}
    return [[cluster, {"Name": "HsmId", "Value": hsm_id}], [cluster], [{"Name": "Region", "Value": region}]]


def _minute(now: float) -> datetime:
    """The minute shown as the latest, in moto's naive UTC; one that begins this second is past the end of a query."""
    return datetime.fromtimestamp((now - 1) // 60 * 60, UTC).replace(tzinfo=None)
