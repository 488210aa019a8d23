"""What a stored key is made of: its byte strings in the clear, and other material of the same kind in their place.

Knows how SoftHSM keeps a key's parts (SoftHSM.cpp, generateRSA, generateEC, generateAES) and encrypts those of private
objects (SecureDataManager.cpp). Refuses to know where keys lie. `cryptography` is imported where it is used.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hsmctl.errors import Conflict
from hsmctl.lab.objectfile import (
    CKA_CHECK_VALUE,
    CKA_CLASS,
    CKA_EC_PARAMS,
    CKA_EC_POINT,
    CKA_ID,
    CKA_KEY_TYPE,
    CKA_LABEL,
    CKA_MODULUS,
    CKA_PRIVATE,
    CKA_PRIVATE_EXPONENT,
    CKA_PUBLIC_EXPONENT,
    CKA_VALUE,
    CKK_RSA,
    CKO_PRIVATE_KEY,
    CKO_PUBLIC_KEY,
    CKO_SECRET_KEY,
    Attribute,
    Kind,
    StoredObject,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

Values = Mapping[int, bytes]
"""Byte strings in the clear, by attribute."""

_CKA_PRIMES = range(0x124, 0x129)
"""CKA_PRIME_1, _PRIME_2, _EXPONENT_1, _EXPONENT_2, _COEFFICIENT."""
_CKK_AES = 0x1F
_PUBLIC_EXPONENT = 65537
_CHECK_VALUE_BYTES = 3
_BLOCK = 16
_HALVES = (CKO_PUBLIC_KEY, CKO_PRIVATE_KEY)
_CURVES = {
    bytes.fromhex("06052b81040021"): "SECP224R1",
    bytes.fromhex("06082a8648ce3d030107"): "SECP256R1",
    bytes.fromhex("06052b81040021"): "SECP224R1",
    bytes.fromhex("06052b81040022"): "SECP384R1",
    bytes.fromhex("06052b81040023"): "SECP521R1",
    bytes.fromhex("06052b8104000a"): "SECP256K1",
}
"""CKA_EC_PARAMS to the curve's class in `cryptography`."""


def clear(stored: StoredObject, attribute: int, token_key: bytes) -> bytes:
    """A byte string of an object; empty where it has none."""
    value = stored.attributes[attribute].value if attribute in stored.attributes else b""
    # What SoftHSM leaves empty it does not encrypt, and what it encrypts has at least a vector and a block.
    if not stored.boolean(CKA_PRIVATE) or len(value) < 2 * _BLOCK:
        return value
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    decryptor = Cipher(algorithms.AES(token_key), modes.CBC(value[:_BLOCK])).decryptor()
    unpadder = PKCS7(8 * _BLOCK).unpadder()
    padded = decryptor.update(value[_BLOCK:]) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


def stored_values(stored: StoredObject, values: Values, token_key: bytes) -> dict[int, Attribute]:
    """Byte strings as an object keeps them: encrypted where it is private."""
    private = bool(stored.boolean(CKA_PRIVATE))
    kept = {number: _seal(value, token_key) if private else value for number, value in values.items()}
    return {number: Attribute(Kind.BYTES, value) for number, value in kept.items()}


def other(objects: Mapping[str, StoredObject], token_key: bytes) -> dict[str, Values]:
    """Other material for keys, by the names they have here; what is no key is left out.

    The halves of a pair get the halves of another pair.

    Raises:
        Conflict: a key is of a type the lab does not make.
    """
    pairs: dict[bytes, tuple[Values, Values]] = {}
    found: dict[str, Values] = {}
    for name, stored in objects.items():
        object_class = stored.number(CKA_CLASS)
        if object_class == CKO_SECRET_KEY:
            found[name] = _other_secret(stored, token_key)
        elif object_class in _HALVES:
            same = public_part(stored, token_key)
            if same not in pairs:
                pairs[same] = _new_pair(stored, token_key)
            found[name] = pairs[same][object_class == CKO_PRIVATE_KEY]
    return found


def secret_check_value(kind: str, secret: bytes) -> bytes:
    """CKA_CHECK_VALUE of a secret key; a generic secret has none (cloudhsm_cli-key-attributes)."""
    return _encrypted_zeros(secret)[:_CHECK_VALUE_BYTES] if kind == "aes" else b""


def check_value(stored: StoredObject, token_key: bytes) -> bytes:
    """The check value as CloudHSM has it: of a pair, both halves have the same, made of the public one."""
    if stored.number(CKA_CLASS) == CKO_SECRET_KEY:
        kind = "aes" if stored.number(CKA_KEY_TYPE) == _CKK_AES else ""
        return secret_check_value(kind, clear(stored, CKA_VALUE, token_key))
    if stored.number(CKA_KEY_TYPE) != CKK_RSA and not curve_name(stored, token_key):
        return b""  # of a kind that is not known here
    public = public_part(stored, token_key)
    return hashlib.sha1(public, usedforsecurity=False).digest()[:_CHECK_VALUE_BYTES]


def private_key(stored: StoredObject, token_key: bytes) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """A private key at work.

    Raises:
        Conflict: it is none the lab makes.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if stored.number(CKA_KEY_TYPE) != CKK_RSA:
        return ec.derive_private_key(_of(stored, CKA_VALUE, token_key), _curve(stored, token_key))
    p, q, dmp1, dmq1, iqmp = (_of(stored, number, token_key) for number in _CKA_PRIMES)
    public = rsa.RSAPublicNumbers(*(_of(stored, each, token_key) for each in (CKA_PUBLIC_EXPONENT, CKA_MODULUS)))
    secret = _of(stored, CKA_PRIVATE_EXPONENT, token_key)
    return rsa.RSAPrivateNumbers(p, q, secret, dmp1, dmq1, iqmp, public).private_key()


def public_key(stored: StoredObject, token_key: bytes) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    """The public half of either half of a pair.

    Raises:
        Conflict: it is none the lab makes.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if stored.number(CKA_KEY_TYPE) == CKK_RSA:
        numbers = (_of(stored, each, token_key) for each in (CKA_PUBLIC_EXPONENT, CKA_MODULUS))
        return rsa.RSAPublicNumbers(*numbers).public_key()
    point = raw_point(public_part(stored, token_key))
    return ec.EllipticCurvePublicKey.from_encoded_point(_curve(stored, token_key), point)


