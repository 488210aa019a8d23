"""The composition root: settings in, the façade of services out; the only importer of adapters.

Adapters are imported when a service that needs them is first asked for, so a command pays only for what it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from hsmctl.errors import Conflict
from hsmctl.secret import Answers, Secret, Source, SourceKind
from hsmctl.settings import Context, ContextKind, Settings, check_may_write
from hsmctl.settings_loader import with_lab_context

if TYPE_CHECKING:
    from hsmctl.adapters.aws import Aws
    from hsmctl.adapters.breaker import FileBreaker
    from hsmctl.adapters.history import SqliteHistory
    from hsmctl.domain.cluster import Cluster
    from hsmctl.domain.sync import Replica
    from hsmctl.ports import Authority, Clock, HardwareIdentity, Journal, Login, Tokens
    from hsmctl.ports_cli import Consoles
    from hsmctl.ports_client import Clients
    from hsmctl.ports_host import ClientHosts
    from hsmctl.ports_metrics import Exporter
    from hsmctl.services.activation import ActivationService
    from hsmctl.services.admin import Admins
    from hsmctl.services.backup import BackupService
    from hsmctl.services.canary import CanaryService
    from hsmctl.services.ceremony import CeremonyService
    from hsmctl.services.client import ClientService
    from hsmctl.services.cluster import ClusterService
    from hsmctl.services.cluster_change import ClusterChanges
    from hsmctl.services.console import ConsoleService
    from hsmctl.services.estate import Place
    from hsmctl.services.evidence import EvidenceService
    from hsmctl.services.hold import HoldService
    from hsmctl.services.hsm import HsmService
    from hsmctl.services.interlock import Interlocks
    from hsmctl.services.key import KeyService
    from hsmctl.services.key_repair import KeyRepair
    from hsmctl.services.key_services import KeyServices
    from hsmctl.services.lab import LabService
    from hsmctl.services.lab_tools import LabTools
    from hsmctl.services.login import LoginService
    from hsmctl.services.mtls import MtlsService
    from hsmctl.services.net_collect import NetCollectService
    from hsmctl.services.operation import Operations, Playbook
    from hsmctl.services.probe import ProbeService
    from hsmctl.services.quorum import QuorumService
    from hsmctl.services.readiness import Readiness
    from hsmctl.services.signing import SigningService
    from hsmctl.services.status import StatusService
    from hsmctl.services.sync import SyncService
    from hsmctl.services.timeline import TimelineService
    from hsmctl.services.user import UserService
    from hsmctl.settings_entry import TokenEntry


@dataclass
class Hsmctl:
    """What a front end gets: one context's services, each made when first asked for."""

    settings: Settings
    ask: Callable[[str], Secret]
    """Prompts for a secret; each front end has its own way."""
    break_glass: str = ""
    """Why a protected context may be changed in this run, as the operator said it."""
    passwords: Answers = field(default_factory=Answers, repr=False)
    """The passwords of those who look."""
    answers: Answers = field(default_factory=Answers, repr=False)
    """What was prompted for a change; who shows screens forgets it when the change has ended."""

    @property
    def context(self) -> Context:
        """The context in force."""
        return self.settings.context

    @cached_property
    def clock(self) -> Clock:
        """The machine's clock."""
        from hsmctl.adapters.clock import SystemClock

        return SystemClock()

    @cached_property
    def journal(self) -> Journal:
        """The append-only record of what was done."""
        from hsmctl.adapters.journal import FileJournal

        return FileJournal(self.settings.state_folder / "journal.jsonl", self.clock)

    @cached_property
    def aws(self) -> Aws:
        """The AWS account of the context, with the caller checked against the context's pinned account.

        Raises:
            UsageError: a lab context points away from this machine, or another context at it.
        """
        from hsmctl.wiring.aws import aws

        return aws(self.context, self.secret)

    @cached_property
    def cluster(self) -> ClusterService:
        """Clusters, HSMs and backups."""
        from hsmctl.wiring.cluster import cluster_service

        return cluster_service(
            self.aws,
            self.context,
            self.clock,
            self.operations,
            lambda: self.interlocks,
            lambda: {**self.ceremony.runners(), **self.activation.runners()},
        )

    @cached_property
    def activation(self) -> ActivationService:
        """Activating clusters."""
        from hsmctl.wiring.activation import activation_service

        return activation_service(self.aws, self.context, self.clock, self.cluster.show, self.consoles)

    @cached_property
    def ceremony(self) -> CeremonyService:
        """The ceremonies that claim clusters."""
        from hsmctl.wiring.ceremony import ceremony_service

        return ceremony_service(
            aws=self.aws,
            context=self.context,
            clock=self.clock,
            journal=self.journal,
            state_folder=self.settings.state_folder,
            cluster=self.cluster.show,
            authority=self.authority,
            hardware=self.hardware,
            ask=self.asked,
            certificates=lambda: self.keys.certificates,
            guard=self.check_may_write,
        )

    @cached_property
    def changes(self) -> ClusterChanges:
        """Creating, deleting and modifying clusters."""
        from hsmctl.wiring.cluster import cluster_changes

        return cluster_changes(self.aws, self.context, self.clock, self.interlocks)

    @cached_property
    def hsm(self) -> HsmService:
        """Adding, removing and replacing HSMs."""
        from hsmctl.wiring.cluster import hsm_service

        return hsm_service(self.aws, self.context, self.clock, self.interlocks)

    @cached_property
    def backup(self) -> BackupService:
        """Backups: what there is, and changing it."""
        from hsmctl.wiring.backup import backup_service

        return backup_service(self.aws, self.context, self.clock)

    @cached_property
    def interlocks(self) -> Interlocks:
        """What stands between an operator and a removal."""
        from hsmctl.wiring.interlock import interlocks

        return interlocks(self.aws, self.context, self.clock, self.settings.state_folder)

    @cached_property
    def authority(self) -> Authority | None:
        """The lab's own customer CA; elsewhere the ceremony brings the operator's."""
        from hsmctl.wiring.cluster import lab_authority

        return lab_authority(self.context)

    @cached_property
    def hardware(self) -> HardwareIdentity | None:
        """Verifies hardware against the context's roots, if it names them."""
        from hsmctl.wiring.cluster import hardware_identity

        return hardware_identity(self.context.hardware_roots, self.clock)

    @cached_property
    def status(self) -> StatusService:
        """How clusters stand."""
        from hsmctl.wiring.status import status_service

        known = self.interlocks, self.evidence, self.history, self.operations
        return status_service(self.context, *known, lambda: self.net)

    @cached_property
    def exporter(self) -> Exporter:
        """How metrics leave."""
        from hsmctl.adapters.exporter import PrometheusExporter

        return PrometheusExporter()

    @cached_property
    def timeline(self) -> TimelineService:
        """What happened to clusters."""
        from hsmctl.wiring.timeline import timeline_service

        return timeline_service(self.aws, self.context, self.clock, self.journal)

    def places(self, regions: Sequence[str], *, everywhere: bool, named: bool) -> list[Place]:
        """The regions of this context to list clusters of; `named` says that the context's name is shown."""
        from hsmctl.wiring.cluster import places

        return places(self.aws, self.context, regions, everywhere=everywhere, named=named)

    @cached_property
    def operations(self) -> Operations:
        """What applies plans, and goes on with those that were cut off."""
        from hsmctl.wiring.operation import operations

        state = self.settings.state_folder
        return operations(self.aws, self.context, self.clock, self.journal, state, self.check_may_write)

    def playbook(self, noun: str) -> Playbook:
        """How the plans of a noun are carried out.

        Raises:
            Conflict: this version knows no such noun.
        """
        from hsmctl.wiring.operation import playbook

        known: Mapping[str, Callable[[], Playbook]] = {
            "key": lambda: self.keys.playbook,
            "cluster": lambda: self.cluster.playbook(),
            "client": lambda: self.client.playbook,
            "mtls": lambda: self.mtls.playbook,
            "backup": lambda: self.backup.playbook(),
            "user": lambda: self.user.playbook,
            "quorum": lambda: self.quorum.playbook,
            "sync": lambda: self.key_repair.playbook,
        }
        return playbook(noun, known)

    @cached_property
    def sync(self) -> SyncService:
        """Checks of replicas."""
        from hsmctl.wiring.sync import sync_service

        return sync_service(self.context, self.clock, self.tokens, self.login, self.history)

    @cached_property
    def history(self) -> SqliteHistory:
        """The checks that were made on this machine."""
        from hsmctl.adapters.history import SqliteHistory

        return SqliteHistory(self.settings.state_folder / "history.sqlite")

    @cached_property
    def canary(self) -> CanaryService:
        """Keys that are made to see whether they reach every HSM, and destroyed."""
        from hsmctl.wiring.sync import canary_service

        return canary_service(self.context, self.sync, self.journal, self.settings.state_folder)

    @cached_property
    def hold(self) -> HoldService:
        """Holds on clusters, whatever the context."""
        from hsmctl.wiring.sync import hold_service

        return hold_service(self.clock, self.journal, self.settings.state_folder)

    @cached_property
    def key(self) -> KeyService:
        """Key operations."""
        from hsmctl.wiring.key import key_service

        access = self.clock, self.tokens, self.login, self.journal
        return key_service(*access, self.check_may_write, self.sync)

    @cached_property
    def keys(self) -> KeyServices:
        """Work on single keys."""
        from hsmctl.wiring.key import key_services

        access = self.clock, self.tokens, self.login, self.journal, self.check_may_write, self._replica
        later = lambda: self.console, lambda: self.hold.holds, lambda: self.history, lambda: self.key
        return key_services(*access, *later, lambda cluster_id: self.replicas(self.cluster.show(cluster_id)))

    @cached_property
    def tokens(self) -> Tokens:
        """Opens tokens over every transport."""
        from hsmctl.wiring.sync import tokens

        return tokens(self.context, self.clock, self.settings.state_folder, self._breaker.gate, lambda: self.console)

    @cached_property
    def logins(self) -> LoginService:
        """Refused logins, whatever the context."""
        from hsmctl.services.login import LoginService

        return LoginService(breaker=self._breaker, journal=self.journal)

    @cached_property
    def net(self) -> NetCollectService:
        """Snapshots of the network between clients and HSMs, which `services.net` explains."""
        from hsmctl.wiring.net import net_service

        return net_service(self.aws, self.context, self.clock, self.settings.state_folder)

    @cached_property
    def hosts(self) -> ClientHosts:
        """The client hosts that can be logged in to, and this machine."""
        from hsmctl.wiring.net import client_hosts

        return client_hosts(self.context)

    @cached_property
    def probe(self) -> ProbeService:
        """Connections to HSMs, tried from client hosts."""
        from hsmctl.wiring.net import probe_service

        return probe_service(self.context, self.clock, self.hosts)

    @cached_property
    def consoles(self) -> Consoles:
        """cloudhsm-cli on the context's client hosts."""
        from hsmctl.wiring.console import consoles

        return consoles(self.context, self.clock, self.settings.state_folder)

    @cached_property
    def console(self) -> ConsoleService:
        """Which client host speaks for a cluster."""
        from hsmctl.wiring.console import console_service

        return console_service(self.consoles)

    @cached_property
    def admins(self) -> Admins:
        """Logins of admins, whose passwords are only ever asked for."""
        from hsmctl.wiring.console import admins, signing_keys

        return admins(self.console, signing_keys(self.context, lambda: self.keys), self.clock, self.asked)

    @cached_property
    def readiness(self) -> Readiness:
        """What must hold before something is written through a client host."""
        from hsmctl.wiring.console import readiness

        return readiness(self.console, self.cluster.show, lambda: self.interlocks.key_stores)

    @cached_property
    def user(self) -> UserService:
        """The users of clusters."""
        from hsmctl.wiring.console import user_service

        return user_service(self.admins, self.readiness, self.aws.identity(self.context.account_id), self.clock)

    @cached_property
    def quorum(self) -> QuorumService:
        """Approvals of clusters."""
        from hsmctl.wiring.console import quorum_service

        return quorum_service(self.admins, self.readiness, self.aws.identity(self.context.account_id), self.clock)

    @cached_property
    def clients(self) -> Clients:
        """How the context's client hosts are set up."""
        from hsmctl.wiring.console import clients

        return clients(self.context, self.clock)

    @cached_property
    def client(self) -> ClientService:
        """The client hosts of the context."""
        from hsmctl.wiring.console import client_service

        identity = self.aws.identity(self.context.account_id)
        return client_service(self.clients, self.context.customer_ca, identity, self.clock)

    @cached_property
    def mtls(self) -> MtlsService:
        """Client certificates of clusters."""
        from hsmctl.wiring.console import mtls_service

        identity = self.aws.identity(self.context.account_id)
        return mtls_service(self.clients, self.admins, self.readiness, identity, self.clock)

    @cached_property
    def evidence(self) -> EvidenceService:
        """What a cluster tells about itself, where no replica can be asked."""
        from hsmctl.wiring.console import evidence_service

        counts, audit = lambda: self.interlocks.metrics, lambda: self.timeline.audit
        return evidence_service(self.console, self.clock, counts, audit, self._checker)

    @cached_property
    def key_repair(self) -> KeyRepair:
        """Attributes and sharing of a cluster's keys, made equal again."""
        from hsmctl.wiring.console import key_repair

        return key_repair(self.readiness, self.hold, self._checker, self.aws.identity(self.context.account_id))

    @cached_property
    def signing(self) -> SigningService:
        """Approving off-line."""
        from hsmctl.wiring.console import signing_keys, signing_service

        return signing_service(self.clock, signing_keys(self.context, lambda: self.keys), self.asked)

    @cached_property
    def lab(self) -> LabService:
        """The lab in the settings' lab folder, whatever the context."""
        from hsmctl.wiring.lab import lab_service

        return lab_service(self.clock, self.settings.lab_home, self._lab_tools)

    def replicas(self, cluster: Cluster) -> tuple[Replica, ...]:
        """Where the keys of a cluster can be asked: its nodes in the lab, the context's tokens elsewhere.

        Raises:
            UsageError: the context names no token; SDK 5 cannot address one HSM of a real cluster.
        """
        from hsmctl.wiring.sync import node_replicas

        return node_replicas(cluster) if self.context.kind is ContextKind.LAB else self.token_replicas()

    def token_replicas(self) -> tuple[Replica, ...]:
        """The context's PKCS#11 tokens.

        Raises:
            UsageError: the context names none.
        """
        from hsmctl.wiring.sync import token_replicas

        return token_replicas(self.context)

    def _replica(self, name: str, cluster_id: str | None) -> Replica:
        """The replica of this name, among the context's tokens or in a cluster.

        Raises:
            Conflict: there is none.
        """
        outside = cluster_id is None or any(entry.name == name for entry in self.context.tokens)
        known = self.token_replicas() if outside else self.replicas(self.cluster.show(cluster_id or ""))
        for replica in known:
            if replica.name == name:
                return replica
        raise Conflict(f"no replica {name}", "the plan was made where there was one", "hsmctl key list")

    def login(self, replica: Replica) -> Login:
        """The crypto user of a replica, its password read from where the context says."""
        from hsmctl.ports import Login

        entry = next((entry for entry in self.context.tokens if entry.name == replica.name), None)
        owner: Context | TokenEntry = entry or self.context
        source = owner.password or Source(SourceKind.PROMPT)
        return Login(user=owner.user, password=self.secret(source, f"password of {owner.user or replica.name}"))

    def secret(self, source: Source, prompt: str = "password") -> Secret:
        """The secret from its source, read once a run."""
        return self.passwords.of(source, prompt, self.ask)

    def asked(self, prompt: str) -> Secret:
        """A secret that is only ever prompted for, once a change."""
        return self.answers.of(Source(SourceKind.PROMPT), prompt, self.ask)

    def _checker(self) -> Login | None:
        """The crypto user that checks keys, where the context names one and where its password is."""
        from hsmctl.ports import Login

        user, source = self.context.user, self.context.password
        return Login(user, self.secret(source, f"password of {user}")) if user and source else None

    def check_may_write(self) -> str | None:
        """Refuse a change that the context forbids; else the reason a protected one may be changed, if one was given.

        Raises:
            Denied: no context is chosen, or it is read-only, or protected and no reason was given to break the glass.
        """
        check_may_write(self.context, self.break_glass)
        return self.break_glass or None

    @cached_property
    def _breaker(self) -> FileBreaker:
        from hsmctl.adapters.breaker import FileBreaker

        return FileBreaker(self.settings.state_folder, self.clock)

    def _lab_tools(self) -> LabTools:
        """The services over the lab's own context, which a started lab has written."""
        from hsmctl.services.lab_tools import LabTools

        lab = Hsmctl(with_lab_context(self.settings), self.ask)
        return LabTools(
            cluster=lab.cluster, ceremony=lab.ceremony, tokens=lab.tokens, login=lab.login, replicas=lab.replicas
        )
