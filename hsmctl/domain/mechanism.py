"""Mechanisms as values: a CKM_* name without its prefix, and what it is parametrized with (PKCS#11 3.1, section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """One way of using a key; a mechanism takes only the parameters it knows."""

    name: str
    hash: str = ""
    """sha1 to sha512, for PSS, OAEP and RSA-AES; the mask follows the hash, as CloudHSM demands."""
    salt: int = 0
    """Bytes of salt, for PSS."""
    iv: bytes = b""
    """For CBC, CTR and GCM; GCM without one asks the token to make it."""
    aad: bytes = b""
    tag_bits: int = 128
    public: bytes = b""
    """The other side's point, for ECDH."""
    aes_bits: int = 256
    """Of the key between, for RSA-AES."""
    seasoning: bytes = b""
    """The salt of HKDF's extraction; empty for the zeros that RFC 5869 puts there."""
    info: bytes = b""
    """What an HKDF key is for (RFC 5869, 3.2)."""


class Output(NamedTuple):
    """What a key put out."""

    data: bytes
    iv: bytes = b""
    """The IV that was used, where there is one: the caller's, or the token's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MechanismInfo:
    """What a token says about one of its mechanisms (C_GetMechanismInfo)."""

    number: int
    name: str
    """CKM_* without its prefix; the number in hex where hsmctl has no name for it."""
    least: int | None
    most: int | None
    """Key sizes, in bits or bytes as the mechanism counts them."""
    uses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """What a token says about itself, and what it offers."""

    label: str
    serial: str
    manufacturer: str
    model: str
    slot_id: int
    firmware: str
    library: str
    """Who made the PKCS#11 library."""
    mechanisms: tuple[MechanismInfo, ...]

    def offers(self, name: str, use: str = "") -> bool:
        """Whether it names a mechanism, for this use if one is given."""
        return any(each.name == name and (not use or use in each.uses) for each in self.mechanisms)


class Tried(NamedTuple):
    """A mechanism that was tried."""

    mechanism: str
    on: str
    """The kind of key."""
    ended: str
    """ok, wrong, or the return value's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast a key was used."""

    count: int
    """Operations done."""
    began: float
    """On this machine's monotonic clock, which all of its processes share."""
    seconds: float
    latencies: tuple[float, ...]
    """Seconds of single operations, sorted; a sample where there were many."""
