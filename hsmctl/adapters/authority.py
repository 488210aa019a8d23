"""The operator's own certificate authority: an encrypted key and a certificate in a folder.

Knows the files and when the passphrase is asked for. Refuses to know clusters, and leaves X.509 to `signing`, which is
imported only when something is signed or made.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Self

from hsmctl.adapters.clock import SystemClock
from hsmctl.errors import Conflict
from hsmctl.ports import Clock
from hsmctl.private import write_private
from hsmctl.secret import Secret

CERTIFICATE = "customer-ca.pem"
KEY = "customer-ca.key"

_LAB_PASSPHRASE = "passphrase"  # noqa: S105 - a file's name


class SoftwareAuthority:
    """ports.Authority over a folder."""

    def __init__(self, folder: Path, passphrase: Callable[[], Secret], clock: Clock, new_name: str = "") -> None:
        """Name the folder and where the passphrase comes from; nothing is read yet.

        A missing authority is made when it is first needed, under the common name `new_name`, if that is given.
        """
        self._folder = folder
        self._passphrase = passphrase
        self._clock = clock
        self._new_name = new_name

    @classmethod
    def create(cls, folder: Path, passphrase: Secret, common_name: str, clock: Clock, *, rsa: bool = False) -> Self:
        """A new authority with an EC P-384 or RSA 3072 key, which is encrypted before it reaches the disk.

        Raises:
            Conflict: the folder holds one already.
        """
        if any((folder / name).exists() for name in (CERTIFICATE, KEY)):
            raise Conflict(f"{folder} holds an authority", "it is never overwritten", "name another folder")
        from hsmctl.adapters.signing import new_authority

        certificate, key = new_authority(common_name, passphrase, clock.now(), rsa_key=rsa)
        write_private(folder / KEY, key)
        write_private(folder / CERTIFICATE, certificate)
        return cls(folder, lambda: passphrase, clock)

    @classmethod
    def in_lab(cls, folder: Path) -> Self:
        """The lab's authority, made when it is first needed; its passphrase lies in a file beside it."""
        return cls(folder, lambda: _lab_passphrase(folder), SystemClock(), "hsmctl lab customer CA")

    def certificate(self) -> str:
        """The CA's certificate, PEM: the cluster's trust anchor.

        Raises:
            Conflict: the folder holds no authority.
        """
        return self._read(CERTIFICATE).decode()

    def sign(self, csr: str) -> str:
        """The certificate for a CSR, PEM, with the CSR's name and key, valid as long as the authority itself.

        Raises:
            Conflict: the CSR is none, its own signature does not verify, or the folder holds no authority.
            Denied: the passphrase is wrong.
        """
        from hsmctl.adapters.signing import issue

        certificate, key = self._read(CERTIFICATE), self._read(KEY)
        return issue(csr, certificate, key, self._passphrase(), self._clock.now())

    def _read(self, name: str) -> bytes:
        """A file of the authority."""
        if self._new_name and not (self._folder / CERTIFICATE).exists():
            # A key whose certificate never came to be has signed nothing: its making was cut off.
            (self._folder / KEY).unlink(missing_ok=True)
            self.create(self._folder, self._passphrase(), self._new_name, self._clock)
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError as error:
            raise Conflict(f"no authority in {self._folder}", f"{name} is missing", "name the right folder") from error


def _lab_passphrase(folder: Path) -> Secret:
    """The lab's passphrase, made on first use."""
    path = folder / _LAB_PASSPHRASE
    if not path.exists():
        write_private(path, secrets.token_hex(16).encode())
    return Secret(path.read_text())
