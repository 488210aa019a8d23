"""Keys and other objects of a token: what they are called, what they are made of, what may be asked for.

Numbers are those of PKCS#11 3.1 (CKO_*, CKK_*); words are ours. Labels and ids are raw bytes: two replicas agree about
bytes, and `text` is the one place where bytes become something a person reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from hsmctl.errors import UsageError


class ObjectClass(StrEnum):
    """CKA_CLASS, as far as hsmctl tells objects apart."""

    SECRET = "secret-key"  # noqa: S105 - the class of an object, not a password
    PRIVATE = "private-key"
    PUBLIC = "public-key"
    CERTIFICATE = "certificate"
    DATA = "data"
    OTHER = "other"

    # Half a million identities are hashed in one comparison, and the enumeration's own hash is written in Python.
    __hash__ = str.__hash__


LONGEST_LABEL = 127
"""Bytes of a label that CloudHSM takes (user guide, key generate)."""
CLASSES: Mapping[int, ObjectClass] = {
    0: ObjectClass.DATA,
    1: ObjectClass.CERTIFICATE,
    2: ObjectClass.PUBLIC,
    3: ObjectClass.PRIVATE,
    4: ObjectClass.SECRET,
}
"""CKO_* to class."""

KEY_TYPES: Mapping[int, str] = {
    0x00: "RSA",
    0x01: "DSA",
    0x02: "DH",
    0x03: "EC",
    0x10: "GENERIC",
    0x13: "DES",
    0x15: "DES3",
    0x1F: "AES",
    0x28: "SHA1-HMAC",
    0x2B: "SHA256-HMAC",
    0x2C: "SHA384-HMAC",
    0x2D: "SHA512-HMAC",
    0x2E: "SHA224-HMAC",
    0x40: "EDWARDS",
    0x41: "MONTGOMERY",
    0x42: "HKDF",
    0x4A: "ML-DSA",
}
"""CKK_* to the name shown; a type that is not here shows as its number."""

CURVES: Mapping[str, str] = {
    "06082a8648ce3d030107": "P-256",
    "06052b81040022": "P-384",
    "06052b81040023": "P-521",
    "06052b8104000a": "secp256k1",
    "06052b81040021": "P-224",
    "06032b6570": "Ed25519",
    "130c656477617264733235353139": "Ed25519",
    "06032b656e": "X25519",
    "130a63757276653235353139": "X25519",
}
"""CKA_EC_PARAMS, DER in hex, to the curve's usual name."""


class Identity(NamedTuple):
    """What makes an object on one replica the counterpart of one on another, where no key reference exists.

    A tuple, because half a million of them are hashed in one comparison.
    """

    object_class: ObjectClass
    key_id: bytes
    label: bytes

    def __str__(self) -> str:
        """The label, or the id where there is no label."""
        return text(self.label) or f"id:{self.key_id.hex()}" if self.label or self.key_id else "(no label)"


class MaterialKind(StrEnum):
    """What a fingerprint was computed from; only fingerprints of one kind can be compared."""

    PUBLIC = "public"
    """SHA-256 of a public half the replica handed over: RSA modulus and exponent, EC point, certificate value."""
    MODULUS = "modulus"
    """SHA-256 of the modulus and exponent a *private* key carries: an attribute, not a proof of the private part."""
    CHECK_VALUE = "check-value"
    """CKA_CHECK_VALUE, 24 bits: its equality is an indication and its difference is certain."""


class Material(NamedTuple):
    """A key's fingerprint: `digest` says equal or different, `kind` says how much that is worth."""

    kind: MaterialKind
    digest: bytes
    by: str = ""
    """Who defines it: vendors compute check values in ways of their own. Empty where there is one definition only."""


class ProofKind(StrEnum):
    """What a replica answered where its keys were challenged (hsmctl.agent.proof)."""

    DIGEST = "digest"
    """The keyed digest of what the key made of the challenge."""
    SIGNATURE = "signature"
    """An ECDSA signature, which says nothing until it is verified."""
    PUBLIC = "public"
    """A public EC point, to verify with."""
    CERTIFICATE = "certificate"
    """A certificate, DER; it may hold a public half."""
    NONE = "none"


