"""Key material on its way into a token or out of it; private parts are never shown by a repr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from hsmctl.domain.key import ObjectClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a file held, as a token takes it."""

    object_class: ObjectClass
    says: str
    """The algorithm and size, for people."""
    template: Mapping[str, bool | int | bytes] = field(repr=False)
    """The attributes of C_CreateObject: class, key_type and the values."""
    wrapped_form: bytes = field(repr=False, default=b"")
    """What is wrapped where the token takes nothing in the clear: PKCS#8, or the secret itself."""


class Peer(NamedTuple):
    """The other side of an agreement."""

    point: bytes
    """Uncompressed; of X25519, the 32 bytes that there are."""
    size: int
    """Bytes of the secret that is agreed."""
    curve: str


class Subject(NamedTuple):
    """Who a certificate is for."""

    name: str
    """RFC 4514, such as `CN=www.example.com,O=Example`."""
    hosts: tuple[str, ...] = ()
    """DNS names and addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What a certificate says."""

    subject: str
    issuer: str
    serial: str
    not_before: str
    not_after: str
    authority: bool
    sha256: str
