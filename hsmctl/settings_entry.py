"""What a context lists: tokens outside its clusters, and the hosts of clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hsmctl.secret import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEntry:
    """A PKCS#11 token outside the cluster, or the cluster seen through its client library."""

    name: str
    module: str
    """Path of the PKCS#11 library."""
    label: str = ""
    serial: str = ""
    slot: int | None = None
    """Which token of the library, where it has several and labels do not tell them apart."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables the library takes its configuration from: one library with two configurations is two tokens."""
    host: str = ""
    """The client host whose library it is; empty for this machine's. hsmctl's agent is sent there for each check."""
    cluster: str = ""
    """The CloudHSM cluster, or the clone of one, that it is to its client library."""
    site: str = ""
    """Where it stands."""
    user: str = ""
    password: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientEntry:
    """A registered client host: where it can be logged in to, what it is to AWS, where its CloudHSM client is.

    The one that is called `local` is this machine; it says only the last.
    """

    name: str
    host: str = ""
    """A host name, an address, or an alias of the SSH configuration; without one it cannot be probed from."""
    user: str = ""
    port: int | None = None
    source: str = ""
    """Instance, interface, address or prefix it sends from; without one its way cannot be explained."""
    cli: str = ""
    """Path of cloudhsm-cli on it, where that is not the usual one."""
    config_folder: str = ""
    """Folder of cloudhsm-cli.cfg and customerCA.crt on it, where that is not the usual one."""
