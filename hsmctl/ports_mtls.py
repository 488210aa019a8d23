"""The port to certificates of clients: what a trust anchor may be, and whether a certificate is one's of an anchor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class ClientCertificates(Protocol):
    """Reads certificates; keys are never touched."""

    def anchor(self, path: str) -> str:
        """The trust anchor of a file of this machine, PEM.

        Raises:
            UsageError: it is no CA certificate with an allowed key, or it is too long (user guide, mTLS).
        """
        ...

    def ends(self, certificate: str) -> datetime:
        """When a certificate, PEM, ends.

        Raises:
            UsageError: it is none.
        """
        ...

    def check(self, certificate: str, anchors: Sequence[str], until: datetime) -> None:
        """Whether an anchor issued the certificate, and both last until then.

        Raises:
            Conflict: no anchor did, or it ends before.
            UsageError: it is no certificate.
        """
        ...
