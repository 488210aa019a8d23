"""The port to real clusters: cloudhsm-cli on a client host, in the domain's words.

SDK 5 addresses clusters and never one HSM, so every answer is about the HSMs that host is connected to. A write that is
cut off raises Unreachable and may have happened: whoever goes on looks first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from hsmctl.domain.client import Configuration
    from hsmctl.domain.coverage import ReportedKey
    from hsmctl.domain.mtls import Anchor, Level
    from hsmctl.domain.quorum import Bundle, QuorumToken, Service
    from hsmctl.domain.user import HsmInfo, HsmUser, Role
    from hsmctl.ports import Login
    from hsmctl.secret import Secret

Approval = Mapping[str, Any]
"""A signed token file of cloudhsm-cli."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A key that signs for somebody: a second factor's, or an approver's."""

    public_key: str
    """PEM."""
    sign: Callable[[bytes], bytes]
    """Signs a SHA-256 digest with RSA PKCS#1 v1.5."""


class UserSession(Protocol):
    """What may be done with users."""

    def create_user(self, name: str, role: Role, password: Secret, approval: Approval | None = None) -> None:
        """Make the user on every connected HSM; a user who is missing on some is made there."""
        ...

    def delete_user(self, name: str, role: str, approval: Approval | None = None) -> None:
        """Delete the user on every connected HSM."""
        ...

    def change_password(self, name: str, role: Role, password: Secret, approval: Approval | None = None) -> None:
        """Set the password, which unlocks the user and ends an MFA user's quorum registration."""
        ...

    def register_mfa(
        self, name: str, role: Role, password: Secret, factor: Factor, approval: Approval | None = None
    ) -> None:
        """Give the user a second factor, whose key signs one token for each HSM; the password is set with it."""
        ...

    def deregister_mfa(self, name: str, role: Role, password: Secret, approval: Approval | None = None) -> None:
        """Take the second factor away; the password is set with it, and a quorum registration ends."""
        ...

    def register_approver(self, factor: Factor) -> None:
        """Make the logged-in admin an approver, by a key that signs."""
        ...


class QuorumSession(Protocol):
    """What may be done about approvals."""

    def new_token(self, service: Service) -> Approval:
        """A token to be signed; it is good once, and dies with this session."""
        ...

    def set_quorum_value(self, service: Service, value: int, approval: Approval | None = None) -> None:
        """Ask for this many approvals from now on."""
        ...

    def delete_tokens(self, *, everybody: bool) -> None:
        """Forget one's own tokens, or all."""
        ...


class MtlsSession(Protocol):
    """What may be done about client certificates."""

    def register_anchor(self, certificate: str, approval: Approval | None = None) -> None:
        """Trust a CA of clients, PEM, on every connected HSM that does not yet."""
        ...

    def deregister_anchor(self, reference: str, approval: Approval | None = None) -> None:
        """Trust it no longer."""
        ...

    def enforcement(self) -> str:
        """None or cluster."""
        ...

    def set_enforcement(self, level: Level, approval: Approval | None = None) -> None:
        """Let clients in only with a certificate, or with none."""
        ...


class KeySession(Protocol):
    """What a crypto user is told about keys, and may change; a key is named by its reference, `0x…`.

    A change raises DeviceError with the HSM's words where it is refused, and UsageError where a word cannot be typed.
    """

    def keys(self, only: Mapping[str, str] | None = None) -> tuple[tuple[ReportedKey, ...], int | None]:
        """Every key the user may see, and how many there are by the service's word; no key is used.

        `only` are attributes by cloudhsm-cli's names (`label`, `class`, `id` as `0x…`), and `key-reference`, that all
        have to be equal.
        """
        ...

    def set_attribute(self, reference: str, name: str, value: str, approval: Approval | None = None) -> None:
        """Set an attribute on every connected HSM; name and value are cloudhsm-cli's: `true`, `0x0a`, a label."""
        ...

    def share_key(self, reference: str, user: str, approval: Approval | None = None) -> None:
        """Let another crypto user use the key; said again, it is mended where some HSM has missed it."""
        ...

    def unshare_key(self, reference: str, user: str, approval: Approval | None = None) -> None:
        """Stop that."""
        ...


class ConsoleSession(UserSession, QuorumSession, MtlsSession, KeySession, Protocol):
    """A logged-in conversation; not shared between threads."""


class Console(Protocol):
    """cloudhsm-cli of one host with one cluster, nobody logged in."""

    @property
    def host(self) -> str:
        """The client host's name."""
        ...

    def hsms(self) -> tuple[HsmInfo, ...]:
        """The HSMs this host is connected to."""
        ...

    def users(self) -> tuple[HsmUser, ...]:
        """Every user."""
        ...

    def anchors(self) -> tuple[Anchor, ...]:
        """The trust anchors of clients."""
        ...

    def quorum(self) -> tuple[Mapping[str, int | None], Sequence[QuorumToken]]:
        """How many approvals each service needs, None where the HSMs do not agree; and the open tokens."""
        ...

    def configuration(self) -> Configuration:
        """What cloudhsm-cli on this host is configured to reach."""
        ...

    def activate(self, password: Secret) -> None:
        """Give the first admin a password, which makes the cluster ACTIVE.

        Raises:
            Conflict: it is activated already.
        """
        ...

    def login(self, login: Login, role: Role, factor: Factor | None = None) -> AbstractContextManager[ConsoleSession]:
        """A session of the user; it ends when the context does, and its tokens with it.

        `factor` is the second one of a user who has it; without it such a login is not tried.

        Raises:
            Denied: the user is locked or not the same everywhere, or this password was refused before; nothing is sent.
            PinRefused: the cluster refused the password now.
        """
        ...


class Consoles(Protocol):
    """The client hosts of the context that have cloudhsm-cli."""

    def names(self) -> tuple[str, ...]:
        """The hosts, in the order of the context; `local` where this machine has cloudhsm-cli."""
        ...

    def open(self, host: str, cluster_id: str) -> AbstractContextManager[Console]:
        """cloudhsm-cli of a host, for one cluster.

        Raises:
            Conflict: no such host, no cloudhsm-cli on it, or the cluster is not in its configuration.
            Denied: its host key is unknown, changed or revoked, or it refused the login.
            Unreachable: it did not answer.
        """
        ...


class SigningKeys(Protocol):
    """Private keys of approvers and of second factors."""

    def open(self, place: str, passphrase: Callable[[], Secret]) -> Factor:
        """The key of a PEM file; `passphrase` is asked only where the file is encrypted.

        Raises:
            UsageError: there is no RSA-2048 key in it.
            Denied: others may read the file, or the passphrase is wrong.
        """
        ...


class Bundles(Protocol):
    """The files in which approvals are asked for and given."""

    def write(self, path: str, bundle: Bundle) -> None:
        """Put the bundle there, in the place of an earlier one.

        Raises:
            UsageError: nothing can be written there.
        """
        ...

    def read(self, path: str) -> Bundle:
        """The bundle of a file.

        Raises:
            UsageError: there is none, or it cannot be read.
            Conflict: a newer hsmctl wrote it.
        """
        ...

    def collect(self, path: str) -> Bundle:
        """The bundle with the signatures of its copies: files beside it whose name begins with its own."""
        ...
