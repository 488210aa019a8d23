"""Proves that a clone of a key answers a challenge as the key does, that its twin does not, and who does not answer."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pkcs11 import Attribute, CertificateType, KeyType, Mechanism, ObjectClass
from pkcs11 import Session as PythonSession
from pkcs11.types import EncryptMixin
from softhsm_token import MODULE, PASSWORD, USER

from hsmctl.adapters.token_reply import keys_of
from hsmctl.adapters.verifier import CryptographyVerifier
from hsmctl.agent.inventory import Module, Refused
from hsmctl.agent.operations import CURVES
from hsmctl.agent.operations_token import opened
from hsmctl.agent.proof import challenge, prove
from hsmctl.domain import proof
from hsmctl.domain.evidence import Ok
from hsmctl.domain.key import Identity
from hsmctl.domain.key import ObjectClass as Class
from hsmctl.domain.sync import Cell, Inventory, Reading, Replica, Row, compare
from hsmctl.lab.softhsm import copy_object, object_files, remove_object

Make = Callable[[PythonSession], object]
NONCE = bytes(range(32))
ED25519 = bytes.fromhex("06032b6570")
OF_PRIVATE = ("DECRYPT", "SIGN", "UNWRAP", "DERIVE")
OF_SECRET = (*OF_PRIVATE, "ENCRYPT", "VERIFY", "WRAP")


def named(all_uses: Sequence[str], *names: str, label: bytes = b"key") -> dict[Attribute, object]:
    """A template that allows these uses and no others."""
    return {Attribute.LABEL: label, Attribute.ID: b"\1", **{Attribute[use]: use in names for use in all_uses}}


def secret(key_type: KeyType, bits: int | None, *names: str, label: bytes = b"key") -> Make:
    template = named(OF_SECRET, *names, label=label)
    return lambda session: session.generate_key(key_type, bits, store=True, template=template)


def rsa(*names: str, **more: bool) -> Make:
    private = {**named(OF_PRIVATE, *names), **{Attribute[name]: value for name, value in more.items()}}
    return lambda session: session.generate_keypair(
        KeyType.RSA, 1024, store=True, public_template=named(()), private_template=private
    )


def curve(params: bytes, *names: str, key_type: KeyType = KeyType.EC) -> Make:
    mechanism = Mechanism.EC_EDWARDS_KEY_PAIR_GEN if key_type is KeyType.EC_EDWARDS else Mechanism.EC_KEY_PAIR_GEN

    def make(session: PythonSession) -> object:
        parameters = session.create_domain_parameters(key_type, {Attribute.EC_PARAMS: params}, local=True)
        return parameters.generate_keypair(
            mechanism=mechanism, store=True, public_template=named(()), private_template=named(OF_PRIVATE, *names)
        )

    return make


PROVABLE: Mapping[str, tuple[Make, str]] = {
    "AES": (secret(KeyType.AES, 256, "ENCRYPT", "DECRYPT", "SIGN", "WRAP"), "encrypt 0x1081"),
    "AES that signs": (secret(KeyType.AES, 128, "SIGN"), "sign 0x108a"),
    "AES that decrypts": (secret(KeyType.AES, 192, "DECRYPT", "UNWRAP"), "decrypt 0x1081"),
    "AES that wraps": (secret(KeyType.AES, 256, "WRAP", "UNWRAP"), "wrap 0x2109"),
    "DES3": (secret(KeyType.DES3, None, "ENCRYPT"), "encrypt 0x132"),
    "generic secret": (secret(KeyType.GENERIC_SECRET, 256, "SIGN"), "sign 0x251"),
    "RSA": (rsa("SIGN", "DECRYPT"), "sign 0x40"),
    "RSA that decrypts": (rsa("DECRYPT", "UNWRAP"), "decrypt 0x9"),
    **{name: (curve(params, "SIGN", "DERIVE"), "sign 0x1041") for name, params in CURVES.items()},
    "Ed25519": (curve(ED25519, "SIGN", key_type=KeyType.EC_EDWARDS), "sign 0x1057"),
}
UNPROVABLE: Mapping[str, tuple[Make, str]] = {
    "AES that unwraps": (secret(KeyType.AES, 256, "UNWRAP"), "it can only unwrap"),
    "AES that verifies": (secret(KeyType.AES, 256, "VERIFY", "UNWRAP"), "it can only verify and unwrap"),
    "secret for nothing": (secret(KeyType.GENERIC_SECRET, 256), "it may not be used for anything"),
    "RSA that unwraps": (rsa("UNWRAP"), "it can only unwrap"),
    "RSA that asks for the PIN": (rsa("SIGN", ALWAYS_AUTHENTICATE=True), "it asks for the PIN at every use"),
    "EC that derives": (curve(CURVES["P-256"], "DERIVE"), "it can only derive"),
}


class Token:
    """One of the tokens that share a token key."""

    def __init__(self, module: Module, folder: Path) -> None:
        self.module = module
        self.folder = folder
        self.session = module.open(next(slot.slot_id for slot in module.slots() if slot.label == folder.name))
        module.login(self.session, f"{USER}:{PASSWORD}")

    def make(self, make: Make) -> None:
        with opened(self.module, self.session) as session:
            make(session)

    def copy(self, other: Token) -> None:
        """Make this token a clone of the other."""
        self.clear()
        for name in object_files(other.folder):
            copy_object(other.folder, self.folder, name)

    def clear(self) -> None:
        for name in list(object_files(self.folder)):
            remove_object(self.folder, name)

    def forget_public_halves(self) -> None:
        with opened(self.module, self.session) as session:
            for public in list(session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY})):
                public.destroy()

    def raw(self, nonce: bytes = NONCE, **args: object) -> list[dict[str, Any]]:
        return [key for batch in prove(self.module, self.session, {"nonce": nonce.hex(), **args}) for key in batch]

    def answer(self, nonce: bytes = NONCE) -> dict[str, str]:
        """The proof of the one private or secret key."""
        (answer,) = [key["proof"] for key in self.raw(nonce) if key["class"] in (3, 4)]
        return dict(answer)


def watch() -> tuple[Module, list[str]]:
    """The module of this process, and the functions called in it that use keys or make some."""
    module, used = Module(MODULE), list[str]()

    def watched(name: str, function: Callable[..., int]) -> Callable[..., int]:
        def call(*arguments: object) -> int:
            used.append(name)
            return function(*arguments)

        return call

    for name in ("Encrypt", "Decrypt", "Sign"):
        for each in (f"C_{name}Init", f"C_{name}"):
            module.functions[each] = watched(each, module.functions[each])
    for each in ("C_WrapKey", "C_CreateObject"):
        module.functions[each] = watched(each, module.functions[each])
    return module, used


@pytest.fixture
def original(module: Module, tokens: Path) -> Iterator[Token]:
    token = Token(module, tokens / "original")
    yield token
    token.clear()
    module.close(token.session)


@pytest.fixture
def clone(module: Module, tokens: Path) -> Iterator[Token]:
    token = Token(module, tokens / "clone")
    yield token
    token.clear()
    module.close(token.session)


def row(*tokens: Token) -> Row:
    """What a deep check finds out about the one private or secret key of these tokens."""
    nonce, verifier = secrets.token_bytes(32), CryptographyVerifier()
    readings = []
    for number, token in enumerate(tokens):
        inventory = Inventory(
            keys=keys_of({"keys": token.raw(nonce)}, "SoftHSM"), taken_at=datetime(2026, 1, 1, tzinfo=UTC), user=USER
        )
        readings.append(Reading(Replica(name=str(number)), Ok(inventory)))
    report = compare(proof.settle(readings, nonce, verifier.fits, verifier.certify))
    (found,) = [row for row in report.rows if row.identity.object_class in (Class.PRIVATE, Class.SECRET)]
    return found


@pytest.mark.parametrize(("make", "how"), PROVABLE.values(), ids=PROVABLE)
def test_a_clone_proves_equal_and_a_twin_of_the_same_name_different(
    original: Token, clone: Token, make: Make, how: str
) -> None:
    original.make(make)
    clone.copy(original)
    assert row(original, clone).cells == (Cell.PROVED, Cell.PROVED)
    answer = original.answer()
    assert answer["how"] == how
    assert answer["kind"] == "signature" or answer == clone.answer()

    clone.clear()
    clone.make(make)
    assert row(original, clone).cells == (Cell.DIFFERENT, Cell.DIFFERENT)
    assert answer["value"] != clone.answer()["value"]


@pytest.mark.parametrize(("make", "reason"), UNPROVABLE.values(), ids=UNPROVABLE)
def test_a_key_that_cannot_prove_itself_says_why(original: Token, clone: Token, make: Make, reason: str) -> None:
    original.make(make)
    clone.copy(original)
    found = row(original, clone)

    assert found.worst in (Cell.UNPROVEN, Cell.REPORTED)
    assert found.reasons == (reason,)


def test_a_curve_key_without_its_public_half_is_known_by_that_of_another_replica(original: Token, clone: Token) -> None:
    original.make(curve(CURVES["P-256"], "SIGN"))
    clone.copy(original)
    clone.forget_public_halves()
    assert row(original, clone).cells == (Cell.PROVED, Cell.PROVED)

    clone.clear()
    clone.make(curve(CURVES["P-256"], "SIGN"))
    clone.forget_public_halves()
    assert row(original, clone).cells == (Cell.DIFFERENT, Cell.DIFFERENT)


def test_without_any_public_half_a_curve_key_is_unproven(original: Token, clone: Token) -> None:
    original.make(curve(CURVES["P-384"], "SIGN"))
    original.forget_public_halves()
    clone.copy(original)
    found = row(original, clone)

    assert found.cells == (Cell.UNPROVEN, Cell.UNPROVEN)
    assert found.reasons == ("it has no public half that any replica shows",)


def test_certificates_are_handed_over_to_verify_with(original: Token) -> None:
    certificate = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.CERTIFICATE_TYPE: CertificateType.X_509}
    value = {Attribute.SUBJECT: b"s", Attribute.VALUE: b"der" * 1000, Attribute.TOKEN: True}
    original.make(lambda session: session.create_object({**certificate, **value}))
    (key,) = original.raw()

    assert key["proof"] == {"kind": "certificate", "value": (b"der" * 1000).hex(), "how": "", "reason": ""}


def test_what_a_key_is_given_is_its_own_and_the_runs_and_is_known_to_both_ends() -> None:
    given = challenge(NONCE, (3, "01ff", "6c6162656c"))

    assert (
        given
        == hashlib.sha256(b"hsmctl proof v1" + NONCE + bytes.fromhex("00000003 00000002 01ff 6c6162656c")).digest()
    )
    assert given == proof.challenge(NONCE, Identity(Class.PRIVATE, b"\x01\xff", b"label"))
    others = [challenge(NONCE, name) for name in ((4, "01ff", "6c6162656c"), (3, "01", "ff6c6162656c"), (3, "", ""))]
    others.append(challenge(NONCE[::-1], (3, "01ff", "6c6162656c")))
    assert len({given, *others}) == 5


def test_what_a_key_puts_out_leaves_only_under_the_nonce(original: Token) -> None:
    original.make(secret(KeyType.AES, 256, "ENCRYPT"))
    given = challenge(NONCE, (4, "01", b"key".hex()))
    with opened(original.module, original.session) as session:
        key = session.get_key(object_class=ObjectClass.SECRET_KEY)
        assert isinstance(key, EncryptMixin)
        output = key.encrypt(given, mechanism=Mechanism.AES_ECB)

    assert isinstance(output, bytes)
    assert original.answer()["value"] == hmac.new(NONCE, output, "sha256").hexdigest()


def test_another_nonce_has_another_answer(original: Token) -> None:
    original.make(secret(KeyType.AES, 256, "ENCRYPT"))

    assert original.answer()["value"] == original.answer()["value"]
    assert original.answer()["value"] != original.answer(secrets.token_bytes(32))["value"]


def test_only_keys_that_were_asked_for_are_used_and_no_faster_than_allowed(original: Token) -> None:
    for label in (b"one", b"two", b"three"):
        original.make(secret(KeyType.AES, 256, "ENCRYPT", label=label))
    watched, used = watch()
    pauses: list[float] = []
    wanted = [[4, "01", b"one".hex()], [4, "01", b"three".hex()]]
    args = {"nonce": NONCE.hex(), "only": wanted, "per_second": 4}
    batches = list(prove(watched, original.session, args, pauses.append))

    kinds = {bytes.fromhex(key["label"]): key["proof"]["kind"] for (key,) in batches}
    assert kinds == {b"one": "digest", b"two": "none", b"three": "digest"}
    assert used == ["C_EncryptInit", "C_Encrypt"] * 2
    assert pauses == [0.25, 0.25]


def test_if_no_key_is_asked_for_none_is_used(original: Token) -> None:
    for make in (secret(KeyType.AES, 256, "ENCRYPT"), rsa("SIGN"), curve(CURVES["P-256"], "SIGN")):
        original.make(make)
    watched, used = watch()
    (batch,) = prove(watched, original.session, {"nonce": NONCE.hex(), "only": []})

    assert {key["proof"]["kind"] for key in batch} == {"none", "public"}
    assert used == []


def test_a_mechanism_the_token_lacks_is_replaced_by_another_use(original: Token, module: Module) -> None:
    original.make(secret(KeyType.AES, 256, "ENCRYPT", "SIGN"))
    lacking = Module(MODULE)
    lacking.functions["C_EncryptInit"] = lambda *_: 0x70
    original.module = lacking
    assert original.answer()["how"] == "sign 0x108a"

    lacking.functions["C_SignInit"] = lambda *_: 0x68
    assert original.answer()["reason"] == "C_SignInit failed (CKR_KEY_FUNCTION_NOT_PERMITTED)"
    original.module = module


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"nonce": "ab"},
        {"nonce": 7},
        {"nonce": "no hex"},
        {"nonce": NONCE.hex(), "only": [[4]]},
        {"nonce": NONCE.hex(), "per_second": 0.1},
        {"nonce": NONCE.hex(), "per_second": -1},
    ],
)
def test_a_request_that_makes_no_sense_is_refused(original: Token, args: Mapping[str, object]) -> None:
    with pytest.raises(Refused, match="CKR_ARGUMENTS_BAD"):
        list(prove(original.module, original.session, args))


def test_session_keys_are_gone_afterwards(original: Token) -> None:
    original.make(secret(KeyType.AES, 256, "WRAP"))
    original.raw()
    with opened(original.module, original.session) as session:
        assert len(list(session.get_objects())) == 1
