"""A world in memory: fakes that implement the ports, a three-HSM cluster built in it, and the façade over all of it.

`World()` is the healthy lab; a test bends it before or while it runs (`world.tokens.held`, `world.tokens.errors`,
`world.plane.held`) and hands `world.hsmctl()` to a front end. Time moves only when somebody sleeps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import Any

import certificates
from backup_world import FakeBackups
from ceremony_world import MemoryCeremonies, WordPapers
from console_world import MemoryClients, MemoryCluster, MemoryConsoles
from estate_world import FakeEstate, FakeGrounds
from history_world import MemoryHistory
from lab_faults import FakeFaults
from timeline_world import FakeAuditLog, FakeTrail
from token_fake import FakeObjects, FakeSpeed, FakeUses

from hsmctl.adapters.journal import plain
from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.cluster import Backup, BackupState, Certificates, Cluster, ClusterState, Hsm, HsmState
from hsmctl.domain.key import (
    PAIRED,
    Identity,
    Key,
    KeyKind,
    KeySpec,
    Material,
    MaterialKind,
    ObjectClass,
    Proof,
    ProofKind,
)
from hsmctl.domain.network import NetworkAnswer, NetworkQuery, Unreadable
from hsmctl.domain.sync import Inventory, Replica
from hsmctl.errors import Conflict, Denied, HsmctlError
from hsmctl.ports import Caller, LabClone, LabNode, LabOptions, LabStatus, Login, NetworkReader
from hsmctl.secret import Secret, Source, SourceKind
from hsmctl.services.cluster import ClusterService
from hsmctl.services.lab import LabService
from hsmctl.services.lab_tools import LabTools
from hsmctl.services.net_collect import NetCollectService
from hsmctl.services.operation import Playbook
from hsmctl.services.probe import ProbeService
from hsmctl.settings import Context, ContextKind, Settings

NOW = datetime(2026, 11, 23, 2, 10, tzinfo=UTC)
ACCOUNT = "111122223333"
REGION = "eu-central-1"
ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")
CLUSTER = "cluster-a2b3c4d5e6f"
HSMS = ("hsm-aaaaaaaaaaa", "hsm-bbbbbbbbbbb", "hsm-ccccccccccc")
ENDPOINT = "http://127.0.0.1:4599"


class FakeClock:
    """ports.Clock that stands still until somebody sleeps."""

    def __init__(self) -> None:
        self._slept = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self._slept)

    def monotonic(self) -> float:
        return self._slept

    def sleep(self, seconds: float) -> None:
        self._slept += seconds


class MemoryJournal:
    """ports.Journal in a list."""

    def __init__(self) -> None:
        self.written: list[Mapping[str, object]] = []

    def append(self, kind: str, fields: Mapping[str, object]) -> None:
        self.written.append({"kind": kind, **fields})

    def records(self) -> Iterator[Mapping[str, object]]:
        """What a reader finds: plain values and a time, as after the way through a file."""
        return iter(
            [{"at": NOW.isoformat(), **{name: plain(value) for name, value in each.items()}} for each in self.written]
        )


class FakeIdentity:
    """ports.Identity of one account, or an error."""

    def __init__(self, account: str, expected: str | None, error: HsmctlError | None) -> None:
        self._account, self._expected, self._error = account, expected, error

    def caller(self) -> Caller:
        if self._error:
            raise self._error
        if self._expected not in (None, self._account):
            raise Denied(f"account {self._account}", f"the context is for {self._expected}", "hsmctl config show")
        return Caller(self._account, f"arn:aws:iam::{self._account}:user/ops")


class FakePlane:
    """ports.ControlPlane whose transitions happen at the next look, with CloudHSM's life from create to initialized."""

    region = REGION

    def __init__(self, *clusters: Cluster) -> None:
        self.held = {cluster.cluster_id: cluster for cluster in clusters}
        self.backup_list: tuple[Backup, ...] = (
            Backup(
                backup_id="backup-q2w3e4r5t6y",
                state=BackupState.READY,
                cluster_id=CLUSTER,
                created=NOW - timedelta(hours=4),
                arn=f"arn:aws:cloudhsm:{REGION}:{ACCOUNT}:backup/backup-q2w3e4r5t6y",
            ),
        )
        self.error: HsmctlError | None = None
        """Raised instead of every answer."""
        self.stuck = False
        """Whether nothing that is on its way arrives."""

    def clusters(self, ids: Sequence[str] = ()) -> tuple[Cluster, ...]:
        if self.error:
            raise self.error
        shown = tuple(cluster for name, cluster in self.held.items() if not ids or name in ids)
        self.held |= {} if self.stuck else {cluster.cluster_id: _settled(cluster) for cluster in shown}
        return shown

    def backups(self, cluster_id: str | None = None) -> tuple[Backup, ...]:
        return tuple(backup for backup in self.backup_list if cluster_id in (None, backup.cluster_id))

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
        made = Cluster(
            cluster_id=f"cluster-new{len(self.held):08d}",
            state=ClusterState.CREATE_IN_PROGRESS,
            region=REGION,
            hsm_type=hsm_type,
            mode=mode,
            subnets=dict(zip(ZONES, subnets, strict=False)),
            tags=tags,
            created=NOW,
            network_type=network_type,
            source_backup_id=source_backup or None,
            backup_retention_days=retention_days,
        )
        self.held[made.cluster_id] = made
        return made

    def create_hsm(self, cluster_id: str, zone: str, address: str | None = None) -> Hsm:
        cluster = self.held[cluster_id]
        place = len(cluster.hsms)
        made = hsm(f"hsm-new{place:08d}", zone, address or f"127.16.9.{place}", HsmState.CREATE_IN_PROGRESS)
        self.held[cluster_id] = replace(cluster, hsms=(*cluster.hsms, made))
        return made

    def initialize(self, cluster_id: str, signed_certificate: str, trust_anchor: str) -> None:
        self.held[cluster_id] = replace(self.held[cluster_id], state=ClusterState.INITIALIZE_IN_PROGRESS)

    def delete_hsm(self, cluster_id: str, hsm_id: str) -> None:
        cluster = self.held[cluster_id]
        self.held[cluster_id] = replace(cluster, hsms=tuple(hsm for hsm in cluster.hsms if hsm.hsm_id != hsm_id))

    def delete_cluster(self, cluster_id: str) -> None:
        del self.held[cluster_id]


