"""Clusters, HSMs and backups: what there is, and plans to change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hsmctl.domain.cluster import Backup, Cluster, ClusterState, HsmState
from hsmctl.domain.event import Event
from hsmctl.domain.plan import Action, Effect, Plan, Precondition, Step
from hsmctl.errors import Conflict
from hsmctl.ports import Clock, ControlPlane, Identity
from hsmctl.services.lifecycle import Lifecycle
from hsmctl.services.operation import Operations, Playbook
from hsmctl.services.wait import Wait, until

_DESCRIBE = "cloudhsm:DescribeClusters"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterService:
    """The clusters of one region."""

    clock: Clock
    plane: ControlPlane
    identity: Identity
    operations: Operations
    lifecycle: Lifecycle
    playbook: Callable[[], Playbook]
    """How plans about clusters and their HSMs are carried out; made when something is."""
    wanted: Sequence[str] = ()
    """The context's clusters; none named means all."""

    def list(self, ids: Sequence[str] = ()) -> tuple[Cluster, ...]:
        """These clusters, or the context's, deleted ones left out."""
        return tuple(
            cluster for cluster in self.plane.clusters(ids or self.wanted) if cluster.state is not ClusterState.DELETED
        )

    def show(self, cluster_id: str) -> Cluster:
        """The cluster.

        Raises:
            Conflict: there is none with this id in this region and account.
        """
        return self.lifecycle.cluster(cluster_id)

    def backups(self, cluster_id: str) -> tuple[Backup, ...]:
        """The cluster's backups, newest first."""
        backups = self.plane.backups(cluster_id)
        return tuple(sorted(backups, key=lambda backup: str(backup.created), reverse=True))

    def only(self, cluster_id: str | None) -> Cluster:
        """The named cluster, or the only one there is.

        Raises:
            Conflict: none is named and there is none, or more than one.
        """
        if cluster_id is not None:
            return self.show(cluster_id)
        clusters = self.list()
        if len(clusters) != 1:
            found = ", ".join(cluster.cluster_id for cluster in clusters) or "none"
            raise Conflict(f"no cluster named and {len(clusters)} in {self.plane.region}", found, "name the cluster")
        return clusters[0]

    def plan_create(self, subnets: Sequence[str], *, hsm_type: str, mode: str, tags: Mapping[str, str]) -> Plan:
        """A new cluster with its first HSM still to come."""
        create = Step(
            action=Action.CREATE_CLUSTER,
            says=f"create a {hsm_type} {mode} cluster in {len(subnets)} subnets",
            inputs={"hsm_type": hsm_type, "mode": mode, "subnets": " ".join(subnets)}
            | {f"tag:{name}": value for name, value in tags.items()},
            permissions=("cloudhsm:CreateCluster", "cloudhsm:TagResource", "ec2:DescribeSubnets"),
        )
        return self._plan(f"create a cluster in {self.plane.region}", None, (create, _wait_for("uninitialized")))

    def plan_add_hsms(self, cluster: Cluster, zones: Sequence[str], *, together: bool = False) -> Plan:
        """New HSMs, one in each of `zones`, which may repeat; `together` creates all before it waits for any.

        Whether AWS takes a second CreateHsm while one is in progress is UNCONFIRMED, so one at a time is the rule.

        Raises:
            Conflict: an HSM may not be created there now.
        """
        from hsmctl.domain.hsm import adding, check_may_add

        check_may_add(cluster, zones)
        title = f"add {len(zones)} {'HSM' if len(zones) == 1 else 'HSMs'} to {cluster.cluster_id}"
        return self._plan(title, cluster, adding(cluster, zones, together=together))

    def waiting(self, cluster_id: str, done: Callable[[Cluster], bool], seconds: float) -> Wait[Cluster]:
        """Look at a cluster until it is done, for so long at most; changes nothing.

        Raises:
            Unreachable: the time is over.
            Conflict: it is gone.
        """
        return until(
            lambda: self.show(cluster_id),
            done,
            _words,
            clock=self.clock,
            every=self.lifecycle.every,
            limit=timedelta(seconds=seconds),
        )

    def apply(self, plan: Plan) -> Iterator[Event]:
        """Run a plan of this service; see `Operations.apply` for what it raises."""
        return self.operations.apply(plan, self.playbook())

    def _plan(self, title: str, cluster: Cluster | None, steps: tuple[Step, ...]) -> Plan:
        state = () if cluster is None else (Precondition(what=f"{cluster.cluster_id} is {cluster.state}", holds=True),)
        return Plan(
            title=title,
            region=self.plane.region,
            account=self.identity.caller().account,
            made_at=self.clock.now(),
            cluster_id=None if cluster is None else cluster.cluster_id,
            steps=steps,
            preconditions=state,
        )


def settled(cluster: Cluster) -> bool:
    """Whether no HSM joins or leaves."""
    return all(hsm.state is HsmState.ACTIVE for hsm in cluster.hsms)


def _words(cluster: Cluster) -> str:
    """Where a cluster stands, in words."""
    moving = [f"{hsm.hsm_id} is {hsm.state}" for hsm in cluster.hsms if hsm.state is not HsmState.ACTIVE]
    return ", ".join((f"{cluster.cluster_id} is {cluster.state}", *moving))


def _wait_for(state: str) -> Step:
    return Step(
        action=Action.WAIT_CLUSTER,
        says=f"wait until the cluster is {state.upper()}",
        effect=Effect.WAIT,
        inputs={"state": state},
        permissions=(_DESCRIBE,),
        usual=timedelta(minutes=4),
    )
