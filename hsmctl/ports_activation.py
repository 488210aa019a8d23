"""Activation: the first admin of an initialized cluster, and the places its password is put before it exists.

An admin password that is lost cannot be recovered by AWS (user guide, bp-hsm-user-management): it is written to a
sink and read back before the HSM hears of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hsmctl.domain.cluster import Cluster
    from hsmctl.secret import Secret


class Activation(Protocol):
    """Talks to the one HSM of a cluster that is INITIALIZED.

    Every method raises Unreachable where it cannot be known what happened, Denied where a password was refused, which
    is not tried again, and Conflict where the HSM says that it cannot be.
    """

    def activate(self, cluster: Cluster, password: Secret) -> None:
        """Give the first admin, `admin`, its password (cloudhsm-cli `cluster activate`)."""
        ...

    def activated(self, cluster: Cluster) -> bool:
        """Whether the HSM has an admin already (`user list`: role admin and not unactivated-admin); no login."""
        ...

    def login(self, cluster: Cluster, admin: str, password: Secret) -> None:
        """Log the admin in and out once, which proves its password."""
        ...

    def create_admin(self, cluster: Cluster, admin: str, password: Secret, name: str, new: Secret) -> None:
        """Have the admin create another, `name`, with the password `new`."""
        ...

    def admins(self, cluster: Cluster) -> tuple[str, ...]:
        """The names of the admins there are; no login."""
        ...


class SecretSink(Protocol):
    """Where a new secret is put so that it outlives this process."""

    @property
    def says(self) -> str:
        """Where that is, without the secret: `file /media/a/admin.txt`."""
        ...

    def put(self, secret: Secret) -> None:
        """Write it, durably.

        Raises:
            Conflict: something is there already, which is never overwritten.
            Denied: the place is not private, or not writable.
        """
        ...

    def read(self) -> Secret | None:
        """What is there, read anew; None where nothing is."""
        ...
