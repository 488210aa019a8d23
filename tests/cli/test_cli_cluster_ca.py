"""Proves on a real token that a ceremony's CA can be a key that never leaves it, and that a wrong one is not used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ceremony_estate import CUSTOMER, OTHER_KEY, SHOWN, Plane, with_hsm
from ceremony_world import MemoryCeremonies
from certificates import csr, tampered
from cryptography import x509
from key_token import TokenWorld, tool
from transcript import Ran
from world import CLUSTER, World

from hsmctl.adapters.papers import X509Papers
from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.cluster import ClusterState
from hsmctl.errors import ExitCode
from hsmctl.secret import Secret
from hsmctl.settings import Context


class CaWorld(TokenWorld):
    """A cluster in memory that waits to be claimed, and a real token with a CA's key."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ("vault",))
        self.begin()

    def begin(self, plane: Plane | None = None) -> None:
        """Another cluster, and nothing remembered of an earlier one."""
        self.plane = plane or with_hsm()
        self.ceremonies = MemoryCeremonies()
        World.__post_init__(self)
        self.journal.written.clear()

    def hsmctl(
        self,
        context: Context | None = None,
        *,
        folder: Path = Path("/nonexistent/hsmctl"),
        ask: Callable[[str], Secret] = lambda _: Secret("correct horse"),
    ) -> Hsmctl:
        facade = World.hsmctl(self, context or self.context, folder=self.folder / "state", ask=ask)
        vars(facade).update(tokens=self.real, ceremony=replace(facade.ceremony, papers=X509Papers()))
        return facade

    def make_ca(self, label: str, *what: str) -> None:
        """A key and its own certificate, in a file and beside it on the token."""
        on = ("--on", "vault")
        self.works("key", "generate", *what, "--label", label, *on)
        self.works(
            *("key", "selfsign", label, "--subject", f"CN={label}", "--ca", "--days", "3652"),
            *("--out", f"{label}.crt", *on),
        )
        self.works("key", "cert", "import", f"{label}.crt", "--label", label, "--key", label, *on)

    def works(self, *words: str) -> Ran:
        ran = self.run(*words)
        assert ran.code == 0, ran.err
        return ran

    def verified(self) -> None:
        self.works("cluster", "init", "verify", CLUSTER)

    def signatures(self) -> list[Any]:
        """How often the journal says that the CA's key was about to be used."""
        return [each for each in self.journal.written if each["kind"] == "ca-sign"]


KEYS = {
    "rsa2048": ("rsa", "--size", "2048"),
    "rsa3072": ("rsa", "--size", "3072"),
    "p256": ("ec", "--size", "P-256"),
    "p384": ("ec", "--size", "P-384"),
    "p521": ("ec", "--size", "P-521"),
}
HASHES = {"rsa2048": "sha256", "rsa3072": "sha384", "p256": "sha256", "p384": "sha384", "p521": "sha512"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaWorld]:
    """A token with a CA of every kind, made by hsmctl itself."""
    folder = tmp_path_factory.mktemp("ca")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        world = CaWorld(folder)
        for label, what in KEYS.items():
            world.make_ca(label, *what)
        yield world
        world.real.stack.close()


@pytest.fixture
def world(made: CaWorld) -> CaWorld:
    made.begin()
    return made


def sign(world: CaWorld, key: str, *more: str) -> Ran:
    return world.run("cluster", "init", "sign", CLUSTER, "--ca-token", "vault", "--ca-key", key, *more)


@pytest.mark.parametrize("label", KEYS)
def test_a_key_of_the_token_signs_and_openssl_agrees(world: CaWorld, label: str) -> None:
    world.verified()
    assert sign(world, label, "--ca-cert", f"{label}.crt").code == 0
    Path("signed.pem").write_text(world.ceremonies.documents[CLUSTER, "signed.pem"])
    signed = x509.load_pem_x509_certificate(Path("signed.pem").read_bytes())

    when = str(int(world.clock.now().timestamp()))
    how = ("-attime", when, "-purpose", "sslserver", "-CAfile", f"{label}.crt")
    tool(world.folder, "openssl", "verify", *how, "signed.pem")
    assert signed.signature_hash_algorithm is not None
    assert signed.signature_hash_algorithm.name == HASHES[label]
    assert world.ceremonies.load(CLUSTER).signed_by == f"CA key {label} on token vault"
    (used,) = world.signatures()
    assert used["token"] == "vault"
    assert f"object={label};type=private" in str(used["key"])


