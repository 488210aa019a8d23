"""Proofs by challenge: every key does something with a number nobody could foresee, and the outcome leaves digested.

Knows which PKCS#11 mechanism makes a key of each type show that it is there. Refuses to sign, decrypt or wrap anything
the caller supplies: what a key is given is a hash of the run's nonce and the key's own name, or is computed from that
hash. Standard library alone; sent to client hosts together with inventory.py.

A key is listed with its `proof`: {kind, value, how, reason}. `digest` is the HMAC-SHA256, under the nonce, of what a
deterministic mechanism put out; `signature` an ECDSA signature, to be verified; `public` an EC point and `certificate`
a whole one, to verify with; `none` says in `reason` why there is nothing. `how` is the mechanism: only digests that
came about in one way can be compared.
"""

from __future__ import annotations

import ctypes
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hsmctl.agent.inventory import BITS, Listing, Module, Reader, Refused, Session

BATCH = 100
"""Keys of one frame: fewer than of a listing, because using a key takes longer than looking at it."""
Name = tuple[int, str, str]
"""What a key is called: CKA_CLASS, CKA_ID and CKA_LABEL, bytes in hex."""
Sleep = Callable[[float], object]


def prove(
    module: Module, session: Session, args: Mapping[str, Any], sleep: Sleep = time.sleep
) -> Iterator[list[dict[str, Any]]]:
    """Every token object as `inventory` lists it, with its proof.

    Arguments: `nonce`, 32 bytes; `only`, the names of the keys that may be used, null for all; `per_second`, how many
    keys are used in a second at most, one or more, null for no limit.
    """
    prover = _Prover(module, session, args, sleep)
    handles, size = module.find(session), 1 if prover.pause else BATCH
    for start in range(0, len(handles), size):
        yield [key for handle in handles[start : start + size] if (key := prover.proved(handle))]


LISTINGS: Mapping[str, Listing] = {"prove": prove}
"""By the name they have in a request."""


def challenge(nonce: bytes, name: Name) -> bytes:
    """What the key of this name is given in the run with this nonce, 32 bytes."""
    object_class, key_id, label = name[0], bytes.fromhex(name[1]), bytes.fromhex(name[2])
    identity = object_class.to_bytes(4, "big") + len(key_id).to_bytes(4, "big") + key_id + label
    return hashlib.sha256(b"hsmctl proof v1" + nonce + identity).digest()


class _Way(NamedTuple):
    """One way for a key to prove itself."""

    attribute: str
    """The CKA_* that allows it."""
    function: str
    mechanism: int


