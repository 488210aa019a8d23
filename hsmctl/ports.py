"""The outside world in the domain's words: small protocols that adapters implement and tests fake.

No boto3 dict, PKCS#11 object or SSH channel crosses a port. Every method raises only errors of `hsmctl.errors`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from hsmctl.ports_lab import LAB_NETWORKS as LAB_NETWORKS
from hsmctl.ports_lab import LabClientHost as LabClientHost
from hsmctl.ports_lab import LabClone as LabClone
from hsmctl.ports_lab import LabControl as LabControl
from hsmctl.ports_lab import LabFault as LabFault
from hsmctl.ports_lab import LabFaultKind as LabFaultKind
from hsmctl.ports_lab import LabFaults as LabFaults
from hsmctl.ports_lab import LabNode as LabNode
from hsmctl.ports_lab import LabOptions as LabOptions
from hsmctl.ports_lab import LabStatus as LabStatus

if TYPE_CHECKING:
    # Only annotations name these: a command pays for no part of the domain that it does not use.
    from hsmctl.domain.cluster import Backup, Certificates, Cluster, Hsm
    from hsmctl.domain.key import Identity as KeyIdentity
    from hsmctl.domain.key import Key, KeySpec
    from hsmctl.domain.network import NetworkAnswer, NetworkQuery, Unreadable
    from hsmctl.domain.proof import Certified
    from hsmctl.domain.sync import Inventory, Replica
    from hsmctl.ports_key import TokenObjects, TokenSpeed, TokenUses
    from hsmctl.secret import Secret


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`; a cancelled wait raises instead."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who AWS says we are (STS GetCallerIdentity)."""

    account: str
    arn: str


class Identity(Protocol):
    """Who we are to AWS."""

    def caller(self) -> Caller:
        """The caller.

        Raises:
            Denied: AWS does not accept the credentials.
            Unreachable: AWS did not answer.
        """
        ...


class ControlPlane(Protocol):
    """The cloudhsmv2 service of one region."""

    @property
    def region(self) -> str:
        """The region's name."""
        ...

    def clusters(self, ids: Sequence[str] = ()) -> tuple[Cluster, ...]:
        """These clusters, or all; unknown ids are left out (DescribeClusters does not report them)."""
        ...

    def backups(self, cluster_id: str | None = None) -> tuple[Backup, ...]:
        """The backups of a cluster, or all of the region."""
        ...

    def create_cluster(
        self,
        *,
        hsm_type: str,
        subnets: Sequence[str],
        mode: str,
        tags: Mapping[str, str],
        network_type: str = "",
        source_backup: str = "",
        retention_days: int | None = None,
    ) -> Cluster:
        """The cluster that is being created."""
        ...

    def create_hsm(self, cluster_id: str, zone: str, address: str | None = None) -> Hsm:
        """The HSM that is being created; it has its id and address at once."""
        ...

    def initialize(self, cluster_id: str, signed_certificate: str, trust_anchor: str) -> None:
        """Claim the cluster with the signed CSR and the customer CA, both PEM."""
        ...

    def delete_hsm(self, cluster_id: str, hsm_id: str) -> None:
        """Start the deletion of an HSM."""
        ...

    def delete_cluster(self, cluster_id: str) -> None:
        """Start the deletion of a cluster without HSMs."""
        ...


class NetworkReader(Protocol):
    """What AWS says about networks: describe_* answers without anything secret."""

    @property
    def calls(self) -> int:
        """The requests sent so far, every page counted."""
        ...

    def read(self, query: NetworkQuery) -> NetworkAnswer | Unreadable:
        """The whole answer, all its pages, or the reason why there is none; ids that are unknown are left out."""
        ...


class NetworkCache(Protocol):
    """Answers of earlier runs, for as long as they are young; it holds nothing secret."""

    def answer(self, key: str) -> NetworkAnswer | None:
        """What was kept under the key, whatever its age."""
        ...

    def keep(self, answers: Mapping[str, NetworkAnswer]) -> None:
        """Hold these for the next run and forget the outdated."""
        ...


