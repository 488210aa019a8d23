"""The certificates of an emulated cluster: who made its hardware, what its HSM wants signed, who may claim it.

Two roots of the lab's own stand for AWS and for the manufacturer. Each certifies the same hardware key, and that key
certifies the HSM, so the HSM's certificate verifies through both hardware certificates (user guide,
verify-hsm-identity). `cryptography` is imported with this module, which the service therefore imports late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from hsmctl.errors import Conflict
from hsmctl.lab.folder import write_private

AWS_ROOT = "aws-root.pem"
MANUFACTURER_ROOT = "manufacturer-root.pem"

_LIFE = timedelta(days=3652)
_RSA_BITS = (2048, 3072, 4096)
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_DIGESTS = ("sha224", "sha256", "sha384", "sha512")
_CHAIN_LENGTH = 4
_CHAIN_BYTES = 16 * 1024

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """What a cluster's first HSM shows for itself, PEM."""

    csr: str
    hsm_certificate: str
    aws_hardware_certificate: str
    manufacturer_hardware_certificate: str
    key: str
    """The HSM's private key, which the CSR and the HSM's certificate are for."""


def new_papers(folder: Path, hsm_id: str, mode: str, moment: datetime) -> Papers:
    """The certificates of a new HSM on new hardware, under the roots in `folder`, which are made if missing."""
    hardware_key, hsm_key = ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)
    hardware = _name(f"{hsm_id} hardware", "LiquidSecurity")
    subject = _name(f"HSM:{hsm_id}:PARTN:1, for {mode.replace('_', '-')} mode", "N3FIPS")
    aws, manufacturer = (_root(folder / name, moment) for name in (AWS_ROOT, MANUFACTURER_ROOT))
    csr = x509.CertificateSigningRequestBuilder(subject).sign(hsm_key, hashes.SHA256())
    certificate = _issue(subject, hsm_key.public_key(), hardware, hardware_key, moment, ca=False)
    return Papers(
        csr=csr.public_bytes(serialization.Encoding.PEM).decode(),
        hsm_certificate=_pem(certificate),
        aws_hardware_certificate=_pem(_issue(hardware, hardware_key.public_key(), *aws, moment, ca=True)),
        manufacturer_hardware_certificate=_pem(
            _issue(hardware, hardware_key.public_key(), *manufacturer, moment, ca=True)
        ),
        key=_key_pem(hsm_key),
    )


def claimed(csr: str, signed: str, anchor: str, moment: datetime) -> str:
    """The certificate a cluster accepts as its own, PEM, without anything that stood around it.

    The rules are those of the user guide, initialize-cluster: the CSR's key, signed by the first certificate of the
    anchor, which leads to a self-signed root over at most four certificates and 16 KiB.

    Raises:
        Conflict: a rule is broken; the message says which.
    """
    certificate = _read("SignedCert", signed)[0]
    chain = _read("TrustAnchor", anchor)
    if len(chain) > _CHAIN_LENGTH or len(anchor) > _CHAIN_BYTES:
        raise Conflict("TrustAnchor is too long", "it may have 4 certificates and 16 KB")
    if certificate.public_key() != x509.load_pem_x509_csr(csr.encode()).public_key():
        raise Conflict("SignedCert does not belong to this cluster", "its public key is not that of the ClusterCsr")
    for number, (issued, issuer) in enumerate(pairwise([certificate, *chain])):
        _check_link("SignedCert" if number == 0 else f"certificate {number} of the TrustAnchor", issued, issuer)
    _check_root(chain)
    for issuer in chain:
        _check_issuer(issuer)
    _check_dates([certificate, *chain], moment)
    return _pem(certificate)


def _read(what: str, pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise Conflict(f"{what} is not a PEM certificate") from error


def _check_link(what: str, issued: x509.Certificate, issuer: x509.Certificate) -> None:
    """Refuse a certificate that the next one of the chain did not issue."""
    try:
        issued.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise Conflict(f"{what} was not issued by the certificate that follows it in the TrustAnchor") from error
    if issued.signature_hash_algorithm is None or issued.signature_hash_algorithm.name not in _DIGESTS:
        raise Conflict(f"{what} is signed with a digest that is not accepted", "SHA-224, 256, 384 and 512 are")


def _check_root(chain: Sequence[x509.Certificate]) -> None:
    """Refuse a chain that does not end in its only self-signed certificate."""
    self_signed = [certificate.subject == certificate.issuer for certificate in chain]
    if not self_signed[-1] or any(self_signed[:-1]):
        raise Conflict("TrustAnchor does not end in a self-signed root", "only its last certificate is self-signed")
    _check_link("the root of the TrustAnchor", chain[-1], chain[-1])


def _check_issuer(issuer: x509.Certificate) -> None:
    """Refuse a certificate authority whose key or extensions are not accepted."""
    key = issuer.public_key()
    strong = (isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS) or (
        isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES
    )
    if not strong:
        raise Conflict("a key of the TrustAnchor is not accepted", "RSA 2048, 3072, 4096 and P-256, P-384, P-521 are")
    if not len(issuer.extensions):
        return
    try:
        authority = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    if not authority:
        raise Conflict("a certificate of the TrustAnchor is no authority", "its Basic Constraints do not say CA")


def _check_dates(certificates: Sequence[x509.Certificate], moment: datetime) -> None:
    for certificate in certificates:
        if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
            raise Conflict(f"{certificate.subject.rfc4514_string()} is not valid now")


def _root(path: Path, moment: datetime) -> tuple[x509.Name, _Key]:
    """The name and key of a root of the lab's own, made if missing; the certificate is written last."""
    key_path = path.with_suffix(".key")
    if path.exists():
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - we wrote it
        return x509.load_pem_x509_certificate(path.read_bytes()).subject, key
    key = ec.generate_private_key(ec.SECP384R1())
    name = _name(f"hsmctl lab {path.stem}", "Root")
    write_private(key_path, _key_pem(key).encode())
    write_private(path, _pem(_issue(name, key.public_key(), name, key, moment, ca=True)).encode())
    return name, key


def _name(common_name: str, unit: str) -> x509.Name:
    """A subject shaped like those of CloudHSM."""
    attributes = {
        NameOID.COUNTRY_NAME: "US",
        NameOID.STATE_OR_PROVINCE_NAME: "CA",
        NameOID.ORGANIZATION_NAME: "hsmctl lab",
        NameOID.ORGANIZATIONAL_UNIT_NAME: unit,
        NameOID.LOCALITY_NAME: "SanJose",
        NameOID.COMMON_NAME: common_name,
    }
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes.items()])


def _issue(
    subject: x509.Name, key: CertificatePublicKeyTypes, issuer: x509.Name, by: _Key, moment: datetime, *, ca: bool
) -> x509.Certificate:
    """A certificate, valid from a day ago so that no clock is ahead of it."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + _LIFE)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(by, hashes.SHA384())
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: _Key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
