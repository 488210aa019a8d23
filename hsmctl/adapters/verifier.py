"""The port SignatureVerifier with `cryptography`: public keys from points and certificates, ECDSA over them.

Knows how PKCS#11 writes points and signatures. Refuses to trust: a certificate is only read, never verified.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmctl.domain.proof import Certified

_CURVES: dict[str, ec.EllipticCurve] = {
    "P-224": ec.SECP224R1(),
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}
_OVER_SHA256 = ec.ECDSA(Prehashed(SHA256()))


class CryptographyVerifier:
    """Verifies signatures by EC keys and reads certificates."""

    def fits(self, curve: str, point: bytes, digest: bytes, signature: bytes) -> bool:
        """Whether a SHA-256 digest has this signature; a point or a signature that is none fits nothing."""
        half = len(signature) // 2
        try:
            _public_key(curve, point).verify(
                encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:])),
                digest,
                _OVER_SHA256,
            )
        except (InvalidSignature, KeyError, ValueError):
            return False
        return True

    def certify(self, certificate: bytes) -> Certified:
        """What a certificate says about its key; one that cannot be read might be a CA's."""
        try:
            read = x509.load_der_x509_certificate(certificate)
            return Certified(point=_point(read), authority=_is_authority(read))
        except (ValueError, x509.DuplicateExtension, UnsupportedAlgorithm):
            return Certified(point=None, authority=True)


@lru_cache(maxsize=4096)
def _public_key(curve: str, point: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a point, which is written as PKCS#11 demands, inside an OCTET STRING, or bare as some tokens do.

    Raises:
        KeyError: there is no such curve here.
        ValueError: it is no point of the curve.
    """
    size = 1 + 2 * ((_CURVES[curve].key_size + 7) // 8)
    return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[curve], point[-size:])


def _point(certificate: x509.Certificate) -> bytes | None:
    public = certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return None
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _is_authority(certificate: x509.Certificate) -> bool:
    """Whether the basic constraints say CA."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
