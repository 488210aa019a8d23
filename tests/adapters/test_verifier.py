"""Proves that signatures are verified on every curve, and that nothing malformed fits or passes for harmless."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from certificates import Issuer, root
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmctl.adapters.verifier import CryptographyVerifier
from hsmctl.domain.proof import Certified

VERIFIER = CryptographyVerifier()
DIGEST = bytes(range(32))
NOW = datetime(2026, 11, 23, tzinfo=UTC)
CURVES: dict[str, ec.EllipticCurve] = {
    "P-224": ec.SECP224R1(),
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def octet_string(raw: bytes) -> bytes:
    """DER, as CKA_EC_POINT is written."""
    length = bytes([len(raw)]) if len(raw) < 128 else bytes([0x81, len(raw)])
    return b"\x04" + length + raw


def signature(key: ec.EllipticCurvePrivateKey) -> bytes:
    """As C_Sign writes it: r and s, each as long as the curve's order."""
    size = (key.curve.key_size + 7) // 8
    r, s = decode_dss_signature(key.sign(DIGEST, ec.ECDSA(Prehashed(SHA256()))))
    return r.to_bytes(size) + s.to_bytes(size)


@pytest.mark.parametrize("curve", CURVES)
def test_a_signature_fits_its_own_point_however_that_is_written_and_no_other(curve: str) -> None:
    key, other = (ec.generate_private_key(CURVES[curve]) for _ in range(2))
    signed = signature(key)

    assert VERIFIER.fits(curve, point(key), DIGEST, signed)
    assert VERIFIER.fits(curve, octet_string(point(key)), DIGEST, signed)
    assert not VERIFIER.fits(curve, point(other), DIGEST, signed)
    assert not VERIFIER.fits(curve, point(key), DIGEST[::-1], signed)


KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    ("curve", "half", "signed"),
    [
        ("P-384", point(KEY), signature(KEY)),
        ("Ed25519", point(KEY), signature(KEY)),
        ("P-256", b"", signature(KEY)),
        ("P-256", bytes(65), signature(KEY)),
        ("P-256", point(KEY), b""),
        ("P-256", point(KEY), bytes(64)),
        ("P-256", point(KEY), signature(KEY)[1:]),
    ],
    ids=["other curve", "other kind", "no point", "point of zeros", "no signature", "signature of zeros", "cut off"],
)
def test_what_is_malformed_fits_nothing(curve: str, half: bytes, signed: bytes) -> None:
    assert not VERIFIER.fits(curve, half, DIGEST, signed)


def der(issuer: Issuer) -> bytes:
    return issuer.certificate.public_bytes(Encoding.DER)


def test_a_certificate_tells_its_point_and_whether_it_is_a_cas() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    assert VERIFIER.certify(der(root("root", NOW, key))) == Certified(point=point(key), authority=True)
    assert VERIFIER.certify(der(root("server", NOW, key, ca=False))) == Certified(point=point(key), authority=False)
    modulus = rsa.generate_private_key(65537, 2048)
    assert VERIFIER.certify(der(root("server", NOW, modulus, ca=False))) == Certified(point=None, authority=False)


@pytest.mark.parametrize("broken", [b"", b"no DER", bytes.fromhex("3003020101")])
def test_a_certificate_that_cannot_be_read_might_be_a_cas(broken: bytes) -> None:
    assert VERIFIER.certify(broken) == Certified(point=None, authority=True)
