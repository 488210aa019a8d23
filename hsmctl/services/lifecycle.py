"""How each step of a cluster's life is run: the call it makes, what it waits for and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from hsmctl.domain.cluster import Certificates, Cluster, ClusterState
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Step
from hsmctl.errors import Conflict, UsageError
from hsmctl.ports import Authority, Clock, ControlPlane, HardwareIdentity
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
    authority: Authority | None = None
    hardware: HardwareIdentity | None = None

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
            Action.VERIFY_IDENTITY: Runner(self._verify_identity),
            Action.SIGN_CSR: Runner(self._sign),
            Action.INITIALIZE: Runner(self._initialize, self._initialized),
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

    def _verify_identity(self, _: Step, found: Found) -> Wait[Found]:
        if self.hardware is None:
            raise UsageError("hardware not verified", "no root certificates", "set hardware_roots in the context")
        yield from self.hardware.verify(self._certificates(found["cluster_id"]))
        return {}

    def _sign(self, _: Step, found: Found) -> Wait[Found]:
        if self.authority is None:
            raise UsageError("CSR not signed", "no certificate authority", "set customer_ca in the context")
        csr = self._certificates(found["cluster_id"]).csr
        if csr is None:
            raise Conflict(f"{found['cluster_id']} has no CSR", "its first HSM is not ACTIVE", "hsmctl hsm list")
        yield "signing"
        return {"signed": self.authority.sign(csr), "anchor": self.authority.certificate()}

    def _initialize(self, _: Step, found: Found) -> Wait[Found]:
        yield "calling InitializeCluster"
        self.plane.initialize(found["cluster_id"], found["signed"], found["anchor"])
        return {}

    def _initialized(self, _: Step, found: Found) -> Found | None:
        """Nothing found, where the cluster has been claimed with our certificate.

        Raises:
            Conflict: it has been claimed with another.
        """
        cluster = self.cluster(found["cluster_id"])
        if cluster.state is ClusterState.UNINITIALIZED:
            return None
        shown = cluster.certificates.cluster
        if shown and shown.split() != found["signed"].split():
            raise Conflict(
                f"{cluster.cluster_id} is {cluster.state}",
                "it was claimed with another certificate than this operation's",
                "find out who did: CloudTrail, InitializeCluster",
            )
        return {}

    def _certificates(self, cluster_id: str) -> Certificates:
        return self.cluster(cluster_id).certificates
