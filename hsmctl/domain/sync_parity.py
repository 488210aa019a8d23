"""What two clusters are to have alike beside their keys, so that one can stand in for the other.

Each thing is somebody's word: AWS's about the cluster and its certificate, a client host's about users, quorum values
and trust anchors. What was not seen of one side is unknown, and neither alike nor unlike.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.coverage import Evidence
from hsmctl.domain.evidence import Grade
from hsmctl.domain.user import HsmUser

ABSENT = "–"
"""Stands where a side has no such thing."""


class Kind(StrEnum):
    """What a thing is about."""

    CLUSTER = "cluster"
    CA = "cluster CA"
    USER = "user"
    QUORUM = "quorum"
    ANCHOR = "trust anchor"
    MTLS = "mTLS"


Side = Mapping[Kind, Mapping[str, str] | None]
"""The things of one cluster by kind and name; None is a kind that was not seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing about both sides."""

    kind: Kind
    name: str
    first: str | None
    """None where it was not seen; ABSENT where there is no such thing."""
    second: str | None
    grade: Grade = Grade.REPORTED

    @property
    def same(self) -> bool | None:
        """Whether both sides have it alike; None where that is unknown."""
        return None if None in (self.first, self.second) else self.first == self.second


def parity(first: Side, second: Side) -> tuple[Fact, ...]:
    """Everything known of either side, and each kind of which nothing is."""
    return tuple(fact for kind in Kind for fact in _facts(kind, first.get(kind), second.get(kind)))


def _facts(kind: Kind, first: Mapping[str, str] | None, second: Mapping[str, str] | None) -> Iterator[Fact]:
    names = {**(first or {}), **(second or {})}
    if not names and (first is None or second is None):
        yield Fact(kind=kind, name="all", first=_value(first, "all"), second=_value(second, "all"))
    for name in names:
        yield Fact(kind=kind, name=name, first=_value(first, name), second=_value(second, name))


def _value(things: Mapping[str, str] | None, name: str) -> str | None:
    return None if things is None else things.get(name, ABSENT)


def seen(cluster: Cluster, told: Evidence) -> Side:
    """What is known of a cluster: from AWS, and from a client host as far as it answered."""
    certificate = cluster.certificates.cluster
    users, values, anchors = told.users, told.values, told.anchors
    days = cluster.backup_retention_days
    return {
        Kind.CLUSTER: {
            "HSM type": cluster.hsm_type,
            "mode": cluster.mode,
            "network type": cluster.network_type,
            "active HSMs": str(len(cluster.active_hsms)),
            "backups kept": ABSENT if days is None else f"{days} days",
        },
        Kind.CA: {"certificate": fingerprint(certificate) if certificate else ABSENT},
        Kind.USER: None if users is None else {user.name: _user(user) for user in users},
        Kind.QUORUM: None if values is None else {name: _approvals(value) for name, value in values.items()},
        Kind.ANCHOR: None if anchors is None else {fingerprint(each.certificate): each.coverage for each in anchors},
        Kind.MTLS: {"enforcement": told.enforcement} if told.enforcement else None,
    }


def fingerprint(certificate: str) -> str:
    """The start of a PEM certificate's SHA-256, enough to tell two apart; of the text where it is no certificate."""
    try:
        data = ssl.PEM_cert_to_DER_cert(certificate.strip())
    except ValueError:
        data = certificate.encode()
    return f"sha256:{hashlib.sha256(data).hexdigest()[:16]}"


def _user(user: HsmUser) -> str:
    """The role, and what else decides whether they can do their work."""
    more = {"second factor": user.mfa, "approver": user.quorum}
    return ", ".join([user.role, *(f"{name} {word}" for name, word in more.items() if word)])


def _approvals(value: int | None) -> str:
    return "inconsistent" if value is None else str(value)