_PUBLIC_KEY, _CERTIFICATE = 2, 1
_PRIVATE, _SECRET = 3, 4
_RSA, _EC, _DES3, _AES, _EDWARDS = 0x00, 0x03, 0x15, 0x1F, 0x40
_HMACS = {0x10: 0x251, 0x28: 0x221, 0x2B: 0x251, 0x2C: 0x261, 0x2D: 0x271, 0x2E: 0x256}
"""CKK_GENERIC_SECRET and CKK_SHA*_HMAC to CKM_SHA*_HMAC."""
_AES_ECB, _ECDSA = 0x1081, 0x1041
_WAYS: Mapping[tuple[int, int | None], Sequence[_Way]] = {
    (_SECRET, _AES): (
        _Way("encrypt", "C_Encrypt", _AES_ECB),
        _Way("sign", "C_Sign", 0x108A),  # CKM_AES_CMAC
        _Way("decrypt", "C_Decrypt", _AES_ECB),
        _Way("wrap", "C_WrapKey", 0x2109),  # CKM_AES_KEY_WRAP
    ),
    (_SECRET, _DES3): (_Way("encrypt", "C_Encrypt", 0x132), _Way("decrypt", "C_Decrypt", 0x132)),  # CKM_DES3_ECB
    **{(_SECRET, key_type): (_Way("sign", "C_Sign", mechanism),) for key_type, mechanism in _HMACS.items()},
    (_PRIVATE, _RSA): (
        _Way("sign", "C_Sign", 0x040),  # CKM_SHA256_RSA_PKCS
        _Way("decrypt", "C_Decrypt", 0x009),  # CKM_RSA_PKCS_OAEP
    ),
    (_PRIVATE, _EC): (_Way("sign", "C_Sign", _ECDSA),),
    (_PRIVATE, _EDWARDS): (_Way("sign", "C_Sign", 0x1057),),  # CKM_EDDSA
}
"""By class and type, best first; all but ECDSA put out the same for the same input."""
_USES = ("encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "derive")


class _Prover:
    """Makes the keys of one session prove themselves in one run."""

    def __init__(self, module: Module, session: Session, args: Mapping[str, Any], sleep: Sleep) -> None:
        self._call = module.call
        self._session = session.handle
        self._reader = Reader(module, session)
        self._sleep = sleep
        try:
            self._nonce, only, per_second = bytes.fromhex(args["nonce"]), args.get("only"), args.get("per_second")
            self._only = None if only is None else {(name[0], name[1], name[2]) for name in only}
            self.pause = 1 / per_second if per_second else 0.0
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise Refused("CKR_ARGUMENTS_BAD", "nonce, only and per_second are no such things") from error
        if len(self._nonce) != 32 or not 0 <= self.pause <= 1:
            raise Refused("CKR_ARGUMENTS_BAD", f"a nonce of {len(self._nonce)} bytes, {self.pause} s between two keys")

    def proved(self, handle: int) -> dict[str, Any] | None:
        """An object as it is listed, with its proof; None if it is gone."""
        key = self._reader.read(handle)
        return key and {**key, "proof": self._proof(handle, key)}

    def _proof(self, handle: int, key: Mapping[str, Any]) -> dict[str, str]:
        """The proof of a key, the public half that others need, or why there is neither."""
        if key["class"] == _PUBLIC_KEY and key["key_type"] == _EC:
            return _given("public", self._reader.values["ec_point"] or b"")
        if key["class"] == _CERTIFICATE:
            return _given("certificate", self._reader.values["value"] or b"")
        if key["class"] not in (_PRIVATE, _SECRET):
            return _none("it is nothing that can be used")
        if self._only is not None and _name(key) not in self._only:
            return _none("it was not asked for")
        ways = [way for way in _WAYS.get((key["class"], key["key_type"]), ()) if _is(key, way.attribute)]
        if not ways or _is(key, "always_authenticate"):
            return _none(_why_not(key))
        if self.pause:
            self._sleep(self.pause)
        return self._used_in_one_of(ways, handle, key)

    def _used_in_one_of(self, ways: Sequence[_Way], handle: int, key: Mapping[str, Any]) -> dict[str, str]:
        """The proof in the first way the token knows."""
        why = ""
        for way in ways:
            try:
                output = self._output(way, handle, key)
            except Refused as refused:
                why = str(refused)
                if refused.ckr != "CKR_MECHANISM_INVALID":
                    break
            else:
                how = f"{way.attribute} {way.mechanism:#x}"
                if way.mechanism == _ECDSA:
                    return _given("signature", output, how)
                return _given("digest", hmac.new(self._nonce, output, "sha256").digest(), how)
        return _none(why)

    def _output(self, way: _Way, handle: int, key: Mapping[str, Any]) -> bytes:
        """What the key makes of its challenge."""
        given = challenge(self._nonce, _name(key))
        if way.function == "C_WrapKey":
            return self._wrapped(way.mechanism, handle, given)
        if way.function == "C_Decrypt" and key["key_type"] == _RSA:
            return self._decrypted(way.mechanism, handle, given)
        return self._used(way.function, _Field.of(way.mechanism), handle, given)

    def _used(self, function: str, mechanism: _Field, handle: int, data: bytes) -> bytes:
        """What C_Encrypt, C_Decrypt or C_Sign puts out for one piece of data."""
        output, length = ctypes.create_string_buffer(_ROOM), _WORD(_ROOM)
        self._call(f"{function}Init", self._session, ctypes.byref(mechanism), handle)
        self._call(function, self._session, data, len(data), output, ctypes.byref(length))
        return output.raw[: length.value]

    def _decrypted(self, mechanism: int, handle: int, given: bytes) -> bytes:
        """The public half, then the data it encrypted here and the private half decrypted there."""
        parts = (self._reader.values[name] or b"" for name in ("modulus", "public_exponent"))
        modulus, exponent = (part.lstrip(b"\0") for part in parts)
        if not exponent or len(modulus) < _OAEP_BYTES:
            raise Refused("", "it shows no modulus to encrypt with")
        block = int.from_bytes(_oaep(given, len(modulus)), "big")
        encrypted = pow(block, int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
        sha1 = bytes((_WORD * 5)(0x220, 1, 1, 0, 0))  # CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, no label
        data = encrypted.to_bytes(len(modulus), "big")
        return modulus + exponent + self._used("C_Decrypt", _Field.of(mechanism, sha1), handle, data)

    def _wrapped(self, mechanism: int, handle: int, given: bytes) -> bytes:
        """A session key of this value, wrapped."""
        template, output, length, made = _session_key(given), ctypes.create_string_buffer(_ROOM), _WORD(_ROOM), _WORD()
        self._call("C_CreateObject", self._session, template, len(template), ctypes.byref(made))
        try:
            by = ctypes.byref(_Field.of(mechanism))
            self._call("C_WrapKey", self._session, by, handle, made.value, output, ctypes.byref(length))
        finally:
            self._call("C_DestroyObject", self._session, made.value)
        return output.raw[: length.value]


def _name(key: Mapping[str, Any]) -> Name:
    return key["class"], key["id"], key["label"]


def _is(key: Mapping[str, Any], attribute: str) -> bool:
    """Whether a listed key has a flag set."""
    return bool(key["attributes"] & BITS[attribute])


def _given(kind: str, value: bytes, how: str = "") -> dict[str, str]:
    return {"kind": kind, "value": value.hex(), "how": how, "reason": ""}


def _none(reason: str) -> dict[str, str]:
    return {"kind": "none", "value": "", "how": "", "reason": reason}


def _why_not(key: Mapping[str, Any]) -> str:
    """Why a key cannot prove itself, whoever asks."""
    if _is(key, "always_authenticate"):
        return "it asks for the PIN at every use"
    if (key["class"], key["key_type"]) not in _WAYS:
        return "there is no proof for keys of its type"
    uses = [use for use in _USES if _is(key, use)]
    return f"it can only {' and '.join(uses)}" if uses else "it may not be used for anything"


def _oaep(message: bytes, size: int) -> bytes:
    """The message padded to `size` bytes (RFC 8017, 7.1.1, SHA-1, no label), with a seed made of the message itself."""
    seed = _sha1(message)
    block = _sha1(b"") + bytes(size - len(message) - 42) + b"\1" + message
    masked = _masked(block, seed)
    return b"\0" + _masked(seed, masked) + masked


def _masked(data: bytes, seed: bytes) -> bytes:
    """The data under MGF1's mask."""
    mask = b"".join(_sha1(seed + number.to_bytes(4, "big")) for number in range(len(data) // 20 + 1))
    return bytes(left ^ right for left, right in zip(data, mask))  # noqa: B905 - `strict` is newer than Python 3.9


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


class _Field(ctypes.Structure):
    """CK_ATTRIBUTE, and CK_MECHANISM, which is laid out alike; it keeps its value alive."""

    _fields_ = (("code", ctypes.c_ulong), ("value", ctypes.c_char_p), ("length", ctypes.c_ulong))

    @classmethod
    def of(cls, code: int, value: bytes = b"") -> _Field:
        """One with this value; without any, its pointer is NULL."""
        return cls(code, value or None, len(value))


def _session_key(value: bytes) -> ctypes.Array[_Field]:
    """The template of an AES key that may be wrapped and is gone with the session at the latest."""
    attributes = {
        0x000: bytes(_WORD(_SECRET)),  # CKA_CLASS
        0x001: b"\0",  # CKA_TOKEN
        0x100: bytes(_WORD(_AES)),  # CKA_KEY_TYPE
        0x103: b"\0",  # CKA_SENSITIVE
        0x162: b"\1",  # CKA_EXTRACTABLE
        0x011: value,  # CKA_VALUE
    }
    return (_Field * len(attributes))(*(_Field.of(code, value) for code, value in attributes.items()))


_WORD = ctypes.c_ulong
_ROOM = 4096
"""Bytes for an output, more than any key here puts out."""
_OAEP_BYTES = 32 + 42
"""The shortest modulus in which OAEP with SHA-1 has room for a challenge."""
