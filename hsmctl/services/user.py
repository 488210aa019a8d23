"""The users of a cluster: who they are on every HSM a client host reaches."""

from __future__ import annotations

from dataclasses import dataclass

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.user import HsmUser
from hsmctl.services.console import ConsoleService


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """What one client host says about a cluster's users."""

    cluster_id: str
    host: str
    active: int
    """HSMs that are ACTIVE."""
    connected: int
    """HSMs the host is connected to: what it says is about those."""
    users: tuple[HsmUser, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserService:
    """Users of clusters."""

    console: ConsoleService

    def list(self, cluster: Cluster, host: str | None = None) -> Users:
        """Every user, with how far the answer goes.

        Raises:
            Conflict: no client host has cloudhsm-cli.
            Unreachable: no client host, or no HSM, answered.
        """
        with self.console.open(cluster.cluster_id, host) as console:
            return Users(
                cluster_id=cluster.cluster_id,
                host=console.host,
                active=len(cluster.active_hsms),
                connected=len(console.hsms()),
                users=console.users(),
            )
