"""What the folder of an HSM is filled with: nothing, the contents of a sibling, another crypto user.

Works on folders no process owns; imports `cryptography`, so that the HSMs' own processes need not.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hsmctl.lab.folder import NodeFolder, write_private
from hsmctl.lab.limit import check_user_fits, limits
from hsmctl.lab.record import NodeRecord
from hsmctl.lab.softhsm import TOKEN_OBJECT, make_token, token_object
from hsmctl.lab.user import Role, Users

_OUTSIDE_SLOT = 0x10001
_TEN_YEARS = timedelta(days=3650)


def build_empty(folder: NodeFolder, record: NodeRecord) -> None:
    """Fill the folder of an HSM fresh from the factory."""
    _prepare(folder, record)
    folder.tokens.mkdir(mode=0o700)


def build_clone(folder: NodeFolder, record: NodeRecord, snapshot: NodeFolder) -> None:
    """Fill the folder of an HSM with what a sibling held; the snapshot is used up.

    The tokens keep their key and objects, and get serial numbers and PINs of their own.
    """
    record = replace(record, tokens={})
    _prepare(folder, record)
    snapshot.users.replace(folder.users)
    if snapshot.policies.exists():
        snapshot.policies.replace(folder.policies)
    for token in sorted(snapshot.tokens.iterdir()):
        record = record.with_token(token.name, secrets.token_hex(16))
        _back_up(folder, token.name, made := _token_object(record, token.name))
        (token / TOKEN_OBJECT).write_bytes(made)
    record.write(folder)
    snapshot.tokens.replace(folder.tokens)
    shutil.rmtree(snapshot.path)


def build_for_outside(folder: NodeFolder, name: str, token_key: str, token: Path, pin: str) -> None:
    """Fill the folder of a clone for an outside program from a copy of one user's token, which is used up.

    SoftHSM is opened on it with the PIN of its file, and finds the token by its label, the clone's name.
    """
    digest = hashlib.sha256(name.encode()).hexdigest()
    serial = f"{digest[:8]}{_OUTSIDE_SLOT:08x}"
    made = token_object(label=name, serial=serial, token_key=bytes.fromhex(token_key), pin=pin)
    (token / TOKEN_OBJECT).write_bytes(made)
    folder.tokens.mkdir(mode=0o700, parents=True)
    token.replace(folder.tokens / token.name)
    folder.configure()
    write_private(folder.pin, pin.encode())


def add_crypto_user(folder: NodeFolder, name: str, password: str) -> None:
    """Give an HSM one more crypto user, with a token of its own.

    Raises:
        UsageError: name or password is not what CloudHSM takes.
        Conflict: there is a user of this name, or no room for another.
    """
    users = Users(folder.users)
    users.check_free(name)
    check_user_fits(users, limits(NodeRecord.read(folder).place.hsm_type))
    # The user comes last: a token without one is what an interruption left.
    add_token(folder, name.lower())
    users.add(name, Role.CRYPTO_USER, password)


def add_token(folder: NodeFolder, user: str) -> NodeRecord:
    """Give a user an empty token, in place of what an interruption left; the HSM's record with it."""
    record = NodeRecord.read(folder).with_token(user, secrets.token_hex(16))
    record.write(folder)
    _back_up(folder, user, made := _token_object(record, user))
    shutil.rmtree(folder.tokens / user, ignore_errors=True)
    make_token(folder.tokens / user, made)
    return record


def activate(folder: NodeFolder, admin: str, users: Mapping[str, str]) -> None:
    """Do to a folder what activation and user creation do to an HSM, as far as it is not done."""
    known = Users(folder.users)
    for name, password in users.items():
        if known.get(name) is None:
            add_crypto_user(folder, name, password)
    known = Users(folder.users)
    factory = known.get("admin")
    if factory and factory.role is Role.UNACTIVATED:
        known.activate(admin)


def _prepare(folder: NodeFolder, record: NodeRecord) -> None:
    """Write what every HSM has from the beginning; what an interrupted build left is overwritten."""
    folder.backups.mkdir(mode=0o700, exist_ok=True)
    record.write(folder)
    write_private(folder.outer_certificate, outer_certificate())


def _token_object(record: NodeRecord, user: str) -> bytes:
    return token_object(
        label=record.place.hsm_id,
        serial=record.serial(user),
        token_key=bytes.fromhex(record.token_key),
        pin=record.tokens[user].pin,
    )


def _back_up(folder: NodeFolder, token: str, data: bytes) -> None:
    write_private(folder.backups / f"{token}.object", data)


def outer_certificate(organization: str = "AWS", common_name: str = "CloudHSM") -> bytes:
    """A key and a self-signed certificate as AWS's outer TLS layer shows it (O=AWS, CN=CloudHSM), or another, PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    start = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _TEN_YEARS)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
