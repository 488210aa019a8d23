"""Certificates for tests: authorities that obey, so that each rule can be broken alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
LIFE = (-1, 3652)
"""Days before and after a moment."""


@dataclass(frozen=True)
class Issuer:
    """A certificate authority for tests, which obeys."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> str:
        return pem(self.certificate)

    def sign(self, csr: str, moment: datetime, days: tuple[int, int] = LIFE) -> str:
        """The certificate for a CSR."""
        request = x509.load_pem_x509_csr(csr.encode())
        issued = certificate(
            request.subject, request.public_key(), self.certificate.subject, moment, ca=False, days=days
        )
        return pem(issued.sign(self.key, hashes.SHA256()))

    def below(
        self,
        name: str,
        moment: datetime,
        key: PrivateKey | None = None,
        *,
        ca: bool = True,
        days: tuple[int, int] = LIFE,
    ) -> Issuer:
        """An authority certified by this one."""
        key = key or ec.generate_private_key(ec.SECP384R1())
        issued = certificate(_name(name), key.public_key(), self.certificate.subject, moment, ca=ca, days=days)
        return Issuer(issued.sign(self.key, hashes.SHA256()), key)


def root(
    name: str, moment: datetime, key: PrivateKey | None = None, *, ca: bool = True, days: tuple[int, int] = LIFE
) -> Issuer:
    """A self-signed authority."""
    key = key or ec.generate_private_key(ec.SECP384R1())
    issued = certificate(_name(name), key.public_key(), _name(name), moment, ca=ca, days=days)
    return Issuer(issued.sign(key, hashes.SHA256()), key)


def certificate(
    subject: x509.Name,
    key: CertificatePublicKeyTypes,
    issuer: x509.Name,
    moment: datetime,
    *,
    ca: bool,
    days: tuple[int, int],
) -> x509.CertificateBuilder:
    """A certificate that wants a signature, valid between two days from the moment."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment + timedelta(days=days[0]))
        .not_valid_after(moment + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )


def csr(key: PrivateKey, name: str = "somebody") -> str:
    """A certificate signing request for a key."""
    request = x509.CertificateSigningRequestBuilder(_name(name)).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


def pem(document: x509.Certificate) -> str:
    """A certificate as text."""
    return document.public_bytes(Encoding.PEM).decode()


def public_key(pem_text: str) -> CertificatePublicKeyTypes:
    """The public key of a certificate."""
    return x509.load_pem_x509_certificate(pem_text.encode()).public_key()


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def tampered(request: str, old: bytes, new: bytes) -> str:
    """A certificate signing request in which some bytes were exchanged after it was signed."""
    der = x509.load_pem_x509_csr(request.encode()).public_bytes(Encoding.DER)
    changed = x509.load_der_x509_csr(der.replace(old, new))
    return changed.public_bytes(Encoding.PEM).decode()
