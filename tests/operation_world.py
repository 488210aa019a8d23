"""An operation in the journal of a world in memory: begun by a process that is gone."""

from __future__ import annotations

from world import ACCOUNT, NOW, REGION, World

from hsmctl.domain.cluster import ClusterState
from hsmctl.domain.plan import Action, Effect, Plan, Precondition, Step

BEGUN = "01KAT3Y7Q0000000000000000A"
OTHER = "cluster-zzzzzzzzzzz"


def with_operation(world: World, cluster_id: str = OTHER) -> World:
    """The world, in whose journal an operation on a cluster has begun and got as far as its second step."""
    plan = Plan(
        title=f"add 1 HSM to {cluster_id}",
        region=REGION,
        account=ACCOUNT,
        made_at=NOW,
        cluster_id=cluster_id,
        preconditions=(Precondition(what="nobody joins or leaves", holds=True),),
        steps=(
            Step(action=Action.CREATE_HSM, says="create an HSM", states=frozenset({ClusterState.ACTIVE})),
            Step(action=Action.WAIT_HSM, says="wait until it is ACTIVE", effect=Effect.WAIT),
        ),
    )
    journal = world.journal
    journal.append("operation-started", {"operation": BEGUN, "plan": plan, "caller": "arn:aws:iam::1:user/ops"})
    journal.append("step-started", {"operation": BEGUN, "number": 1, "before": {}})
    journal.append("step-done", {"operation": BEGUN, "number": 1, "found": {"hsm_0": "hsm-new00000000"}})
    journal.append("step-started", {"operation": BEGUN, "number": 2, "before": {}})
    journal.append("step-failed", {"operation": BEGUN, "number": 2, "error": "no answer", "certain": False})
    return world
