"""X.509 as an authority makes it, by the rules CloudHSM sets for the CA of a cluster (user guide, initialize-cluster).

A self-signed root with Basic Constraints, EC P-384 or RSA 3072, SHA-384, 3652 days; its key in PKCS #8, encrypted.
Imports `cryptography`; refuses to know files.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from hsmctl.errors import Conflict, Denied
from hsmctl.secret import Secret

_LIFE = timedelta(days=3652)

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_authority(common_name: str, passphrase: Secret, moment: datetime, *, rsa_key: bool) -> tuple[bytes, bytes]:
    """A new root's certificate and its encrypted key, both PEM."""
    key: _Key = rsa.generate_private_key(65537, 3072) if rsa_key else ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        _certificate(name, key.public_key(), moment, moment + _LIFE)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .sign(key, hashes.SHA384())
    )
    sealed = serialization.BestAvailableEncryption(passphrase.reveal().encode())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return certificate.public_bytes(pem), key.private_bytes(pem, pkcs8, sealed)


def issue(csr: str, authority: bytes, key: bytes, passphrase: Secret, moment: datetime) -> str:
    """The certificate for a CSR, PEM, issued by an authority given as its certificate and encrypted key.

    Raises:
        Conflict: the CSR is none or its own signature does not verify, or the authority's key is another's.
        Denied: the passphrase is wrong.
    """
    request = requested(csr)
    issuer = x509.load_pem_x509_certificate(authority)
    issuer_key = _opened(key, passphrase)
    if issuer_key.public_key() != issuer.public_key():
        raise Conflict("the authority is broken", "its key is not that of its certificate", "restore both files")
    return issued(request, issuer, issuer_key, hashes.SHA384(), moment)


def issued(
    request: x509.CertificateSigningRequest,
    issuer: x509.Certificate,
    key: CertificateIssuerPrivateKeyTypes,
    algorithm: hashes.SHA256 | hashes.SHA384 | hashes.SHA512,
    moment: datetime,
) -> str:
    """The certificate for a request, PEM, signed by the issuer's key wherever that is."""
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    certificate = (
        _certificate(request.subject, request.public_key(), moment, issuer.not_valid_after_utc)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, algorithm)
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def requested(csr: str) -> x509.CertificateSigningRequest:
    """The CSR, signed by the key it is for.

    Raises:
        Conflict: it is none, or its own signature does not verify.
    """
    try:
        request = x509.load_pem_x509_csr(csr.encode())
    except ValueError as error:
        raise Conflict("no certificate signing request", "it is not PEM", "hsmctl cluster show") from error
    if not request.is_signature_valid:
        why = "its own signature does not verify: it was changed, or its sender does not hold the key"
        raise Conflict("certificate signing request refused", why, "fetch it again: hsmctl cluster show")
    return request


def _opened(key: bytes, passphrase: Secret) -> _Key:
    """The authority's key."""
    try:
        opened = serialization.load_pem_private_key(key, passphrase.reveal().encode())
    except ValueError as error:
        raise Denied("the authority's key stays closed", "wrong passphrase", "try again") from error
    except TypeError as error:
        why = "it is not encrypted: whoever reads the file can claim clusters"
        raise Conflict("the authority's key is not taken", why, "openssl pkcs8 -topk8 encrypts it") from error
    if not isinstance(opened, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Conflict("the authority's key is not accepted", "CloudHSM takes RSA and EC", "make another authority")
    return opened


def _certificate(
    subject: x509.Name, key: CertificatePublicKeyTypes, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    """What every certificate here has: a day's grace before its start, because the clock of a cluster may be late."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - timedelta(days=1))
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
