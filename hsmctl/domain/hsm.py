"""The steps that add HSMs to a cluster and take them away.

Each says how many HSMs its zone has when it is done. That makes it repeatable: an HSM that CloudHSM replaced under a
new id, and one whose creation was answered to nobody, are counted like any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

from hsmctl.domain.cluster import Cluster, ClusterState, Hsm, check_may_create_hsm
from hsmctl.domain.interlock import there
from hsmctl.domain.plan import Action, Effect, Precondition, Step
from hsmctl.errors import Conflict

USUAL_HSM = timedelta(minutes=6)
"""CreateHsm to ACTIVE took about 313 s on a small hsm2m cluster (a third party's measurement)."""

_CREATES = (
    "cloudhsm:CreateHsm",
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:DescribeSubnets",
)
_DESCRIBES = ("cloudhsm:DescribeClusters",)


def adding(
    cluster: Cluster, zones: Sequence[str], preconditions: tuple[Precondition, ...] = (), *, together: bool = False
) -> tuple[Step, ...]:
    """Steps that create an HSM in each of `zones`, which may repeat; `together` creates all before it waits for any.

    Whether AWS takes a second CreateHsm while one is in progress is UNCONFIRMED, so one at a time is the rule.
    """
    counts = Counter(hsm.zone for hsm in there(cluster))
    pairs = []
    for place, zone in enumerate(zones):
        counts[zone] += 1
        create = creating(cluster, zone, counts[zone], f"hsm_{place}", preconditions)
        pairs.append((create, waiting(zone, counts[zone], f"hsm_{place}")))
    if together:
        return (*(create for create, _ in pairs), *(wait for _, wait in pairs))
    return tuple(step for pair in pairs for step in pair)


def creating(
    cluster: Cluster, zone: str, wanted: int, name: str, preconditions: tuple[Precondition, ...] = (), address: str = ""
) -> Step:
    """CreateHsm in a zone that has `wanted` HSMs afterwards; its id is found as `name`."""
    at = f" at {address}" if address else ""
    return Step(
        action=Action.CREATE_HSM,
        says=f"create an HSM in {zone}{at}",
        inputs={"zone": zone, "wanted": str(wanted), "name": name} | ({"address": address} if address else {}),
        states=frozenset({cluster.state}),
        permissions=_CREATES,
        preconditions=preconditions,
    )


def waiting(zone: str, wanted: int, name: str) -> Step:
    """Wait until a zone has `wanted` ACTIVE HSMs."""
    return Step(
        action=Action.WAIT_HSM,
        says="wait until the HSM is ACTIVE",
        effect=Effect.WAIT,
        inputs={"zone": zone, "wanted": str(wanted), "name": name},
        permissions=_DESCRIBES,
        usual=USUAL_HSM,
    )


def comparing(cluster: Cluster) -> Step:
    """Wait until all ACTIVE HSMs have held equally many token keys for a while."""
    return Step(
        action=Action.WAIT_COUNTS,
        says="wait until all HSMs hold equally many token keys",
        effect=Effect.WAIT,
        inputs={"cluster": cluster.cluster_id},
        permissions=("cloudwatch:GetMetricData", *_DESCRIBES),
        usual=timedelta(minutes=20),
    )


def removing(
    cluster: Cluster,
    hsms: Sequence[Hsm],
    preconditions: tuple[Precondition, ...],
    joining: Mapping[str, int],
    *,
    to_nothing: bool = False,
) -> tuple[Step, ...]:
    """Steps that delete HSMs one after the other, each behind these preconditions.

    `joining` counts by zone the HSMs that earlier steps of the plan create; `to_nothing` says that none remains.
    """
    counts = Counter(hsm.zone for hsm in there(cluster))
    counts.update(joining)
    known = " ".join(sorted(hsm.hsm_id for hsm in there(cluster)))
    steps: list[Step] = []
    for hsm in hsms:
        counts[hsm.zone] -= 1
        inputs = {"hsm": hsm.hsm_id, "zone": hsm.zone, "keep": str(counts[hsm.zone]), "known": known}
        last = {"last": "yes"} if to_nothing and hsm is hsms[-1] else {}
        steps.append(_deleting(hsm, inputs | last, preconditions))
        steps.append(_leaving(hsm, inputs))
    return tuple(steps)


def check_may_add(cluster: Cluster, zones: Sequence[str]) -> None:
    """Refuse HSMs that CloudHSM would refuse.

    Raises:
        Conflict: an HSM may not be created there now, or only one may.
    """
    for zone in zones:
        check_may_create_hsm(cluster, zone)
    if len(zones) > 1 and cluster.state is ClusterState.UNINITIALIZED:
        raise Conflict(
            f"{cluster.cluster_id} is {cluster.state}",
            "before activation it takes exactly one HSM",
            "add one, initialize and activate, then add the rest",
        )


def named(cluster: Cluster, name: str) -> Hsm:
    """The HSM of this id, address or network interface.

    Raises:
        Conflict: the cluster has none, or it is on its way out.
    """
    for hsm in there(cluster):
        if name in (hsm.hsm_id, hsm.address, hsm.eni_id):
            return hsm
    known = ", ".join(hsm.hsm_id for hsm in there(cluster)) or "none"
    raise Conflict(f"{cluster.cluster_id} has no {name}", f"its HSMs are {known}", "hsmctl hsm list")


def _deleting(hsm: Hsm, inputs: Mapping[str, str], preconditions: tuple[Precondition, ...]) -> Step:
    states = {ClusterState.ACTIVE, ClusterState.UNINITIALIZED, ClusterState.INITIALIZED, ClusterState.DEGRADED}
    return Step(
        action=Action.DELETE_HSM,
        says=f"delete {hsm.hsm_id} in {hsm.zone}",
        effect=Effect.DESTROY,
        inputs={**inputs, "address": hsm.address or ""},
        states=frozenset(states),
        permissions=("cloudhsm:DeleteHsm", "ec2:DeleteNetworkInterface"),
        preconditions=preconditions,
    )


def _leaving(hsm: Hsm, inputs: Mapping[str, str]) -> Step:
    return Step(
        action=Action.WAIT_GONE,
        says=f"wait until {hsm.hsm_id} is gone",
        effect=Effect.WAIT,
        inputs=dict(inputs),
        permissions=_DESCRIBES,
        usual=timedelta(minutes=5),
    )
