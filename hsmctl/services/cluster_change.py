"""Clusters created, restored, deleted, modified and tagged, as plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from hsmctl.domain.cluster import Backup, BackupState, Cluster, ClusterState
from hsmctl.domain.interlock import MIGRATION_LIMIT, Interlock, has_keys, there
from hsmctl.domain.plan import Action, Effect, Plan, Precondition, Step
from hsmctl.domain.preflight import RETENTION_DAYS, check_wanted, place, room, two_zones
from hsmctl.errors import Conflict, UsageError
from hsmctl.ports import ControlPlane
from hsmctl.ports_cluster import Grounds
from hsmctl.services.draft import Drafts
from hsmctl.services.interlock import Interlocks, Waivers

_DESCRIBES = ("cloudhsm:DescribeClusters",)
_CREATES = (
    "cloudhsm:CreateCluster",
    "cloudhsm:TagResource",
    "ec2:CreateSecurityGroup",
    "ec2:AuthorizeSecurityGroupEgress",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "iam:CreateServiceLinkedRole",
)
_PER_HSM = timedelta(minutes=30)
"""How long the change of type takes for each HSM (user guide, hsm1-to-hsm2-migration)."""

_RESTORED = (
    "it is not initialized: its first HSM brings users, keys and policies back",
    "clients need the customer CA of the original cluster",
    "keys and users deleted since the backup return, and so do old passwords and mTLS enforcement",
)
_LIMITED = (
    "until it is ACTIVE again: no keys made or deleted, no users or quorum changed, no HSMs added or removed",
    "it can be taken back for 24 hours; what was made after it became ACTIVE is lost then",
    "every client of the last 7 days must have been SDK 5.9 or newer; nothing here can see that",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCluster:
    """What is asked of a new cluster."""

    subnets: tuple[str, ...]
    hsm_type: str
    mode: str
    network_type: str = ""
    retention_days: int | None = None
    tags: Mapping[str, str]
    backup: str = ""
    """The id or ARN of the backup that it is restored from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterChanges:
    """Plans about whole clusters; their playbook is the clusters'."""

    plane: ControlPlane
    drafts: Drafts
    interlocks: Interlocks
    grounds: Grounds

    def plan_create(self, wanted: NewCluster, waivers: Waivers) -> Plan:
        """A new cluster without HSMs, or one that is restored from a backup.

        Raises:
            UsageError: no account can have such a cluster.
            Conflict: the backup is not there, not READY or of another mode.
        """
        backup = self._backup(wanted.backup) if wanted.backup else None
        wanted = replace(wanted, mode=wanted.mode or (backup.mode if backup else "") or "FIPS")
        check_wanted(wanted.hsm_type, wanted.mode, wanted.subnets, wanted.retention_days)
        if backup is not None:
            _check_fits(backup, wanted)
        subnets = self.grounds.subnets(wanted.subnets)
        preconditions = (
            *place(wanted.subnets, subnets, wanted.network_type),
            two_zones(subnets).waived_by(waivers.get(Interlock.ZONES, "")),
            room(sum(each.state is not ClusterState.DELETED for each in self.plane.clusters()), self.grounds.quota()),
        )
        what = f"restore {wanted.backup} to a new cluster" if wanted.backup else "create a cluster"
        return self.drafts.plan(
            f"{what} in {self.plane.region}",
            None,
            (_creating(wanted), _created(restored=backup is not None)),
            preconditions,
            warnings=_RESTORED if backup else (),
        )

    def plan_delete(self, cluster: Cluster, waivers: Waivers) -> Plan:
        """Delete a cluster that has no HSMs any more.

        Raises:
            Conflict: it still has HSMs.
        """
        name = cluster.cluster_id
        if there(cluster):
            way_out = f"hsmctl cluster scale {name} --to 0 --allow-outage REASON"
            raise Conflict(f"{name} has {len(there(cluster))} HSMs", "a cluster is deleted without any", way_out)
        asked = [Interlock.HOLD, Interlock.SETTLED, Interlock.KEY_STORE]
        if has_keys(cluster):
            asked.append(Interlock.RESTORABLE)
        before = self.interlocks.before_all(cluster, *asked, waivers=waivers)
        delete = Step(
            action=Action.DELETE_CLUSTER,
            says=f"delete {name}",
            effect=Effect.DESTROY,
            permissions=("cloudhsm:DeleteCluster", "ec2:DeleteSecurityGroup"),
            preconditions=before,
        )
        gone = Step(
            action=Action.WAIT_DELETED, says="wait until it is gone", effect=Effect.WAIT, permissions=_DESCRIBES
        )
        return self.drafts.plan(f"delete {name}", cluster, (delete, gone))

    def plan_retention(self, cluster: Cluster, days: int) -> Plan:
        """Keep backups for so many days.

        Raises:
            UsageError: no cluster keeps them so long or so short.
        """
        if days not in RETENTION_DAYS:
            raise UsageError(f"{days} days", "backups are kept 7 to 379 days", "--retention 90")
        shorter = cluster.backup_retention_days is not None and days < cluster.backup_retention_days
        step = Step(
            action=Action.MODIFY_CLUSTER,
            says=f"keep backups {days} days",
            # Purged backups can be restored for seven days, and then no longer.
            effect=Effect.DESTROY if shorter else Effect.CHANGE,
            inputs={"days": str(days)},
            permissions=("cloudhsm:ModifyCluster",),
        )
        warnings = ("backups that are older are purged; retain those that are needed first",) if shorter else ()
        title = f"keep the backups of {cluster.cluster_id} {days} days"
        return self.drafts.plan(title, cluster, (step,), warnings=warnings)

    def plan_migrate(self, cluster: Cluster, hsm_type: str, waivers: Waivers) -> Plan:
        """Move every HSM to another type, or back while that is possible.

        Raises:
            Conflict: it is of this type already, or the time in which it can be taken back is over.
        """
        name = cluster.cluster_id
        if cluster.hsm_type == hsm_type:
            raise Conflict(f"{name} is {hsm_type} already", "there is nothing to do", f"hsmctl cluster show {name}")
        back = hsm_type == "hsm1.medium"
        if back and (cluster.rollback_until is None or cluster.rollback_until <= self.drafts.clock.now()):
            until = f"it could until {cluster.rollback_until}" if cluster.rollback_until else "nothing says until when"
            raise Conflict(f"{name} cannot go back to {hsm_type}", until, "restore a backup into a new cluster")
        asked = (Interlock.HOLD, Interlock.SETTLED, Interlock.COUNTS, Interlock.HEALTHY)
        before = self.interlocks.before_all(cluster, *asked, waivers=waivers)
        size = Precondition(
            what=f"it has at most {MIGRATION_LIMIT} HSMs",
            holds=len(there(cluster)) <= MIGRATION_LIMIT,
            why=f"{len(there(cluster))}",
            way_out=f"hsmctl cluster scale {name} --to {MIGRATION_LIMIT}",
        )
        return self.drafts.plan(
            f"move {name} from {cluster.hsm_type} {'back ' if back else ''}to {hsm_type}",
            cluster,
            (_migrating(hsm_type, before), _migrated(hsm_type, len(there(cluster)))),
            (size,),
            warnings=_LIMITED,
        )

    def plan_tag(self, cluster: Cluster, tags: Mapping[str, str]) -> Plan:
        """Set tags."""
        said = " ".join(f"{name}={value}" for name, value in tags.items())
        step = Step(
            action=Action.TAG,
            says=f"set {said}",
            inputs={f"tag:{name}": value for name, value in tags.items()},
            permissions=("cloudhsm:TagResource",),
        )
        return self.drafts.plan(f"tag {cluster.cluster_id}", cluster, (step,))

    def plan_untag(self, cluster: Cluster, names: Sequence[str]) -> Plan:
        """Take tags away."""
        step = Step(
            action=Action.UNTAG,
            says=f"take away {' '.join(names)}",
            inputs=dict.fromkeys((f"tag:{name}" for name in names), ""),
            permissions=("cloudhsm:UntagResource",),
        )
        return self.drafts.plan(f"untag {cluster.cluster_id}", cluster, (step,))

    def _backup(self, name: str) -> Backup:
        """The backup of this id; another account's, named by its ARN, cannot be looked at beforehand.

        Raises:
            Conflict: there is none in this region.
        """
        for backup in self.plane.backups():
            if name in (backup.backup_id, backup.arn):
                return backup
        if name.startswith("arn:"):
            return Backup(backup_id=name.rpartition("/")[2], state=BackupState.READY, arn=name)
        raise Conflict(f"{name} not found", f"no such backup in {self.plane.region}", "hsmctl backup list")


