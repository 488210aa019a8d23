"""Proves that a copy is found and followed, that no backup goes that something depends on, and how old one may be."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import world
from backup_world import FakeBackups
from plan_world import opened, run
from transcript import hsmctl
from world import CLUSTER, NOW, World

from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.backup import Freshness, shared_with
from hsmctl.domain.cluster import Backup, BackupState, Cluster, ClusterState
from hsmctl.domain.plan import Action
from hsmctl.errors import Conflict, ExitCode, Unreachable, UsageError

NEWEST = "backup-q2w3e4r5t6y"
OLDER = "backup-aaaaaaaaaaa"


def two(cluster: Cluster, folder: Path) -> tuple[World, Hsmctl, FakeBackups]:
    """A world in which the cluster has a newer backup and an older."""
    outside, facade = opened(cluster, folder)
    older = Backup(
        backup_id=OLDER, state=BackupState.READY, cluster_id=CLUSTER, created=NOW - timedelta(hours=30), arn="arn:older"
    )
    outside.plane.backup_list = (older, *outside.plane.backup_list)
    backups = facade.backup.backups
    assert isinstance(backups, FakeBackups)
    return outside, facade, backups


def test_a_copy_is_found_at_its_destination_and_followed_until_it_is_ready(tmp_path: Path) -> None:
    _, facade, backups = two(world.three_hsms(), tmp_path)
    backups.copy(NEWEST, "eu-west-1")
    plan = facade.backup.plan_copy(facade.backup.show(NEWEST), "eu-west-1")
    assert run(facade, plan) == [Action.COPY_BACKUP, Action.WAIT_COPY]
    (operation,) = facade.operations.all()
    assert operation.found["copy_id"] == "backup-copy0000001"
    with pytest.raises(UsageError):
        facade.backup.plan_copy(facade.backup.show(NEWEST), world.REGION)


def test_a_copy_that_failed_shows_as_deleted_and_is_an_error(tmp_path: Path) -> None:
    _, facade, backups = two(world.three_hsms(), tmp_path)
    backups.becomes = BackupState.DELETED
    with pytest.raises(Conflict, match="failed"):
        run(facade, facade.backup.plan_copy(facade.backup.show(NEWEST), "eu-west-1"))


def test_a_copy_whose_answer_was_lost_is_not_made_twice(tmp_path: Path) -> None:
    _, facade, backups = two(world.three_hsms(), tmp_path)
    copy = backups.copy

    def lost(backup_id: str, region: str) -> None:
        copy(backup_id, region)
        raise Unreachable("no answer")

    backups.copy = lost  # type: ignore[method-assign]
    with pytest.raises(Unreachable):
        run(facade, facade.backup.plan_copy(facade.backup.show(NEWEST), "eu-west-1"))
    (operation,) = facade.operations.all()
    list(facade.operations.resume(operation.operation_id, facade.playbook("backup"), confirmed=True))
    assert len(backups.elsewhere["eu-west-1"]) == 1


def test_an_older_backup_is_deleted_and_restored(tmp_path: Path) -> None:
    _, facade, _ = two(world.three_hsms(), tmp_path)
    plan = facade.backup.plan_delete(facade.backup.show(OLDER))
    assert (plan.unmet, plan.confirmation) == ((), OLDER[-6:])
    run(facade, plan)
    deleted = facade.backup.show(OLDER)
    assert deleted.state is BackupState.PENDING_DELETION
    run(facade, facade.backup.plan_restore(deleted))
    assert facade.backup.show(OLDER).state is BackupState.READY
    assert facade.backup.plan_restore(facade.backup.show(OLDER)).unmet


@pytest.mark.parametrize(
    ("cluster", "name", "why"),
    [
        (world.three_hsms(), NEWEST, "newest READY"),
        (replace(world.three_hsms(), hsms=()), OLDER, "has no HSMs"),
        (replace(world.three_hsms(), state=ClusterState.DELETED), OLDER, "is no more"),
        (replace(world.three_hsms(), cluster_id="cluster-zzzzzzzzzzz"), OLDER, "is no more"),
    ],
)
def test_a_backup_that_something_depends_on_does_not_go(cluster: Cluster, name: str, why: str, tmp_path: Path) -> None:
    outside, facade, _ = two(cluster, tmp_path)
    plan = facade.backup.plan_delete(facade.backup.show(name))
    (unmet,) = plan.unmet
    assert why in unmet.why
    with pytest.raises(Conflict):
        run(facade, plan)
    assert all(backup.state is BackupState.READY for backup in outside.plane.backup_list)


def test_what_became_the_newest_meanwhile_does_not_go(tmp_path: Path) -> None:
    outside, facade, _ = two(world.three_hsms(), tmp_path)
    plan = facade.backup.plan_delete(facade.backup.show(OLDER))
    outside.plane.backup_list = outside.plane.backup_list[:1]
    with pytest.raises(Conflict, match="newest READY"):
        run(facade, plan)


def test_a_backup_is_retained_and_released(tmp_path: Path) -> None:
    _, facade, _ = two(world.three_hsms(), tmp_path)
    run(facade, facade.backup.plan_retain(facade.backup.show(OLDER), for_ever=True))
    assert facade.backup.show(OLDER).never_expires
    run(facade, facade.backup.plan_retain(facade.backup.show(OLDER), for_ever=False))
    assert not facade.backup.show(OLDER).never_expires


def test_sharing_adds_accounts_and_unsharing_takes_them_away(tmp_path: Path) -> None:
    _, facade, backups = two(world.three_hsms(), tmp_path)
    for account in ("111122223333", "444455556666"):
        run(facade, facade.backup.plan_share(facade.backup.show(OLDER), [account]))
    assert facade.backup.inspect(OLDER).shared_with == ("111122223333", "444455556666")
    statement = json.loads(backups.policies["arn:older"])["Statement"][0]
    assert set(statement["Action"]) == {"cloudhsm:CreateCluster", "cloudhsm:DescribeBackups"}
    run(facade, facade.backup.plan_unshare(facade.backup.show(OLDER), ["111122223333"]))
    assert facade.backup.inspect(OLDER).shared_with == ("444455556666",)
    with pytest.raises(Conflict, match="not with 111122223333"):
        facade.backup.plan_unshare(facade.backup.show(OLDER), ["111122223333"])
    run(facade, facade.backup.plan_unshare(facade.backup.show(OLDER), []))
    assert backups.policies == {}
    with pytest.raises(UsageError, match="twelve digits"):
        facade.backup.plan_share(facade.backup.show(OLDER), ["0815"])


@pytest.mark.parametrize(
    ("policy", "accounts"),
    [
        (None, ()),
        ('{"Statement": {"Principal": {"AWS": "arn:aws:iam::111122223333:root"}}}', ("111122223333",)),
        ('{"Statement": [{"Principal": "*"}]}', ("*",)),
        ("not json", ("a policy that is not JSON",)),
    ],
)
def test_whom_a_policy_lets_in_is_read_whoever_wrote_it(policy: str | None, accounts: tuple[str, ...]) -> None:
    assert shared_with(policy) == accounts


def test_the_age_of_the_newest_backup_is_checked(tmp_path: Path) -> None:
    outside, facade, _ = two(world.three_hsms(), tmp_path)
    (cluster,) = facade.cluster.list()

    def freshness(cluster: Cluster, hours: int = 26) -> Freshness:
        return facade.backup.check([cluster], timedelta(hours=hours))[0].freshness

    assert freshness(cluster) is Freshness.FRESH
    assert freshness(cluster, 3) is Freshness.OLD
    assert freshness(replace(cluster, hsms=())) is Freshness.NOT_APPLICABLE
    assert freshness(replace(cluster, state=ClusterState.INITIALIZED)) is Freshness.NOT_APPLICABLE
    outside.plane.backup_list = ()
    assert freshness(cluster) is Freshness.NONE


def test_an_old_backup_is_critical_to_monitoring(tmp_path: Path) -> None:
    fresh = hsmctl(World(), "backup", "check", "-o", "nagios", folder=tmp_path)
    assert (fresh.code, fresh.out[:16]) == (0, "LAB BACKUP OK - ")
    old = hsmctl(World(), "backup", "check", "--max-age", "3h", "-o", "nagios", folder=tmp_path)
    assert old.code == 2
    assert f"CRITICAL - {CLUSTER} old" in old.out
    assert hsmctl(World(), "backup", "check", "--max-age", "3h", folder=tmp_path).code == ExitCode.NO
