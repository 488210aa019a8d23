"""The policies of one HSM, in its policy.json: quorum values, trust anchors, mTLS enforcement, token time-outs.

Nothing of it is replicated: whoever changes a policy does it on every HSM it reaches (user guide, cluster
synchronization). A trust anchor is a PEM certificate of which an HSM takes two at most (cloudhsm_cli-cluster-mtls).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from hsmctl.agent.inventory import Refused
from hsmctl.lab.folder import write_private

MAX_QUORUM = 8
MAX_ANCHORS = 2
MAX_CHAIN_BYTES = 6980
TOKEN_SECONDS = 600
"""How long a quorum token lives, before and after it has its approvals."""


class Service(StrEnum):
    """What approvals can be asked for (cloudhsm_cli-qm-token-set-qm)."""

    USER = "user"
    QUORUM = "quorum"
    CLUSTER = "cluster"


class Enforcement(StrEnum):
    """Whether clients have to show a certificate of a trust anchor."""

    NONE = "none"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Anchor:
    """One trust anchor."""

    reference: int
    certificate: str
    """PEM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What one HSM demands of its users and clients."""

    quorum: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(Service, 0))
    """Approvals by service; 0 is none."""
    anchors: tuple[Anchor, ...] = ()
    enforcement: Enforcement = Enforcement.NONE
    generated: float = TOKEN_SECONDS
    approved: float = TOKEN_SECONDS

    @classmethod
    def read(cls, path: Path) -> Policies:
        """The policies of a file; an HSM from the factory has none."""
        if not path.exists():
            return cls()
        return policies_from(json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        """Keep them."""
        write_private(path, json.dumps(asdict(self), indent=1).encode())

    def with_value(self, service: str, value: int) -> Self:
        """The same with another quorum value.

        Raises:
            Refused: there is no such service, or the value is none.
        """
        if service not in set(Service) or not 0 <= value <= MAX_QUORUM:
            raise Refused("", f"Quorum value {value} is not allowed for service {service}")
        return replace(self, quorum={**self.quorum, service: value})

    def with_anchor(self, anchor: Anchor) -> Self:
        """The same with one more trust anchor.

        Raises:
            Refused: the HSM has it already, is full, or the certificate is too long.
        """
        if any(each.certificate == anchor.certificate for each in self.anchors):
            raise Refused("installed", "Certificate error received from Hsm. Trust anchor is already installed in Hsm.")
        if len(self.anchors) >= MAX_ANCHORS:
            raise Refused("", "Maximum number of certificates registered.")
        if len(anchor.certificate) > MAX_CHAIN_BYTES:
            raise Refused("", "Oversized Certificate: Certificate is too long")
        return replace(self, anchors=(*self.anchors, anchor))

    def without_anchor(self, reference: int) -> Self:
        """The same without a trust anchor; one it has not is no loss."""
        return replace(self, anchors=tuple(each for each in self.anchors if each.reference != reference))


def policies_from(entry: Mapping[str, Any]) -> Policies:
    """The policies that were written as JSON."""
    anchors = tuple(Anchor(**each) for each in entry["anchors"])
    return Policies(**{**entry, "anchors": anchors, "enforcement": Enforcement(entry["enforcement"])})
