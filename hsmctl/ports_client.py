"""The port to client hosts as they are set up: components, configurations, CA files; and setting them up anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hsmctl.domain.client import ClientState
    from hsmctl.domain.cluster import Cluster


class Clients(Protocol):
    """The client hosts of the context.

    Every method raises Unreachable where the host does not answer, Denied where its host key or the login is refused,
    UsageError where it is a Windows host, and Conflict where it has no CloudHSM client.
    """

    def names(self) -> tuple[str, ...]:
        """The hosts, in the order of the context."""
        ...

    def look(self, host: str) -> ClientState:
        """What the host has; nothing is changed and no HSM is asked."""
        ...

    def read(self, host: str, path: str) -> str:
        """The text of a file that a configuration names."""
        ...

    def configure(self, host: str, component: str, options: Sequence[str]) -> None:
        """Run the component's own configure tool with these options of it.

        Raises:
            UsageError: an option or a value is not one that hsmctl passes on.
        """
        ...

    def check_key(self, host: str, path: str) -> None:
        """Whether this user may read a private key there and it has no passphrase; it stays there.

        Raises:
            Conflict: there is none, or it is encrypted, at which the client would wait for ever (measured).
        """
        ...

    def close_file(self, host: str, path: str) -> None:
        """Let nobody but its owner change a file."""
        ...

    def install_ca(self, host: str, path: str, certificate: str) -> None:
        """Put a CA certificate, PEM, where configurations look for it, readable by all."""
        ...


class ClusterCas(Protocol):
    """Whose CA a certificate is."""

    def ends(self, certificate: str, cluster: Cluster) -> datetime:
        """When a CA that issued the cluster's certificate ends.

        Raises:
            Conflict: it is no certificate, or not the cluster's CA.
        """
        ...

    def own(self, path: str = "") -> str:
        """The customer CA of a file of this machine, or of the context, PEM.

        Raises:
            Conflict: the context names none, or the file cannot be read.
        """
        ...
