"""What DescribeClusters alone says of a cluster: its state, HSMs, zones and type (user guide, life cycle)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from hsmctl.domain.cluster import Cluster, ClusterState, Hsm, HsmState
from hsmctl.domain.status_finding import Finding, Severity, Topic, age

HSM1 = "hsm1.medium"
HSM1_ENDS = datetime(2026, 3, 31, tzinfo=UTC)
"""End of support of hsm1.medium (user guide, deprecation notifications)."""


RUNNING = frozenset(
    {
        ClusterState.ACTIVE,
        ClusterState.DEGRADED,
        ClusterState.MODIFY_IN_PROGRESS,
        ClusterState.UPDATE_IN_PROGRESS,
        ClusterState.ROLLBACK_IN_PROGRESS,
    }
)
"""States in which a cluster has users, so that its keys can be read."""
UNCLAIMED = frozenset({ClusterState.UNINITIALIZED, ClusterState.INITIALIZE_IN_PROGRESS, ClusterState.INITIALIZED})
"""States before the first admin has a password: a ceremony is to be begun or to be ended."""


def of_state(cluster: Cluster) -> Iterator[Finding]:
    """What the cluster's own state says."""
    why = f": {cluster.message}" if cluster.message else ""
    words = cluster.state.replace("_", " ")
    if cluster.state is ClusterState.INITIALIZED:
        yield Finding(
            topic=Topic.STATE,
            severity=Severity.CRITICAL,
            brief="not activated",
            says="initialized but not activated: whoever reaches an HSM can claim it",
            way_out=f"hsmctl cluster activate {cluster.cluster_id}",
        )
    elif cluster.state is ClusterState.DEGRADED:
        says = f"the cluster is degraded{why}"
        yield Finding(topic=Topic.STATE, severity=Severity.CRITICAL, brief="degraded", says=says)
    else:
        severity = Severity.OK if cluster.state is ClusterState.ACTIVE else Severity.PENDING
        yield Finding(topic=Topic.STATE, severity=severity, brief=words, says=f"the cluster is {words}{why}")


def of_hsms(cluster: Cluster) -> Iterator[Finding]:
    """What the states of the HSMs say, and how many of them can work."""
    for hsm in cluster.hsms:
        if hsm.state is not HsmState.ACTIVE:
            yield _of_hsm(hsm)
    if cluster.state not in RUNNING:
        return
    active = cluster.active_hsms
    if not active:
        text = "no HSM is active: nothing can be signed or decrypted"
        yield Finding(topic=Topic.HSM, severity=Severity.CRITICAL, brief="no active HSM", says=text)
    elif len(active) == 1:
        text = f"only {active[0].hsm_id} is active: one failure from standing still"
        yield Finding(topic=Topic.HSM, severity=Severity.WARNING, brief="one HSM only", says=text)
    elif len(active) == len(cluster.hsms):
        yield Finding(topic=Topic.HSM, severity=Severity.OK, brief="active", says=f"{len(active)} HSMs are active")


def _of_hsm(hsm: Hsm) -> Finding:
    why = f": {hsm.message}" if hsm.message else ""
    words = hsm.state.replace("_", " ")
    if hsm.state is HsmState.DEGRADED:
        says, severity, brief = f"{hsm.hsm_id} is degraded{why}", Severity.CRITICAL, "HSM degraded"
    else:
        says, severity, brief = f"{hsm.hsm_id}: {words}{why}", Severity.PENDING, words
    return Finding(topic=Topic.HSM, severity=severity, brief=brief, says=says, about=hsm.hsm_id)


def of_zones(cluster: Cluster) -> Iterator[Finding]:
    """Whether a zone may fail."""
    if cluster.state not in RUNNING or not cluster.active_hsms:
        return
    zones = sorted({hsm.zone for hsm in cluster.active_hsms})
    if len(zones) > 1:
        says = f"active HSMs in {len(zones)} zones"
        yield Finding(topic=Topic.ZONES, severity=Severity.OK, brief=f"{len(zones)} zones", says=says)
    elif len(cluster.active_hsms) > 1:
        says = f"all active HSMs are in {zones[0]}: no zone may fail"
        yield Finding(
            topic=Topic.ZONES,
            severity=Severity.WARNING,
            brief="one zone only",
            says=says,
            way_out=f"hsmctl cluster scale {cluster.cluster_id} --per-az 1",
        )


def of_type(cluster: Cluster, now: datetime) -> Iterator[Finding]:
    """The end of hsm1, and the clock of a migration (user guide, hsm1-to-hsm2-migration)."""
    if cluster.hsm_type == HSM1 and cluster.rollback_until is None:
        over = now >= HSM1_ENDS
        yield Finding(
            topic=Topic.TYPE,
            severity=Severity.CRITICAL if over else Severity.WARNING,
            brief="hsm1",
            says=f"hsm1.medium is {'out of support since' if over else 'supported until'} {HSM1_ENDS:%Y-%m-%d}",
            way_out=f"hsmctl cluster modify {cluster.cluster_id} --type hsm2m.medium",
        )
    if cluster.rollback_until is not None and now < cluster.rollback_until:
        moved = sum(hsm.hsm_type != HSM1 for hsm in cluster.hsms)
        left = age(cluster.rollback_until - now)
        says = (
            f"{moved} of {len(cluster.hsms)} HSMs have moved; for {left} more the change of type can be taken back, "
            "and whatever is made meanwhile is lost then"
        )
        yield Finding(topic=Topic.TYPE, severity=Severity.WARNING, brief=f"migrating, {left} left", says=says)
