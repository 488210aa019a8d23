"""Backups over cloudhsmv2: changes are sent once, questions patiently, copies are looked for in their own region."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from hsmctl.adapters import aws_value
from hsmctl.adapters.aws_error import translated
from hsmctl.domain.cluster import Backup
from hsmctl.errors import Conflict


class AwsBackups:
    """ports_backup.Backups over cloudhsmv2."""

    def __init__(self, region: Callable[[], str], client: Callable[[str], Any], changing: Callable[[], Any]) -> None:
        """Name what makes a client of a region for questions, and one of this region for changes."""
        self._region = region
        self._client = client
        self._new_client_for_changes = changing

    def copy(self, backup_id: str, region: str) -> None:
        """Begin a copy in another region; the answer does not say which backup that will be."""
        with translated("cloudhsm:CopyBackupToRegion"):
            self._changes.copy_backup_to_region(BackupId=backup_id, DestinationRegion=region)

    def copies(self, backup_id: str, region: str) -> tuple[Backup, ...]:
        """The copies of a backup in another region."""
        return self._described(region, Filters={"sourceBackupIds": [backup_id]})

    def delete(self, backup_id: str) -> None:
        """Mark it for deletion in seven days."""
        with translated("cloudhsm:DeleteBackup"):
            self._changes.delete_backup(BackupId=backup_id)

    def restore(self, backup_id: str) -> None:
        """Take a pending deletion back."""
        with translated("cloudhsm:RestoreBackup"):
            self._changes.restore_backup(BackupId=backup_id)

    def retain(self, backup_id: str, *, for_ever: bool) -> None:
        """Exempt it from the retention policy, or put it back under it."""
        with translated("cloudhsm:ModifyBackupAttributes"):
            self._changes.modify_backup_attributes(BackupId=backup_id, NeverExpires=for_ever)

    def policy(self, arn: str) -> str | None:
        """Its resource policy, JSON; None where it has none, which the service may say by an error."""
        try:
            with translated("cloudhsm:GetResourcePolicy"):
                policy: str | None = self._client(self._region()).get_resource_policy(ResourceArn=arn).get("Policy")
        except Conflict:
            return None
        return policy

    def share(self, arn: str, policy: str | None) -> None:
        """Put this resource policy on it, or take away what it has."""
        if policy is None:
            with translated("cloudhsm:DeleteResourcePolicy"):
                self._changes.delete_resource_policy(ResourceArn=arn)
            return
        with translated("cloudhsm:PutResourcePolicy"):
            self._changes.put_resource_policy(ResourceArn=arn, Policy=policy)

    def shared(self) -> tuple[Backup, ...]:
        """The backups that other accounts share with this one."""
        return self._described(self._region(), Shared=True)

    def _described(self, region: str, **asked: object) -> tuple[Backup, ...]:
        def pages() -> Iterator[dict[str, Any]]:
            client = self._client(region)
            while True:
                page = client.describe_backups(**asked)
                yield from page["Backups"]
                if not page.get("NextToken"):
                    return
                asked["NextToken"] = page["NextToken"]

        with translated(f"cloudhsm:DescribeBackups in {region}"):
            return tuple(aws_value.backup(raw) for raw in pages())  # type: ignore[arg-type]

    @cached_property
    def _changes(self) -> Any:  # noqa: ANN401 - one client for all operations
        return self._new_client_for_changes()
