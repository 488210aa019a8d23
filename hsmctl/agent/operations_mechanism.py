"""Mechanisms as requests name them: a CKM_* name without its prefix, and the parameters it needs by name.

Parameters are raw structures (PKCS#11 3.1, section 6), because a token may write into them: CloudHSM puts the IV it
made into CK_GCM_PARAMS, and python-pkcs11's own would point into an immutable object.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hsmctl.agent.inventory import Refused

if TYPE_CHECKING:
    from pkcs11 import Mechanism

_WORD = ctypes.c_ulong
VENDOR: Mapping[str, int] = {
    "CLOUDHSM_AES_GCM": 0x80001087,
    "CLOUDHSM_AES_KEY_WRAP_NO_PAD": 0x80002109,
    "CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD": 0x8000210A,
    "CLOUDHSM_AES_KEY_WRAP_ZERO_PAD": 0x8000216F,
}
"""CloudHSM's own (cloudhsm_pkcs11_vendor_defs.h); UNCONFIRMED, no real library was at hand."""
_STANDARD: Mapping[str, int] = {
    "RSA_AES_KEY_WRAP": 0x1054,
    "EC_MONTGOMERY_KEY_PAIR_GEN": 0x1056,
    "HKDF_DERIVE": 0x402A,
}
"""PKCS#11 3.1's, which python-pkcs11 does not name."""
NAMES = {number: name for name, number in (*_STANDARD.items(), *VENDOR.items())}
"""By number, the mechanisms that python-pkcs11 does not name."""
_HASHES: Mapping[str, tuple[int, int]] = {
    "sha1": (0x220, 1),
    "sha224": (0x255, 5),
    "sha256": (0x250, 2),
    "sha384": (0x260, 3),
    "sha512": (0x270, 4),
}
"""CKM_SHA* and CKG_MGF1_SHA*."""
_CKD_NULL = 1
_SALT_NULL, _SALT_DATA = 1, 2
"""CKF_HKDF_SALT_*."""
_GCM_IV_BYTES = 12


@dataclass(eq=False)
class Prepared:
    """A mechanism ready to be used once."""

    mechanism: Mechanism
    parameter: bytes | None
    written: ctypes.Array[ctypes.c_char] | None = None
    """Where the token may write an IV."""
    kept: list[object] = field(default_factory=list)
    """What the parameter points to."""

    @property
    def arguments(self) -> dict[str, Any]:
        """As python-pkcs11's methods take it."""
        return {"mechanism": self.mechanism, "mechanism_param": self.parameter}

    def packed(self) -> ctypes.Array[ctypes.c_ulong]:
        """As a CK_MECHANISM, which is good as long as this is."""
        parameter = self.parameter or b""
        buffer = ctypes.create_string_buffer(parameter, len(parameter) or 1)
        self.kept.append(buffer)
        return (_WORD * 3)(int(self.mechanism), ctypes.addressof(buffer) if parameter else 0, len(parameter))

    @property
    def told(self) -> dict[str, str]:
        """The IV as it is after the call: the caller's, or the one the token made."""
        return {} if self.written is None else {"iv": self.written.raw.hex()}


def prepared(raw: Mapping[str, Any]) -> Prepared:
    """A mechanism of a request: `{"name": "AES_GCM", "iv": ..., "aad": ..., "tag_bits": ...}`.

    Raises:
        Refused: nobody knows it, or a parameter is missing or wrong.
    """
    name = str(raw.get("name"))
    try:
        return _prepared(name, raw)
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("CKR_MECHANISM_PARAM_INVALID", f"{name} does not take this: {error!r}") from error


