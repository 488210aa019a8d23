"""What CloudHSM asks of the certificate that claims a cluster and of its trust anchor (user guide, initialize-cluster).

RSA of 2048, 3072 or 4096 bits or EC on P-256, P-384, P-521; SHA-2; a chain of at most 4 certificates and 16 KB from
the CA that signed up to a self-signed root. The service model says 5000 characters for each: more is warned of.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING

from hsmctl.errors import Conflict
from hsmctl.ports_ceremony import Described

if TYPE_CHECKING:
    from cryptography import x509

MOST_CERTIFICATES = 4
MOST_BYTES = 16 * 1024
MODEL_LIMIT = 5000
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_BITS = (2048, 3072, 4096)
_HASHES = ("sha224", "sha256", "sha384", "sha512")


class X509Papers:
    """ports_ceremony.Papers over `cryptography`."""

    def fingerprint(self, document: str) -> str:
        """The SHA-256, in hex, of a CSR or a certificate as DER.

        Raises:
            Conflict: it is neither.
        """
        from cryptography.hazmat.primitives.serialization import Encoding

        return sha256(_loaded(document).public_bytes(Encoding.DER)).hexdigest()

    def describe(self, certificate: str) -> Described:
        """What a certificate says of itself.

        Raises:
            Conflict: it is none.
        """
        from cryptography import x509

        loaded = _loaded(certificate)
        if not isinstance(loaded, x509.Certificate):
            raise _refused("it is a CSR and no certificate")
        return Described(
            subject=loaded.subject.rfc4514_string(),
            issuer=loaded.issuer.rfc4514_string(),
            sha256=self.fingerprint(certificate),
            expires=loaded.not_valid_after_utc,
        )

    def check_signed(self, csr: str, signed: str, anchor: str, moment: datetime) -> tuple[str, ...]:
        """What holds, a sentence each: the certificate has the CSR's key, the anchor issued it, the rules are kept.

        Raises:
            Conflict: the first rule that is broken.
        """
        from cryptography import x509

        request, certificate = _loaded(csr), _loaded(signed)
        if not isinstance(request, x509.CertificateSigningRequest) or not isinstance(certificate, x509.Certificate):
            raise _refused("one of the documents is not what it should be: a CSR and a certificate are needed")
        if _key(request) != _key(certificate):
            raise _refused("the signed certificate has another key than the CSR")
        chain = _chain(anchor)
        _check_chain((certificate, *chain), moment)
        for authority in chain:
            _check_authority(authority)
        long = [name for name, text in (("certificate", signed), ("anchor", anchor)) if len(text) > MODEL_LIMIT]
        return (
            f"the signed certificate has the CSR's key, SHA-256 {self.fingerprint(signed)}",
            f"it is issued by {_name(chain[0])}, SHA-256 {self.fingerprint(anchor)}",
            f"the chain ends in a self-signed root and is valid until {min(_ends((certificate, *chain))):%Y-%m-%d}",
            *(f"warning: the {name} is longer than the {MODEL_LIMIT} characters of the service model" for name in long),
        )


def check_anchor(anchor: str, moment: datetime) -> x509.Certificate:
    """The certificate of the CA that signs, after its chain was held against the rules.

    Raises:
        Conflict: the first rule that is broken.
    """
    chain = _chain(anchor)
    _check_chain(chain, moment)
    for authority in chain:
        _check_authority(authority)
    return chain[0]


def _loaded(document: str) -> x509.Certificate | x509.CertificateSigningRequest:
    from cryptography import x509

    try:
        if "CERTIFICATE REQUEST" in document:
            return x509.load_pem_x509_csr(document.encode())
        return x509.load_pem_x509_certificates(document.encode())[0]
    except (ValueError, IndexError) as error:
        raise _refused("a document is neither a PEM certificate nor a CSR") from error


def _chain(anchor: str) -> list[x509.Certificate]:
    """The trust anchor's certificates, from the one that signed up to the root."""
    from cryptography import x509

    if len(anchor) > MOST_BYTES:
        raise _refused(f"the trust anchor is longer than {MOST_BYTES // 1024} KB")
    try:
        chain = x509.load_pem_x509_certificates(anchor.encode())
    except ValueError as error:
        raise _refused("the trust anchor is not PEM") from error
    if len(chain) > MOST_CERTIFICATES:
        raise _refused(f"the trust anchor has {len(chain)} certificates, {MOST_CERTIFICATES} are allowed")
    return chain


def _check_chain(chain: Sequence[x509.Certificate], moment: datetime) -> None:
    """Refuse a chain, up to the root, whose links, days or digests CloudHSM would refuse."""
    from cryptography.exceptions import InvalidSignature

    for issued, issuer in (*pairwise(chain), (chain[-1], chain[-1])):
        try:
            issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature) as error:
            by = "itself" if issued is issuer else _name(issuer)
            raise _refused(f"{_name(issued)} is not issued by {by}") from error
    for certificate in chain:
        if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
            raise _refused(f"{_name(certificate)} is not valid today")
        hash_name = certificate.signature_hash_algorithm.name if certificate.signature_hash_algorithm else "none"
        if hash_name not in _HASHES:
            raise _refused(f"{_name(certificate)} is signed with {hash_name}, CloudHSM takes SHA-2")


def _check_authority(authority: x509.Certificate) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key = authority.public_key()
    takes = (isinstance(key, rsa.RSAPublicKey) and key.key_size in _BITS) or (
        isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES
    )
    if not takes:
        raise _refused(f"the key of {_name(authority)} is neither RSA 2048, 3072, 4096 nor EC P-256, P-384, P-521")
    try:
        constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        if len(authority.extensions):
            raise _refused(f"{_name(authority)} has extensions and no Basic Constraints") from None
        return
    if not constraints.ca:
        raise _refused(f"{_name(authority)} is not a CA")


def _ends(chain: Sequence[x509.Certificate]) -> list[datetime]:
    return [certificate.not_valid_after_utc for certificate in chain]


def _key(document: x509.Certificate | x509.CertificateSigningRequest) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return document.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "a certificate without a name"


def _refused(why: str) -> Conflict:
    return Conflict("not submitted", why, "correct it: hsmctl cluster init status")
