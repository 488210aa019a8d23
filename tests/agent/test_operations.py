"""Proves that the agent makes, uses, wraps and destroys exactly the object it was told, and that keys agree with it."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from asking import Asking, flags_of
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

DATA = bytes(range(48))
CBC, CTR = {"iv": bytes(16).hex()}, {"iv": (bytes(15) + b"\1").hex()}
GCM = {"iv": bytes(12).hex(), "aad": "aa", "tag_bits": 128}
SYMMETRIC = [("AES_CBC", CBC), ("AES_CBC_PAD", CBC), ("AES_CTR", CTR), ("AES_GCM", GCM), ("AES_ECB", {})]
SECRET = bytes(range(32))


def made(asking: Asking, kind: str, size: str, label: str, **attributes: dict[str, bool]) -> list[dict[str, Any]]:
    wanted = {"kind": kind, "size": size, "label": label.encode().hex(), "id": "", "extractable": True}
    keys: list[dict[str, Any]] = asking.ok("generate", **wanted, attributes=attributes)["keys"]
    return keys


def put(asking: Asking, label: str, key_type: int = 0x1F, value: bytes = SECRET, **attributes: bool) -> dict[str, Any]:
    """A secret key of this value."""
    template = {"class": 4, "key_type": key_type, "value": value.hex(), "label": label.encode().hex(), **attributes}
    key: dict[str, Any] = asking.ok("create", template={"extractable": True, **template})["keys"][0]
    return key


def ref(key: dict[str, Any]) -> dict[str, Any]:
    return {name: key[name] for name in ("class", "id", "label", "material")}


def used(asking: Asking, how: str, key: dict[str, Any], data: bytes, name: str, **params: object) -> bytes:
    answer = asking.ok("use", how=how, key=ref(key), data=data.hex(), mechanism={"name": name, **params})
    return bytes.fromhex(answer["data"])


@pytest.mark.parametrize(("name", "params"), SYMMETRIC)
def test_what_is_encrypted_is_decrypted(asking: Asking, name: str, params: dict[str, object]) -> None:
    key = put(asking, f"both-{name}", encrypt=True, decrypt=True)
    hidden = used(asking, "encrypt", key, DATA, name, **params)

    assert hidden != DATA
    assert used(asking, "decrypt", key, hidden, name, **params) == DATA
    if name == "AES_GCM":
        assert hidden == AESGCM(SECRET).encrypt(bytes(12), DATA, b"\xaa")


@pytest.mark.parametrize(
    ("kind", "size", "name", "params"),
    [
        ("rsa", "2048", "RSA_PKCS_PSS", {"hash": "sha256", "salt": 32}),
        ("rsa", "2048", "SHA256_RSA_PKCS", {}),
        ("ec", "P-224", "ECDSA", {}),
        ("ec", "P-521", "ECDSA", {}),
        ("ed25519", "", "EDDSA", {}),
    ],
)
def test_a_signature_fits_its_data_and_no_other(
    asking: Asking, kind: str, size: str, name: str, params: dict[str, object]
) -> None:
    public, private = made(asking, kind, size, f"sign-{name}-{size}", private={"sign": True}, public={"verify": True})
    mechanism = {"name": name, **params}
    signature = used(asking, "sign", private, DATA[:32], name, **params)
    fits = [
        asking.ok("verify", key=ref(public), data=data.hex(), signature=signature.hex(), mechanism=mechanism)["fits"]
        for data in (DATA[:32], DATA[1:33])
    ]
    assert fits == [True, False]


def test_a_mac_over_parts_is_the_mac_over_the_whole(asking: Asking) -> None:
    key = put(asking, "mac", 0x10, sign=True, verify=True)
    asking.ok("mac-begin", key=ref(key), mechanism={"name": "SHA256_HMAC"})
    for part in (DATA[:5], b"", DATA[5:]):
        asking.ok("mac-update", data=part.hex())

    assert asking.ok("mac-end")["data"] == hmac.new(SECRET, DATA, hashlib.sha256).hexdigest()
    assert asking.error("mac-end") == "CKR_0x00000091"


def test_a_wrapped_key_comes_back_as_what_is_said_and_no_more(asking: Asking) -> None:
    kek = put(asking, "kek", wrap=True, unwrap=True)
    key = put(asking, "payload", 0x10, SECRET[::-1], sign=True)
    mechanism = {"name": "AES_KEY_WRAP_PAD"}
    data = asking.ok("wrap", by=ref(kek), key=ref(key), mechanism=mechanism)["data"]
    template = {"label": b"again".hex(), "id": "0102", "sensitive": True, "extractable": False, "sign": True}
    what = {"by": ref(kek), "data": data, "mechanism": mechanism, "template": template}
    back = asking.ok("unwrap", **what, **{"class": 4, "key_type": 0x10})["keys"][0]

    assert bytes.fromhex(data) == aes_key_wrap_with_padding(SECRET, SECRET[::-1])
    assert (back["label"], back["id"]) == (b"again".hex(), "0102")
    assert {"sign", "sensitive", "token"} <= flags_of(back)
    assert not {"extractable", "encrypt", "wrap", "verify"} & flags_of(back)
    assert used(asking, "sign", back, DATA, "SHA256_HMAC") == hmac.digest(SECRET[::-1], DATA, "sha256")


def test_both_sides_of_a_key_agreement_agree(asking: Asking) -> None:
    public, private = made(asking, "ec", "P-256", "agree", private={"derive": True}, public={})
    other = ec.generate_private_key(ec.SECP256R1())
    point = other.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    by = {"by": ref(private), "mechanism": {"name": "ECDH1_DERIVE", "public": point.hex()}}
    secret = asking.ok("derive", **by, key_type=0x10, bits=256, value=True)["data"]
    ours = bytes.fromhex(asking.ok("read", key=ref(public))["values"]["ec_point"])[2:]
    peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), ours)
    kept = asking.ok("derive", **by, key_type=0x1F, bits=256, template={"label": "aa", "encrypt": True})["keys"][0]

    assert bytes.fromhex(secret) == other.exchange(ec.ECDH(), peer)
    assert "sensitive" in flags_of(kept)
    sealed = used(asking, "encrypt", kept, DATA, "AES_GCM", **GCM)
    assert AESGCM(bytes.fromhex(secret)).decrypt(bytes(12), sealed, b"\xaa") == DATA


def test_nothing_is_done_where_the_object_is_not_the_only_one(asking: Asking) -> None:
    twins = [put(asking, "twin", value=value, encrypt=True) for value in (SECRET, SECRET[::-1])]
    nameless = {**ref(twins[0]), "material": None}
    other = {**ref(twins[0]), "material": {"kind": "check-value", "digest": "000000"}}

    for reference in (nameless, other):
        assert asking.error("destroy", key=reference) == "CKR_OBJECT_HANDLE_INVALID"
    assert asking.ok("destroy", key=ref(twins[0])) == {}
    assert asking.ok("find", template={"label": b"twin".hex()})["keys"] == [twins[1]]


def test_a_secret_is_never_read(asking: Asking) -> None:
    key = put(asking, "clear", sensitive=False, encrypt=True)
    assert asking.ok("read", key=ref(key)) == {"values": {}}


@pytest.mark.parametrize(
    "template", [{"label": 7}, {"encrypt": None}, {"nonsense": True}, {"class": "zz"}, {"start_date": 4}, {"value": {}}]
)
def test_attributes_that_are_none_are_refused_and_the_process_lives(asking: Asking, template: dict[str, Any]) -> None:
    assert asking.error("create", template=template) == "CKR_ARGUMENTS_BAD"
    assert asking.ok("ping") == {}


def test_what_a_key_may_not_is_said_by_name(asking: Asking) -> None:
    key = put(asking, "idle", sign=False, encrypt=False, verify=False)
    for op, more in (("use", {"how": "sign"}), ("use", {"how": "encrypt"}), ("verify", {"signature": ""})):
        assert asking.error(op, key=ref(key), data="", mechanism={"name": "AES_ECB"}, **more) == (
            "CKR_KEY_FUNCTION_NOT_PERMITTED"
        )
    assert asking.error("use", key=ref(key), how="destroy", data="", mechanism={}) == "CKR_ARGUMENTS_BAD"


def test_a_token_tells_what_it_offers(asking: Asking) -> None:
    told = asking.ok("token")
    by_name = {each["name"]: each for each in told["mechanisms"]}

    assert told["label"] == "replica"
    assert by_name["AES_KEY_GEN"]["uses"] == ["generate"]
    assert {"encrypt", "wrap"} <= set(by_name["RSA_PKCS_OAEP"]["uses"])


@pytest.mark.parametrize(
    ("kind", "size", "how", "name"),
    [("aes", "256", "encrypt", "AES_ECB"), ("ec", "P-256", "sign", "ECDSA"), ("generic", "256", "sign", "SHA256_HMAC")],
)
def test_a_bench_counts_what_its_own_key_did(asking: Asking, kind: str, size: str, how: str, name: str) -> None:
    before = asking.listing()
    handle = asking.ok("bench-key", kind=kind, size=size)["handle"]
    named = {"how": how, "handle": handle, "data": DATA[:32].hex(), "mechanism": {"name": name}, "seconds": 0.05}
    for threads in (1, 2):
        speed = asking.ok("bench", **named, threads=threads)
        assert speed["count"] == len(speed["latencies"]) > 2
        assert speed["latencies"] == sorted(speed["latencies"])
        assert speed["seconds"] >= 0.05
    assert asking.listing() == before


def test_a_bench_uses_no_key_of_the_token(asking: Asking) -> None:
    put(asking, "theirs", encrypt=True)
    module, session = asking.conversation.module, asking.conversation._session
    assert session
    handle = module.find(session)[0]
    named = {"how": "encrypt", "handle": handle, "data": DATA.hex(), "mechanism": {"name": "AES_ECB"}, "seconds": 0.05}
    assert asking.error("bench", **named) == "CKR_KEY_FUNCTION_NOT_PERMITTED"
    assert asking.error("bench", **{**named, "seconds": 61}) == "CKR_ARGUMENTS_BAD"
    assert asking.error("bench-key", kind="rsa", size="large") == "CKR_ARGUMENTS_BAD"
