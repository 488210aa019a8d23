"""X.509 in words, for worlds whose certificates are only texts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256

from hsmctl.domain.ceremony import Ceremony
from hsmctl.ports_ceremony import Described


class WordPapers:
    """ports_ceremony.Papers that believes anything."""

    def fingerprint(self, document: str) -> str:
        return sha256(document.encode()).hexdigest()

    def describe(self, certificate: str) -> Described:
        return Described(
            subject="CN=hsm",
            issuer="CN=ca",
            sha256=self.fingerprint(certificate),
            expires=datetime(2036, 1, 1, tzinfo=UTC),
        )

    def check_signed(self, csr: str, signed: str, anchor: str, moment: datetime) -> tuple[str, ...]:
        return ("the signed certificate has the CSR's key",)


class MemoryCeremonies:
    """ports_ceremony.Ceremonies in dictionaries, which outlive the process that wrote them."""

    def __init__(self) -> None:
        self.remembered: dict[str, Ceremony] = {}
        self.documents: dict[tuple[str, str], str] = {}
        self.lines: list[str] = []

    def load(self, cluster_id: str) -> Ceremony:
        return self.remembered.get(cluster_id, Ceremony(cluster_id=cluster_id))

    def save(self, ceremony: Ceremony) -> None:
        self.remembered[ceremony.cluster_id] = ceremony

    def keep(self, cluster_id: str, documents: Mapping[str, str]) -> None:
        self.documents |= {(cluster_id, name): text for name, text in documents.items()}

    def document(self, cluster_id: str, name: str) -> str | None:
        return self.documents.get((cluster_id, name))

    def note(self, cluster_id: str, line: str) -> None:
        self.lines.append(line)

    def transcript(self, cluster_id: str) -> tuple[str, ...]:
        return tuple(self.lines)
