"""SoftHSM 2's token folders, changed below PKCS#11: new tokens, copies of objects between tokens.

Knows what lies in a token's folder. Refuses to know which node or user a folder
belongs to. Files are not fsynced: SoftHSM does not either, and a killed process loses nothing that was written.
`cryptography` is imported only where a PIN is sealed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from hsmctl.errors import Conflict
from hsmctl.lab.objectfile import (
    FLAGS,
    LABEL,
    SERIAL,
    SO_BLOB,
    USER_BLOB,
    Attribute,
    Kind,
    StoredObject,
    Torn,
    check_whole,
    serialize,
)

_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/local/lib")
TOKEN_OBJECT = "token.object"  # noqa: S105 - a file's name
TOKEN_KEY_BYTES = 32

# CK_TOKEN_INFO: CKF_RNG, _LOGIN_REQUIRED, _USER_PIN_INITIALIZED, _RESTORE_KEY_NOT_NEEDED, _TOKEN_INITIALIZED.
_TOKEN_FLAGS = 0x1 | 0x4 | 0x8 | 0x20 | 0x400
_PBE_ROUNDS = 1500
_BUSY_SECONDS = 0.5


def module_path() -> Path:
    """SoftHSM's PKCS#11 library: HSMCTL_SOFTHSM, or where distributions put it.

    Raises:
        Conflict: it is not installed.
    """
    named = os.environ.get("HSMCTL_SOFTHSM")
    usual = [f"{folder}/softhsm/libsofthsm2.so" for folder in _LIBRARIES]
    for path in map(Path, [named] if named else usual):
        if path.is_file():
            return path
    where = f"no file {named} (HSMCTL_SOFTHSM)" if named else "the package softhsm2 is not installed"
    raise Conflict("SoftHSM not found", where, "apt install softhsm2")


def token_object(*, label: str, serial: str, token_key: bytes, pin: str) -> bytes:
    """The `token.object` of an initialized token whose user logs in with `pin`; nobody knows the SO PIN.

    `serial` is 16 hexadecimal digits; the slot id is the low 31 bits of the last eight (SlotManager.cpp).
    """
    attributes = {
        LABEL: Attribute(Kind.BYTES, label.encode().ljust(32)),
        SERIAL: Attribute(Kind.BYTES, serial.encode().ljust(16)),
        FLAGS: Attribute(Kind.ULONG, struct.pack(">Q", _TOKEN_FLAGS)),
        SO_BLOB: Attribute(Kind.BYTES, _seal(token_key, secrets.token_hex(16))),
        USER_BLOB: Attribute(Kind.BYTES, _seal(token_key, pin)),
    }
    return serialize(StoredObject(1, attributes))


def make_token(folder: Path, data: bytes) -> None:
    """Make the folder of an empty token from its `token.object`."""
    folder.mkdir(mode=0o700)
    _write(folder / "token.lock", b"")
    _write(folder / "generation", struct.pack(">Q", 1))
    _write(folder / TOKEN_OBJECT, data)


def object_files(folder: Path) -> Iterator[str]:
    """The names of the object files of a token, `token.object` left out; whole or not."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".object") and entry.name != TOKEN_OBJECT:
                yield entry.name


def read_object(token: Path, name: str) -> StoredObject:
    """An object of a token.

    Raises:
        FileNotFoundError: the token has no such object (any more).
        Torn: it is unfinished.
    """
    return check_whole((token / name).read_bytes())


def write_object(token: Path, name: str, stored: StoredObject) -> None:
    """Put an object into a token, in place of one of this name; a process that runs on the token sees it at once.

    Raises:
        TimeoutError: somebody holds the token's lock.
    """
    with locked(token) as counter:
        path = token / name
        if path.exists():
            # A process that has read the old object reloads it only for a higher count.
            stored = StoredObject(max(stored.generation, _generation(path)) + 1, stored.attributes)
        lock_file(token, name).touch(mode=0o600)
        temporary = token / f".{name}.new"
        _write(temporary, serialize(stored))
        temporary.replace(path)
        count(counter)


def copy_object(source: Path, target: Path, name: str) -> None:
    """Copy an object between two tokens with the same token key; one the target has already is left alone.

    Raises:
        FileNotFoundError: the source has no such object (any more).
        Torn: the source's object is unfinished.
        TimeoutError: somebody holds the target's lock.
    """
    stored = read_object(source, name)
    if holds(target, name, stored):
        bump(target)  # what put it there may have been cut off before it said so
    else:
        write_object(target, name, stored)


def remove_object(token: Path, name: str) -> None:
    """Remove an object from a token, if it is there; a process that runs on the token sees it at once.

    Raises:
        TimeoutError: somebody holds the token's lock.
    """
    with locked(token) as counter:
        (token / name).unlink(missing_ok=True)
        lock_file(token, name).unlink(missing_ok=True)
        count(counter)


def holds(token: Path, name: str, stored: StoredObject) -> bool:
    """Whether a token has this very object, however often it was written."""
    try:
        return read_object(token, name).attributes == stored.attributes
    except (FileNotFoundError, Torn):
        return False


def bump(token: Path) -> None:
    """Tell processes that have the token open to look at its folder again (Generation.cpp).

    Raises:
        TimeoutError: somebody, possibly a stopped process, holds the lock.
    """
    with locked(token) as counter:
        count(counter)


def _seal(token_key: bytes, pin: str) -> bytes:
    """The token's key under a PIN: salt, IV, AES-256-CBC of "RJR" and the key (SecureDataManager, RFC4880.cpp)."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    salt, vector = secrets.token_bytes(8), secrets.token_bytes(16)
    key = hashlib.sha256(salt + pin.encode()).digest()
    for _ in range(_PBE_ROUNDS + salt[-1] - 1):
        key = hashlib.sha256(key).digest()
    padder = PKCS7(128).padder()
    clear = padder.update(b"RJR" + token_key) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return salt + vector + encryptor.update(clear) + encryptor.finalize()


def lock_file(token: Path, name: str) -> Path:
    """The lock SoftHSM wants beside each object; without it the object cannot be destroyed."""
    return (token / name).with_suffix(".lock")


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def _generation(path: Path) -> int:
    """The first number of an object file; 0 if it is torn."""
    with path.open("rb") as stream:
        data = stream.read(8)
    return int.from_bytes(data) if len(data) == 8 else 0


@contextmanager
def locked(token: Path) -> Iterator[FileIO]:
    """The token's counter, locked as SoftHSM locks it.

    Raises:
        TimeoutError: somebody, possibly a stopped process, holds the lock.
    """
    descriptor = os.open(token / "generation", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with FileIO(descriptor, "r+") as counter:
        _lock(descriptor, token)
        yield counter


def count(counter: FileIO) -> None:
    """Add one to a counter."""
    counter.seek(0)
    generation = int.from_bytes(counter.read(8)) + 1
    counter.seek(0)
    counter.write(struct.pack(">Q", generation))


def _lock(descriptor: int, token: Path) -> None:
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{token.name} is locked") from None
            time.sleep(0.002)
        else:
            return


def is_whole(path: Path) -> bool:
    """Whether a file is a token or an object that was written to its end."""
    try:
        check_whole(path.read_bytes())
    except (FileNotFoundError, Torn):
        return False
    return True