def test_a_whole_ceremony_with_key_and_certificate_on_the_token(world: CaWorld) -> None:
    ca = ("--ca-token", "vault", "--ca-key", "pkcs11:object=p384")
    ran = world.works("cluster", "init", CLUSTER, *ca, "--confirm", CLUSTER[-6:])

    assert "CA key pkcs11:object=p384 on token vault" in ran.err
    assert world.plane.held[CLUSTER].state is ClusterState.INITIALIZED
    assert world.ceremonies.documents[CLUSTER, "anchor.pem"] == Path("p384.crt").read_text()
    assert len(world.signatures()) == 1


def refused(world: CaWorld, ran: Ran, code: ExitCode, says: str) -> None:
    """It was refused for this reason, the key was not used, and nothing is kept."""
    assert (ran.code, says in ran.err) == (code, True), ran.err
    assert (CLUSTER, "signed.pem") not in world.ceremonies.documents
    assert world.signatures() == []


def test_the_certificate_of_another_key_is_refused(world: CaWorld) -> None:
    world.verified()
    refused(world, sign(world, "p384", "--ca-cert", "p256.crt"), ExitCode.CONFLICT, "not the certificate of the token")


def test_an_anchor_that_cloudhsm_would_refuse_is_refused_before_the_key_is_used(world: CaWorld) -> None:
    world.verified()
    below = CUSTOMER.below("issuing", world.clock.now())
    Path("issuing.crt").write_text(below.pem)
    refused(world, sign(world, "p384", "--ca-cert", "issuing.crt"), ExitCode.CONFLICT, "is not issued by itself")
    world.works("key", "selfsign", "p384", "--subject", "CN=x", "--out", "leaf.crt", "--on", "vault")
    refused(world, sign(world, "p384", "--ca-cert", "leaf.crt"), ExitCode.CONFLICT, "is not a CA")


def test_a_csr_that_does_not_verify_itself_is_not_signed(made: CaWorld) -> None:
    made.begin(with_hsm(replace(SHOWN, csr=tampered(csr(OTHER_KEY), b"somebody", b"somebudy"))))
    made.works("cluster", "init", "verify", CLUSTER)
    refused(made, sign(made, "p384"), ExitCode.CONFLICT, "its own signature does not verify")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--ca-token", "nowhere", "--ca-key", "p384"], ExitCode.CONFLICT, "no token nowhere"),
        (["--ca-token", "vault", "--ca-key", "nobody"], ExitCode.CONFLICT, "no key nobody"),
        (["--ca-token", "vault"], ExitCode.USAGE, "wants --ca-key"),
        (["--ca-token", "vault", "--ca-key", "p384", "--ca-key-out", "x"], ExitCode.USAGE, "exclude each other"),
        (["--ca-token", "vault", "--ca-key", "p384", "--ca-passphrase-file", "x"], ExitCode.USAGE, "PIN comes from"),
        (["--ca-token", "vault", "--ca-key", "p384", "--ca-cert", "gone.crt"], ExitCode.CONFLICT, "No such file"),
    ],
)
def test_what_names_no_ca_is_refused(world: CaWorld, words: list[str], code: ExitCode, says: str) -> None:
    world.verified()
    refused(world, world.run("cluster", "init", "sign", CLUSTER, *words), code, says)


def test_a_key_without_a_certificate_on_the_token_wants_a_file(world: CaWorld) -> None:
    world.verified()
    world.works("key", "generate", "ec", "--label", "bare", "--on", "vault")
    refused(world, sign(world, "bare"), ExitCode.CONFLICT, "vault holds 0 with its id")
