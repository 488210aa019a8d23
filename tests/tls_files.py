"""PEM files for tests of TLS: a CA's certificate, and keys with certificates it issued."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from certificates import root
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


class Authority:
    """A CA whose certificate is the file `path`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.pem"
        self._folder = folder
        self._issuer = root(name, datetime.now(UTC))
        self.path.write_text(self._issuer.pem)

    def issue(self, name: str) -> Path:
        """A file with a new key and its certificate."""
        issued = self._issuer.below(name, datetime.now(UTC), ca=False)
        key = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = self._folder / f"{name}.pem"
        path.write_text(key.decode() + issued.pem)
        return path
