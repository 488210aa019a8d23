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
from hsmctl.ports_cluster import ClusterEdits
from hsmctl.services.operation import Runner
from hsmctl.services.wait import Wait, until

_LIMIT = timedelta(hours=1)
_LEAVING = (ClusterState.DELETE_IN_PROGRESS, ClusterState.DELETED)
_DEAD_ENDS = frozenset({ClusterState.DELETE_IN_PROGRESS, ClusterState.DELETED, ClusterState.DEGRADED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """Runs the steps of cluster plans."""

    clock: Clock
    plane: ControlPlane
    edits: ClusterEdits
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
            Action.DELETE_CLUSTER: Runner(self._delete, self._deleted),
            Action.WAIT_DELETED: Runner(self._wait_deleted),
            Action.MODIFY_CLUSTER: Runner(self._modify, self._modified),
            # Tagging twice is tagging once.
            Action.TAG: Runner(self._tag, lambda *_: None),
            Action.UNTAG: Runner(self._untag, lambda *_: None),
        }

    def _create_cluster(self, step: Step, _: Found) -> Wait[Found]:
        yield "calling CreateCluster"
        inputs = step.inputs
        cluster = self.plane.create_cluster(
            hsm_type=inputs["hsm_type"],
            mode=inputs["mode"],
            subnets=inputs["subnets"].split(),
            tags={name[4:]: value for name, value in inputs.items() if name.startswith("tag:")},
            network_type=inputs.get("network_type", ""),
            source_backup=inputs.get("source_backup", ""),
            retention_days=int(inputs["retention_days"]) if "retention_days" in inputs else None,
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
        """Wait for one of the step's states, and where it names an HSM type for that too."""
        wanted = {ClusterState(state) for state in step.inputs["state"].split()}
        hsm_type = step.inputs.get("hsm_type", "")
        yield from until(
            lambda: self._alive(found["cluster_id"]),
            lambda cluster: cluster.state in wanted and hsm_type in ("", cluster.hsm_type),
            lambda cluster: f"{cluster.cluster_id} is {cluster.state}" + _migrated(cluster, hsm_type),
            clock=self.clock,
            every=self.every,
            limit=timedelta(seconds=float(step.inputs.get("limit", _LIMIT.total_seconds()))),
        )
        return {}

    def _wait_deleted(self, _: Step, found: Found) -> Wait[Found]:
        yield from until(
            lambda: self.plane.clusters([found["cluster_id"]]),
            lambda clusters: all(cluster.state is ClusterState.DELETED for cluster in clusters),
            lambda clusters: f"{clusters[0].cluster_id} is {clusters[0].state}",
            clock=self.clock,
            every=self.every,
            limit=_LIMIT,
        )
        return {}

    def _delete(self, _: Step, found: Found) -> Wait[Found]:
        yield "calling DeleteCluster"
        self.plane.delete_cluster(found["cluster_id"])
        return {}

    def _deleted(self, _: Step, found: Found) -> Found | None:
        """Nothing found, where the cluster is on its way out or gone."""
        clusters = self.plane.clusters([found["cluster_id"]])
        return {} if all(cluster.state in _LEAVING for cluster in clusters) else None

    def _modify(self, step: Step, found: Found) -> Wait[Found]:
        yield "calling ModifyCluster"
        if "hsm_type" in step.inputs:
            self.edits.change_type(found["cluster_id"], step.inputs["hsm_type"])
        else:
            self.edits.keep_backups(found["cluster_id"], int(step.inputs["days"]))
        return {}

    def _modified(self, step: Step, found: Found) -> Found | None:
        """Nothing found, where the cluster is as it should be or on its way there."""
        cluster, inputs = self.cluster(found["cluster_id"]), step.inputs
        if "hsm_type" in inputs:
            moving = cluster.state in (ClusterState.MODIFY_IN_PROGRESS, ClusterState.ROLLBACK_IN_PROGRESS)
            return {} if moving or cluster.hsm_type == inputs["hsm_type"] else None
        return {} if cluster.backup_retention_days == int(inputs["days"]) else None

    def _tag(self, step: Step, found: Found) -> Wait[Found]:
        yield "calling TagResource"
        self.edits.tag(step.inputs.get("resource", found.get("cluster_id", "")), _tags(step))
        return {}

    def _untag(self, step: Step, found: Found) -> Wait[Found]:
        yield "calling UntagResource"
        self.edits.untag(step.inputs.get("resource", found.get("cluster_id", "")), list(_tags(step)))
        return {}

    def _alive(self, cluster_id: str) -> Cluster:
        """The cluster, unless it has reached a state that nothing good follows."""
        cluster = self.cluster(cluster_id)
        if cluster.state in _DEAD_ENDS:
            why = cluster.message or "the service gave no reason"
            raise Conflict(f"{cluster_id} is {cluster.state}", why, f"hsmctl cluster show {cluster_id}")
        return cluster


def _migrated(cluster: Cluster, hsm_type: str) -> str:
    """How many HSMs are of the new type already."""
    done = sum(1 for hsm in cluster.hsms if hsm.hsm_type == hsm_type)
    return f", {done} of {len(cluster.hsms)} HSMs are {hsm_type}" if hsm_type else ""


def _tags(step: Step) -> dict[str, str]:
    return {name[4:]: value for name, value in step.inputs.items() if name.startswith("tag:")}
