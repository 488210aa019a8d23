"""The port Activation through cloudhsm-cli on a client host of the context."""

from __future__ import annotations

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.user import Role
from hsmctl.errors import Conflict
from hsmctl.ports import Login
from hsmctl.ports_cli import Consoles
from hsmctl.secret import Secret


class CliActivation:
    """ports_activation.Activation; `host` is the client host, None is the first of the context."""

    def __init__(self, consoles: Consoles, host: str | None = None) -> None:
        self._consoles = consoles
        self._host = host

    def activate(self, cluster: Cluster, password: Secret) -> None:
        """Give the first admin, `admin`, its password."""
        with self._consoles.open(self._name, cluster.cluster_id) as console:
            console.activate(password)

    def activated(self, cluster: Cluster) -> bool:
        """Whether the HSM has an admin already; nobody logs in."""
        return bool(self.admins(cluster))

    def login(self, cluster: Cluster, admin: str, password: Secret) -> None:
        """Log the admin in and out once, which proves its password."""
        login = Login(admin, password)
        with self._consoles.open(self._name, cluster.cluster_id) as console, console.login(login, Role.ADMIN):
            return

    def create_admin(self, cluster: Cluster, admin: str, password: Secret, name: str, new: Secret) -> None:
        """Have the admin create another."""
        login = Login(admin, password)
        opened = self._consoles.open(self._name, cluster.cluster_id)
        with opened as console, console.login(login, Role.ADMIN) as session:
            session.create_user(name, Role.ADMIN, new)

    def admins(self, cluster: Cluster) -> tuple[str, ...]:
        """The names of the admins there are; nobody logs in."""
        with self._consoles.open(self._name, cluster.cluster_id) as console:
            return tuple(user.name for user in console.users() if user.role == Role.ADMIN)

    @property
    def _name(self) -> str:
        """The client host.

        Raises:
            Conflict: the context has none.
        """
        found = self._host or next(iter(self._consoles.names()), None)
        if found is None:
            raise Conflict(
                "no client host",
                "activation goes through cloudhsm-cli on a host that reaches the HSM",
                "add [[context.NAME.clients]] with host = …, or one called local for this machine",
            )
        return found
