"""Public keys between PKCS#11's attributes and `cryptography`'s objects: curves, points, numbers."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmctl.domain.key import CURVES, Key
from hsmctl.errors import UsageError

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey | x25519.X25519PublicKey

Values = dict[str, bool | int | bytes]
"""Attributes."""

_RSA, _EC, _EDWARDS, _MONTGOMERY = 0x00, 0x03, 0x40, 0x41
EC_CURVES: Mapping[str, ec.EllipticCurve] = {
    "P-224": ec.SECP224R1(),
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}
"""By their usual names."""
EC_NAMES = {curve.name: name for name, curve in EC_CURVES.items()}
"""The usual names, by those of `cryptography`."""
_PARAMS = {name: bytes.fromhex(der) for der, name in CURVES.items()}
_EDWARDS_BYTES = 32


def public_key(key: Key, values: Mapping[str, bytes]) -> PublicKey:
    """The public key that an object's public values say.

    Raises:
        UsageError: they do not say one.
    """
    try:
        if "modulus" in values:
            numbers = int.from_bytes(values["public_exponent"]), int.from_bytes(values["modulus"])
            return rsa.RSAPublicNumbers(*numbers).public_key()
        if key.key_type in ("EDWARDS", "MONTGOMERY"):
            # Tokens call X25519 keys either (PKCS#11 3.0 has Montgomery, SoftHSM Edwards): the curve decides.
            kind = x25519.X25519PublicKey if key.curve == "X25519" else ed25519.Ed25519PublicKey
            return kind.from_public_bytes(values["ec_point"][-_EDWARDS_BYTES:])
        curve = EC_CURVES[CURVES[values["ec_params"].hex()]]
        size = 1 + 2 * ((curve.key_size + 7) // 8)
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, values["ec_point"][-size:])
    except (KeyError, ValueError, UnsupportedAlgorithm) as error:
        why = f"a {key.identity.object_class} does not show it all"
        raise UsageError(f"no public key of {key.identity}", why, "name the public half: type=public") from error


def loaded_public(data: bytes) -> PublicKey:
    """The public key of a file: PEM, DER, or SSH's.

    Raises:
        UsageError: it is none, or none that tokens take.
    """
    pem = b"-----BEGIN" in data
    try:
        if data.startswith((b"ssh-", b"ecdsa-")):
            loaded: object = serialization.load_ssh_public_key(data)
        else:
            loaded = (serialization.load_pem_public_key if pem else serialization.load_der_public_key)(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError("no public key", "it is neither PEM nor DER", "openssl pkey -pubin -in FILE") from error
    if not isinstance(loaded, PublicKey):
        raise UsageError("no public key that tokens take", type(loaded).__name__, "RSA, EC, Ed25519 or X25519")
    return loaded


def public_values(public: PublicKey) -> tuple[Values, str]:
    """The attributes of a public key, and what it is called."""
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        values: Values = {
            "key_type": _RSA,
            "modulus": number_bytes(numbers.n),
            "public_exponent": number_bytes(numbers.e),
        }
        return values, f"RSA-{public.key_size}"
    if isinstance(public, ed25519.Ed25519PublicKey):
        point = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        params = bytes.fromhex("130c656477617264733235353139")
        return {"key_type": _EDWARDS, "ec_params": params, "ec_point": _octets(point)}, "Ed25519"
    if isinstance(public, x25519.X25519PublicKey):
        point = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        params = bytes.fromhex("06032b656e")
        return {"key_type": _MONTGOMERY, "ec_params": params, "ec_point": _octets(point)}, "X25519"
    name = EC_NAMES.get(public.curve.name)
    if name is None:
        raise UsageError(f"curve {public.curve.name}", f"tokens have {', '.join(EC_CURVES)}", "use another key")
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {"key_type": _EC, "ec_params": _PARAMS[name], "ec_point": _octets(point)}, f"EC {name}"


def _octets(data: bytes) -> bytes:
    """A DER OCTET STRING, which CKA_EC_POINT is."""
    length = bytes([len(data)]) if len(data) < 0x80 else bytes([0x81, len(data)])
    return b"\x04" + length + data


def number_bytes(value: int) -> bytes:
    """A number as PKCS#11 and JWK have it, without leading zeros."""
    return value.to_bytes((value.bit_length() + 7) // 8)