class Proof(NamedTuple):
    """What one object answered in a run that used keys; only digests that came about in one way can be compared."""

    kind: ProofKind
    value: bytes = b""
    how: str = ""
    """The use and the mechanism."""
    reason: str = ""
    """Why there is no proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One object of one replica, as its inventory lists it."""

    identity: Identity
    key_type: str
    """RSA, EC, AES, ..., empty for certificates and data."""
    bits: int | None = None
    curve: str | None = None
    attributes: frozenset[str] = frozenset()
    """The boolean attributes that are true, by their PKCS#11 names in lower case without CKA_: `sign`, `wrap`, ..."""
    unknown: frozenset[str] = frozenset()
    """The attributes the replica does not tell of this key: neither true nor false."""
    session: bool = False
    """Whether it lives in one session only: such a key is on one HSM by design."""
    material: Material | None = None
    proof: Proof | None = None
    """Its answer, where keys were used. It stands beside the fingerprint: a check that uses keys knows no less."""

    def answering(self, proof: Proof | None) -> Key:
        """The key with this answer; `replace` takes ten times as long, and a large check does it 50,000 times."""
        return Key(
            identity=self.identity,
            key_type=self.key_type,
            bits=self.bits,
            curve=self.curve,
            attributes=self.attributes,
            unknown=self.unknown,
            session=self.session,
            material=self.material,
            proof=proof,
        )

    @property
    def algorithm(self) -> str:
        """The type with its size or curve: AES-256, RSA-2048, EC P-256."""
        if self.curve:
            return f"{self.key_type} {self.curve}"
        return f"{self.key_type}-{self.bits}" if self.bits and self.key_type else self.key_type


class KeyKind(StrEnum):
    """What `key generate` can be asked for."""

    AES = "aes"
    GENERIC = "generic"
    """A generic secret, for HMAC."""
    RSA = "rsa"
    EC = "ec"
    ED25519 = "ed25519"
    X25519 = "x25519"
    ML_DSA = "ml-dsa"


SIZES: Mapping[KeyKind, tuple[str, ...]] = {
    KeyKind.AES: ("256", "128", "192"),
    KeyKind.RSA: ("2048", *(str(bits) for bits in range(2304, 4097, 256))),
    KeyKind.EC: ("P-256", "P-224", "P-384", "P-521", "secp256k1"),
    KeyKind.GENERIC: ("256", *(str(8 * count) for count in range(1, 801) if count != 32)),
    KeyKind.ED25519: ("Ed25519",),
    KeyKind.X25519: ("X25519",),
    KeyKind.ML_DSA: ("ML-DSA-65", "ML-DSA-44", "ML-DSA-87"),
}
"""Sizes and curves CloudHSM accepts (user guide, PKCS#11 key types), the default first; X25519 is for other tokens."""
PAIRED = frozenset({KeyKind.RSA, KeyKind.EC, KeyKind.ED25519, KeyKind.X25519, KeyKind.ML_DSA})
"""The kinds that come as a public and a private half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySpec:
    """A key to be made: always a token key, private and, unless asked otherwise, sensitive and not extractable."""

    kind: KeyKind
    size: str
    """Bits of an AES or RSA key, or the curve's name."""
    label: bytes
    key_id: bytes
    extractable: bool = False
    attributes: Mapping[str, Mapping[str, bool]] | None = None
    """By half, `secret`, `public` and `private`, the attributes it has; what is not allowed there is forbidden.
    None leaves it to the token's library."""


def check_spec(spec: KeySpec) -> None:
    """Refuse a key that CloudHSM would refuse.

    Raises:
        UsageError: the size or curve is not one CloudHSM makes, or the label is empty or longer than 127 bytes
            (user guide, key pages).
    """
    if spec.size not in SIZES[spec.kind]:
        made = "8 to 6400 bits" if spec.kind is KeyKind.GENERIC else ", ".join(SIZES[spec.kind])
        raise UsageError(f"no {spec.kind} key of size {spec.size}", f"CloudHSM makes {made}", "--size")
    if not 1 <= len(spec.label) <= LONGEST_LABEL:
        raise UsageError(f"label of {len(spec.label)} bytes", f"a label has 1 to {LONGEST_LABEL} bytes", "--label NAME")


def text(raw: bytes) -> str:
    r"""Bytes of a token as one printable line: UTF-8 where it is, `\xNN` where it is not or could move a cursor."""
    decoded = raw.decode("utf-8", errors="surrogateescape")
    if decoded.isprintable():
        return decoded
    return "".join(char if char.isprintable() else _escaped(char) for char in decoded)


def _escaped(char: str) -> str:
    """The bytes of one unprintable character as backslash escapes."""
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", errors="surrogateescape"))
