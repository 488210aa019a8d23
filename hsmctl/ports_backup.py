"""Backups as cloudhsmv2 keeps them; what it lists of a cluster's is the control plane's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hsmctl.domain.cluster import Backup


class Backups(Protocol):
    """Changes of backups of this region, and their copies elsewhere."""

    def copy(self, backup_id: str, region: str) -> None:
        """Begin a copy in another region; the answer does not say which backup that will be."""
        ...

    def copies(self, backup_id: str, region: str) -> tuple[Backup, ...]:
        """The copies of a backup in another region."""
        ...

    def delete(self, backup_id: str) -> None:
        """Mark it for deletion in seven days."""
        ...

    def restore(self, backup_id: str) -> None:
        """Take a pending deletion back."""
        ...

    def retain(self, backup_id: str, *, for_ever: bool) -> None:
        """Exempt it from the retention policy, or put it back under it."""
        ...

    def policy(self, arn: str) -> str | None:
        """Its resource policy, JSON."""
        ...

    def share(self, arn: str, policy: str | None) -> None:
        """Put this resource policy on it, or take away what it has."""
        ...

    def shared(self) -> tuple[Backup, ...]:
        """The backups that other accounts share with this one."""
        ...
