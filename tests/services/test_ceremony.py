"""Proves that a ceremony cut off anywhere ends with one claim, and that nothing false is ever handed over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest
import world
from ceremony_world import MemoryCeremonies, WordPapers
from certificates import Issuer, csr, root
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from world import CLUSTER, NOW

from hsmctl.adapters.authorities import NamedAuthorities
from hsmctl.adapters.ceremony import FileCeremonies
from hsmctl.adapters.identity import Hardware
from hsmctl.adapters.lock import FileLocks
from hsmctl.adapters.papers import X509Papers
from hsmctl.domain.ceremony import Stage
from hsmctl.domain.cluster import Certificates, Cluster, ClusterState, Hsm
from hsmctl.domain.hsm import adding
from hsmctl.domain.plan import Precondition
from hsmctl.errors import Conflict, Denied, HsmctlError, UsageError
from hsmctl.ports import HardwareIdentity
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


def empty() -> Cluster:
    """A cluster that waits for its first HSM."""
    return replace(world.three_hsms(), state=ClusterState.UNINITIALIZED, hsms=(), certificates=Certificates())


def with_hsm(shown: Certificates = SHOWN) -> Plane:
    cluster = world.three_hsms()
    return Plane(replace(cluster, state=ClusterState.UNINITIALIZED, hsms=cluster.hsms[:1]), shown)


def records(folder: Path) -> int:
    """How many records a whole ceremony writes."""
    estate = Estate(folder, words=True)
    estate.run()
    assert estate.cluster().state is ClusterState.INITIALIZED
    return len(list(estate.journal().records()))


def test_a_ceremony_that_dies_at_any_record_ends_with_one_claim(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    for place in range(1, records(tmp_path / "whole") + 1):
        for written in (False, True):
            folder = tmp_path / f"{place}-{written}"
            folder.mkdir()
            estate = Estate(folder, words=True)
            with pytest.raises(Killed):
                estate.run(place, written=written)
            estate.run()
            assert estate.cluster().state is ClusterState.INITIALIZED, (place, written)
            assert len(estate.plane.claims) == 1
            assert len(estate.cluster().hsms) == 1


def test_a_claim_whose_answer_was_lost_is_not_repeated(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.plane.dies = True
    with pytest.raises(Killed):
        estate.run()
    estate.run()
    assert (len(estate.plane.claims), estate.cluster().state) == (1, ClusterState.INITIALIZED)


def test_what_somebody_else_claimed_meanwhile_is_no_success(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.plane.dies = True
    with pytest.raises(Killed):
        estate.run()
    estate.plane.claims[:] = [STRANGER.sign(REQUEST, NOW)]
    with pytest.raises(Conflict, match="another certificate"):
        estate.run()


@dataclass(frozen=True)
class False_:
    """One thing that is false, and what is said of it."""

    says: str
    shown: Certificates = SHOWN
    roots: tuple[Issuer, Issuer] = (AWS, MANUFACTURER)
    error: type[HsmctlError] = Denied


FALSE = (
    False_("AWS hardware certificate is not issued by the AWS root", roots=(STRANGER, MANUFACTURER)),
    False_("manufacturer hardware certificate is not issued", roots=(AWS, STRANGER)),
    False_("HSM certificate is not issued by the AWS", replace(SHOWN, hsm=STRANGER.sign(REQUEST, NOW))),
    False_(
        "AWS hardware certificate expired",
        replace(SHOWN, aws_hardware=AWS.below("hardware", NOW, HARDWARE_KEY, days=(-20, -10)).pem),
    ),
    False_(
        "manufacturer hardware certificate expired",
        replace(SHOWN, manufacturer_hardware=MANUFACTURER.below("hardware", NOW, HARDWARE_KEY, days=(-20, -10)).pem),
    ),
    False_("key of the certificate signing request is not that", replace(SHOWN, csr=csr(OTHER_KEY))),
    False_("AWS hardware certificate is missing", replace(SHOWN, aws_hardware=None)),
)


@pytest.mark.parametrize("case", FALSE, ids=lambda case: case.says)
def test_false_hardware_is_refused_by_name_and_nothing_is_submitted(case: False_, tmp_path: Path) -> None:
    estate = Estate(tmp_path, with_hsm(case.shown), roots=case.roots)
    with pytest.raises(case.error, match=case.says):
        estate.run()
    assert estate.plane.claims == []
    assert estate.cluster().state is ClusterState.UNINITIALIZED
    assert not (tmp_path / "ceremony" / CLUSTER / "signed.pem").exists()


def signed(estate: Estate) -> CeremonyService:
    """A ceremony up to its signature."""
    service = estate.service()
    service.fetch(estate.cluster())
    service.verify(estate.cluster(), {})
    service.sign(estate.cluster(), OURS)
    return service


def test_a_csr_swapped_after_it_was_signed_stops_everything(tmp_path: Path) -> None:
    estate = Estate(tmp_path, with_hsm())
    service = signed(estate)
    plan = service.plan_submit(estate.cluster())
    estate.plane.shown = replace(SHOWN, csr=csr(OTHER_KEY))

    with pytest.raises(Conflict, match="has changed since it was signed"):
        service.plan_submit(estate.cluster())
    journal = estate.journal()
    with pytest.raises(Conflict, match="has changed since it was signed"):
        list(estate.operations(journal).apply(plan, estate.playbook(journal)))
    with pytest.raises(Conflict, match="has changed since it was signed"):
        service.fetch(estate.cluster())
    where = service.standing(estate.cluster())
    assert (where.stage, bool(where.critical)) == (Stage.CHANGED, True)
    assert estate.plane.claims == []
    # Anew, the false CSR does not pass either: its key is not the HSM's.
    service.fetch(estate.cluster(), restart=True)
    with pytest.raises(Denied, match="key of the certificate signing request"):
        service.verify(estate.cluster(), {})


def test_a_csr_that_changes_before_it_is_signed_is_noticed(tmp_path: Path) -> None:
    estate = Estate(tmp_path, with_hsm())
    service = estate.service()
    service.fetch(estate.cluster())
    service.verify(estate.cluster(), {})
    estate.plane.shown = replace(SHOWN, csr=csr(OTHER_KEY))
    with pytest.raises(Conflict, match="has changed"):
        service.sign(estate.cluster(), OURS)


def test_verb_by_verb_it_says_what_comes_next(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    service = estate.service()
    stages = [service.standing(estate.cluster()).stage]
    estate.plane.create_hsm(CLUSTER, world.ZONES[0])
    estate.cluster()
    stages.append(service.standing(estate.cluster()).stage)
    service.fetch(estate.cluster())
    stages.append(service.standing(estate.cluster()).stage)
    service.verify(estate.cluster(), {})
    stages.append(service.standing(estate.cluster()).stage)
    service.sign(estate.cluster(), OURS)
    stages.append(service.standing(estate.cluster()).stage)
    journal = estate.journal()
    list(estate.operations(journal).apply(service.plan_submit(estate.cluster()), estate.playbook(journal)))
    where = service.standing(estate.cluster())
    assert stages == [Stage.NO_HSM, Stage.CSR, Stage.CSR, Stage.VERIFIED, Stage.SIGNED]
    assert (where.stage, where.next) == (Stage.INITIALIZED, f"hsmctl cluster activate {CLUSTER}")
    assert "not activated" in where.critical
    written = "\n".join(service.ceremonies.transcript(CLUSTER))
    for part in (
        "csr fetched",
        "identity verified",
        "CSR signed by the CA of the context",
        "InitializeCluster accepted",
    ):
        assert part in written
    assert service.papers.fingerprint(CUSTOMER.pem) in written


def test_nothing_is_signed_that_was_not_verified_and_unverified_is_said_for_ever(tmp_path: Path) -> None:
    estate = Estate(tmp_path, with_hsm())
    service = estate.service()
    service.fetch(estate.cluster())
    with pytest.raises(Conflict, match="not verified"):
        service.sign(estate.cluster(), OURS)
    service.verify(estate.cluster(), {}, skip="no roots at hand")
    service.sign(estate.cluster(), OURS)
    assert service.ceremonies.load(CLUSTER).unverified == "no roots at hand"
    assert "UNVERIFIED" in "\n".join(service.ceremonies.transcript(CLUSTER))


def test_an_offline_ca_hands_over_what_it_signed(tmp_path: Path) -> None:
    estate = Estate(tmp_path, with_hsm())
    service = estate.service()
    service.fetch(estate.cluster())
    service.verify(estate.cluster(), {})
    below = CUSTOMER.below("issuing", NOW)
    (tmp_path / "signed.pem").write_text(below.sign(REQUEST, NOW))
    (tmp_path / "anchor.pem").write_text(below.pem + CUSTOMER.pem)
    named = {"ca": "offline", "signed": str(tmp_path / "signed.pem"), "anchor": str(tmp_path / "anchor.pem")}
    assert service.sign(estate.cluster(), named).signed_by == "offline CA"
    service.plan_submit(estate.cluster())


def chain(length: int, moment: datetime = NOW) -> list[Issuer]:
    """Authorities from the root down."""
    links = [root("root", moment)]
    for number in range(length - 1):
        links.append(links[-1].below(f"ca {number}", moment))
    return links


def long_chain() -> tuple[str, str]:
    links = chain(5)
    return links[-1].sign(REQUEST, NOW), "".join(link.pem for link in reversed(links))


def no_root() -> tuple[str, str]:
    below = CUSTOMER.below("issuing", NOW)
    return below.sign(REQUEST, NOW), below.pem


def weak() -> tuple[str, str]:
    issuer = root("weak", NOW, rsa.generate_private_key(65537, 1024))
    return issuer.sign(REQUEST, NOW), issuer.pem


def no_authority() -> tuple[str, str]:
    issuer = root("no CA", NOW, ca=False)
    return issuer.sign(REQUEST, NOW), issuer.pem


def expired() -> tuple[str, str]:
    return CUSTOMER.sign(REQUEST, NOW, days=(-20, -10)), CUSTOMER.pem


@pytest.mark.parametrize(
    ("handed", "says"),
    [
        (lambda: (CUSTOMER.sign(csr(OTHER_KEY), NOW), CUSTOMER.pem), "another key than the CSR"),
        (lambda: (STRANGER.sign(REQUEST, NOW), CUSTOMER.pem), "is not issued by"),
        (lambda: ("no PEM", CUSTOMER.pem), "neither a PEM"),
        (long_chain, "has 5 certificates"),
        (no_root, "not issued by itself"),
        (weak, "neither RSA 2048"),
        (no_authority, "is not a CA"),
        (expired, "not valid today"),
    ],
)
def test_what_cloudhsm_would_refuse_is_refused_before(
    handed: Callable[[], tuple[str, str]], says: str, tmp_path: Path
) -> None:
    estate = Estate(tmp_path, with_hsm())
    service = estate.service()
    service.fetch(estate.cluster())
    service.verify(estate.cluster(), {})
    for name, text in zip(("signed", "anchor"), handed(), strict=True):
        (tmp_path / f"{name}.pem").write_text(text)
    named = {"ca": "offline", "signed": str(tmp_path / "signed.pem"), "anchor": str(tmp_path / "anchor.pem")}
    with pytest.raises(Conflict, match=says):
        service.sign(estate.cluster(), named)
    assert service.ceremonies.document(CLUSTER, "signed.pem") is None


def test_a_new_software_ca_lies_outside_the_state_folder_and_sealed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    estate = Estate(tmp_path / "state", with_hsm())
    service = estate.service()
    service.fetch(estate.cluster())
    service.verify(estate.cluster(), {})
    inside = {"ca": "new", "key": str(tmp_path / "state" / "ca.key"), "certificate": "x", "name": "CA"}
    with pytest.raises(UsageError, match="keeps no private keys"):
        service.sign(estate.cluster(), inside)
    key = tmp_path / "media" / "ca.key"
    named = {"ca": "new", "key": str(key), "certificate": str(key) + ".crt", "name": "Example Ltd"}
    service.sign(estate.cluster(), named)
    assert "ENCRYPTED" in key.read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    kept = "".join(path.read_text() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert "PRIVATE KEY" not in kept


def test_a_protected_context_takes_no_software_ca_unless_somebody_accepts_it(tmp_path: Path) -> None:
    estate = Estate(tmp_path, with_hsm(), protected=True)
    service = estate.service()
    service.fetch(estate.cluster())
    service.verify(estate.cluster(), {})
    with pytest.raises(Denied, match="protected"):
        service.sign(estate.cluster(), {"ca": "file", "key": "k", "certificate": "c"})


def test_a_claimed_cluster_takes_no_ceremony(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.run()
    with pytest.raises(Conflict, match="initialized"):
        estate.service().plan(estate.cluster(), OURS, {})


def test_steps_of_hsms_begin_a_ceremony_only_where_there_is_none(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    plan = estate.service().plan(estate.cluster(), OURS, {})
    assert plan.steps[:2] == adding(estate.cluster(), [world.ZONES[0]])
    there = Estate(tmp_path, with_hsm())
    assert len(there.service().plan(there.cluster(), OURS, {}).steps) == 5
