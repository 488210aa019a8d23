"""What a logged-in token does with single objects: the parts of the port Token that key operations need.

An object is meant by the `Key` that listed it: its class, id and label, and where those are shared, its material. An
operation acts on exactly one object or on none. Every method raises Unreachable when nobody answered in time, and
DeviceError, with the CKR name, when the token refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hsmctl.domain.key import Key
    from hsmctl.domain.key_bench import Bench
    from hsmctl.domain.key_material import CertificateFacts, Imported, Peer, Subject
    from hsmctl.domain.mechanism import Mechanism, Output, Speed, TokenFacts, Tried
    from hsmctl.secret import Secret

Value = bool | int | bytes
Template = Mapping[str, Value]
"""Attributes by their PKCS#11 names in lower case, without CKA_."""


class TokenObjects(Protocol):
    """The objects of a token, one by one."""

    def find(self, template: Template) -> tuple[Key, ...]:
        """The token objects with all of these attributes."""
        ...

    def values(self, key: Key) -> Mapping[str, bytes]:
        """The public values of an object: modulus, ec_point, the value of a certificate; never a secret's."""
        ...

    def create(self, template: Template) -> Key:
        """A new token object with these values."""
        ...

    def destroy(self, key: Key) -> None:
        """Destroy this object."""
        ...

    def change(self, key: Key, template: Template) -> Key:
        """The object with other attributes; CloudHSM's library has no such call and refuses."""
        ...

    def describe(self) -> TokenFacts:
        """What the token is and offers."""
        ...

    def probe(self) -> tuple[Tried, ...]:
        """Every mechanism that hsmctl uses, tried once on session keys."""
        ...


class TokenUses(Protocol):
    """What the keys of a token do."""

    def use(self, how: str, key: Key, mechanism: Mechanism, data: bytes) -> Output:
        """What the key makes of data; `how` is sign, encrypt or decrypt."""
        ...

    def verify(self, key: Key, mechanism: Mechanism, data: bytes, signature: bytes) -> bool:
        """Whether the key made this signature of data."""
        ...

    def mac(self, key: Key, mechanism: Mechanism, parts: Iterable[bytes]) -> bytes:
        """The signature or MAC over data that arrives in parts, which the token hashes."""
        ...

    def wrap(self, by: Key, key: Key, mechanism: Mechanism) -> Output:
        """A key, wrapped by another."""
        ...

    def unwrap(self, by: Key, data: bytes, mechanism: Mechanism, template: Template) -> Key:
        """A new token key out of wrapped data; the template needs class and key_type."""
        ...

    def derive(self, by: Key, mechanism: Mechanism, template: Template) -> Key:
        """A new secret token key of `key_type` with `bits`."""
        ...

    def agree(self, by: Key, mechanism: Mechanism, size: int) -> bytes:
        """A derived secret of `size` bytes in the clear, from an object that does not stay."""
        ...


class TokenSpeed(Protocol):
    """How fast a token is, with a key that it makes for that and that is gone with the conversation."""

    def prepare(self, bench: Bench) -> None:
        """Make the session key."""
        ...

    def measure(self, bench: Bench, seconds: float, threads: int) -> Speed:
        """Use it again and again in this many sessions side by side; no other key can be used like that."""
        ...


class KeyFormats(Protocol):
    """Keys, points and signatures as files have them; all methods raise UsageError for what they cannot read."""

    def parse(self, data: bytes, kind: str, passphrase: Callable[[], Secret]) -> Imported:
        """The key or certificate of a file: PEM, DER, PKCS#8, JWK; with kind `aes` or `generic`, raw bytes."""
        ...

    def public(self, key: Key, values: Mapping[str, bytes], encoding: str) -> bytes:
        """A public key or certificate of a token as pem, der, jwk or ssh."""
        ...

    def raw_signature(self, der: bytes, size: int = 0) -> bytes:
        """An ECDSA signature in ASN.1 as r and s, `size` bytes each; 0 for as many as the larger needs."""
        ...

    def der_signature(self, raw: bytes) -> bytes:
        """The ECDSA signature that r and s are, in ASN.1."""
        ...

    def peer(self, data: bytes) -> Peer:
        """The other side of an agreement, out of its EC or X25519 public key."""
        ...

    def seal(self, modulus: bytes, exponent: bytes, hash_name: str, data: bytes) -> tuple[bytes, bytes]:
        """A new AES-256 key under RSA-OAEP, and the data under that key (RFC 5649)."""
        ...


Sign = Callable[[bytes, str, str], bytes]
"""The signature of data, by an algorithm of `domain.key_algorithm` and a hash, in the form X.509 wants."""


class CertificateMaker(Protocol):
    """X.509 objects whose signatures a token makes."""

    def request(self, public: bytes, subject: Subject, sign: Sign, hash_name: str) -> bytes:
        """A certificate signing request, PEM; `public` is DER."""
        ...

    def selfsigned(self, public: bytes, subject: Subject, sign: Sign, hash_name: str, days: int, *, ca: bool) -> bytes:
        """A self-signed certificate, PEM."""
        ...

    def issued(self, public: bytes, csr: str, anchor: str, sign: Sign) -> str:
        """The certificate for a CSR, PEM, issued by the first certificate of the anchor.

        Raises:
            Conflict: CloudHSM would refuse the anchor, it is another key's, or the CSR does not verify itself.
        """
        ...

    def facts(self, der: bytes) -> CertificateFacts:
        """What a certificate says."""
        ...
