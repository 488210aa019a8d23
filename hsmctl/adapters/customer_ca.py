"""The customer CA's certificate in the file that the context names: whether it is the cluster's."""

from __future__ import annotations

from pathlib import Path

from hsmctl.domain.cluster import Cluster
from hsmctl.errors import Conflict


class FileCustomerCa:
    """ports_interlock.CustomerCa over a PEM file."""

    def __init__(self, path: Path | None) -> None:
        """Name the file, if the context names one; nothing is read yet."""
        self._path = path

    def located(self, cluster: Cluster) -> str:
        """Where it is and its fingerprint.

        Raises:
            Conflict: there is none, or it did not issue the cluster's certificate.
        """
        if self._path is None:
            raise Conflict("no customer CA", "the context names no customer_ca", "set customer_ca in the context")
        from cryptography import x509
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            anchor = x509.load_pem_x509_certificates(self._path.read_bytes())[0]
        except (OSError, ValueError, IndexError) as error:
            raise Conflict(f"customer CA {self._path}", str(error), "set customer_ca in the context") from error
        shown = cluster.certificates.cluster
        try:
            if shown:
                x509.load_pem_x509_certificate(shown.encode()).verify_directly_issued_by(anchor)
        except (ValueError, TypeError, InvalidSignature) as error:
            why = f"it did not issue the certificate of {cluster.cluster_id}"
            raise Conflict(f"customer CA {self._path}", why, "find the CA that did") from error
        return f"{self._path}, SHA-256 {anchor.fingerprint(SHA256()).hex()[:16]}…"
