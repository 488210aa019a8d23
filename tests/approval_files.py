"""Files for approving: a private RSA key that nobody else may read, and a bundle that waits for signatures."""

from __future__ import annotations

import base64
from datetime import timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from world import CLUSTER, NOW

from hsmctl.domain.quorum import Bundle, bundle_text


@lru_cache
def private_key() -> bytes:
    """One key for all tests of a run, PEM: making it takes a while."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write_key(path: Path) -> Path:
    """The key in a file."""
    path.write_bytes(private_key())
    path.chmod(0o600)
    return path


def write_bundle(path: Path) -> Path:
    """A bundle of a token that lives ten minutes."""
    token = {"version": "2.0", "token": base64.b64encode(sha256(b"token").digest()).decode(), "signatures": []}
    bundle = Bundle(
        cluster_id=CLUSTER,
        service="user",
        says="create bob as admin",
        asked_by="admin",
        needs=2,
        expires_at=NOW + timedelta(minutes=10),
        token=token,
    )
    path.write_text(bundle_text(bundle))
    return path
