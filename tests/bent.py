"""Keys as HSMs store them, bent in memory the way the lab bends them on disk, and what a check has to say about it."""

from __future__ import annotations

import hashlib
import math
import struct
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsmctl.domain.evidence import Ok
from hsmctl.domain.key import CLASSES, KEY_TYPES, Identity, Key, Material, MaterialKind, ObjectClass
from hsmctl.domain.sync import Cell, Inventory, Reading, Replica, Report
from hsmctl.lab import material
from hsmctl.lab.effect import Effects
from hsmctl.lab.fault import Fault, FaultBook
from hsmctl.lab.fault_key import Edit, edited, edits, labelled
from hsmctl.lab.folder import LabFolder
from hsmctl.lab.objectfile import (
    CKA_CLASS,
    CKA_EC_POINT,
    CKA_EXTRACTABLE,
    CKA_KEY_TYPE,
    CKA_LABEL,
    CKA_MODULUS,
    CKA_PRIVATE,
    CKA_PRIVATE_EXPONENT,
    CKA_VALUE,
    Attribute,
    Kind,
    StoredObject,
)

TOKEN_KEY = bytes(range(32))
LABELS = ("aes", "rsa", "ec")
KINDS = ("key-missing", "key-different", "key-attribute", "key-sole")
"""The faults that touch keys which are there."""
CUT, LATE, MAKER = "replication-cut", "late", 0
"""The fault that touches a key which is made meanwhile, that key, and where it is made."""

Named = Mapping[tuple[str, str], Mapping[str, Cell]]
"""By label and class, the replicas that a check names and what it says of them."""

_CKA_ID, _CKA_CHECK_VALUE, _CKA_EC_PARAMS, _CKA_PUBLIC_EXPONENT = 0x102, 0x090, 0x180, 0x122
_P256 = bytes.fromhex("06082a8648ce3d030107")


class Bend(NamedTuple):
    """One fault of a key, on one HSM of several."""

    fault: str
    label: str
    hsm: int


def named(report: Report) -> Named:
    """What a report names: the keys that differ, and on which replicas."""
    replicas = [reading.replica.name for reading in report.readings]
    bad = (Cell.MISSING, Cell.DIFFERENT, Cell.ATTRIBUTES)
    return {
        (str(row.identity), row.identity.object_class.value): {
            name: cell for name, cell in zip(replicas, row.cells, strict=True) if cell in bad
        }
        for row in report.differences
    }


def halves(label: str) -> tuple[str, ...]:
    """The classes of the objects of a key."""
    return ("private-key", "public-key") if label in ("rsa", "ec") else ("secret-key",)


def expected(bends: Sequence[Bend], replicas: Sequence[str]) -> Named:
    """What a check has to name, derived from the meaning of the faults and not from any bytes."""
    found: dict[tuple[str, str], dict[str, Cell]] = {}
    for label in (*LABELS, LATE):
        for half in halves(label):
            cells = dict(zip(replicas, _cells(_states(bends, label, half, len(replicas))), strict=True))
            if bad := {name: cell for name, cell in cells.items() if cell}:
                found[label, half] = bad
    return found


