"""Proves on a real token that an approval can be signed by a key that never leaves it, as a cluster would verify it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from approval_files import write_bundle
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from key_token import TokenWorld

from hsmctl.errors import ExitCode


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenWorld]:
    made = TokenWorld(tmp_path_factory.mktemp("approver"), ("alpha",))
    yield made
    made.real.stack.close()


def asking(path: Path) -> Path:
    """A bundle that lives by the clock of this machine."""
    asked = json.loads(write_bundle(path).read_text())
    path.write_text(json.dumps({**asked, "expires_at": (datetime.now(UTC) + timedelta(minutes=5)).isoformat()}))
    return path


def sign(world: TokenWorld, bundle: Path, uri: str) -> tuple[int, str]:
    ran = world.run("quorum", "sign", str(bundle), "--user", "alice", "--key", uri)
    return ran.code, ran.err


def test_a_key_of_a_token_approves(world: TokenWorld) -> None:
    bundle = asking(world.folder / "approve.json")
    world.ok("key", "generate", "rsa", "--size", "2048", "--label", "approval")
    assert sign(world, bundle, "pkcs11:token=alpha;object=approval")[0] == ExitCode.OK
    token = json.loads(bundle.read_text())["token"]
    (signature,) = token["signatures"]
    world.ok("key", "export", "approval", "--out", str(world.folder / "approval.pem"))
    public = load_pem_public_key((world.folder / "approval.pem").read_bytes())
    assert isinstance(public, rsa.RSAPublicKey)
    digest = base64.b64decode(token["token"])
    public.verify(base64.b64decode(signature["signature"]), digest, padding.PKCS1v15(), Prehashed(SHA256()))


def test_other_keys_and_tokens_are_refused(world: TokenWorld) -> None:
    bundle = asking(world.folder / "other.json")
    world.ok("key", "generate", "ec", "--label", "curve")
    code, said = sign(world, bundle, "pkcs11:token=alpha;object=curve")
    assert (code, "CloudHSM takes RSA keys of 2048 bits" in said) == (ExitCode.USAGE, True)
    assert sign(world, bundle, "pkcs11:token=beta;object=approval")[0] == ExitCode.CONFLICT
    assert sign(world, bundle, "pkcs11:token=alpha;object=nowhere")[0] == ExitCode.CONFLICT
    assert json.loads(bundle.read_text())["token"]["signatures"] == []
