"""Chains of X.509 certificates, verified link by link, so that a failure names the link that is wrong.

Imports `cryptography`; refuses to know whose certificates they are beyond the names it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmctl.errors import Denied

_HINT = "do not initialize this cluster: ask AWS Support about its HSM"


@dataclass(frozen=True, slots=True)
class Named:
    """A certificate and what it is called in sentences."""

    name: str
    certificate: x509.Certificate

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the whole certificate, as openssl prints it."""
        return self.certificate.fingerprint(SHA256()).hex(":").upper()


def parsed(name: str, pem: str | None) -> Named:
    """The certificate in a PEM text.

    Raises:
        Denied: there is none.
    """
    if not pem:
        raise _unverified(f"the {name} is missing: CloudHSM shows it only until the cluster is initialized")
    try:
        return Named(name, x509.load_pem_x509_certificate(pem.encode()))
    except ValueError as error:
        raise _unverified(f"the {name} is no PEM certificate") from error


def verified_chain(chain: Sequence[Named], moment: datetime) -> tuple[str, ...]:
    """What each certificate's issuer is, from a self-signed root down, all of them valid at the moment.

    Raises:
        Denied: a link does not verify.
    """
    for named in chain:
        _check_dates(named, moment)
    _check_issued(chain[0], chain[0])
    sentences = [f"the {chain[0].name} is the one given, SHA-256 {chain[0].fingerprint}"]
    for issuer, issued in pairwise(chain):
        _check_authority(issuer)
        _check_issued(issued, issuer)
        sentences.append(f"the {issued.name} is issued by the {issuer.name}, SHA-256 {issued.fingerprint}")
    return tuple(sentences)


def verified_request(csr: str | None, owner: Named) -> str:
    """That a CSR is signed by its own key, and that this is the key of the certificate.

    Raises:
        Denied: it is not.
    """
    if not csr:
        raise _unverified("the certificate signing request is missing")
    try:
        request = x509.load_pem_x509_csr(csr.encode())
    except ValueError as error:
        raise _unverified("the certificate signing request is not PEM") from error
    if not request.is_signature_valid:
        raise _unverified("the certificate signing request is not signed by its own key")
    key = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key != owner.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
        raise _unverified(f"the key of the certificate signing request is not that of the {owner.name}")
    return f"the certificate signing request is for the key of the {owner.name} and signed by it"


def _check_issued(issued: Named, issuer: Named) -> None:
    """Refuse a certificate that the issuer's key did not sign or that names another issuer."""
    try:
        issued.certificate.verify_directly_issued_by(issuer.certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        by = "itself" if issued is issuer else f"the {issuer.name}"
        raise _unverified(f"the {issued.name} is not issued by {by}") from error


def _check_authority(issuer: Named) -> None:
    """Refuse an issuer whose own extensions say that it may not issue certificates (RFC 5280, 4.2.1.9)."""
    try:
        constraints = issuer.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return
    if not constraints.ca:
        raise _unverified(f"the {issuer.name} is not allowed to issue certificates")


def _check_dates(named: Named, moment: datetime) -> None:
    """Refuse a certificate that is not valid at the moment."""
    certificate = named.certificate
    if moment < certificate.not_valid_before_utc:
        raise _unverified(f"the {named.name} is valid only from {certificate.not_valid_before_utc:%Y-%m-%d}")
    if moment > certificate.not_valid_after_utc:
        raise _unverified(f"the {named.name} expired on {certificate.not_valid_after_utc:%Y-%m-%d}")


def _unverified(why: str) -> Denied:
    return Denied("hardware not verified", why, _HINT)
