"""What is said about a cluster: a finding about a topic, how bad it is, how it is known and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hsmctl.domain.evidence import Grade


class Severity(StrEnum):
    """How bad a finding is, worst first."""

    CRITICAL = "critical"
    UNKNOWN = "unknown"
    WARNING = "warning"
    PENDING = "pending"
    """On its way; nobody has to do anything."""
    OK = "ok"


class Topic(StrEnum):
    """What a finding is about."""

    STATE = "state"
    HSM = "hsm"
    ZONES = "zones"
    KEYS = "keys"
    USERS = "users"
    KMS = "kms"
    BACKUP = "backup"
    REACH = "reach"
    CERTIFICATE = "certificate"
    CAPACITY = "capacity"
    TYPE = "type"
    HOLD = "hold"
    OPERATION = "operation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One statement about a cluster."""

    topic: Topic
    severity: Severity
    brief: str
    """In two or three words."""
    says: str
    """In a sentence that names the thing and its cause."""
    about: str = ""
    """The HSM, key store, certificate or limit it is about; empty where it is the cluster."""
    grade: Grade | None = Grade.REPORTED
    """How it is known; None where it is that something is not."""
    at: datetime | None = None
    """Since when it is known, where that is not now."""
    way_out: str = ""
    figure: float | None = None
    """The number behind it: seconds of an age or until an end, a count, or the part of a limit that is used."""


def age(time: timedelta | None) -> str:
    """`40 min`, `5 h`, `3 d`."""
    minutes = int((time or timedelta()).total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"