class Token(Protocol):
    """An open, logged-in conversation with one PKCS#11 token or HSM; not shared between threads."""

    @property
    def objects(self) -> TokenObjects:
        """Its objects, one by one."""
        ...

    @property
    def uses(self) -> TokenUses:
        """What its keys do."""
        ...

    @property
    def speed(self) -> TokenSpeed:
        """How fast it is."""
        ...

    def inventory(self) -> Inventory:
        """Every token object the user may see, in one bulk pass.

        Raises:
            Unreachable: it did not answer in time; the conversation is closed and no late answer is ever matched.
            DeviceError: the token refused.
        """
        ...

    def prove(
        self, nonce: bytes, only: Collection[KeyIdentity] | None = None, per_second: float | None = None
    ) -> Inventory:
        """The inventory with a proof of every object: keys are used, each at most once.

        Args:
            nonce: of this run, 32 bytes.
            only: the keys that may be used, or None for all.
            per_second: how many keys are used in a second at most, or None for no limit.

        Raises:
            Unreachable: as for `inventory`.
            DeviceError: the token refused; what it refuses to a single key is that key's reason instead.
        """
        ...

    def generate(self, spec: KeySpec) -> tuple[Key, ...]:
        """The new objects, as the token lists them afterwards: one secret key, or the private and the public half."""
        ...


@dataclass(frozen=True, slots=True)
class Login:
    """The crypto user and where its password is; the PIN of PKCS#11 is `user:password`."""

    user: str
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedLogin:
    """A PIN that was refused and is not tried again."""

    realm: str
    """Whose user it is: the cluster's id, or the token's name."""
    user: str
    replica: str
    """The HSM or token that refused."""
    at: datetime
    fingerprint: str
    """A keyed digest of the PIN."""


class Breaker(Protocol):
    """The refused logins of this machine."""

    def refused(self) -> tuple[RefusedLogin, ...]:
        """What is not tried again, oldest first."""
        ...

    def reset(self, logins: Sequence[RefusedLogin]) -> None:
        """Forget these refusals: each PIN may be tried once more."""
        ...


class SignatureVerifier(Protocol):
    """The cryptography that proofs by challenge need."""

    def fits(self, curve: str, point: bytes, digest: bytes, signature: bytes) -> bool:
        """Whether a digest has this ECDSA signature by the private half of a point, both as PKCS#11 writes them."""
        ...

    def certify(self, certificate: bytes) -> Certified:
        """What a certificate, DER, says about its key."""
        ...


class Tokens(Protocol):
    """Opens tokens, whatever the transport."""

    def open(self, replica: Replica, login: Login, deadline: float) -> AbstractContextManager[Token]:
        """A conversation with the replica; it ends when the context does.

        `deadline` is a point on the monotonic clock after which every answer is given up.

        Raises:
            Unreachable: nobody answered in time, or it is not the HSM it should be.
            Denied: the login was refused; it is not tried again.
        """
        ...


class Authority(Protocol):
    """The operator's certificate authority, which claims a cluster by signing its CSR."""

    def certificate(self) -> str:
        """The CA's certificate, PEM: the cluster's trust anchor."""
        ...

    def sign(self, csr: str) -> str:
        """The certificate for a CSR, PEM.

        Raises:
            Conflict: the CSR's own signature does not verify.
        """
        ...


class HardwareIdentity(Protocol):
    """Says whether a cluster's first HSM is the hardware it claims to be."""

    def verify(self, certificates: Certificates) -> tuple[str, ...]:
        """What was verified, a sentence each: both chains, and that the CSR's key is the HSM's.

        Raises:
            Denied: a link does not verify; the sentence names it.
        """
        ...


class Journal(Protocol):
    """The append-only record of what was done (architecture, section 4)."""

    def append(self, kind: str, fields: Mapping[str, object]) -> None:
        """Write one record, durably, before the caller goes on."""
        ...

    def records(self) -> Iterator[Mapping[str, object]]:
        """Every readable record, oldest first."""
        ...


class Locks(Protocol):
    """One writer per cluster on this machine."""

    def hold(self, name: str) -> AbstractContextManager[None]:
        """The lock, held inside the context.

        Raises:
            Conflict: somebody else on this machine holds it.
        """
        ...

    def holder(self, name: str) -> int | None:
        """The process that holds the lock, if one does."""
        ...
