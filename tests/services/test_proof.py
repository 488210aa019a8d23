"""Proves that signatures verified ahead say what they say at the end, that none is verified twice, and none missed."""

from __future__ import annotations

from datetime import UTC, datetime

from hsmctl.domain.evidence import Ok
from hsmctl.domain.key import Identity, Key, ObjectClass, Proof, ProofKind
from hsmctl.domain.proof import Certified, challenge, settle
from hsmctl.domain.sync import Inventory, Reading, Replica
from hsmctl.services.proof import Signatures

NONCE = bytes(32)
PAIR, LONE = Identity(ObjectClass.PRIVATE, b"\x01", b"pair"), Identity(ObjectClass.PRIVATE, b"\x02", b"lone")


class Verifier:
    """ports.SignatureVerifier with signatures that anybody can read; it notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes]] = []

    def fits(self, curve: str, point: bytes, digest: bytes, signature: bytes) -> bool:
        self.asked.append((point, signature))
        return curve == "P-256" and signature.endswith(b" by " + point + digest)

    def certify(self, certificate: bytes) -> Certified:
        return Certified(point=certificate, authority=False)


def signed(identity: Identity, place: int, point: bytes) -> Key:
    value = b"%d by " % place + point + challenge(NONCE, identity)
    return Key(identity=identity, key_type="EC", curve="P-256", proof=Proof(ProofKind.SIGNATURE, value, "sign"))


def half(identity: Identity, point: bytes) -> Key:
    name = identity._replace(object_class=ObjectClass.PUBLIC)
    return Key(identity=name, key_type="EC", curve="P-256", proof=Proof(ProofKind.PUBLIC, point))


def replicas() -> list[Reading]:
    """Three that hold both keys, and only the last shows the public half of the second."""
    held = [[signed(PAIR, place, b"P"), half(PAIR, b"P"), signed(LONE, place, b"L")] for place in range(3)]
    held[2].append(half(LONE, b"L"))
    return [
        Reading(
            Replica(name=str(place)),
            Ok(Inventory(keys=tuple(keys), taken_at=datetime(2026, 11, 23, tzinfo=UTC), user="u")),
        )
        for place, keys in enumerate(held)
    ]


def test_what_was_verified_ahead_is_not_verified_again_and_the_outcome_is_the_same() -> None:
    verifier, readings = Verifier(), replicas()
    signatures = Signatures(verifier, NONCE)
    for reading in readings:
        signatures.foresee(reading)
    ahead = len(verifier.asked)

    settled = signatures.settled(readings)

    assert settled == settle(readings, NONCE, Verifier().fits, verifier.certify)
    assert all(key.proof is None or key.proof.kind is ProofKind.DIGEST for key in keys_of(settled))
    assert ahead == 4, "three of the pair, and the one whose half its own replica shows"
    assert len(verifier.asked) == len(set(verifier.asked)) == 6


def test_a_signature_of_one_key_does_not_stand_for_another() -> None:
    stolen = signed(PAIR, 0, b"P").answering(Proof(ProofKind.SIGNATURE, b"0 by P" + challenge(NONCE, LONE), "sign"))
    readings = replicas()
    readings[1] = Reading(
        Replica(name="1"), Ok(Inventory(keys=(stolen, half(PAIR, b"P")), taken_at=datetime.now(UTC), user="u"))
    )
    signatures = Signatures(Verifier(), NONCE)
    for reading in readings:
        signatures.foresee(reading)

    first, thief = (next(iter(keys_of([each]))).proof for each in signatures.settled(readings)[:2])

    assert first is not None
    assert thief is not None
    assert first.value != thief.value


def keys_of(readings: tuple[Reading, ...] | list[Reading]) -> list[Key]:
    return [key for each in readings if isinstance(each.outcome, Ok) for key in each.outcome.value.keys]
