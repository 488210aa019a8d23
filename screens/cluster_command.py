"""What can be done with a cluster and its backups from its place: the forms of `hsmctl backup` and `hsmctl cluster`."""

from __future__ import annotations

from .command import Command


def _form(name: str, says: str, *path: str, changes: bool = True) -> Command:
    return Command(name=name, help=says, form=path, changes=changes)


FORMS = (
    _form("backups", "list the backups", "backup", "list", changes=False),
    _form("copy_backup", "copy a backup to another region", "backup", "copy"),
    _form("delete_backup", "delete a backup; for seven days it can be restored", "backup", "delete"),
    _form("restore_backup", "take the deletion of a backup back", "backup", "restore"),
    _form("retain_backup", "keep a backup whatever the cluster's policy says", "backup", "retain"),
    _form("release_backup", "put a backup back under the cluster's policy", "backup", "release"),
    _form("scale", "bring the cluster to a number of HSMs", "cluster", "scale"),
    _form("modify", "change how long backups are kept, or the type of the HSMs", "cluster", "modify"),
    _form("delete_cluster", "delete the cluster, once it has no HSM", "cluster", "delete"),
)