class FakeEdits:
    """ports_cluster.ClusterEdits on the clusters of a FakePlane."""

    def __init__(self, plane: FakePlane) -> None:
        self._plane = plane

    def keep_backups(self, cluster_id: str, days: int) -> None:
        self._change(cluster_id, backup_retention_days=days)

    def change_type(self, cluster_id: str, hsm_type: str) -> None:
        hsms = tuple(replace(each, hsm_type=hsm_type) for each in self._plane.held[cluster_id].hsms)
        self._change(cluster_id, hsm_type=hsm_type, hsms=hsms)

    def tag(self, resource_id: str, tags: Mapping[str, str]) -> None:
        self._change(resource_id, tags={**self._plane.held[resource_id].tags, **tags})

    def untag(self, resource_id: str, names: Sequence[str]) -> None:
        kept = {name: value for name, value in self._plane.held[resource_id].tags.items() if name not in names}
        self._change(resource_id, tags=kept)

    def _change(self, cluster_id: str, **changes: Any) -> None:  # noqa: ANN401 - any field of a cluster
        self._plane.held[cluster_id] = replace(self._plane.held[cluster_id], **changes)


class FakeToken:
    """ports.Token over the lists of a FakeTokens."""

    def __init__(self, tokens: FakeTokens, name: str, user: str) -> None:
        self._tokens, self._name, self._user = tokens, name, user
        self.objects = FakeObjects(tokens.held[name], self._reached)
        self.uses = FakeUses(self.objects)
        self.speed = FakeSpeed()

    def inventory(self) -> Inventory:
        keys = tuple(self._tokens.held[self._name])
        return Inventory(keys=keys, taken_at=NOW, user=self._user, total=len(keys) + self._tokens.hidden)

    def prove(
        self, nonce: bytes, only: Collection[Identity] | None = None, per_second: float | None = None
    ) -> Inventory:
        inventory = self.inventory()
        return replace(inventory, keys=tuple(self._proved(key, nonce, only) for key in inventory.keys))

    def _proved(self, key: Key, nonce: bytes, only: Collection[Identity] | None) -> Key:
        """The key with the answer that its label gives, or with what this world says it answers."""
        if key.identity.object_class not in (ObjectClass.PRIVATE, ObjectClass.SECRET):
            return key
        if only is not None and key.identity not in only:
            return replace(key, proof=Proof(ProofKind.NONE, reason="it was not asked for"))
        self._tokens.used.append((self._name, key.identity.label))
        label = key.identity.label.decode()
        usual = Proof(ProofKind.DIGEST, digest(nonce, key.identity.label, "sha256"), "encrypt")
        odd = self._tokens.answers
        return replace(key, proof=odd.get((self._name, label), odd.get(("", label), usual)))

    def generate(self, spec: KeySpec) -> tuple[Key, ...]:
        made = made_keys(spec)
        for keys in self._reached():
            keys.extend(made)
        return made

    def _reached(self) -> list[list[Key]]:
        """What each replica that a change reaches holds."""
        return list(self._tokens.held.values()) if self._tokens.replicate else [self._tokens.held[self._name]]


