"""Puts together what reaches clusters through cloudhsm-cli on client hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hsmctl.settings import Context

if TYPE_CHECKING:
    from hsmctl.adapters.machine import Machines
    from hsmctl.domain.cluster import Cluster
    from hsmctl.domain.sync import Replica
    from hsmctl.ports import Clock, Identity, Login
    from hsmctl.ports_activation import Activation
    from hsmctl.ports_cli import Consoles, SigningKeys
    from hsmctl.ports_client import Clients
    from hsmctl.ports_interlock import KeyStores, Metrics
    from hsmctl.ports_timeline import AuditLog
    from hsmctl.secret import Secret
    from hsmctl.services.admin import Admins
    from hsmctl.services.client import ClientService
    from hsmctl.services.console import ConsoleService
    from hsmctl.services.evidence import EvidenceService
    from hsmctl.services.hold import HoldService
    from hsmctl.services.key_repair import KeyRepair
    from hsmctl.services.key_services import KeyServices
    from hsmctl.services.mtls import MtlsService
    from hsmctl.services.quorum import QuorumService
    from hsmctl.services.readiness import Readiness
    from hsmctl.services.signing import SigningService
    from hsmctl.services.user import UserService

    Ask = Callable[[str], Secret]

_LOGIN_SECONDS = 160.0
"""How long one login of a user keeps the next one waiting: a refusal must be known before another try."""


def consoles(context: Context, clock: Clock, state_folder: Path) -> Consoles:
    """The client hosts of the context that have cloudhsm-cli, this machine among them where the context says so."""
    from hsmctl.adapters.breaker import FileBreaker
    from hsmctl.adapters.console import CliConsoles

    breaker = FileBreaker(state_folder, clock, turn=_LOGIN_SECONDS)
    return CliConsoles(_machines(context), context.clients, breaker.gate, clock)


def console_service(consoles: Consoles) -> ConsoleService:
    """Which client host speaks."""
    from hsmctl.services.console import ConsoleService

    return ConsoleService(consoles=consoles)


def readiness(
    console: ConsoleService, cluster: Callable[[str], Cluster], key_stores: Callable[[], KeyStores]
) -> Readiness:
    """What must hold before something is written."""
    from hsmctl.services.readiness import Readiness

    return Readiness(console=console, cluster=cluster, key_stores=key_stores)


def signing_keys(context: Context, keys: Callable[[], KeyServices]) -> SigningKeys:
    """Keys of approvers and second factors, in files and on the context's tokens."""
    from hsmctl.adapters.signing_key import FileSigningKeys
    from hsmctl.services.signing_place import SigningPlaces
    from hsmctl.wiring.sync import token_replicas

    def tokens() -> Mapping[str, Replica]:
        found = {replica.name: replica for replica in token_replicas(context)} if context.tokens else {}
        return {**found, **{entry.label: found[entry.name] for entry in context.tokens if entry.label}}

    return SigningPlaces(
        files=FileSigningKeys(), certificates=lambda: keys().certificates, use=lambda: keys().use, tokens=tokens
    )


def admins(console: ConsoleService, keys: SigningKeys, clock: Clock, ask: Ask) -> Admins:
    """Logins of admins, and the approvals they ask for."""
    from hsmctl.adapters.bundle import FileBundles
    from hsmctl.services.admin import Admins
    from hsmctl.services.approval import Approvals

    approvals = Approvals(clock=clock, bundles=FileBundles())
    return Admins(console=console, approvals=approvals, keys=keys, ask=ask)


def user_service(admins: Admins, readiness: Readiness, identity: Identity, clock: Clock) -> UserService:
    """Users of clusters."""
    from hsmctl.services.user import UserService
    from hsmctl.services.user_step import UserSteps

    steps = UserSteps(clock=clock, admins=admins, keys=admins.keys, ask=admins.ask)
    return UserService(clock=clock, identity=identity, console=admins.console, readiness=readiness, steps=steps)


def quorum_service(admins: Admins, readiness: Readiness, identity: Identity, clock: Clock) -> QuorumService:
    """Approvals of clusters."""
    from hsmctl.services.quorum import QuorumService

    return QuorumService(
        clock=clock,
        identity=identity,
        console=admins.console,
        readiness=readiness,
        admins=admins,
        keys=admins.keys,
        ask=admins.ask,
    )


def signing_service(clock: Clock, keys: SigningKeys, ask: Ask) -> SigningService:
    """Approving off-line."""
    from hsmctl.adapters.bundle import FileBundles
    from hsmctl.services.signing import SigningService

    return SigningService(clock=clock, keys=keys, bundles=FileBundles(), ask=ask)


def clients(context: Context, clock: Clock) -> Clients:
    """How the context's client hosts are set up."""
    from hsmctl.adapters.client_host import HostClients

    return HostClients(_machines(context), context.clients, clock)


def client_service(clients: Clients, customer_ca: Path | None, identity: Identity, clock: Clock) -> ClientService:
    """The client hosts of the context."""
    from hsmctl.adapters.cluster_ca import CustomerCas
    from hsmctl.services.client import ClientService

    return ClientService(clock=clock, identity=identity, clients=clients, cas=CustomerCas(customer_ca))


def evidence_service(
    console: ConsoleService,
    clock: Clock,
    metrics: Callable[[], Metrics],
    audit: Callable[[], AuditLog],
    login: Callable[[], Login | None],
) -> EvidenceService:
    """What a real cluster tells about itself."""
    from hsmctl.services.evidence import EvidenceService

    return EvidenceService(clock=clock, console=console, metrics=metrics, audit=audit, login=login)


def key_repair(
    readiness: Readiness, hold: HoldService, login: Callable[[], Login | None], identity: Identity
) -> KeyRepair:
    """Attributes and sharing of a cluster's keys."""
    from hsmctl.services.key_repair import KeyRepair

    return KeyRepair(
        clock=hold.clock, identity=identity, console=readiness.console, readiness=readiness, hold=hold, login=login
    )


def mtls_service(
    clients: Clients,
    admins: Admins,
    readiness: Readiness,
    identity: Identity,
    clock: Clock,
) -> MtlsService:
    """Client certificates of clusters."""
    from hsmctl.adapters.client_certificate import FileClientCertificates
    from hsmctl.services.mtls import MtlsService

    return MtlsService(
        clock=clock,
        identity=identity,
        console=admins.console,
        readiness=readiness,
        admins=admins,
        clients=clients,
        certificates=FileClientCertificates(),
        key_stores=readiness.key_stores,
        cluster=readiness.cluster,
    )


def activation(consoles: Consoles, host: str | None = None) -> Activation:
    """Activation through cloudhsm-cli on a client host."""
    from hsmctl.adapters.activation import CliActivation

    return CliActivation(consoles, host)


def _machines(context: Context) -> Machines:
    """This machine and the hosts that SSH reaches."""
    from hsmctl.adapters.machine import Machines
    from hsmctl.adapters.ssh_config import SshAddress

    entries = [entry for entry in context.clients if entry.host]
    addresses = {entry.name: SshAddress(host=entry.host, user=entry.user, port=entry.port) for entry in entries}
    return Machines(addresses, context.ssh_config)
