"""SoftHSM 2's object files: what a `*.object` or `token.object` holds, and whether it was written to its end.

The format is that of SoftHSM 2.6 (object_store/ObjectFile.cpp): a count of writes, then each attribute's type, kind and
value, all numbers big-endian and 64 bits wide. Refuses to know where files lie and who uses them.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO, NamedTuple

LABEL, SERIAL, FLAGS, SO_BLOB, USER_BLOB = range(0x80005349, 0x8000534E)
"""The attributes of `token.object`."""

CKA_CLASS, CKA_KEY_TYPE, CKA_PRIVATE, CKA_LABEL, CKA_EXTRACTABLE = 0x000, 0x100, 0x002, 0x003, 0x162
CKA_ID, CKA_CHECK_VALUE, CKA_PUBLIC_EXPONENT, CKA_VALUE_LEN, CKA_EC_PARAMS = 0x102, 0x090, 0x122, 0x161, 0x180
CKA_VALUE, CKA_MODULUS, CKA_PRIVATE_EXPONENT, CKA_EC_POINT = 0x011, 0x120, 0x123, 0x181
CKO_PUBLIC_KEY, CKO_PRIVATE_KEY, CKO_SECRET_KEY = 2, 3, 4
CKK_RSA, CKK_EC = 0x00, 0x03
_CURVE_TYPES = (CKK_EC, 0x40, 0x41)


class Torn(ValueError):
    """An object file that was not written to its end."""


class Kind(IntEnum):
    """How an attribute's value is stored."""

    BOOLEAN = 1
    ULONG = 2
    BYTES = 3
    MAP = 4
    MECHANISMS = 5


class Attribute(NamedTuple):
    """One stored value: its kind and its bytes without the length in front."""

    kind: Kind
    value: bytes


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What an object file holds; byte strings of private objects are encrypted with the token's key."""

    generation: int
    """Counts the writes of this file; a process reloads the object when it grew."""
    attributes: Mapping[int, Attribute]

    def boolean(self, attribute: int) -> bool | None:
        """A boolean attribute, or None."""
        stored = self.attributes.get(attribute)
        return stored.value != b"\0" if stored and stored.kind is Kind.BOOLEAN else None

    def number(self, attribute: int) -> int | None:
        """An unsigned long attribute, or None."""
        stored = self.attributes.get(attribute)
        return int.from_bytes(stored.value) if stored and stored.kind is Kind.ULONG else None


def parse(data: bytes) -> StoredObject:
    """The object of a file.

    Raises:
        Torn: the file ends too early, or holds no attribute.
    """
    stream = io.BytesIO(data)
    generation = _u64(stream)
    attributes: dict[int, Attribute] = {}
    while stream.tell() < len(data):
        number, kind = _u64(stream), _u64(stream)
        attributes[number] = _attribute(stream, kind)
    if not attributes:
        raise Torn("it holds no attribute")
    return StoredObject(generation, attributes)


def serialize(stored: StoredObject) -> bytes:
    """The file of an object; the inverse of `parse`."""
    parts = [struct.pack(">Q", stored.generation)]
    for number, (kind, value) in sorted(stored.attributes.items()):
        parts.append(struct.pack(">QQ", number, kind))
        if kind is Kind.MECHANISMS:
            parts.append(struct.pack(">Q", len(value) // 8))
        elif kind in (Kind.BYTES, Kind.MAP):
            parts.append(struct.pack(">Q", len(value)))
        parts.append(value)
    return b"".join(parts)


def check_whole(data: bytes) -> StoredObject:
    """The object of a file, if it is a token or an object SoftHSM finished making.

    SoftHSM writes a key's material last, so a key without it was cut off while it was made.

    Raises:
        Torn: the file or the object is unfinished.
    """
    stored = parse(data)
    if any(attribute not in stored.attributes for attribute in _required(stored)):
        raise Torn("an attribute is missing")
    if any(not stored.attributes[attribute].value for attribute in _required(stored)):
        raise Torn("it has no key material")
    return stored


def _u64(stream: BinaryIO) -> int:
    data = stream.read(8)
    if len(data) < 8:
        raise Torn("the file ends early")
    return int.from_bytes(data)


def _attribute(stream: BinaryIO, kind: int) -> Attribute:
    if kind not in tuple(Kind):
        raise Torn(f"there is no attribute kind {kind}")
    if kind == Kind.BOOLEAN:
        length = 1
    elif kind == Kind.ULONG:
        length = 8
    else:
        length = _u64(stream) * (8 if kind == Kind.MECHANISMS else 1)
    value = stream.read(length)
    if len(value) < length:
        raise Torn("the file ends early")
    return Attribute(Kind(kind), value)


def _required(stored: StoredObject) -> tuple[int, ...]:
    """The attributes a finished token or object has, and not empty."""
    if LABEL in stored.attributes:
        return (SERIAL, FLAGS, SO_BLOB, USER_BLOB)
    key_type = stored.number(CKA_KEY_TYPE)
    match stored.number(CKA_CLASS):
        case 3 if key_type == CKK_RSA:
            return (CKA_MODULUS, CKA_PRIVATE_EXPONENT)
        case 2 if key_type == CKK_RSA:
            return (CKA_MODULUS,)
        case 2 if key_type in _CURVE_TYPES:
            return (CKA_EC_POINT,)
        case 2 | 3 | 4:
            return (CKA_VALUE,)
        case _:
            return (CKA_CLASS,)