class FakeTokens:
    """ports.Tokens: what each replica holds, and which of them fail."""

    def __init__(self, held: Mapping[str, Sequence[Key]]) -> None:
        self.held: dict[str, list[Key]] = {name: list(keys) for name, keys in held.items()}
        self.errors: dict[str, HsmctlError] = {}
        """Raised when the replica of this name is opened."""
        self.replicate = True
        """Whether a new key appears on every replica."""
        self.hidden = 0
        """Objects on every replica that the user cannot see."""
        self.answers: dict[tuple[str, str], Proof] = {}
        """What the key of a label answers on a replica, or on all where that is empty, instead of the truth."""
        self.used: list[tuple[str, bytes]] = []
        """The keys that were used, by replica and label."""

    @contextmanager
    def open(self, replica: Replica, login: Login, deadline: float) -> Iterator[FakeToken]:
        if replica.name in self.errors:
            raise self.errors[replica.name]
        if replica.name not in self.held:
            self.held[replica.name] = list(next(iter(self.held.values()), ()))
        yield FakeToken(self, replica.name, login.user)


class FakeLab:
    """ports.LabControl of a lab whose cluster lives in a FakePlane."""

    def __init__(self, plane: FakePlane, faults: FakeFaults) -> None:
        self._plane = plane
        self._faults = faults
        self.running = True
        self.exists = True
        self.dead: set[str] = set()
        """The ids of HSMs whose process has died."""
        self.waiting: dict[str, int] = {}
        """How many changes an HSM waits for."""
        self.options = LabOptions()
        self.equipped = ""
        """The cluster its client host was configured for."""

    def start(self, options: LabOptions) -> LabStatus:
        if self.exists and options != self.options:
            raise Conflict("a lab with other options exists", "it has 3 HSMs", "hsmctl lab reset --yes")
        self.running, self.exists, self.options = True, True, options
        return self.status()

    def activate(self, cluster_id: str) -> None:
        self._plane.held[cluster_id] = replace(self._plane.held[cluster_id], state=ClusterState.ACTIVE)

    def equip(self, cluster_id: str) -> None:
        self.equipped = cluster_id

    def status(self) -> LabStatus:
        clusters = self._plane.held.values() if self.exists else ()
        return LabStatus(
            running=self.running,
            healthy=self.running and not self.dead,
            folder="/tmp/lab",
            endpoint_url=ENDPOINT if self.running else None,
            env={"AWS_ENDPOINT_URL": ENDPOINT, "AWS_REGION": REGION, "HSMCTL_CONTEXT": "lab"} if self.exists else {},
            clusters=tuple(cluster.cluster_id for cluster in clusters),
            nodes=tuple(self._node(cluster, hsm) for cluster in clusters for hsm in cluster.hsms),
            options=self.options if self.exists else None,
            pid=4711 if self.running else None,
            subnets={zone: f"subnet-{zone[-1]}" for zone in ZONES},
            faults=self._faults.faults(),
        )

    def stop(self) -> None:
        self.running = False

    def reset(self) -> None:
        self.running, self.exists = False, False
        self._plane.held.clear()

    def logs(self) -> Iterator[str]:
        yield from ("supervisor ready", "hsm-aaaaaaaaaaa ready")

    def clone_for(self, name: str, folder: str | None) -> LabClone:
        if not self.running:
            raise Conflict("the lab is down", "its HSMs have to run for this", "hsmctl lab up")
        place = folder or f"/tmp/lab/clones/{name}"
        return LabClone(name=name, folder=place, env={"SOFTHSM2_CONF": f"{place}/softhsm2.conf", "PKCS11_TOKEN": name})

    def _node(self, cluster: Cluster, hsm: Hsm) -> LabNode:
        alive = self.running and hsm.hsm_id not in self.dead
        state = "running" if alive else "dead" if self.running else "stopped"
        return LabNode(
            hsm_id=hsm.hsm_id,
            cluster_id=cluster.cluster_id,
            zone=hsm.zone,
            address=hsm.address or "",
            state=state,
            pid=100 if alive else None,
            pss_kib=12_000 if alive else None,
            waiting=self.waiting.get(hsm.hsm_id, 0),
        )


