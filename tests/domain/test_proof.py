"""Proves which keys may be used for proofs and why others not, and what signatures and public halves amount to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hmac import digest

import pytest

from hsmctl.domain.evidence import Failed, Ok
from hsmctl.domain.key import Identity, Key, ObjectClass, Proof, ProofKind
from hsmctl.domain.proof import Certified, Permission, challenge, refusals, refused, settle, usable
from hsmctl.domain.sync import Cell, Inventory, Reading, Replica, compare
from hsmctl.errors import Unreachable

NONCE = bytes(32)
OF_A_CA = b"certificate of a CA"
SOME = Permission(patterns=("app-*", "tls"))


def key(
    label: str = "app-1",
    uses: str = "sign",
    *,
    object_class: ObjectClass = ObjectClass.PRIVATE,
    key_id: bytes = b"\x01",
    proof: Proof | None = None,
) -> Key:
    return Key(
        identity=Identity(object_class, key_id, label.encode()),
        key_type="EC",
        curve="P-256",
        attributes=frozenset(uses.split()),
        proof=proof,
    )


def public(point: bytes, label: str = "app-1", key_id: bytes = b"\x01") -> Key:
    return key(label, "verify", object_class=ObjectClass.PUBLIC, key_id=key_id, proof=Proof(ProofKind.PUBLIC, point))


def certificate(value: bytes, label: str = "cert", key_id: bytes = b"\x01") -> Key:
    proof = Proof(ProofKind.CERTIFICATE, value)
    return key(label, "", object_class=ObjectClass.CERTIFICATE, key_id=key_id, proof=proof)


def inventory(*keys: Key, user: str = "ops_check") -> Inventory:
    return Inventory(keys=keys, taken_at=datetime(2026, 11, 23, tzinfo=UTC), user=user)


def certify(value: bytes) -> Certified:
    return Certified(point=value.removeprefix(b"of ") if value.startswith(b"of ") else None, authority=value == OF_A_CA)


def refused_because(*keys: Key, user: str = "ops_check", module: str = "libsofthsm2.so") -> set[str]:
    replica = Replica(name="hsm-1", address=f"module:/usr/lib/{module}?token=a")
    return set(refusals(replica, inventory(*keys, user=user), SOME, certify).values())


@pytest.mark.parametrize(
    ("refused_key", "why"),
    [
        (key("other"), "deep_allow does not name it"),
        (key("APP-1"), "deep_allow does not name it"),
        (key(uses="sign trusted"), "it is trusted"),
        (key(uses="wrap"), "it can only wrap"),
        (key(uses="wrap unwrap token"), "it can only wrap and unwrap"),
        (key("arn:aws:kms:eu-central-1:111122223333:key/1"), "it is kmsuser's"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_known_about_a_key_speaks_against_its_use(refused_key: Key, why: str) -> None:
    assert refused_because(refused_key) == {why}


def test_a_key_that_is_named_and_harmless_may_be_used() -> None:
    assert refused_because(key(), key("tls", "encrypt wrap"), key("app-x", "derive")) == set()


def test_whose_key_it_is_and_where_it_is_speak_against_its_use() -> None:
    assert refused_because(key(), user="KmsUser") == {"it is kmsuser's"}
    (why,) = refused_because(key(), module="libcloudhsm_pkcs11.so")
    assert "quorum" in why


@pytest.mark.parametrize(("label", "key_id"), [("app-1", b""), ("x", b"\x01")])
def test_the_key_of_a_ca_is_not_used(label: str, key_id: bytes) -> None:
    assert refused_because(key(), certificate(OF_A_CA, label, key_id)) == {"its certificate is a CA's"}
    assert refused_because(key(), certificate(b"of a server", label, key_id)) == set()


def test_an_empty_id_is_no_bond_to_a_ca() -> None:
    assert refused_because(key(key_id=b""), certificate(OF_A_CA, key_id=b"")) == set()


def test_of_keys_with_one_name_what_speaks_against_one_counts() -> None:
    assert refused_because(key(), key(uses="sign trusted"), key()) == {"it is trusted"}


def test_the_lab_allows_everything() -> None:
    everything = Permission(everything=True)
    assert refusals(Replica(name="a"), inventory(key(uses="wrap trusted")), everything, certify) == {}


def test_only_private_and_secret_keys_can_be_used_and_the_reason_is_told() -> None:
    held = inventory(key(), public(b"P"), certificate(b""), key("data", object_class=ObjectClass.DATA))
    assert usable(held) == {key().identity}

    told = refused(held, {key().identity: "it is trusted"})
    assert told.keys == (key(proof=Proof(ProofKind.NONE, reason="it is trusted")), *held.keys[1:])


def fits(curve: str, point: bytes, given: bytes, signature: bytes) -> bool:
    """A signature scheme for tests: the point, then what was signed."""
    return curve == "P-256" and signature == b"by " + point + given


def signed(point: bytes, label: str = "app-1", key_id: bytes = b"\x01") -> Key:
    given = challenge(NONCE, Identity(ObjectClass.PRIVATE, key_id, label.encode()))
    return key(label, key_id=key_id, proof=Proof(ProofKind.SIGNATURE, b"by " + point + given, "sign"))


def settled(*replicas: Sequence[Key]) -> list[list[Key]]:
    readings = [Reading(Replica(name=str(place)), Ok(inventory(*keys))) for place, keys in enumerate(replicas)]
    outcomes = [reading.outcome for reading in settle(readings, NONCE, fits, certify)]
    return [list(outcome.value.keys) for outcome in outcomes if isinstance(outcome, Ok)]


def proof_of(point: bytes) -> Proof:
    return Proof(ProofKind.DIGEST, digest(NONCE, point, "sha256"), "sign")


def test_a_signature_proves_the_public_half_it_fits_wherever_that_was_shown() -> None:
    with_half, without = settled([signed(b"P"), public(b"P")], [signed(b"P")])

    assert with_half[0].proof == without[0].proof == proof_of(b"P")
    assert with_half[1].proof is None


@pytest.mark.parametrize(
    "half",
    [
        public(b"P", key_id=b"\x02"),
        public(b"P", "another label"),
        certificate(b"of P"),
        certificate(b"of P", "app-1", b""),
    ],
)
def test_halves_meet_by_id_or_label_and_a_certificate_is_one(half: Key) -> None:
    assert settled([signed(b"P"), half, public(b"Q")])[0][0].proof == proof_of(b"P")


def test_a_twin_that_shows_its_own_half_is_another_key() -> None:
    first, second = settled([signed(b"P"), public(b"P")], [signed(b"Q"), public(b"Q")])
    assert (first[0].proof, second[0].proof) == (proof_of(b"P"), proof_of(b"Q"))


def test_a_signature_that_fits_nothing_where_others_do_is_another_key() -> None:
    readings = [
        Reading(Replica(name=str(place)), Ok(inventory(signed(point), public(b"P"))))
        for place, point in enumerate([b"P", b"forged", b"P"])
    ]
    rows = compare(settle(readings, NONCE, fits, certify)).rows
    assert rows[0].cells == (Cell.PROVED, Cell.DIFFERENT, Cell.PROVED)


def test_signatures_that_fit_nothing_anywhere_prove_nothing() -> None:
    no_half = "it has no public half that any replica shows"
    assert [keys[0].proof for keys in settled([signed(b"P")], [signed(b"P")])] == [
        Proof(ProofKind.NONE, reason=no_half)
    ] * 2
    unfit = settled([signed(b"P"), public(b"Q")])[0][0].proof
    assert unfit == Proof(ProofKind.NONE, reason="its signature fits no public half that any replica shows")
    assert settled([signed(b"P", "", b""), public(b"P", "", b"")])[0][0].proof == Proof(ProofKind.NONE, reason=no_half)


def test_two_keys_of_one_name_are_told_apart() -> None:
    keys = settled([signed(b"P"), signed(b"Q"), public(b"P"), public(b"Q")])[0]
    assert [key.proof for key in keys[:2]] == [proof_of(b"P"), proof_of(b"Q")]


def test_what_needs_no_settling_stays_as_it_is() -> None:
    failed = Reading(Replica(name="dead"), Failed(Unreachable("dead", "no answer")))
    answered = key(proof=proof_of(b"x"))
    readings = [failed, Reading(Replica(name="a"), Ok(inventory(answered)))]
    assert settle(readings, NONCE, fits, certify) == tuple(readings)