def _prepared(name: str, raw: Mapping[str, Any]) -> Prepared:
    ready = Prepared(known(name), None)
    if name.endswith("PSS"):
        digest, mask = _HASHES[raw["hash"]]
        ready.parameter = bytes((_WORD * 3)(digest, mask, int(raw["salt"])))
    elif name == "RSA_PKCS_OAEP":
        ready.parameter = _oaep(ready, raw)
    elif name == "RSA_AES_KEY_WRAP":
        inner = ctypes.create_string_buffer(_oaep(ready, raw))
        ready.kept.append(inner)
        ready.parameter = bytes((_WORD * 2)(int(raw["aes_bits"]), ctypes.addressof(inner)))
    elif name.endswith("AES_GCM"):
        ready.parameter = _gcm(ready, raw)
    elif name == "AES_CTR":
        ready.parameter = bytes(_WORD(128)) + _exactly(raw["iv"], 16)
    elif name.startswith("AES_CBC"):
        ready.parameter = _exactly(raw["iv"], 16)
    elif name.startswith("DES3_CBC"):
        ready.parameter = _exactly(raw["iv"], 8)
    elif name.startswith("ECDH1"):
        point = bytes.fromhex(raw["public"])
        ready.parameter = bytes((_WORD * 5)(_CKD_NULL, 0, 0, len(point), _kept(ready, point)))
    elif name == "HKDF_DERIVE":
        ready.parameter = _hkdf(ready, raw)
    return ready


def known(name: str) -> Mechanism:
    """python-pkcs11's member of this name; it takes no mechanism that is none, so vendors' are made members.

    Raises:
        Refused: nobody knows it.
    """
    from pkcs11 import Mechanism

    if name in Mechanism.__members__:
        return Mechanism[name]
    number = _STANDARD.get(name) or VENDOR.get(name)
    if number is None:
        raise Refused("CKR_MECHANISM_INVALID", f"no mechanism {name}")
    member = int.__new__(Mechanism, number)
    member._name_, member._value_ = name, number
    return member


def _oaep(ready: Prepared, raw: Mapping[str, Any]) -> bytes:
    """CK_RSA_PKCS_OAEP_PARAMS: hash and mask agree, as CloudHSM demands (user guide, PKCS#11 mechanisms)."""
    digest, mask = _HASHES[raw["hash"]]
    label = bytes.fromhex(raw.get("label", ""))
    return bytes((_WORD * 5)(digest, mask, 1, _kept(ready, label), len(label)))


def _gcm(ready: Prepared, raw: Mapping[str, Any]) -> bytes:
    """CK_GCM_PARAMS; without an IV, zeros into which CloudHSM writes the one it made.

    CLOUDHSM_AES_GCM carries its IV in front of the ciphertext and is given no place for one.
    """
    if raw["name"] == "CLOUDHSM_AES_GCM":
        aad = bytes.fromhex(raw.get("aad", ""))
        return bytes((_WORD * 6)(0, 0, 0, _kept(ready, aad), len(aad), int(raw["tag_bits"])))
    iv = bytes.fromhex(raw.get("iv") or "") or bytes(_GCM_IV_BYTES)
    aad = bytes.fromhex(raw.get("aad", ""))
    ready.written = ctypes.create_string_buffer(iv, len(iv))
    ready.kept.append(ready.written)
    place = ctypes.addressof(ready.written)
    return bytes((_WORD * 6)(place, len(iv), len(iv) * 8, _kept(ready, aad), len(aad), int(raw["tag_bits"])))


def _hkdf(ready: Prepared, raw: Mapping[str, Any]) -> bytes:
    """CK_HKDF_PARAMS of both steps, extract and expand: two booleans fill one word, no key is the salt."""
    salt, info = (bytes.fromhex(raw.get(name, "")) for name in ("seasoning", "info"))
    kind = _SALT_DATA if salt else _SALT_NULL
    numbers = (_HASHES[raw["hash"]][0], kind, _kept(ready, salt), len(salt), 0, _kept(ready, info), len(info))
    return b"\1\1".ljust(ctypes.sizeof(_WORD), b"\0") + bytes((_WORD * len(numbers))(*numbers))


def _kept(ready: Prepared, data: bytes) -> int:
    """The address of a copy that lives as long as the mechanism; 0 for nothing."""
    if not data:
        return 0
    buffer = ctypes.create_string_buffer(data, len(data))
    ready.kept.append(buffer)
    return ctypes.addressof(buffer)


def _exactly(text: str, size: int) -> bytes:
    data = bytes.fromhex(text)
    if len(data) != size:
        raise ValueError(f"{len(data)} bytes where {size} are needed")
    return data
