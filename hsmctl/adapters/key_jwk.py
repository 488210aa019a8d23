"""JSON Web Keys, both ways (RFC 7517, 7518, 8037)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmctl.adapters.key_public import EC_CURVES, EC_NAMES, PublicKey, number_bytes
from hsmctl.adapters.key_read import AES_BYTES, as_private, as_public, secret_of
from hsmctl.domain.key_material import Imported
from hsmctl.errors import UsageError

_Pair = (
    tuple[type[ed25519.Ed25519PrivateKey], type[ed25519.Ed25519PublicKey]]
    | tuple[type[x25519.X25519PrivateKey], type[x25519.X25519PublicKey]]
)
_PAIRS: Mapping[str, _Pair] = {
    "Ed25519": (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey),
    "X25519": (x25519.X25519PrivateKey, x25519.X25519PublicKey),
}
_JWK_CURVES = ("P-256", "P-384", "P-521", "secp256k1")


def of_jwk(data: bytes) -> Imported:
    """The key of a JSON Web Key.

    Raises:
        UsageError: it is none, or none that tokens take.
    """
    try:
        raw = json.loads(data)
        kind = raw["kty"]
        if kind == "oct":
            secret = _base64(raw["k"])
            aes = str(raw.get("alg", "")).startswith("A") and len(secret) in AES_BYTES
            return secret_of(secret, "aes" if aes else "generic")
        if kind == "RSA":
            return _rsa_jwk(raw)
        if kind == "EC":
            return _ec_jwk(raw)
        if kind == "OKP" and raw["crv"] in _PAIRS:
            private, public = _PAIRS[raw["crv"]]
            if "d" in raw:
                return as_private(private.from_private_bytes(_base64(raw["d"])))
            return as_public(public.from_public_bytes(_base64(raw["x"])))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError("no JSON Web Key", repr(error), "RFC 7517") from error
    raise UsageError("no JSON Web Key that tokens take", f"kty {kind}", "oct, RSA, EC, or OKP with Ed25519 or X25519")


def as_jwk(public: PublicKey) -> dict[str, str]:
    """A public key as a JSON Web Key.

    Raises:
        UsageError: its curve has none.
    """
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": _url(number_bytes(numbers.n)), "e": _url(number_bytes(numbers.e))}
    if isinstance(public, ed25519.Ed25519PublicKey | x25519.X25519PublicKey):
        curve = "Ed25519" if isinstance(public, ed25519.Ed25519PublicKey) else "X25519"
        return {"kty": "OKP", "crv": curve, "x": _url(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}
    name = EC_NAMES[public.curve.name]
    if name not in _JWK_CURVES:
        raise UsageError(f"no JWK for {name}", f"RFC 7518 has {', '.join(_JWK_CURVES)}", "--format pem")
    size, point = (public.curve.key_size + 7) // 8, public.public_numbers()
    return {"kty": "EC", "crv": name, "x": _url(point.x.to_bytes(size)), "y": _url(point.y.to_bytes(size))}


def _rsa_jwk(raw: Mapping[str, Any]) -> Imported:
    public = rsa.RSAPublicNumbers(_integer(raw["e"]), _integer(raw["n"]))
    if "d" not in raw:
        return as_public(public.public_key())
    d = _integer(raw["d"])
    p, q = (
        (_integer(raw[name]) for name in "pq") if "p" in raw else rsa.rsa_recover_prime_factors(public.n, public.e, d)
    )
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    )
    return as_private(numbers.private_key())


def _ec_jwk(raw: Mapping[str, Any]) -> Imported:
    curve = EC_CURVES[raw["crv"]]
    public = ec.EllipticCurvePublicNumbers(_integer(raw["x"]), _integer(raw["y"]), curve)
    if "d" not in raw:
        return as_public(public.public_key())
    return as_private(ec.EllipticCurvePrivateNumbers(_integer(raw["d"]), public).private_key())


def _base64(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("no base64url") from error


def _integer(text: str) -> int:
    return int.from_bytes(_base64(text))


def _url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
