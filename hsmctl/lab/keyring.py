"""The keys of one HSM below PKCS#11: whose they are, who shares them, and every change cloudhsm-cli can make to one.

A key's owner is the user in whose token its object file lies; a user it is shared with has a copy that names the owner.
Who is called holds the lock of the module. Refuses to know siblings: attributes and sharing are changed on each HSM by
whoever wants them everywhere (user guide, manage-key-sync).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hsmctl.agent.inventory import Refused
from hsmctl.lab import keylist
from hsmctl.lab.material import octet_string, secret_check_value, stored_values
from hsmctl.lab.objectfile import (
    CKA_CHECK_VALUE,
    CKA_CLASS,
    CKA_EC_POINT,
    CKA_ID,
    CKA_KEY_TYPE,
    CKA_LABEL,
    CKA_MODULUS,
    CKA_PUBLIC_EXPONENT,
    CKA_VALUE,
    CKA_VALUE_LEN,
    CKO_PUBLIC_KEY,
    Attribute,
    Kind,
    StoredObject,
    Torn,
)
from hsmctl.lab.record import NodeRecord
from hsmctl.lab.softhsm import object_files, read_object, remove_object, write_object

_OWNER = 0xC8534841
"""A vendor's attribute (CKA_VENDOR_DEFINED and above) of the copies that are shared: the owner's name."""
_TRUE, _FALSE = b"\xff", b"\0"
MISSING = "missing"


class _Seen(NamedTuple):
    """An object file as it was read last."""

    changed: int
    stored: StoredObject


@dataclass(frozen=True, slots=True)
class Key:
    """One key of this HSM."""

    name: str
    """Of its object file."""
    owner: str
    sharers: tuple[str, ...]
    stored: StoredObject

    @property
    def reference(self) -> str:
        """What it is called by."""
        return keylist.reference(self.name)

    @property
    def kind(self) -> str:
        """Its class in cloudhsm-cli's words."""
        return keylist.CLASSES[self.stored.number(CKA_CLASS) or 0]

    @property
    def public(self) -> bool:
        """Whether every crypto user sees it."""
        return self.stored.number(CKA_CLASS) == CKO_PUBLIC_KEY


