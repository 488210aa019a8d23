"""What a ceremony needs: a folder that remembers it, X.509, and the operator's CA wherever it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hsmctl.domain.ceremony import Ceremony
    from hsmctl.ports import Authority


class Ceremonies(Protocol):
    """One folder a cluster: what is remembered, the documents (all of them public) and the transcript."""

    def load(self, cluster_id: str) -> Ceremony:
        """What is remembered; an empty one where nothing is.

        Raises:
            Conflict: a newer hsmctl wrote it.
        """
        ...

    def save(self, ceremony: Ceremony) -> None:
        """Remember this, durably."""
        ...

    def keep(self, cluster_id: str, documents: Mapping[str, str]) -> None:
        """Write documents, by name, each whole."""
        ...

    def document(self, cluster_id: str, name: str) -> str | None:
        """A document, or None where there is none."""
        ...

    def note(self, cluster_id: str, line: str) -> None:
        """Add a line to the transcript, with the time and who writes it."""
        ...

    def transcript(self, cluster_id: str) -> tuple[str, ...]:
        """The transcript's lines."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a certificate says of itself."""

    subject: str
    issuer: str
    sha256: str
    expires: datetime


class Papers(Protocol):
    """X.509 as far as ceremonies go; documents are PEM."""

    def describe(self, certificate: str) -> Described:
        """What a certificate says of itself.

        Raises:
            Conflict: it is none.
        """
        ...

    def fingerprint(self, document: str) -> str:
        """The SHA-256, in hex, of a CSR or a certificate as DER.

        Raises:
            Conflict: it is neither.
        """
        ...

    def check_signed(self, csr: str, signed: str, anchor: str, moment: datetime) -> tuple[str, ...]:
        """What holds, a sentence each: the certificate has the CSR's key, the anchor issued it, the rules are kept.

        Raises:
            Conflict: the first rule that is broken.
        """
        ...


class Authorities(Protocol):
    """Opens the CA that a plan names; what names it is no secret."""

    def open(self, named: Mapping[str, str]) -> Authority:
        """The authority.

        Raises:
            Conflict: there is none, or the place for a new one is taken.
            UsageError: nothing names one.
        """
        ...

    def words(self, named: Mapping[str, str]) -> str:
        """What it is, for people: `software CA /media/ca/ca.key`."""
        ...