def raw_point(octets: bytes) -> bytes:
    """The point in a DER octet string."""
    return octets[3:] if octets[1:2] == b"\x81" else octets[2:]


def curve_name(stored: StoredObject, token_key: bytes) -> str:
    """The curve of a key, as its class is called in `cryptography`; empty where the lab makes no such keys."""
    return _CURVES.get(clear(stored, CKA_EC_PARAMS, token_key), "")


def _of(stored: StoredObject, attribute: int, token_key: bytes) -> int:
    return int.from_bytes(clear(stored, attribute, token_key))


def lone_halves(objects: Mapping[str, StoredObject], token_key: bytes) -> tuple[str, ...]:
    """The names of the public keys among the objects without a private one of the same CKA_ID and label."""
    public, private = (
        {name: _called(each, token_key) for name, each in objects.items() if each.number(CKA_CLASS) == wanted}
        for wanted in _HALVES
    )
    return tuple(name for name, called in public.items() if called not in private.values())


def _called(stored: StoredObject, token_key: bytes) -> tuple[bytes, bytes]:
    return clear(stored, CKA_ID, token_key), clear(stored, CKA_LABEL, token_key)


def _seal(value: bytes, token_key: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    vector, padder = secrets.token_bytes(_BLOCK), PKCS7(8 * _BLOCK).padder()
    encryptor = Cipher(algorithms.AES(token_key), modes.CBC(vector)).encryptor()
    return vector + encryptor.update(padder.update(value) + padder.finalize()) + encryptor.finalize()


def _other_secret(stored: StoredObject, token_key: bytes) -> Values:
    """Another secret of the same length; with its check value, where the key had one."""
    secret = secrets.token_bytes(len(clear(stored, CKA_VALUE, token_key)))
    if not clear(stored, CKA_CHECK_VALUE, token_key):
        return {CKA_VALUE: secret}
    aes = stored.number(CKA_KEY_TYPE) == _CKK_AES
    check = _encrypted_zeros(secret) if aes else hashlib.sha1(secret, usedforsecurity=False).digest()
    return {CKA_VALUE: secret, CKA_CHECK_VALUE: check[:_CHECK_VALUE_BYTES]}


def _encrypted_zeros(key: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(bytes(_BLOCK))  # noqa: S305 - it defines the value


def public_part(stored: StoredObject, token_key: bytes) -> bytes:
    """What both halves of a pair have in common: the modulus or the point."""
    if stored.number(CKA_KEY_TYPE) == CKK_RSA:
        return clear(stored, CKA_MODULUS, token_key)
    if stored.number(CKA_CLASS) == CKO_PUBLIC_KEY:
        return clear(stored, CKA_EC_POINT, token_key)
    from cryptography.hazmat.primitives.asymmetric import ec

    secret = int.from_bytes(clear(stored, CKA_VALUE, token_key))
    return _point(ec.derive_private_key(secret, _curve(stored, token_key)))


def _new_pair(stored: StoredObject, token_key: bytes) -> tuple[Values, Values]:
    """The public and the private half of a new pair of the same type and size."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if stored.number(CKA_KEY_TYPE) == CKK_RSA:
        bits = int.from_bytes(clear(stored, CKA_MODULUS, token_key)).bit_length()
        return _rsa_values(rsa.generate_private_key(_PUBLIC_EXPONENT, bits).private_numbers())
    key = ec.generate_private_key(_curve(stored, token_key))
    return {CKA_EC_POINT: _point(key)}, {CKA_VALUE: _number(key.private_numbers().private_value)}


def _rsa_values(key: rsa.RSAPrivateNumbers) -> tuple[Values, Values]:
    public = {CKA_MODULUS: _number(key.public_numbers.n), CKA_PUBLIC_EXPONENT: _number(key.public_numbers.e)}
    primes = (key.p, key.q, key.dmp1, key.dmq1, key.iqmp)
    private = {number: _number(value) for number, value in zip(_CKA_PRIMES, primes, strict=True)}
    return public, {**public, CKA_PRIVATE_EXPONENT: _number(key.d), **private}


def _curve(stored: StoredObject, token_key: bytes) -> ec.EllipticCurve:
    """The curve of a key.

    Raises:
        Conflict: it is no elliptic curve key, or its curve is none the lab makes keys on.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    name = _CURVES.get(clear(stored, CKA_EC_PARAMS, token_key))
    if name is None:
        raise Conflict("no other key of this type", "the lab makes AES, RSA and EC keys", "choose another key")
    curve: ec.EllipticCurve = getattr(ec, name)()
    return curve


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """CKA_EC_POINT: the uncompressed point as a DER octet string."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return octet_string(point)


def octet_string(point: bytes) -> bytes:
    """A point as CKA_EC_POINT has it: a DER octet string."""
    length = bytes([len(point)]) if len(point) < 0x80 else bytes([0x81, len(point)])
    return b"\x04" + length + point


def _number(value: int) -> bytes:
    """An unsigned number, big-endian, as short as it can be."""
    return value.to_bytes((value.bit_length() + 7) // 8)
