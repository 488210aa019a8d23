"""A plan's frame: where, for whom and when it is made; the same for every noun that changes a region's resources."""

from __future__ import annotations

from dataclasses import dataclass

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.plan import Plan, Precondition, Step
from hsmctl.ports import Clock, ControlPlane, Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafts:
    """Makes plans of steps."""

    clock: Clock
    plane: ControlPlane
    identity: Identity
    noun: str = "cluster"
    """Whose playbook runs them."""

    def plan(
        self,
        title: str,
        cluster: Cluster | None,
        steps: tuple[Step, ...],
        preconditions: tuple[Precondition, ...] = (),
        *,
        subject: str = "",
        warnings: tuple[str, ...] = (),
        cost: str = "",
    ) -> Plan:
        """The plan, made now."""
        state = () if cluster is None else (Precondition(what=f"{cluster.cluster_id} is {cluster.state}", holds=True),)
        return Plan(
            title=title,
            region=self.plane.region,
            account=self.identity.caller().account,
            made_at=self.clock.now(),
            cluster_id=None if cluster is None else cluster.cluster_id,
            steps=steps,
            preconditions=(*state, *preconditions),
            noun=self.noun,
            subject=subject,
            warnings=warnings,
            cost=cost,
        )