class Keyring:
    """The keys of one HSM."""

    def __init__(self, tokens: Path, record: Callable[[], NodeRecord]) -> None:
        self._tokens = tokens
        self._record = record
        self._seen: dict[Path, _Seen] = {}

    @property
    def token_key(self) -> bytes:
        """What private objects are encrypted with."""
        return bytes.fromhex(self._record().token_key)

    def visible(self, user: str | None) -> Iterator[Key]:
        """The keys a crypto user sees, its own, shared and public ones; everybody's for None."""
        for key in self._all():
            if user is None or key.public or user in (key.owner, *key.sharers):
                yield key

    def find(self, reference: str, user: str | None) -> Key:
        """A key the user sees.

        Raises:
            Refused: there is none.
        """
        for key in self.visible(user):
            if key.reference == reference:
                return key
        raise Refused(
            MISSING, "Key selection criteria matched 0 keys. Refine selection criteria to select a single key."
        )

    def owned(self, reference: str, user: str) -> Key:
        """A key of the user's own.

        Raises:
            Refused: there is none.
        """
        key = self.find(reference, user)
        if key.owner != user:
            raise Refused("", "Only the owner of the key can do this")
        return key

    def amend(self, key: Key, changes: Mapping[str, str]) -> None:
        """Change attributes by their names, in all copies; what a key of its class has not is left out.

        Raises:
            Refused: there is no such attribute, or no such value.
        """
        edit = self._edit(key.stored, changes)
        for user in (key.owner, *key.sharers):
            stored = read_object(self._tokens / user, key.name)
            write_object(self._tokens / user, key.name, StoredObject(stored.generation, {**stored.attributes, **edit}))

    def refill(self, key: Key, kind: str, value: bytes) -> None:
        """Give a new secret key another value, and be of this kind: that is how one comes in from outside."""
        check = secret_check_value(kind, value)
        edit = {
            **stored_values(key.stored, {CKA_VALUE: value, CKA_CHECK_VALUE: check}, self.token_key),
            CKA_KEY_TYPE: Attribute(Kind.ULONG, _ulong(keylist.NUMBERS[kind])),
            CKA_VALUE_LEN: Attribute(Kind.ULONG, _ulong(len(value))),
        }
        stored = StoredObject(key.stored.generation, {**key.stored.attributes, **edit})
        write_object(self._tokens / key.owner, key.name, stored)

    def refill_public(self, key: Key, parts: Mapping[str, bytes]) -> None:
        """Give a new public key another `modulus` and `exponent`, or another `point`."""
        numbers = {"modulus": CKA_MODULUS, "exponent": CKA_PUBLIC_EXPONENT, "point": CKA_EC_POINT}
        values = {numbers[part]: octet_string(value) if part == "point" else value for part, value in parts.items()}
        edit = stored_values(key.stored, values, self.token_key)
        stored = StoredObject(key.stored.generation, {**key.stored.attributes, **edit})
        write_object(self._tokens / key.owner, key.name, stored)

    def destroy(self, key: Key) -> None:
        """Remove a key and its shared copies."""
        for user in (key.owner, *key.sharers):
            remove_object(self._tokens / user, key.name)

    def share(self, key: Key, user: str) -> None:
        """Give a user a copy."""
        mark = {_OWNER: Attribute(Kind.BYTES, key.owner.encode())}
        copy = StoredObject(key.stored.generation, {**key.stored.attributes, **mark})
        write_object(self._tokens / user, key.name, copy)

    def unshare(self, key: Key, user: str) -> None:
        """Take a user's copy away."""
        if user in key.sharers:
            remove_object(self._tokens / user, key.name)

    def named(self, user: str, name: str) -> Key:
        """The key of an object file in its owner's token.

        Raises:
            FileNotFoundError: there is none.
        """
        return Key(name, user, (), read_object(self._tokens / user, name))

    def _edit(self, stored: StoredObject, changes: Mapping[str, str]) -> dict[int, Attribute]:
        edit: dict[int, Attribute] = {}
        for name, value in changes.items():
            if name in ("label", "id"):
                text = value.encode() if name == "label" else _hex(value)
                number = CKA_LABEL if name == "label" else CKA_ID
                edit |= stored_values(stored, {number: text}, self.token_key)
            elif name not in keylist.FLAGS or value not in ("true", "false"):
                raise Refused("", f"Attribute {name} can not be set to {value}")
            elif keylist.FLAGS[name] in stored.attributes:
                edit[keylist.FLAGS[name]] = Attribute(Kind.BOOLEAN, _TRUE if value == "true" else _FALSE)
        return edit

    def _all(self) -> Iterator[Key]:
        owners: dict[str, tuple[str, StoredObject]] = {}
        sharers: dict[str, list[str]] = {}
        for user in self._record().tokens:
            for name, stored in self._objects(user):
                if _OWNER in stored.attributes:
                    sharers.setdefault(name, []).append(user)
                elif keylist.is_key(stored):
                    owners[name] = (user, stored)
        for name, (owner, stored) in owners.items():
            yield Key(name, owner, tuple(sharers.get(name, ())), stored)

    def _objects(self, user: str) -> Iterator[tuple[str, StoredObject]]:
        """The objects in a user's token, read again only where their files changed."""
        token = self._tokens / user
        for name in object_files(token):
            path = token / name
            try:
                changed = path.stat().st_mtime_ns
                seen = self._seen.get(path)
                if seen is None or seen.changed != changed:
                    seen = self._seen[path] = _Seen(changed, read_object(token, name))
            except (FileNotFoundError, Torn):
                continue  # gone, or being made
            yield name, seen.stored


def _ulong(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _hex(value: str) -> bytes:
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except ValueError as error:
        raise Refused("", f"Attribute id can not be set to {value}") from error
