"""The port ClusterCas: whether a certificate is the CA that issued a cluster's certificate, and when it ends."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from hsmctl.domain.cluster import Cluster
from hsmctl.errors import Conflict


class CustomerCas:
    """ports_client.ClusterCas; `path` is the context's customer CA, if it names one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def ends(self, certificate: str, cluster: Cluster) -> datetime:
        """When a CA that issued the cluster's certificate ends."""
        try:
            anchor = x509.load_pem_x509_certificates(certificate.encode())[0]
            if issued := cluster.certificates.cluster:
                x509.load_pem_x509_certificate(issued.encode()).verify_directly_issued_by(anchor)
        except (ValueError, IndexError, TypeError, InvalidSignature) as error:
            why = f"it did not issue the certificate of {cluster.cluster_id}"
            raise Conflict("not the cluster's CA", why, "hsmctl client install-ca HOST") from error
        return anchor.not_valid_after_utc

    def own(self, path: str = "") -> str:
        """The customer CA of a file of this machine, or of the context, PEM."""
        place = Path(path) if path else self._path
        if place is None:
            raise Conflict("no customer CA", "the context names no customer_ca", "name it with --ca, or in the context")
        try:
            return place.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise Conflict(f"customer CA {place}", str(error), "name another with --ca, or in the context") from error