class SilentNetwork:
    """ports.NetworkReader that may read nothing."""

    calls = 0

    def read(self, query: NetworkQuery) -> NetworkAnswer | Unreadable:
        return Unreadable(action="ec2:Describe", why="not authorized", denied=True)


class NoCache:
    """ports.NetworkCache that remembers nothing."""

    def answer(self, key: str) -> NetworkAnswer | None:
        return None

    def keep(self, answers: Mapping[str, NetworkAnswer]) -> None:
        pass


class FakeAuthority:
    """ports.Authority that signs anything."""

    def certificate(self) -> str:
        return "-----BEGIN CERTIFICATE-----\nca\n"

    def sign(self, csr: str) -> str:
        return "-----BEGIN CERTIFICATE-----\ncluster\n"


class FakeHardware:
    """ports.HardwareIdentity that finds everything in order."""

    def verify(self, certificates: Certificates) -> tuple[str, ...]:
        return ("the AWS chain verifies", "the manufacturer chain verifies")


@dataclass
class FakeAws:
    """What the façade asks of `adapters.aws.Aws`."""

    plane: FakePlane
    account: str = ACCOUNT
    error: HsmctlError | None = None
    """What STS answers with, if not the caller."""
    requests: int = 2
    """As if each command had asked who it is and what there is."""

    def plane_in(self, region: str, tries: int) -> FakePlane:
        """The plane of another region, which is this one again."""
        return self.plane

    def regions(self) -> list[str]:
        """Every region there is."""
        return [REGION]

    def changing(self) -> object:
        """The client for changes; the plane's own methods take its place here."""
        return None

    def client(self, service: str, region: str) -> object:
        """A client of another service: everything this world knows of one is put in elsewhere."""
        raise AssertionError(f"{service} is not part of this world")

    def identity(self, expected_account: str | None) -> FakeIdentity:
        return FakeIdentity(self.account, expected_account, self.error)


