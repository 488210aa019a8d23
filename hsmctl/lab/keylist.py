"""A stored key as cloudhsm-cli shows it: reference, attributes and check value (cloudhsm_cli-key-attributes).

Computed from the object file below PKCS#11, because only there is the name that is the same on every HSM. Refuses to
know whose key it is. `cryptography` is imported where it is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from hsmctl.lab.material import check_value, clear, curve_name, public_part, raw_point
from hsmctl.lab.objectfile import (
    CKA_CLASS,
    CKA_EXTRACTABLE,
    CKA_ID,
    CKA_KEY_TYPE,
    CKA_LABEL,
    CKA_MODULUS,
    CKA_PRIVATE,
    CKA_PUBLIC_EXPONENT,
    CKA_VALUE,
    CKK_EC,
    CKK_RSA,
    CKO_PRIVATE_KEY,
    CKO_PUBLIC_KEY,
    CKO_SECRET_KEY,
    StoredObject,
)

Attributes = Mapping[str, str | int | bool]

CLASSES = {CKO_PUBLIC_KEY: "public-key", CKO_PRIVATE_KEY: "private-key", CKO_SECRET_KEY: "secret-key"}
TYPES = {CKK_RSA: "rsa", CKK_EC: "ec", 0x10: "generic-secret", 0x15: "des3", 0x1F: "aes"}
NUMBERS = {name: number for number, name in TYPES.items()}
FLAGS: Mapping[str, int] = {
    "encrypt": 0x104,
    "decrypt": 0x105,
    "token": 0x001,
    "always-sensitive": 0x165,
    "derive": 0x10C,
    "destroyable": 0x172,
    "extractable": CKA_EXTRACTABLE,
    "local": 0x163,
    "modifiable": 0x170,
    "never-extractable": 0x164,
    "private": CKA_PRIVATE,
    "sensitive": 0x103,
    "sign": 0x108,
    "trusted": 0x086,
    "unwrap": 0x107,
    "verify": 0x10A,
    "wrap": 0x106,
    "wrap-with-trusted": 0x210,
}
"""The boolean attributes by their names."""
_CURVES = {
    "SECP224R1": "secp224r1",
    "SECP256R1": "secp256r1",
    "SECP384R1": "secp384r1",
    "SECP521R1": "secp521r1",
    "SECP256K1": "secp256k1",
}


def reference(name: str) -> str:
    """The key-reference of an object file: the same on all HSMs of a cluster, and on its clones."""
    return f"0x{hashlib.sha256(name.encode()).hexdigest()[:12]:0>16}"


def is_key(stored: StoredObject) -> bool:
    """Whether it is something cloudhsm-cli lists."""
    return stored.number(CKA_CLASS) in CLASSES


def label(stored: StoredObject, token_key: bytes) -> str:
    """Its label as text."""
    return clear(stored, CKA_LABEL, token_key).decode("utf-8", "backslashreplace")


def attributes(stored: StoredObject, token_key: bytes) -> Attributes:
    """Everything that is shown of a key."""
    kind = TYPES.get(stored.number(CKA_KEY_TYPE) or 0, "other")
    value = check_value(stored, token_key)
    return {
        "key-type": kind,
        "label": label(stored, token_key),
        "id": f"0x{clear(stored, CKA_ID, token_key).hex()}",
        **({"check-value": f"0x{value.hex()}"} if value else {}),
        "class": CLASSES[stored.number(CKA_CLASS) or 0],
        **{name: bool(stored.boolean(number)) for name, number in FLAGS.items()},
        **_of_its_kind(stored, kind, token_key),
    }


def _of_its_kind(stored: StoredObject, kind: str, token_key: bytes) -> dict[str, str | int]:
    public = stored.number(CKA_CLASS) == CKO_PUBLIC_KEY
    if kind == "rsa":
        modulus, exponent = (clear(stored, each, token_key) for each in (CKA_MODULUS, CKA_PUBLIC_EXPONENT))
        # The length is that of the HSM's own encoding; AWS's example has 512 and 1217 to 1219 for RSA-2048.
        length = 2 * len(modulus) if public else 4 * len(modulus) + 193
        bits = {"modulus-size-bits": 8 * len(modulus)} if public else {}
        return {
            "key-length-bytes": length,
            "public-exponent": f"0x{exponent.hex()}",
            "modulus": f"0x{modulus.hex()}",
            **bits,
        }
    if kind == "ec" and curve_name(stored, token_key):
        point = public_part(stored, token_key)
        raw = raw_point(point)
        shown: dict[str, str | int] = {"key-length-bytes": len(raw) if public else len(raw) + 65}
        shown |= {"ec-point": f"0x{raw.hex()}"} if public else {}
        return {**shown, "curve": _CURVES.get(curve_name(stored, token_key), "unknown")}
    return {"key-length-bytes": len(clear(stored, CKA_VALUE, token_key))}
