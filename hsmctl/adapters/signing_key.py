"""The port SigningKeys: RSA keys of approvers and of second factors in PEM files, read by their owner alone.

The digest that is signed is a token's, as it stands: RSA PKCS#1 v1.5 over an existing SHA-256 digest (user guide, token
files). CloudHSM takes RSA-2048 keys only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from hsmctl.errors import Denied, UsageError
from hsmctl.ports_cli import Factor
from hsmctl.secret import Secret

BITS = 2048


class FileSigningKeys:
    """ports_cli.SigningKeys."""

    def open(self, place: str, passphrase: Callable[[], Secret]) -> Factor:
        """The key of a PEM file."""
        key = _loaded(place, _private(Path(place)), passphrase)
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != BITS:
            raise UsageError(place, f"CloudHSM takes RSA keys of {BITS} bits", f"openssl genrsa -out {place} {BITS}")
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return Factor(public.decode(), partial(_signature, key))


def _private(path: Path) -> bytes:
    """The file's content, if nobody else may read it."""
    try:
        with path.open("rb") as stream:
            if stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o077:
                raise Denied(str(path), "others may read this private key", f"chmod 600 {path}")
            return stream.read()
    except OSError as error:
        raise UsageError(str(path), error.strerror or str(error), "name a PEM file with an RSA key") from error


def _loaded(place: str, data: bytes, passphrase: Callable[[], Secret]) -> object:
    """The key, with its passphrase where it has one."""
    try:
        try:
            return load_pem_private_key(data, None)
        except TypeError:  # how `cryptography` says that it is encrypted
            return load_pem_private_key(data, passphrase().reveal().encode())
    except UnsupportedAlgorithm as error:
        raise UsageError(place, str(error), f"openssl genrsa -out {place} {BITS}") from error
    except ValueError as error:
        raise Denied(
            place, "it is no private key, or the passphrase is wrong", "openssl pkey -noout -in FILE"
        ) from error


def _signature(key: rsa.RSAPrivateKey, digest: bytes) -> bytes:
    return key.sign(digest, padding.PKCS1v15(), Prehashed(SHA256()))