def readings(bends: Sequence[Bend], replicas: Sequence[str]) -> Iterator[Reading]:
    """What each HSM would list, with the bends in force one after the other."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    for number, name in enumerate(replicas):
        lost = [LATE + ".object"] if _never_arrives(bends, number) else []
        keys = tuple(_listed_all(tuple(edit for bend in bends for edit in _edits(bend, number)), lost))
        yield Reading(Replica(name=name), Ok(Inventory(keys=keys, taken_at=now, user="u", total=len(keys))))


_State = tuple[int, bool] | None
"""Which material a copy is of (0 is the right one) and whether it is extractable; None where there is none."""


def _states(bends: Sequence[Bend], label: str, half: str, count: int) -> list[_State]:
    states: list[_State] = [(0, False)] * count
    for number, bend in enumerate(bends, 1):
        for place in range(count):
            state = states[place]
            if bend.fault == CUT and label == LATE and place != MAKER and bend.hsm in (MAKER, place):
                states[place] = None
            if bend.label != label or state is None or (bend.hsm == place) == (bend.fault == "key-sole"):
                continue
            if bend.fault in ("key-missing", "key-sole"):
                states[place] = None
            elif bend.fault == "key-different" and (label, half) != ("ec", "private-key"):
                # The private half of an EC pair shows nothing of what it is made of; only a proof tells.
                states[place] = (number, state[1])
            elif bend.fault == "key-attribute" and half != "public-key":
                states[place] = (state[0], True)
    return states


def _cells(states: Sequence[_State]) -> Iterator[Cell | None]:
    """What is wrong with each copy, if anything: it is measured against what most have."""
    there = [state for state in states if state]
    made = _most(state[0] for state in there)
    flag = _most(state[1] for state in there)
    for state in states:
        if state is None:
            yield Cell.MISSING if there else None
        elif state[0] != made:
            yield Cell.DIFFERENT
        else:
            yield None if state[1] == flag else Cell.ATTRIBUTES


def _most(values: Iterable[int]) -> int | None:
    counted = Counter(values).most_common(2)
    tied = len(counted) == 2 and counted[0][1] == counted[1][1]
    return None if tied or not counted else counted[0][0]


@cache
def _edits(bend: Bend, place: int) -> tuple[tuple[str, int], ...]:
    """The edits a bend makes on the HSM at a place: object names, and where the edit itself is kept."""
    if bend.fault == CUT or (bend.hsm == place) == (bend.fault == "key-sole"):
        return ()
    made = edits(bend.fault, labelled(base(), bend.label, TOKEN_KEY), TOKEN_KEY)
    _KEPT.extend(made.values())
    return tuple((name, len(_KEPT) - len(made) + number) for number, name in enumerate(made))


_KEPT: list[Edit] = []


def _never_arrives(bends: Sequence[Bend], place: int) -> bool:
    """Whether the lab keeps the key that is made meanwhile from an HSM."""
    cut = tuple(bend.hsm for bend in bends if bend.fault == CUT)
    return place != MAKER and _held_up(cut, place)


@cache
def _held_up(cut: tuple[int, ...], place: int) -> bool:
    with TemporaryDirectory() as folder:
        lab = LabFolder(Path(folder))
        book = FaultBook(lab.faults)
        for hsm in cut:
            book.add(Fault(name=CUT, hsm=str(hsm)))
        return math.isinf(Effects(lab, book).hold_up(str(MAKER), str(place)))


def _listed_all(made: tuple[tuple[str, int], ...], lost: Collection[str]) -> Iterator[Key]:
    for name in base():
        if name not in lost and (key := _listed(name, tuple(number for each, number in made if each == name))):
            yield key


@cache
def _listed(name: str, numbers: tuple[int, ...]) -> Key | None:
    """An object as an inventory lists it, after some edits."""
    stored: StoredObject | None = base()[name]
    for number in numbers:
        stored = edited(stored, _KEPT[number])
    return None if stored is None else _key(stored)


def _key(stored: StoredObject) -> Key:
    object_class = CLASSES[stored.number(CKA_CLASS) or 0]
    identity = Identity(object_class, _clear(stored, _CKA_ID), _clear(stored, CKA_LABEL))
    flags = {"extractable": CKA_EXTRACTABLE, "private": CKA_PRIVATE}
    return Key(
        identity=identity,
        key_type=KEY_TYPES[stored.number(CKA_KEY_TYPE) or 0],
        attributes=frozenset(name for name, number in flags.items() if stored.boolean(number)),
        material=_material(stored, object_class),
    )


def _material(stored: StoredObject, object_class: ObjectClass) -> Material | None:
    if object_class is ObjectClass.SECRET:
        return Material(MaterialKind.CHECK_VALUE, _clear(stored, _CKA_CHECK_VALUE))
    kind = MaterialKind.PUBLIC if object_class is ObjectClass.PUBLIC else MaterialKind.MODULUS
    shown = _clear(stored, CKA_MODULUS) + _clear(stored, _CKA_PUBLIC_EXPONENT) or _clear(stored, CKA_EC_POINT)
    return Material(kind, hashlib.sha256(shown).digest()) if shown else None


def _clear(stored: StoredObject, attribute: int) -> bytes:
    return material.clear(stored, attribute, TOKEN_KEY)


@cache
def base() -> Mapping[str, StoredObject]:
    """The objects of three keys and of one beside them, as every HSM stores them."""
    pair = rsa.generate_private_key(65537, 2048).private_numbers()
    modulus = {CKA_MODULUS: _bytes(pair.public_numbers.n), _CKA_PUBLIC_EXPONENT: _bytes(65537)}
    curve = ec.generate_private_key(ec.SECP256R1())
    numbers = curve.private_numbers()
    point = b"\x04\x41\x04" + b"".join(
        each.to_bytes(32) for each in (numbers.public_numbers.x, numbers.public_numbers.y)
    )
    return {
        "aes.object": _object(4, 0x1F, "aes", {CKA_VALUE: bytes(32), _CKA_CHECK_VALUE: b"one"}),
        "rsa-private.object": _object(3, 0, "rsa", {**modulus, CKA_PRIVATE_EXPONENT: _bytes(pair.d)}),
        "rsa-public.object": _object(2, 0, "rsa", modulus),
        "ec-private.object": _object(3, 3, "ec", {_CKA_EC_PARAMS: _P256, CKA_VALUE: _bytes(numbers.private_value)}),
        "ec-public.object": _object(2, 3, "ec", {_CKA_EC_PARAMS: _P256, CKA_EC_POINT: point}),
        f"{LATE}.object": _object(4, 0x1F, LATE, {CKA_VALUE: bytes(24), _CKA_CHECK_VALUE: b"new"}),
        "beside.object": _object(4, 0x1F, "beside", {CKA_VALUE: bytes(16), _CKA_CHECK_VALUE: b"two"}),
    }


def _object(object_class: int, key_type: int, label: str, values: material.Values) -> StoredObject:
    attributes = {
        CKA_CLASS: Attribute(Kind.ULONG, struct.pack(">Q", object_class)),
        CKA_KEY_TYPE: Attribute(Kind.ULONG, struct.pack(">Q", key_type)),
        CKA_PRIVATE: Attribute(Kind.BOOLEAN, b"\xff"),
    }
    if object_class != 2:
        attributes[CKA_EXTRACTABLE] = Attribute(Kind.BOOLEAN, b"\0")
    stored = StoredObject(1, attributes)
    named = {CKA_LABEL: label.encode(), _CKA_ID: label.encode(), **values}
    return StoredObject(1, {**attributes, **material.stored_values(stored, named, TOKEN_KEY)})


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)
