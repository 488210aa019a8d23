"""The port KeyFormats with `cryptography`: keys of files as PKCS#11 attributes, and the other way round.

Refuses to guess: raw bytes are a key only where the caller says of what kind.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hsmctl.domain.key import CURVES, Key, ObjectClass
from hsmctl.domain.key_material import Imported
from hsmctl.errors import UsageError
from hsmctl.secret import Secret

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

Values = dict[str, bool | int | bytes]
"""Attributes."""

_RSA, _EC, _GENERIC, _AES, _EDWARDS = 0x00, 0x03, 0x10, 0x1F, 0x40
_CURVES: Mapping[str, ec.EllipticCurve] = {
    "P-224": ec.SECP224R1(),
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}
_NAMES = {curve.name: name for name, curve in _CURVES.items()}
_PARAMS = {name: bytes.fromhex(der) for der, name in CURVES.items()}
_JWK_CURVES = {"P-256": "P-256", "P-384": "P-384", "P-521": "P-521", "secp256k1": "secp256k1"}
_AES_BYTES = (16, 24, 32)
_GENERIC_MOST = 800


class CryptographyFormats:
    """Reads and writes keys."""

    def parse(self, data: bytes, kind: str, passphrase: Callable[[], Secret]) -> Imported:
        """The key or certificate of a file.

        Raises:
            UsageError: it is none that hsmctl knows, or its passphrase is wrong.
        """
        if kind in ("aes", "generic"):
            return _secret(data, kind)
        if data.lstrip()[:1] == b"{":
            return _jwk(data)
        for read in (_certificate, _public, lambda raw: _private(raw, passphrase)):
            found = read(data)
            if found is not None:
                return found
        raise UsageError(
            "no key", "it is neither PEM, DER, PKCS#8 nor JWK", "--kind aes or --kind generic for raw bytes"
        )

    def public(self, key: Key, values: Mapping[str, bytes], encoding: str) -> bytes:
        """A public key or certificate of a token.

        Raises:
            UsageError: it has no such form.
        """
        if key.identity.object_class is ObjectClass.CERTIFICATE:
            return _encoded_certificate(values["value"], encoding)
        public = public_key(key, values)
        if encoding == "jwk":
            return json.dumps(_as_jwk(public)).encode() + b"\n"
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

    def peer(self, data: bytes) -> tuple[bytes, int]:
        """The point of an EC public key, and the bytes of a secret agreed on its curve.

        Raises:
            UsageError: it is no EC public key.
        """
        public = _loaded_public(data)
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise UsageError("no EC public key", "ECDH needs the other side's", "--peer their-public.pem")
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return point, (public.curve.key_size + 7) // 8

    def seal(self, modulus: bytes, exponent: bytes, hash_name: str, data: bytes) -> tuple[bytes, bytes]:
        """A new AES-256 key under RSA-OAEP, and the data under that key."""
        public = rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus)).public_key()
        digest: hashes.HashAlgorithm = hashes.SHA1() if hash_name == "sha1" else hashes.SHA256()  # noqa: S303 - OAEP
        between = os.urandom(32)
        oaep = padding.OAEP(padding.MGF1(digest), digest, None)
        return public.encrypt(between, oaep), keywrap.aes_key_wrap_with_padding(between, data)


def public_key(key: Key, values: Mapping[str, bytes]) -> PublicKey:
    """The public key that an object's public values say.

    Raises:
        UsageError: they do not say one.
    """
    try:
        if "modulus" in values:
            numbers = int.from_bytes(values["public_exponent"]), int.from_bytes(values["modulus"])
            return rsa.RSAPublicNumbers(*numbers).public_key()
        if key.key_type == "EDWARDS":
            return ed25519.Ed25519PublicKey.from_public_bytes(values["ec_point"][-32:])
        curve = _CURVES[CURVES[values["ec_params"].hex()]]
        size = 1 + 2 * ((curve.key_size + 7) // 8)
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, values["ec_point"][-size:])
    except (KeyError, ValueError, UnsupportedAlgorithm) as error:
        why = f"a {key.identity.object_class} does not show it all"
        raise UsageError(f"no public key of {key.identity}", why, "name the public half: type=public") from error


def _secret(data: bytes, kind: str) -> Imported:
    if kind == "aes" and len(data) not in _AES_BYTES:
        raise UsageError(f"an AES key of {len(data)} bytes", "it has 16, 24 or 32", "--kind generic for an HMAC key")
    if not 1 <= len(data) <= _GENERIC_MOST:
        raise UsageError(f"a secret of {len(data)} bytes", f"it has 1 to {_GENERIC_MOST}", "check the file")
    number, name = (_AES, "AES") if kind == "aes" else (_GENERIC, "GENERIC")
    template: Values = {"class": 4, "key_type": number, "value": data}
    return Imported(
        object_class=ObjectClass.SECRET, says=f"{name}-{8 * len(data)}", template=template, wrapped_form=data
    )


def _certificate(data: bytes) -> Imported | None:
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


def _der_integer(value: int) -> bytes:
    """CKA_SERIAL_NUMBER: a DER INTEGER."""
    raw = value.to_bytes((value.bit_length() // 8) + 1)
    return bytes([2, len(raw)]) + raw


def _public(data: bytes) -> Imported | None:
    try:
        public = _loaded_public(data)
    except UsageError:
        return None
    return _as_public(public)


def _loaded_public(data: bytes) -> PublicKey:
    pem = b"-----BEGIN" in data
    try:
        if data.startswith((b"ssh-", b"ecdsa-")):
            loaded: object = serialization.load_ssh_public_key(data)
        else:
            loaded = (serialization.load_pem_public_key if pem else serialization.load_der_public_key)(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError("no public key", "it is neither PEM nor DER", "openssl pkey -pubin -in FILE") from error
    if not isinstance(loaded, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        raise UsageError("no public key that tokens take", type(loaded).__name__, "RSA, EC or Ed25519")
    return loaded


def _private(data: bytes, passphrase: Callable[[], Secret]) -> Imported | None:
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
    if not isinstance(loaded, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise UsageError("no private key that tokens take", type(loaded).__name__, "RSA, EC or Ed25519")
    return _as_private(loaded)


def _as_public(public: PublicKey) -> Imported:
    values, says = _public_values(public)
    return Imported(object_class=ObjectClass.PUBLIC, says=says, template={"class": 2, **values})


def _as_private(private: PrivateKey) -> Imported:
    values, says = _public_values(private.public_key())
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
        values |= {name: _number(part) for name, part in parts.items()}
    elif isinstance(private, ec.EllipticCurvePrivateKey):
        values["value"] = private.private_numbers().private_value.to_bytes((private.curve.key_size + 7) // 8)
    else:
        values["value"] = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    pkcs8 = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return Imported(object_class=ObjectClass.PRIVATE, says=says, template={"class": 3, **values}, wrapped_form=pkcs8)


def _public_values(public: PublicKey) -> tuple[Values, str]:
    """The attributes of a public key, and what it is called."""
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        values: Values = {"key_type": _RSA, "modulus": _number(numbers.n), "public_exponent": _number(numbers.e)}
        return values, f"RSA-{public.key_size}"
    if isinstance(public, ed25519.Ed25519PublicKey):
        point = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        params = bytes.fromhex("130c656477617264733235353139")
        return {"key_type": _EDWARDS, "ec_params": params, "ec_point": _octets(point)}, "Ed25519"
    name = _NAMES.get(public.curve.name)
    if name is None:
        raise UsageError(f"curve {public.curve.name}", f"tokens have {', '.join(_CURVES)}", "use another key")
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {"key_type": _EC, "ec_params": _PARAMS[name], "ec_point": _octets(point)}, f"EC {name}"


def _octets(data: bytes) -> bytes:
    """A DER OCTET STRING, which CKA_EC_POINT is."""
    length = bytes([len(data)]) if len(data) < 0x80 else bytes([0x81, len(data)])
    return b"\x04" + length + data


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8)


def _jwk(data: bytes) -> Imported:
    """A JSON Web Key (RFC 7517, 7518, 8037)."""
    try:
        raw = json.loads(data)
        kind = raw["kty"]
        if kind == "oct":
            secret = _base64(raw["k"])
            aes = str(raw.get("alg", "")).startswith("A") and len(secret) in _AES_BYTES
            return _secret(secret, "aes" if aes else "generic")
        if kind == "RSA":
            return _rsa_jwk(raw)
        if kind == "EC":
            return _ec_jwk(raw)
        if kind == "OKP" and raw["crv"] == "Ed25519":
            if "d" in raw:
                return _as_private(ed25519.Ed25519PrivateKey.from_private_bytes(_base64(raw["d"])))
            return _as_public(ed25519.Ed25519PublicKey.from_public_bytes(_base64(raw["x"])))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError("no JSON Web Key", repr(error), "RFC 7517") from error
    raise UsageError("no JSON Web Key that tokens take", f"kty {kind}", "oct, RSA, EC or OKP with Ed25519")


def _rsa_jwk(raw: Mapping[str, Any]) -> Imported:
    public = rsa.RSAPublicNumbers(_integer(raw["e"]), _integer(raw["n"]))
    if "d" not in raw:
        return _as_public(public.public_key())
    d = _integer(raw["d"])
    p, q = (
        (_integer(raw[name]) for name in "pq") if "p" in raw else rsa.rsa_recover_prime_factors(public.n, public.e, d)
    )
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    )
    return _as_private(numbers.private_key())


def _ec_jwk(raw: Mapping[str, Any]) -> Imported:
    curve = _CURVES[raw["crv"]]
    public = ec.EllipticCurvePublicNumbers(_integer(raw["x"]), _integer(raw["y"]), curve)
    if "d" not in raw:
        return _as_public(public.public_key())
    return _as_private(ec.EllipticCurvePrivateNumbers(_integer(raw["d"]), public).private_key())


def _as_jwk(public: PublicKey) -> dict[str, str]:
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": _url(_number(numbers.n)), "e": _url(_number(numbers.e))}
    if isinstance(public, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": _url(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}
    name = _NAMES[public.curve.name]
    if name not in _JWK_CURVES:
        raise UsageError(f"no JWK for {name}", f"RFC 7518 has {', '.join(_JWK_CURVES)}", "--format pem")
    size, point = (public.curve.key_size + 7) // 8, public.public_numbers()
    return {"kty": "EC", "crv": name, "x": _url(point.x.to_bytes(size)), "y": _url(point.y.to_bytes(size))}


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


def _base64(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("no base64url") from error


def _integer(text: str) -> int:
    return int.from_bytes(_base64(text))


def _url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
