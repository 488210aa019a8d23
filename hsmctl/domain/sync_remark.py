"""What else deserves a sentence in a check though all replicas agree on it: it changes no verdict.

Names that several keys share, pairs whose halves do not belong together, and how full the HSMs are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hsmctl.domain.evidence import Ok
from hsmctl.domain.key import Identity, Key, MaterialKind, ObjectClass
from hsmctl.domain.limit import limits
from hsmctl.domain.sync import Inventory, Replica, Report, Row

FULL = 0.9
"""The part of a limit from which on it is worth a sentence."""


class RemarkKind(StrEnum):
    """What a remark is about."""

    SHARED = "shared name"
    PAIR = "mismatched pair"
    CAPACITY = "capacity"
    SESSION = "session keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing worth knowing."""

    kind: RemarkKind
    says: str
    keys: tuple[Identity, ...] = ()
    """The keys it is about, if it is about some."""


def remarks(report: Report) -> tuple[Remark, ...]:
    """Everything worth knowing beyond the verdict; pairs and asymmetric keys are those of the first replica read."""
    return tuple(_remarks(report))


def scarce(report: Report, least: int) -> tuple[Row, ...]:
    """The keys that fewer than `least` replicas were seen to hold."""
    return tuple(row for row in report.rows if row.copies < least)


def mismatched(keys: Iterable[Key]) -> tuple[Identity, ...]:
    """Private RSA keys whose public half, by id or else by label, is another key's.

    Only where the id or label names one public key: names may be shared.
    """
    halves: dict[bytes, set[bytes]] = {}
    private: list[tuple[Identity, bytes]] = []
    for key in keys:
        if key.material and key.identity.object_class is ObjectClass.PUBLIC and key.key_type == "RSA":
            halves.setdefault(_name(key.identity), set()).add(key.material.digest)
        elif key.material and key.material.kind is MaterialKind.MODULUS:
            private.append((key.identity, key.material.digest))
    return tuple(
        identity
        for identity, digest in private
        if len(found := halves.get(_name(identity), set())) == 1 and digest not in found
    )


def _remarks(report: Report) -> Iterator[Remark]:
    shared = tuple(row.identity for row in report.rows if row.shared > 1)
    if shared:
        says = "one replica holds several keys of one class, id and label: whoever looks one up gets any of them"
        yield Remark(kind=RemarkKind.SHARED, says=says, keys=shared)
    read = [(reading.replica, reading.outcome.value) for reading in report.readings if isinstance(reading.outcome, Ok)]
    if read and (odd := mismatched(read[0][1].keys)):
        yield Remark(kind=RemarkKind.PAIR, says="their public halves are other keys'", keys=odd)
    yield from _capacity(read)
    if report.sessions:
        says = f"{report.sessions:,} keys live in a session only and are not compared"
        yield Remark(kind=RemarkKind.SESSION, says=says)


def _capacity(read: Sequence[tuple[Replica, Inventory]]) -> Iterator[Remark]:
    """How full the fullest HSM is, where one is nearly full."""
    known = [(replica, inventory) for replica, inventory in read if replica.hsm_type]
    if not known:
        return
    replica, inventory = max(known, key=lambda one: _held(one[1]))
    most = limits(replica.hsm_type)
    asymmetric = sum(key.identity.object_class in _HALVES for key in inventory.keys)
    for held, limit, noun in ((_held(inventory), most.keys, "keys"), (asymmetric, most.asymmetric, "asymmetric keys")):
        if held >= FULL * limit:
            says = f"{replica} holds {held:,} of {limit:,} {noun} ({held * 100 // limit} %)"
            yield Remark(kind=RemarkKind.CAPACITY, says=says)


_HALVES = (ObjectClass.PUBLIC, ObjectClass.PRIVATE)


def _held(inventory: Inventory) -> int:
    return len(inventory.keys) if inventory.total is None else inventory.total


def _name(identity: Identity) -> bytes:
    """What the halves of a pair have in common."""
    return identity.key_id or identity.label