def three_hsms() -> Cluster:
    """An ACTIVE cluster with one HSM in each of three zones."""
    return Cluster(
        cluster_id=CLUSTER,
        state=ClusterState.ACTIVE,
        region=REGION,
        hsm_type="hsm2m.medium",
        mode="FIPS",
        network_type="IPV4",
        vpc_id="vpc-0a1b2c3d",
        security_group="sg-0a1b2c3d",
        subnets={zone: f"subnet-{zone[-1]}" for zone in ZONES},
        hsms=tuple(
            hsm(name, zone, f"127.16.{place}.10") for place, (name, zone) in enumerate(zip(HSMS, ZONES, strict=True), 1)
        ),
        created=NOW - timedelta(days=3),
        backup_retention_days=90,
        certificates=Certificates(csr="-----BEGIN CERTIFICATE REQUEST-----\n"),
        tags={"Name": "lab"},
    )


def hsm(hsm_id: str, zone: str, address: str | None, state: HsmState = HsmState.ACTIVE) -> Hsm:
    """One HSM."""
    return Hsm(
        hsm_id=hsm_id,
        state=state,
        zone=zone,
        subnet_id=f"subnet-{zone[-1]}",
        eni_id=f"eni-{hsm_id[-6:]}",
        address=address,
        hsm_type="hsm2m.medium",
    )


def aes(label: str, *, size: str = "256", key_id: bytes = b"", extractable: bool = False) -> Key:
    """A secret key as an HSM lists it."""
    raw = label.encode()
    spec = KeySpec(kind=KeyKind.AES, size=size, label=raw, key_id=key_id or raw[:4], extractable=extractable)
    return made_keys(spec)[0]


def seed_keys(count: int = 5) -> tuple[Key, ...]:
    """Keys that every HSM of a healthy cluster holds: db-kek-000, db-kek-001, ..."""
    return tuple(aes(f"db-kek-{number:03d}", key_id=number.to_bytes(4, "big")) for number in range(count))


def made_keys(spec: KeySpec) -> tuple[Key, ...]:
    """The objects a token makes of a specification: one secret key, or a private and a public half."""
    if spec.kind not in PAIRED:
        return (_key(ObjectClass.SECRET, spec, MaterialKind.CHECK_VALUE, "encrypt decrypt"),)
    return (
        _key(ObjectClass.PRIVATE, spec, MaterialKind.MODULUS, "sign"),
        _key(ObjectClass.PUBLIC, spec, MaterialKind.PUBLIC, "verify"),
    )


@lru_cache
def customer_ca() -> str:
    """The CA of the cluster's certificates, PEM; made once a run."""
    return certificates.root("customer", NOW).pem


