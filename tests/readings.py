"""Keys and readings of them, as few words as a test of comparisons needs."""

from __future__ import annotations

from datetime import UTC, datetime

from hsmctl.domain.evidence import Failed, Ok
from hsmctl.domain.key import Identity, Key, Material, MaterialKind, ObjectClass, Proof, ProofKind
from hsmctl.domain.sync import Inventory, Reading, Replica
from hsmctl.errors import Denied, Unreachable

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def key(
    label: str = "db-kek",
    *,
    digest: bytes | None = b"\x01\x02\x03",
    kind: MaterialKind = MaterialKind.CHECK_VALUE,
    attributes: str = "token sensitive",
    bits: int | None = 256,
    proof: Proof | None = None,
    unknown: str = "",
    by: str = "",
    session: bool = False,
) -> Key:
    return Key(
        identity=Identity(ObjectClass.SECRET, b"\x01", label.encode()),
        key_type="AES",
        bits=bits,
        attributes=frozenset(attributes.split()),
        unknown=frozenset(unknown.split()),
        session=session,
        material=None if digest is None else Material(kind, digest, by),
        proof=proof,
    )


def answer(value: bytes = b"answer", how: str = "encrypt") -> Proof:
    return Proof(ProofKind.DIGEST, value, how)


def silence(reason: str = "it can only unwrap") -> Proof:
    return Proof(ProofKind.NONE, reason=reason)


def reading(name: str, *keys: Key, total: int | None = -1, user: str = "ops_cu") -> Reading:
    seen = len(keys) if total == -1 else total
    return Reading(Replica(name=name), Ok(Inventory(keys=keys, taken_at=NOW, user=user, total=seen)))


def unreadable(name: str, error: type[Unreachable] | type[Denied] = Unreachable) -> Reading:
    return Reading(Replica(name=name), Failed(error(name, "no answer")))
