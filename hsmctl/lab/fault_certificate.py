"""Faults of the certificate an HSM shows inside: one of a stranger's, or one of the customer CA's that has expired.

The false certificate lies beside the right one, which stays as it is. `cryptography` is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hsmctl.errors import Conflict
from hsmctl.lab.fault import Family, Fault, FaultBook
from hsmctl.lab.folder import LabFolder, NodeFolder, write_private

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    _Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFaults:
    """The family CERTIFICATE."""

    lab: LabFolder
    book: FaultBook
    certify: Callable[[str], None]
    """Has an HSM look at its certificates again."""

    def prepare(self, fault: Fault) -> Fault:
        """The fault with the key and the certificate to be shown, PEM.

        Raises:
            Conflict: the HSM has no certificate yet, or the customer CA's key is not the lab's.
        """
        folder = self.lab.node(str(fault.hsm))
        if not folder.certificate.exists():
            raise Conflict(f"{fault.hsm} has no certificate", "its cluster is not claimed", "hsmctl lab up")
        made = _strange(folder) if fault.name == "certificate-wrong" else self._expired(folder)
        return replace(fault, detail={"pem": made})

    def settle(self, fault: Fault) -> None:
        """Have the HSM show what the latest fault in the book says, or the right certificate."""
        folder = self.lab.node(str(fault.hsm))
        faults = [each for each in self.book.family(Family.CERTIFICATE) if each.hsm == fault.hsm]
        if faults:
            write_private(folder.false_certificate, faults[-1].detail["pem"].encode())
        else:
            folder.false_certificate.unlink(missing_ok=True)
        self.certify(str(fault.hsm))

    def _expired(self, folder: NodeFolder) -> str:
        """The HSM's own key with a certificate that the customer CA issued and that ended yesterday."""
        from cryptography import x509

        try:
            passphrase, key = ((self.lab.ca / name).read_bytes() for name in ("passphrase", "customer-ca.key"))
        except FileNotFoundError as error:
            why = "the lab does not have the key of this cluster's customer CA"
            raise Conflict("no expired certificate can be made", why, "use certificate-wrong") from error
        shown = folder.certificate.read_bytes()
        right = x509.load_pem_x509_certificate(shown)
        return _issued(right, _key(shown), _key(key, passphrase), datetime.now(UTC) - _DAY)


def _strange(folder: NodeFolder) -> str:
    """Another key with a certificate of the same names that a stranger issued."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    own, stranger = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    right = x509.load_pem_x509_certificate(folder.certificate.read_bytes())
    return _issued(right, own, stranger, datetime.now(UTC) + 3652 * _DAY)


def _issued(right: x509.Certificate, own: _Key, issuer: _Key, end: datetime) -> str:
    """A key and a certificate for it with the names of the right one, issued by some key, PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    certificate = (
        x509.CertificateBuilder()
        .subject_name(right.subject)
        .issuer_name(right.issuer)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - 3652 * _DAY)
        .not_valid_after(end)
        .sign(issuer, hashes.SHA384())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private = own.private_bytes(pem, pkcs8, serialization.NoEncryption())
    return (private + certificate.public_bytes(pem)).decode()


def _key(pem: bytes, passphrase: bytes | None = None) -> _Key:
    """An RSA or EC key, which is what all of the lab's certificates are for."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem, passphrase)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Conflict("no expired certificate can be made", "its key is neither RSA nor EC", "use certificate-wrong")
    return key
