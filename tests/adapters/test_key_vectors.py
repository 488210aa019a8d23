"""Proves with published vectors that what is imported into a token computes, opens and refuses what it should."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from key_token import HeldTokens

from hsmctl.adapters.key_format import CryptographyFormats
from hsmctl.domain.key import Key, ObjectClass
from hsmctl.domain.key_algorithm import cbc_decrypted, digested, signing
from hsmctl.domain.key_purpose import ABLE
from hsmctl.domain.mechanism import Mechanism
from hsmctl.errors import HsmctlError
from hsmctl.ports import Token
from hsmctl.ports_key import Value
from hsmctl.secret import Secret

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "vectors" / "wycheproof.json").read_text())
"""A selection of Wycheproof's (https://github.com/C2SP/wycheproof, Apache-2.0), valid and invalid ones."""
FORMATS = CryptographyFormats()
Vector = dict[str, Any]


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    held = HeldTokens(tmp_path_factory.mktemp("vectors"), ("vectors",))
    yield held["vectors"]
    held.stack.close()


def imported(token: Token, data: bytes, kind: str = "auto") -> Key:
    found = FORMATS.parse(data, kind, lambda: Secret("none"))
    uses = dict.fromkeys(ABLE.get(found.object_class, ()), True)
    secret = {} if found.object_class is ObjectClass.PUBLIC else {"extractable": True}
    return token.objects.create({**found.template, **uses, **secret, "label": b"vector"})


def raw(vector: Vector, name: str) -> bytes:
    return bytes.fromhex(vector[name])


def cases(name: str) -> pytest.MarkDecorator:
    found = VECTORS[name]
    tests = found if isinstance(found, list) else found["tests"]
    return pytest.mark.parametrize("vector", tests, ids=lambda each: f"{each['tcId']} {each['comment']}"[:40])


@cases("hmac")
def test_hmac(token: Token, vector: Vector) -> None:
    key = imported(token, raw(vector, "key"), "generic")
    mechanism = Mechanism(name="SHA256_HMAC")
    assert (token.uses.use("sign", key, mechanism, raw(vector, "msg")).data == raw(vector, "tag")) is vector["valid"]
    assert token.uses.verify(key, mechanism, raw(vector, "msg"), raw(vector, "tag")) is vector["valid"]
    token.objects.destroy(key)


@cases("cmac")
def test_cmac(token: Token, vector: Vector) -> None:
    key = imported(token, raw(vector, "key"), "aes")
    made = token.uses.use("sign", key, Mechanism(name="AES_CMAC"), raw(vector, "msg")).data
    assert (made == raw(vector, "tag")) is vector["valid"]
    token.objects.destroy(key)


@cases("gcm")
def test_gcm(token: Token, vector: Vector) -> None:
    key = imported(token, raw(vector, "key"), "aes")
    mechanism = Mechanism(name="AES_GCM", iv=raw(vector, "iv"), aad=raw(vector, "aad"))
    sealed = raw(vector, "ct") + raw(vector, "tag")
    opened = answer(lambda: token.uses.use("decrypt", key, mechanism, sealed).data)
    assert (opened == raw(vector, "msg")) is vector["valid"]
    token.objects.destroy(key)


@cases("cbc")
def test_cbc(token: Token, vector: Vector) -> None:
    key = imported(token, raw(vector, "key"), "aes")

    def once(data: bytes, mechanism: Mechanism) -> bytes:
        return token.uses.use("decrypt", key, mechanism, data).data

    opened = answer(lambda: b"".join(cbc_decrypted([raw(vector, "ct")], raw(vector, "iv"), once)))
    assert (opened == raw(vector, "msg")) is vector["valid"]
    token.objects.destroy(key)


@cases("kwp")
def test_key_wrap(token: Token, vector: Vector) -> None:
    kek = imported(token, raw(vector, "key"), "aes")
    mechanism = Mechanism(name="AES_KEY_WRAP_PAD")
    template: dict[str, Value] = {"class": 4, "key_type": 0x10, "label": b"inside", "extractable": True}
    key = answer(lambda: token.uses.unwrap(kek, raw(vector, "ct"), mechanism, template))
    assert (key is not None) is vector["valid"]
    if key is not None:
        assert token.uses.wrap(kek, key, mechanism).data == raw(vector, "ct")
        token.objects.destroy(key)
    token.objects.destroy(kek)


@cases("ecdsa")
def test_ecdsa(token: Token, vector: Vector) -> None:
    key = imported(token, raw(vector, "der"))
    given = digested(signing(key, "ecdsa", "sha256"), [raw(vector, "msg")], prehashed=False)
    fits = answer(lambda: token.uses.verify(key, Mechanism(name="ECDSA"), given, raw(vector, "sig")))
    assert bool(fits) is vector["valid"]
    token.objects.destroy(key)


@cases("rsa")
def test_rsa_pkcs1(token: Token, vector: Vector) -> None:
    key = imported(token, bytes.fromhex(VECTORS["rsa"]["der"]))
    how = signing(key, "rsa-pkcs", "sha256")
    given = digested(how, [raw(vector, "msg")], prehashed=False)
    fits = answer(lambda: token.uses.verify(key, how.mechanism, given, raw(vector, "sig")))
    assert bool(fits) is vector["valid"]
    token.objects.destroy(key)


@cases("pss")
def test_rsa_pss(token: Token, vector: Vector) -> None:
    key = imported(token, bytes.fromhex(VECTORS["pss"]["der"]))
    how = signing(key, "rsa-pss", "sha256")
    given = hashlib.sha256(raw(vector, "msg")).digest()
    fits = answer(lambda: token.uses.verify(key, how.mechanism, given, raw(vector, "sig")))
    assert bool(fits) is vector["valid"]
    token.objects.destroy(key)


@cases("oaep")
def test_rsa_oaep(token: Token, vector: Vector) -> None:
    key = imported(token, bytes.fromhex(VECTORS["oaep"]["pkcs8"]))
    mechanism = Mechanism(name="RSA_PKCS_OAEP", hash="sha1")
    opened = answer(lambda: token.uses.use("decrypt", key, mechanism, raw(vector, "ct")).data)
    assert (opened == raw(vector, "msg")) is vector["valid"]
    token.objects.destroy(key)


@cases("ecdh")
def test_ecdh(token: Token, vector: Vector) -> None:
    secret = ec.derive_private_key(int(vector["private"], 16), ec.SECP256R1())
    key = imported(token, secret.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    def agreed() -> bytes:
        peer = FORMATS.peer(raw(vector, "public"))
        return token.uses.agree(key, Mechanism(name="ECDH1_DERIVE", public=peer.point), peer.size)

    assert (answer(agreed) == raw(vector, "shared")) is vector["valid"]
    token.objects.destroy(key)


def answer(ask: Any) -> Any:  # noqa: ANN401 - whatever is asked for
    """What was answered; None where it was refused, which is an answer too."""
    try:
        return ask()
    except HsmctlError:
        return None
