"""Emulated backups: when they are taken, how they are listed, copied, deleted, restored and purged.

A backup holds what an ACTIVE HSM held; copies in other regions share its contents, which go with the last of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping

from hsmctl.domain.cluster import BackupState
from hsmctl.lab.cloudhsm_scene import Scene, invalid, matching, page
from hsmctl.lab.cloudhsm_state import BackupRecord, ClusterRecord, Region, new_id
from hsmctl.lab.cloudhsm_tag import checked_tags, tag_list
from hsmctl.lab.shapes import Members, standard_regions

DAY = 86_400.0
KEPT_DELETED = 3_600.0
"""Seconds something deleted is still listed; AWS does not say how long that is."""

_RESTORABLE = 7 * DAY
_PAGE = 50
_FILTERS: Mapping[str, Callable[[BackupRecord], str | None]] = {
    "backupIds": lambda backup: backup.backup_id,
    "sourceBackupIds": lambda backup: backup.source_backup,
    "clusterIds": lambda backup: backup.cluster_id,
    "states": lambda backup: backup.state.upper(),
    "neverExpires": lambda backup: str(backup.never_expires).lower(),
}


def take_backup(scene: Scene, cluster: ClusterRecord) -> None:
    """Back a cluster up, as CloudHSM does at activation and whenever an HSM joins or leaves (user guide, backups).

    Takes the first ACTIVE HSM that can be read; where none can, there is no backup.
    """
    backup_id = new_id("backup")
    if not any(scene.machines.back_up(hsm.hsm_id, backup_id) for hsm in cluster.active_hsms):
        return
    scene.region.backups[backup_id] = BackupRecord(
        backup_id=backup_id,
        content=backup_id,
        certificate=cluster.certificates["ClusterCertificate"],
        hsm_type=cluster.hsm_type,
        mode=cluster.mode,
        cluster_id=cluster.cluster_id,
        created=scene.now,
        state=BackupState.CREATE_IN_PROGRESS,
        since=scene.now,
    )


def restorable(scene: Scene, cluster: ClusterRecord) -> BackupRecord | None:
    """The backup that an HSM of a cluster without HSMs is made from: its newest READY one, else its source."""
    backups = scene.region.backups
    source = backups.get(cluster.source_backup or "")
    own = [backup for backup in backups.values() if backup.cluster_id == cluster.cluster_id]
    ready = [backup for backup in (source, *own) if backup and backup.state is BackupState.READY]
    return ready[-1] if ready else None


def settle_backups(scene: Scene) -> None:
    """Bring every backup to the state it has by now."""
    for backup in list(scene.region.backups.values()):
        if backup.state is BackupState.CREATE_IN_PROGRESS and scene.due(backup.since):
            backup.state, backup.since = BackupState.READY, scene.now
        elif backup.state is BackupState.PENDING_DELETION and (backup.deleted or 0) <= scene.now:
            backup.state, backup.since = BackupState.DELETED, scene.now
        elif backup.state is BackupState.DELETED and backup.since + KEPT_DELETED <= scene.now:
            _forget(scene, backup)
    for cluster in scene.region.clusters.values():
        _purge(scene, cluster)


def sweep_contents(scene: Scene) -> None:
    """Remove what belongs to no backup: a service was cut off before it wrote the backup down."""
    folders = scene.backups.iterdir() if scene.backups.exists() else ()
    for folder in folders:
        if not scene.state.holds(folder.name):
            shutil.rmtree(folder)


def describe_backups(scene: Scene, asked: Members) -> Members:
    """The backups of this account; another account's would be `Shared`, and the lab has no other account."""
    records = [] if asked.get("Shared") else list(scene.region.backups.values())
    found = sorted(
        matching(asked, records, _FILTERS),
        key=lambda item: (item[1].created, item[0]),
        reverse=not asked.get("SortAscending"),
    )
    shown, token = page(asked, found, _PAGE)
    return {"Backups": [_view(scene, backup) for backup in shown], "NextToken": token}


