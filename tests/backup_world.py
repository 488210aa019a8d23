"""Backups in memory: what is changed changes in the plane that lists them; copies come of age when looked at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hsmctl.domain.cluster import Backup, BackupState

if TYPE_CHECKING:
    from world import FakePlane


@dataclass
class FakeBackups:
    """ports_backup.Backups on the backups of a FakePlane."""

    plane: FakePlane
    elsewhere: dict[str, list[Backup]] = field(default_factory=dict)
    """Copies by region."""
    becomes: BackupState = BackupState.READY
    """What a copy turns into."""
    policies: dict[str, str] = field(default_factory=dict)
    from_others: tuple[Backup, ...] = ()

    def copy(self, backup_id: str, region: str) -> None:
        copies = self.elsewhere.setdefault(region, [])
        name = f"backup-copy{len(copies):07d}"
        copies.append(Backup(backup_id=name, state=BackupState.CREATE_IN_PROGRESS, source_backup=backup_id))

    def copies(self, backup_id: str, region: str) -> tuple[Backup, ...]:
        held = self.elsewhere.get(region, [])
        shown = tuple(copy for copy in held if copy.source_backup == backup_id)
        held[:] = [replace(copy, state=self.becomes) for copy in held]
        return shown

    def delete(self, backup_id: str) -> None:
        self._change(backup_id, state=BackupState.PENDING_DELETION)

    def restore(self, backup_id: str) -> None:
        self._change(backup_id, state=BackupState.READY)

    def retain(self, backup_id: str, *, for_ever: bool) -> None:
        self._change(backup_id, never_expires=for_ever)

    def policy(self, arn: str) -> str | None:
        return self.policies.get(arn)

    def share(self, arn: str, policy: str | None) -> None:
        if policy is None:
            self.policies.pop(arn, None)
        else:
            self.policies[arn] = policy

    def shared(self) -> tuple[Backup, ...]:
        return self.from_others

    def _change(self, backup_id: str, **changes: object) -> None:
        self.plane.backup_list = tuple(
            replace(each, **changes) if each.backup_id == backup_id else each  # type: ignore[arg-type]
            for each in self.plane.backup_list
        )
