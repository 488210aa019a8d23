"""A cluster to be claimed, its hardware and its operator's CA, and processes that may die while they claim it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import world
from ceremony_world import MemoryCeremonies, WordPapers
from certificates import Issuer, csr, root
from cryptography.hazmat.primitives.asymmetric import ec
from world import CLUSTER, NOW

from hsmctl.adapters.authorities import NamedAuthorities
from hsmctl.adapters.ceremony import FileCeremonies
from hsmctl.adapters.identity import Hardware
from hsmctl.adapters.lock import FileLocks
from hsmctl.adapters.papers import X509Papers
from hsmctl.domain.cluster import Certificates, Cluster, ClusterState, Hsm
from hsmctl.domain.plan import Precondition
from hsmctl.errors import Conflict
from hsmctl.ports import Authority, HardwareIdentity
from hsmctl.secret import Secret
from hsmctl.services.ceremony import CeremonyService
from hsmctl.services.draft import Drafts
from hsmctl.services.hsm_life import HsmLife
from hsmctl.services.lifecycle import Lifecycle
from hsmctl.services.operation import Operations, Playbook

KEY, OTHER_KEY, HARDWARE_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
AWS, MANUFACTURER, STRANGER, CUSTOMER = (root(name, NOW) for name in ("AWS", "Marvell", "Mallory", "Example Ltd"))
HARDWARE = AWS.below("hardware", NOW, HARDWARE_KEY)
REQUEST = csr(KEY)
SHOWN = Certificates(
    csr=REQUEST,
    hsm=HARDWARE.sign(REQUEST, NOW),
    aws_hardware=HARDWARE.pem,
    manufacturer_hardware=MANUFACTURER.below("hardware", NOW, HARDWARE_KEY).pem,
)
OURS = {"ca": "context"}


class Killed(BaseException):
    """The end of the process."""


class Plane(world.FakePlane):
    """A plane whose first HSM shows real certificates, and which takes one claim."""

    def __init__(self, cluster: Cluster, shown: Certificates = SHOWN) -> None:
        super().__init__(cluster)
        self.shown = shown
        self.claims: list[str] = []
        self.dies = False
        """Whether the answer to the claim never arrives."""

    def create_hsm(self, cluster_id: str, zone: str, address: str | None = None) -> Hsm:
        made = super().create_hsm(cluster_id, zone, address)
        self.held[cluster_id] = replace(self.held[cluster_id], certificates=self.shown)
        return made

    def clusters(self, ids: object = ()) -> tuple[Cluster, ...]:
        found = super().clusters()
        self.held = {name: self._true(each) for name, each in self.held.items()}
        return tuple(map(self._true, found))

    def _true(self, cluster: Cluster) -> Cluster:
        if not cluster.hsms:
            return cluster
        claimed = Certificates(cluster=self.claims[0]) if self.claims else None
        return replace(cluster, certificates=claimed or self.shown)

    def initialize(self, cluster_id: str, signed_certificate: str, trust_anchor: str) -> None:
        if self.held[cluster_id].state is not ClusterState.UNINITIALIZED:
            raise Conflict("cloudhsm:InitializeCluster refused")
        super().initialize(cluster_id, signed_certificate, trust_anchor)
        self.claims.append(signed_certificate)
        if self.dies:
            self.dies = False
            raise Killed


class MortalJournal(world.MemoryJournal):
    """A journal whose process dies at one of its records, before or after it is written."""

    def __init__(self, before: world.MemoryJournal, dies_at: int = 0, *, written: bool = False) -> None:
        super().__init__()
        self.written = before.written
        self._left = dies_at
        self._written = written

    def append(self, kind: str, fields: Mapping[str, object]) -> None:
        self._left -= 1
        if self._left == 0 and not self._written:
            raise Killed
        super().append(kind, fields)
        if self._left == 0:
            raise Killed


@dataclass(frozen=True)
class OurAuthority:
    """ports.Authority of an operator whose CA obeys."""

    issuer: Issuer = CUSTOMER

    def certificate(self) -> str:
        return self.issuer.pem

    def sign(self, request: str) -> str:
        return self.issuer.sign(request, NOW)


@dataclass
class Estate:
    """A cluster without HSMs, and everything that a process needs to claim it."""

    folder: Path
    plane: Plane = field(default_factory=lambda: Plane(empty()))
    protected: bool = False
    authority: OurAuthority = OurAuthority()
    roots: tuple[Issuer, Issuer] = (AWS, MANUFACTURER)
    words: bool = False
    """Whether certificates are only words, where it is not they that count."""
    token: Callable[[Mapping[str, str], str], Authority] | None = None
    """Makes an authority of a token's key."""
    ids: Iterator[int] = field(default_factory=count)
    remembered: MemoryCeremonies = field(default_factory=MemoryCeremonies)
    kept: world.MemoryJournal = field(default_factory=world.MemoryJournal)

    def __post_init__(self) -> None:
        self.clock = world.FakeClock()
        for name, issuer in zip(("aws", "manufacturer"), self.roots, strict=True):
            (self.folder / f"{name}.pem").write_text(issuer.pem)

    def service(self, journal: MortalJournal | None = None) -> CeremonyService:
        identity = world.FakeIdentity(world.ACCOUNT, None, None)
        return CeremonyService(
            clock=self.clock,
            plane=self.plane,
            drafts=Drafts(clock=self.clock, plane=self.plane, identity=identity),
            journal=journal or self.journal(),
            cluster=self.cluster,
            ceremonies=self.remembered if self.words else FileCeremonies(self.folder / "ceremony", self.clock),
            papers=WordPapers() if self.words else X509Papers(),
            authorities=NamedAuthorities(
                context_authority=world.FakeAuthority() if self.words else self.authority,
                passphrase=lambda _: Secret("correct horse"),
                token=self.token or no_token,
                clock=self.clock,
                state_folder=self.folder,
                protected=self.protected,
            ),
            hardware=lambda _: self.hardware(),
            guard=lambda: None,
            every=15,
        )

    def journal(self, dies_at: int = 0, *, written: bool = False) -> MortalJournal:
        return MortalJournal(self.kept, dies_at, written=written)

    def hardware(self) -> HardwareIdentity:
        if self.words:
            return world.FakeHardware()
        aws, manufacturer = self.folder / "aws.pem", self.folder / "manufacturer.pem"
        return Hardware(aws_root=aws, manufacturer_root=manufacturer, clock=self.clock)

    def operations(self, journal: MortalJournal) -> Operations:
        return Operations(
            clock=self.clock,
            journal=journal,
            locks=FileLocks(self.folder / "locks"),
            identity=world.FakeIdentity(world.ACCOUNT, None, None),
            cluster=self.cluster,
            new_id=lambda: f"OP{next(self.ids)}",
            guard=lambda: None,
        )

    def cluster(self, cluster_id: str = CLUSTER) -> Cluster:
        return next(cluster for cluster in self.plane.clusters() if cluster.cluster_id == cluster_id)

    def playbook(self, journal: MortalJournal) -> Playbook:
        lifecycle = Lifecycle(clock=self.clock, plane=self.plane, edits=world.FakeEdits(self.plane), every=15)
        life = HsmLife(
            clock=self.clock,
            plane=self.plane,
            cluster=self.cluster,
            counts=lambda _: Precondition(what="equal", holds=True),
            every=15,
        )
        return Playbook({**lifecycle.runners(), **life.runners(), **self.service(journal).runners()})

    def run(self, dies_at: int = 0, *, written: bool = False) -> None:
        """Run the ceremony through in a process that may die; a second process goes on with an open operation."""
        journal = self.journal(dies_at, written=written)
        operations = self.operations(journal)
        open_ones = [each for each in operations.all() if each.state == "open"]
        if open_ones:
            list(operations.resume(open_ones[0].operation_id, self.playbook(journal), confirmed=True))
        elif self.cluster().state is ClusterState.UNINITIALIZED:
            plan = self.service(journal).plan(self.cluster(), OURS, {})
            list(operations.apply(plan, self.playbook(journal)))


def no_token(named: Mapping[str, str], _: str) -> Authority:
    """There is none."""
    raise AssertionError(named)


def empty() -> Cluster:
    """A cluster that waits for its first HSM."""
    return replace(world.three_hsms(), state=ClusterState.UNINITIALIZED, hsms=(), certificates=Certificates())


def with_hsm(shown: Certificates = SHOWN) -> Plane:
    cluster = world.three_hsms()
    return Plane(replace(cluster, state=ClusterState.UNINITIALIZED, hsms=cluster.hsms[:1]), shown)
