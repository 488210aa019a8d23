"""Backups: which of them may go, how old the newest may be, whom one is shared with (user guide, backups, sharing)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from hsmctl.domain.cluster import Backup, BackupState, Cluster, ClusterState
from hsmctl.domain.interlock import newest_ready, there
from hsmctl.domain.plan import Precondition
from hsmctl.errors import UsageError

SPARE = "backup-spare"
"""The key of the precondition that a backup may go."""

_SHARED_ACTIONS = ("cloudhsm:CreateCluster", "cloudhsm:DescribeBackups")
_ACCOUNT = re.compile(r"\d{12}")


class Freshness(StrEnum):
    """How a cluster's newest backup stands."""

    FRESH = "fresh"
    OLD = "old"
    NONE = "none"
    NOT_APPLICABLE = "n/a"
    """Without HSMs no backups are taken, and before activation there is nothing in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A cluster and its newest READY backup."""

    cluster_id: str
    freshness: Freshness
    newest: Backup | None
    age: timedelta | None


def spare(backup: Backup, backups: Sequence[Backup], cluster: Cluster | None) -> Precondition:
    """It may go: it is not the newest READY one, and the cluster's keys are in HSMs too."""
    against = ""
    newest = newest_ready(backups, backup.cluster_id) if backup.cluster_id else None
    if backup.cluster_id and (cluster is None or cluster.state is ClusterState.DELETED):
        against = f"{backup.cluster_id} is no more: its keys are in its backups alone"
    elif cluster is not None and not there(cluster):
        against = f"{cluster.cluster_id} has no HSMs: its keys are in its backups alone"
    elif newest is not None and newest.backup_id == backup.backup_id:
        against = f"it is the newest READY backup of {backup.cluster_id}"
    return Precondition(
        key=SPARE,
        what=f"{backup.backup_id} can be spared",
        holds=not against,
        inputs={"backup": backup.backup_id},
        why=against or "a newer one is READY",
        way_out="delete an older one: hsmctl backup list",
    )


def checked(cluster: Cluster, backups: Sequence[Backup], now: datetime, most: timedelta) -> Checked:
    """How the newest READY backup of a cluster stands against the age it may have."""
    newest = newest_ready(backups, cluster.cluster_id)
    age = now - newest.created if newest and newest.created else None
    if not there(cluster) or cluster.state in (ClusterState.UNINITIALIZED, ClusterState.INITIALIZED):
        freshness = Freshness.NOT_APPLICABLE
    elif age is None:
        freshness = Freshness.NONE
    else:
        freshness = Freshness.FRESH if age <= most else Freshness.OLD
    return Checked(cluster_id=cluster.cluster_id, freshness=freshness, newest=newest, age=age)


def may_copy(backup: Backup) -> Precondition:
    """Only what is READY is copied or shared."""
    return Precondition(
        what=f"{backup.backup_id} is READY",
        holds=backup.state is BackupState.READY,
        why=f"it is {backup.state}",
        way_out=f"hsmctl backup restore {backup.backup_id}"
        if backup.state is BackupState.PENDING_DELETION
        else "hsmctl backup list",
    )


def check_accounts(accounts: Sequence[str]) -> None:
    """Refuse what is no account id.

    Raises:
        UsageError: one of them is none.
    """
    for account in accounts:
        if not _ACCOUNT.fullmatch(account):
            raise UsageError(f"account {account}", "an account id has twelve digits", "--with 111122223333")


def sharing_policy(arn: str, accounts: Sequence[str]) -> str:
    """A resource policy that lets accounts see the backup and restore it."""
    statement = {
        "Sid": "HsmctlShare",
        "Effect": "Allow",
        "Principal": {"AWS": sorted(accounts)},
        "Action": list(_SHARED_ACTIONS),
        "Resource": arn,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def shared_with(policy: str | None) -> tuple[str, ...]:
    """The accounts that a resource policy allows anything, sorted; principals that are not accounts as they stand."""
    if not policy:
        return ()
    try:
        document: Mapping[str, Any] = json.loads(policy)
    except ValueError:
        return ("a policy that is not JSON",)
    statements = document.get("Statement", [])
    found: set[str] = set()
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        named = principal.get("AWS", []) if isinstance(principal, dict) else principal
        for each in [named] if isinstance(named, str) else named:
            match = re.fullmatch(r"arn:[^:]+:iam::(\d{12}):root", each)
            found.add(match[1] if match else each)
    return tuple(sorted(found))