@dataclass
class World:
    """Everything outside hsmctl, in memory; a healthy lab until a test changes something."""

    keys: Sequence[Key] = field(default_factory=seed_keys)
    clock: FakeClock = field(default_factory=FakeClock)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    plane: FakePlane = field(default_factory=lambda: FakePlane(three_hsms()))

    def __post_init__(self) -> None:
        self.aws = FakeAws(self.plane)
        self.tokens = FakeTokens(dict.fromkeys(HSMS, self.keys))
        self.faults = FakeFaults()
        self.lab = FakeLab(self.plane, self.faults)
        self.history = MemoryHistory()
        self.consoles = MemoryConsoles(MemoryCluster(HSMS, tuple(f"127.16.{place}.10" for place in (1, 2, 3))))
        addresses = self.consoles.cluster.addresses
        self.clients = MemoryClients({"app1": addresses, "app2": addresses}, self.clock.now, customer_ca())
        self.estate = FakeEstate()
        self.trail, self.audit = FakeTrail(), FakeAuditLog()
        self.ceremonies = MemoryCeremonies()
        self.network: NetworkReader = SilentNetwork()
        self.probe: ProbeService | None = None
        """None is the real one."""

    def hsmctl(
        self,
        context: Context | None = None,
        *,
        folder: Path = Path("/dev/null/hsmctl"),
        ask: Callable[[str], Secret] = lambda _: Secret("correct horse"),
    ) -> Hsmctl:
        """The façade over this world, in the lab's context unless told; `folder` is where plans keep their locks."""
        settings = Settings(context=context or lab_context(), state_folder=folder, lab_home=folder / "lab")
        facade = Hsmctl(settings, ask)
        lab = LabService(clock=self.clock, control=self.lab, faults=self.faults, connect=lambda: _tools(facade))
        vars(facade).update(clock=self.clock, journal=self.journal, aws=self.aws, tokens=self.tokens, lab=lab)
        vars(facade).update(history=self.history)
        vars(facade).update(authority=FakeAuthority(), hardware=FakeHardware())
        vars(facade).update(consoles=self.consoles, clients=self.clients)
        vars(facade).update(interlocks=self.estate.interlocks(self.plane, self.clock))
        vars(facade).update(cluster=self._edited(facade), changes=replace(facade.changes, grounds=FakeGrounds()))
        vars(facade).update(timeline=replace(facade.timeline, trail=self.trail, audit=self.audit))
        vars(facade).update(backup=replace(facade.backup, backups=FakeBackups(self.plane)))
        vars(facade).update(ceremony=replace(facade.ceremony, papers=WordPapers(), ceremonies=self.ceremonies))
        identity = self.aws.identity(facade.context.account_id)
        net = NetCollectService(clock=self.clock, identity=identity, reader=self.network, cache=NoCache())
        vars(facade).update(net=net, **({"probe": self.probe} if self.probe else {}))
        return facade

    def _edited(self, facade: Hsmctl) -> ClusterService:
        """The service as it is put together, whose edits are this world's."""
        lifecycle = replace(facade.cluster.lifecycle, edits=FakeEdits(self.plane))
        rest = facade.cluster.playbook

        def playbook() -> Playbook:
            whole = rest()
            return replace(whole, runners={**whole.runners, **lifecycle.runners()})

        return replace(facade.cluster, lifecycle=lifecycle, playbook=playbook)


def hsmctl(world: World | None = None, context: Context | None = None, folder: Path | None = None) -> Hsmctl:
    """The façade over a world, a healthy one unless told."""
    return (world or World()).hsmctl(context, folder=folder or Path("/dev/null/hsmctl"))


def lab_context() -> Context:
    """The context a lab writes."""
    return Context(
        name="lab",
        kind=ContextKind.LAB,
        region=REGION,
        endpoint_url=ENDPOINT,
        account_id=ACCOUNT,
        user="crypto_user",
        password=Source(SourceKind.PROMPT),
    )


def _tools(facade: Hsmctl) -> LabTools:
    return LabTools(
        cluster=facade.cluster,
        ceremony=facade.ceremony,
        tokens=facade.tokens,
        login=facade.login,
        replicas=facade.replicas,
    )


def _key(object_class: ObjectClass, spec: KeySpec, kind: MaterialKind, uses: str) -> Key:
    """One object with a fingerprint that depends on its label alone."""
    bits = int(spec.size) if spec.size.isdigit() else None
    return Key(
        identity=Identity(object_class, spec.key_id, spec.label),
        key_type=spec.kind.upper(),
        bits=bits,
        curve=None if bits else spec.size,
        attributes=frozenset(
            {"token", "private", "sensitive", *uses.split()} | ({"extractable"} if spec.extractable else set())
        ),
        material=Material(kind, sha256(spec.label).digest()[:3]),
    )


def _settled(cluster: Cluster) -> Cluster:
    """The cluster as the next look finds it: everything in progress is done."""
    after = {
        ClusterState.CREATE_IN_PROGRESS: ClusterState.UNINITIALIZED,
        ClusterState.INITIALIZE_IN_PROGRESS: ClusterState.INITIALIZED,
    }
    hsms = tuple(
        replace(hsm, state=HsmState.ACTIVE) if hsm.state is HsmState.CREATE_IN_PROGRESS else hsm for hsm in cluster.hsms
    )
    certificates = (
        replace(cluster.certificates, csr="-----BEGIN CERTIFICATE REQUEST-----\n") if hsms else cluster.certificates
    )
    return replace(cluster, state=after.get(cluster.state, cluster.state), hsms=hsms, certificates=certificates)
