"""The port KeyFormats with `cryptography`: keys of files as PKCS#11 attributes, and the other way round.

Refuses to guess: raw bytes are a key only where the caller says of what kind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmctl.adapters.key_jwk import as_jwk, of_jwk
from hsmctl.adapters.key_public import EC_NAMES, PublicKey, loaded_public, public_key
from hsmctl.adapters.key_read import certificate_of, private_of, public_of, raw_private_of, secret_of
from hsmctl.domain.key import Key, ObjectClass
from hsmctl.domain.key_material import Imported, Peer
from hsmctl.errors import UsageError
from hsmctl.secret import Secret


class CryptographyFormats:
    """Reads and writes keys."""

    def parse(self, data: bytes, kind: str, passphrase: Callable[[], Secret]) -> Imported:
        """The key or certificate of a file.

        Raises:
            UsageError: it is none that hsmctl knows, or its passphrase is wrong.
        """
        if kind in ("aes", "generic"):
            return secret_of(data, kind)
        if kind in ("ed25519", "x25519"):
            return raw_private_of(data, kind)
        if data.lstrip()[:1] == b"{":
            return of_jwk(data)
        for read in (certificate_of, public_of, lambda raw: private_of(raw, passphrase)):
            found = read(data)
            if found is not None:
                return found
        raise UsageError("no key", "it is neither PEM, DER, PKCS#8 nor JWK", "--kind says what raw bytes are")

    def public(self, key: Key, values: Mapping[str, bytes], encoding: str) -> bytes:
        """A public key or certificate of a token.

        Raises:
            UsageError: it has no such form.
        """
        if key.identity.object_class is ObjectClass.CERTIFICATE:
            return _encoded_certificate(values["value"], encoding)
        public = public_key(key, values)
        if encoding == "jwk":
            return json.dumps(as_jwk(public)).encode() + b"\n"
        if encoding == "ssh":
            return _ssh(public)
        form = Encoding.PEM if encoding == "pem" else Encoding.DER
        return public.public_bytes(form, PublicFormat.SubjectPublicKeyInfo)

    def raw_signature(self, der: bytes, size: int = 0) -> bytes:
        """An ECDSA signature in ASN.1 as r and s.

        Raises:
            UsageError: it is no such signature.
        """
        try:
            numbers = decode_dss_signature(der)
            width = size or max((number.bit_length() + 7) // 8 for number in numbers)
            return b"".join(number.to_bytes(width) for number in numbers)
        except (OverflowError, ValueError) as error:
            raise UsageError("no signature in ASN.1", str(error), "leave --der out for r and s") from error

    def der_signature(self, raw: bytes) -> bytes:
        """The ECDSA signature that r and s are, in ASN.1."""
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))

    def peer(self, data: bytes) -> Peer:
        """The point of the other side's public key, for an agreement.

        Raises:
            UsageError: it is none.
        """
        public = loaded_public(data)
        if isinstance(public, x25519.X25519PublicKey):
            return Peer(public.public_bytes(Encoding.Raw, PublicFormat.Raw), 32, "X25519")
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise UsageError("no EC or X25519 public key", "ECDH needs the other side's", "--peer their-public.pem")
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return Peer(point, (public.curve.key_size + 7) // 8, EC_NAMES.get(public.curve.name, public.curve.name))

    def seal(self, modulus: bytes, exponent: bytes, hash_name: str, data: bytes) -> tuple[bytes, bytes]:
        """A new AES-256 key under RSA-OAEP, and the data under that key."""
        public = rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus)).public_key()
        digest: hashes.HashAlgorithm = hashes.SHA1() if hash_name == "sha1" else hashes.SHA256()  # noqa: S303 - OAEP
        between = os.urandom(32)
        oaep = padding.OAEP(padding.MGF1(digest), digest, None)
        return public.encrypt(between, oaep), keywrap.aes_key_wrap_with_padding(between, data)


def _ssh(public: PublicKey) -> bytes:
    try:
        return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b"\n"
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError("no SSH form", str(error), "--format pem") from error


def _encoded_certificate(der: bytes, encoding: str) -> bytes:
    if encoding == "der":
        return der
    if encoding != "pem":
        raise UsageError(f"a certificate as {encoding}", "it is pem or der", "--format pem")
    try:
        return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    except ValueError as error:
        raise UsageError("no certificate", "the object's value is none", "--format der") from error
