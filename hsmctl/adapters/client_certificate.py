"""The port ClientCertificates with `cryptography`: anchors as CloudHSM takes them, and whose a certificate is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsmctl.domain.mtls import MAX_ANCHOR_BYTES
from hsmctl.errors import Conflict, UsageError

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_RSA_BITS = (2048, 3072, 4096)
"""User guide, getting started with mTLS."""


class FileClientCertificates:
    """ports_mtls.ClientCertificates."""

    def anchor(self, path: str) -> str:
        """The trust anchor of a file of this machine."""
        try:
            text = Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(path, str(error), "name a PEM file with the CA of the clients") from error
        if len(text.encode()) > MAX_ANCHOR_BYTES:
            raise UsageError(
                path, f"a trust anchor has at most {MAX_ANCHOR_BYTES} bytes", "leave out what it need not have"
            )
        found = _loaded(text, path)
        if not _is_authority(found):
            raise UsageError(path, "it is no CA certificate", "register the CA that issued the clients' certificates")
        _check_key(found, path)
        return text

    def ends(self, certificate: str) -> datetime:
        """When a certificate ends."""
        return _loaded(certificate, "certificate").not_valid_after_utc

    def check(self, certificate: str, anchors: Sequence[str], until: datetime) -> None:
        """Whether an anchor issued the certificate, and it lasts until then."""
        found = _loaded(certificate, "client certificate")
        if not any(_issued(found, anchor) for anchor in anchors):
            raise Conflict("client certificate", "no registered trust anchor issued it", "hsmctl mtls status")
        if found.not_valid_after_utc < until:
            raise Conflict("client certificate", f"it ends {found.not_valid_after_utc:%Y-%m-%d}", "issue a new one")


def _loaded(text: str, what: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(text.encode())[0]
    except (ValueError, IndexError) as error:
        raise UsageError(what, "it is no certificate in PEM", "openssl x509 -noout -in FILE") from error


def _issued(certificate: x509.Certificate, anchor: str) -> bool:
    try:
        certificate.verify_directly_issued_by(_loaded(anchor, "trust anchor"))
    except (ValueError, TypeError, InvalidSignature, UsageError):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    """Whether the basic constraints say CA."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _check_key(certificate: x509.Certificate, path: str) -> None:
    """Refuse a key that CloudHSM does not take."""
    key = certificate.public_key()
    good = isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS
    good = good or (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES))
    if not good:
        raise UsageError(path, "CloudHSM takes EC P-256, P-384, P-521 and RSA 2048, 3072, 4096", "make another CA")
