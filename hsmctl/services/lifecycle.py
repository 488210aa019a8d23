"""How each step of a cluster's life is run: the call it makes, what it waits for and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from hsmctl.domain.cluster import Cluster, ClusterState
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Step
from hsmctl.errors import Conflict
from hsmctl.ports import Clock, ControlPlane
from hsmctl.services.operation import Runner
from hsmctl.services.wait import Wait, until

_LIMIT = timedelta(hours=1)
_DEAD_ENDS = frozenset({ClusterState.DELETE_IN_PROGRESS, ClusterState.DELETED, ClusterState.DEGRADED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """Runs the steps of cluster plans."""

    clock: Clock
    plane: ControlPlane
    every: float
    """Seconds between two looks while waiting."""

    def cluster(self, cluster_id: str) -> Cluster:
        """The cluster as it is now.

        Raises:
            Conflict: there is none with this id in this region and account.
        """
        found = self.plane.clusters([cluster_id])
        if not found:
            raise Conflict(f"{cluster_id} not found", f"no such cluster in {self.plane.region}", "hsmctl cluster list")
        return found[0]

    def runners(self) -> Mapping[Action, Runner]:
        """The runner of each action this service knows."""
        return {
            Action.CREATE_CLUSTER: Runner(self._create_cluster, self._created_cluster, self._known_clusters),
            Action.WAIT_CLUSTER: Runner(self._wait_cluster),
        }

    def _create_cluster(self, step: Step, _: Found) -> Wait[Found]:
        yield "calling CreateCluster"
        inputs = step.inputs
        cluster = self.plane.create_cluster(
            hsm_type=inputs["hsm_type"],
            mode=inputs["mode"],
            subnets=inputs["subnets"].split(),
            tags={name[4:]: value for name, value in inputs.items() if name.startswith("tag:")},
        )
        return {"cluster_id": cluster.cluster_id}

    def _known_clusters(self, _: Step, __: Found) -> Found:
        return {"known_clusters": " ".join(cluster.cluster_id for cluster in self.plane.clusters())}

    def _created_cluster(self, step: Step, found: Found) -> Found | None:
        """The cluster that CreateCluster made although its answer was lost: new, and as it was asked for.

        Raises:
            Conflict: more than one could be it.
        """
        known, inputs = found.get("known_clusters", "").split(), step.inputs
        made = [
            cluster.cluster_id
            for cluster in self.plane.clusters()
            if cluster.cluster_id not in known
            and cluster.hsm_type == inputs["hsm_type"]
            and set(cluster.subnets.values()) == set(inputs["subnets"].split())
        ]
        if len(made) > 1:
            raise Conflict("more than one new cluster", ", ".join(made), "abandon the operation: hsmctl operation list")
        return {"cluster_id": made[0]} if made else None

    def _wait_cluster(self, step: Step, found: Found) -> Wait[Found]:
        wanted = ClusterState(step.inputs["state"])
        yield from until(
            lambda: self._alive(found["cluster_id"]),
            lambda cluster: cluster.state is wanted,
            lambda cluster: f"{cluster.cluster_id} is {cluster.state}",
            clock=self.clock,
            every=self.every,
            limit=_LIMIT,
        )
        return {}

    def _alive(self, cluster_id: str) -> Cluster:
        """The cluster, unless it has reached a state that nothing good follows."""
        cluster = self.cluster(cluster_id)
        if cluster.state in _DEAD_ENDS:
            why = cluster.message or "the service gave no reason"
            raise Conflict(f"{cluster_id} is {cluster.state}", why, f"hsmctl cluster show {cluster_id}")
        return cluster