def _check_fits(backup: Backup, wanted: NewCluster) -> None:
    """Refuse a restore that CloudHSM would refuse (user guide, cluster-hsm-types)."""
    if backup.state is not BackupState.READY:
        raise Conflict(f"{backup.backup_id} is {backup.state}", "only a READY backup is restored", "hsmctl backup list")
    if backup.mode and backup.mode != wanted.mode:
        raise Conflict(
            f"{backup.backup_id} is {backup.mode}", f"it is not restored to {wanted.mode}", f"--mode {backup.mode}"
        )


def _creating(wanted: NewCluster) -> Step:
    inputs = {"hsm_type": wanted.hsm_type, "mode": wanted.mode, "subnets": " ".join(wanted.subnets)}
    inputs |= {f"tag:{name}": value for name, value in wanted.tags.items()}
    if wanted.network_type:
        inputs["network_type"] = wanted.network_type
    if wanted.retention_days is not None:
        inputs["retention_days"] = str(wanted.retention_days)
    if wanted.backup:
        inputs["source_backup"] = wanted.backup
    return Step(
        action=Action.CREATE_CLUSTER,
        says=f"create a {wanted.hsm_type} {wanted.mode} cluster in {len(wanted.subnets)} subnets",
        inputs=inputs,
        permissions=_CREATES,
    )


def _created(*, restored: bool) -> Step:
    # Which state a restored cluster shows before its first HSM is UNCONFIRMED: each that can follow is taken.
    state = "uninitialized initialized active" if restored else "uninitialized"
    return Step(
        action=Action.WAIT_CLUSTER,
        says="wait until the cluster is created" if restored else "wait until the cluster is UNINITIALIZED",
        effect=Effect.WAIT,
        inputs={"state": state},
        permissions=_DESCRIBES,
        usual=timedelta(minutes=4),
    )


def _migrating(hsm_type: str, before: tuple[Precondition, ...]) -> Step:
    return Step(
        action=Action.MODIFY_CLUSTER,
        says=f"begin to move the HSMs to {hsm_type}",
        effect=Effect.DESTROY,
        inputs={"hsm_type": hsm_type},
        states=frozenset({ClusterState.ACTIVE}),
        permissions=("cloudhsm:ModifyCluster",),
        preconditions=before,
    )


def _migrated(hsm_type: str, hsms: int) -> Step:
    limit = _PER_HSM * max(1, hsms) * 3
    return Step(
        action=Action.WAIT_CLUSTER,
        says=f"wait until the cluster is ACTIVE as {hsm_type}",
        effect=Effect.WAIT,
        inputs={"state": "active", "hsm_type": hsm_type, "limit": str(limit.total_seconds())},
        permissions=_DESCRIBES,
        usual=_PER_HSM * max(1, hsms),
    )
