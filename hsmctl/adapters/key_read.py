"""Keys and certificates of files as PKCS#11 attributes: PEM, DER, PKCS#8, and raw bytes of a kind that is told."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hsmctl.adapters.key_public import PublicKey, Values, loaded_public, number_bytes, public_values
from hsmctl.domain.key import ObjectClass
from hsmctl.domain.key_material import Imported
from hsmctl.errors import UsageError
from hsmctl.secret import Secret

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | x25519.X25519PrivateKey
_GENERIC, _AES = 0x10, 0x1F
AES_BYTES = (16, 24, 32)
"""Lengths of AES keys."""
_GENERIC_MOST = 800
_CURVE25519_BYTES = 32


def secret_of(data: bytes, kind: str) -> Imported:
    """Raw bytes as a secret key.

    Raises:
        UsageError: no such key has that length.
    """
    if kind == "aes" and len(data) not in AES_BYTES:
        raise UsageError(f"an AES key of {len(data)} bytes", "it has 16, 24 or 32", "--kind generic for an HMAC key")
    if not 1 <= len(data) <= _GENERIC_MOST:
        raise UsageError(f"a secret of {len(data)} bytes", f"it has 1 to {_GENERIC_MOST}", "check the file")
    number, name = (_AES, "AES") if kind == "aes" else (_GENERIC, "GENERIC")
    template: Values = {"class": 4, "key_type": number, "value": data}
    return Imported(
        object_class=ObjectClass.SECRET, says=f"{name}-{8 * len(data)}", template=template, wrapped_form=data
    )


def raw_private_of(data: bytes, kind: str) -> Imported:
    """The 32 bytes of an Ed25519 or X25519 private key (RFC 8032, RFC 7748).

    Raises:
        UsageError: they are not 32.
    """
    if len(data) != _CURVE25519_BYTES:
        raise UsageError(
            f"an {kind} key of {len(data)} bytes", f"raw, it has {_CURVE25519_BYTES}", "--kind auto for PEM"
        )
    load = x25519.X25519PrivateKey if kind == "x25519" else ed25519.Ed25519PrivateKey
    return as_private(load.from_private_bytes(data))


def certificate_of(data: bytes) -> Imported | None:
    """The certificate of a file; None where it is none."""
    load = x509.load_pem_x509_certificate if b"-----BEGIN CERTIFICATE" in data else x509.load_der_x509_certificate
    try:
        read = load(data)
    except ValueError:
        return None
    template: Values = {
        "class": 1,
        "certificate_type": 0,
        "value": read.public_bytes(Encoding.DER),
        "subject": read.subject.public_bytes(),
        "issuer": read.issuer.public_bytes(),
        "serial_number": _der_integer(read.serial_number),
    }
    return Imported(object_class=ObjectClass.CERTIFICATE, says=read.subject.rfc4514_string(), template=template)


def public_of(data: bytes) -> Imported | None:
    """The public key of a file; None where it is none that tokens take."""
    try:
        public = loaded_public(data)
    except UsageError:
        return None
    return as_public(public)


def private_of(data: bytes, passphrase: Callable[[], Secret]) -> Imported | None:
    """The private key of a file; None where it is none.

    Raises:
        UsageError: it is damaged, its passphrase is wrong, or tokens take no such key.
    """
    pem = b"-----BEGIN" in data
    load = serialization.load_pem_private_key if pem else serialization.load_der_private_key
    try:
        try:
            loaded = load(data, None)
        except TypeError:  # it is encrypted
            loaded = load(data, passphrase().reveal().encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        if b"PRIVATE KEY" in data:
            raise UsageError("no private key", "it is damaged, or the passphrase is wrong", "try again") from error
        return None
    if not isinstance(loaded, PrivateKey):
        raise UsageError("no private key that tokens take", type(loaded).__name__, "RSA, EC, Ed25519 or X25519")
    return as_private(loaded)


def as_public(public: PublicKey) -> Imported:
    """A public key as a token takes it.

    Raises:
        UsageError: tokens have no such curve.
    """
    values, says = public_values(public)
    return Imported(object_class=ObjectClass.PUBLIC, says=says, template={"class": 2, **values})


def as_private(private: PrivateKey) -> Imported:
    """A private key as a token takes it, in the clear or wrapped.

    Raises:
        UsageError: tokens have no such curve.
    """
    values, says = public_values(private.public_key())
    values.pop("ec_point", None)
    values.pop("modulus_bits", None)
    if isinstance(private, rsa.RSAPrivateKey):
        numbers = private.private_numbers()
        parts = {
            "private_exponent": numbers.d,
            "prime_1": numbers.p,
            "prime_2": numbers.q,
            "exponent_1": numbers.dmp1,
            "exponent_2": numbers.dmq1,
            "coefficient": numbers.iqmp,
        }
        values |= {name: number_bytes(part) for name, part in parts.items()}
    elif isinstance(private, ec.EllipticCurvePrivateKey):
        values["value"] = private.private_numbers().private_value.to_bytes((private.curve.key_size + 7) // 8)
    else:
        values["value"] = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    pkcs8 = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return Imported(object_class=ObjectClass.PRIVATE, says=says, template={"class": 3, **values}, wrapped_form=pkcs8)


def _der_integer(value: int) -> bytes:
    """CKA_SERIAL_NUMBER: a DER INTEGER."""
    raw = value.to_bytes((value.bit_length() // 8) + 1)
    return bytes([2, len(raw)]) + raw
