"""Proves that Ed25519 and X25519 keys come in from every form of file, and agree and sign as the file's key does."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from key_token import TokenWorld

from hsmctl.errors import ExitCode

CURVES = {"ed25519": "Ed25519", "x25519": "X25519"}
FORMS = ("pem", "der", "jwk", "raw")
SIGNS, AGREES = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
KINDS: dict[str, Ed25519PrivateKey | X25519PrivateKey] = {"ed25519": SIGNS, "x25519": AGREES}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenWorld]:
    """A token, the keys above in files of every form, and a peer."""
    folder = tmp_path_factory.mktemp("curve25519")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        world = TokenWorld(folder, ("alpha",))
        for kind, private in KINDS.items():
            raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
            point = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            jwk = {"kty": "OKP", "crv": CURVES[kind], "d": _url(raw), "x": _url(point)}
            (folder / f"{kind}.raw").write_bytes(raw)
            (folder / f"{kind}.jwk").write_text(json.dumps(jwk))
            for form, encoding in (("pem", Encoding.PEM), ("der", Encoding.DER)):
                data = private.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
                (folder / f"{kind}.{form}").write_bytes(data)
                public = private.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
                (folder / f"{kind}-public.{form}").write_bytes(public)
        yield world
        world.real.stack.close()


def _url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def brought(world: TokenWorld, kind: str, form: str) -> str:
    """The label of a key that was imported from such a file."""
    label = f"{kind}-{form}"
    world.ok("key", "import", f"{kind}.{form}", "--label", label, *(("--kind", kind) if form == "raw" else ()))
    return label


@pytest.mark.parametrize("form", FORMS)
def test_a_key_that_agrees_comes_in(world: TokenWorld, form: str) -> None:
    peer, label = X25519PrivateKey.generate(), brought(world, "x25519", form)
    (world.folder / f"{label}.peer").write_bytes(
        peer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    world.ok("key", "derive", label, "--peer", f"{label}.peer", "--out", f"{label}.shared")
    assert (world.folder / f"{label}.shared").read_bytes() == peer.exchange(AGREES.public_key())


@pytest.mark.parametrize("form", FORMS)
def test_a_key_that_signs_comes_in(world: TokenWorld, form: str) -> None:
    label = brought(world, "ed25519", form)
    (world.folder / "data").write_bytes(b"data")
    world.ok("key", "sign", label, "data", "--out", f"{label}.sig")
    SIGNS.public_key().verify((world.folder / f"{label}.sig").read_bytes(), b"data")


@pytest.mark.parametrize("kind", KINDS)
def test_a_public_key_comes_in_and_goes_out_again(world: TokenWorld, kind: str) -> None:
    label = f"{kind}-public"
    world.ok("key", "import", f"{label}.der", "--label", label)
    world.ok("key", "export", f"pkcs11:object={label};type=public", "--out", f"{label}.out")
    assert (world.folder / f"{label}.out").read_bytes() == (world.folder / f"{label}.pem").read_bytes()


def test_raw_bytes_of_another_length_are_no_key(world: TokenWorld) -> None:
    (world.folder / "short").write_bytes(bytes(31))
    ran = world.run("key", "import", "short", "--kind", "x25519", "--label", "short", "--on", "alpha")
    assert (ran.code, "31 bytes" in ran.err) == (ExitCode.USAGE, True)