def copy_backup_to_region(scene: Scene, asked: Members) -> Members:
    """Copy a READY backup; the copy has an id of its own in the other region, which this answer does not tell."""
    source, destination = scene.backup(asked["BackupId"]), asked["DestinationRegion"]
    if source.state is not BackupState.READY:
        raise invalid(f"Backup '{source.backup_id}' is {source.state.upper()}, not READY.")
    if destination == scene.region.name or destination not in standard_regions():
        raise invalid(f"A backup of {scene.region.name} cannot be copied to {destination}.")
    tags = checked_tags(asked["TagList"]) if "TagList" in asked else dict(source.tags)
    copy = _copy(scene, source, scene.state.region(destination), tags)
    return {
        "DestinationBackup": {
            "CreateTimestamp": copy.created,
            "SourceRegion": copy.source_region,
            "SourceBackup": copy.source_backup,
            "SourceCluster": copy.source_cluster,
        }
    }


def delete_backup(scene: Scene, asked: Members) -> Members:
    """Mark a READY backup for deletion in seven days."""
    backup = scene.backup(asked["BackupId"])
    if backup.state is not BackupState.READY:
        raise invalid(f"Backup '{backup.backup_id}' is {backup.state.upper()}, not READY.")
    _doom(scene, backup)
    return {"Backup": _view(scene, backup)}


def restore_backup(scene: Scene, asked: Members) -> Members:
    """Take back a deletion that is still pending."""
    backup = scene.backup(asked["BackupId"])
    if backup.state is not BackupState.PENDING_DELETION:
        raise invalid(f"Backup '{backup.backup_id}' is {backup.state.upper()}, not PENDING_DELETION.")
    backup.state, backup.since, backup.deleted = BackupState.READY, scene.now, None
    return {"Backup": _view(scene, backup)}


def modify_backup_attributes(scene: Scene, asked: Members) -> Members:
    """Exempt a backup from its cluster's retention policy, or put it back under it."""
    backup = scene.backup(asked["BackupId"])
    backup.never_expires = asked["NeverExpires"]
    return {"Backup": _view(scene, backup)}


def _forget(scene: Scene, backup: BackupRecord) -> None:
    """Drop a backup, and what it holds unless a copy still holds it."""
    del scene.region.backups[backup.backup_id]
    if not scene.state.holds(backup.content):
        shutil.rmtree(scene.backups / backup.content, ignore_errors=True)


def _copy(scene: Scene, source: BackupRecord, destination: Region, tags: dict[str, str]) -> BackupRecord:
    """A new record of the backup in another region."""
    copy = BackupRecord(
        backup_id=new_id("backup"),
        content=source.content,
        certificate=source.certificate,
        hsm_type=source.hsm_type,
        mode=source.mode,
        created=source.created,
        copied=scene.now,
        source_region=scene.region.name,
        source_backup=source.backup_id,
        source_cluster=source.cluster_id or source.source_cluster,
        state=BackupState.CREATE_IN_PROGRESS,
        since=scene.now,
        tags=tags,
    )
    destination.backups[copy.backup_id] = copy
    return copy


def _purge(scene: Scene, cluster: ClusterRecord) -> None:
    """Delete what the retention policy no longer keeps, but never a cluster's last backup (user guide, retention)."""
    ready = [
        backup
        for backup in scene.region.backups.values()
        if backup.cluster_id == cluster.cluster_id and backup.state is BackupState.READY
    ]
    for backup in ready[:-1]:
        if not backup.never_expires and backup.created + int(cluster.retention_days) * DAY <= scene.now:
            _doom(scene, backup)


def _doom(scene: Scene, backup: BackupRecord) -> None:
    """Let a backup go after the time in which it can still be restored."""
    backup.state, backup.since, backup.deleted = BackupState.PENDING_DELETION, scene.now, scene.now + _RESTORABLE


def _view(scene: Scene, backup: BackupRecord) -> Members:
    """A backup as DescribeBackups shows it."""
    return {
        "BackupId": backup.backup_id,
        "BackupArn": scene.backup_arn(backup.backup_id),
        "BackupState": backup.state.upper(),
        "ClusterId": backup.cluster_id,
        "CreateTimestamp": backup.created,
        "CopyTimestamp": backup.copied,
        "NeverExpires": backup.never_expires,
        "SourceRegion": backup.source_region,
        "SourceBackup": backup.source_backup,
        "SourceCluster": backup.source_cluster,
        "DeleteTimestamp": backup.deleted,
        "TagList": tag_list(backup.tags),
        "HsmType": backup.hsm_type,
        "Mode": backup.mode,
    }
