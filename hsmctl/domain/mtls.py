"""Mutual TLS between client hosts and HSMs: anchors, enforcement, and what must hold before it is enforced.

Enforcement drops every connection without a client certificate at once, so the order is fixed: register the anchor,
see it on every HSM, give every client its certificate, see the clients over mTLS, enforce (user guide, cluster mtls;
the order is ours, AWS does not give one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from hsmctl.domain.user import ADMIN_NAME, FULL, HsmUser

MAX_ANCHORS = 2
MAX_ANCHOR_BYTES = 6980
"""User guide, cluster mtls register-trust-anchor."""
LEAST_LIFE = timedelta(days=180)
"""What anchors and client certificates must still have before they become the only way in."""
LEAST_HOSTS = 2
"""Admin hosts that must have been seen over mTLS: one alone may break."""


class Level(StrEnum):
    """Who must show a client certificate."""

    NONE = "none"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One trust anchor for client certificates."""

    reference: str
    """Its certificate-reference, such as 0x01."""
    certificate: str
    """PEM."""
    coverage: str
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MtlsState:
    """What one client host says about a cluster's trust anchors."""

    cluster_id: str
    host: str
    active: int
    connected: int
    anchors: tuple[Anchor, ...]
    ends: Mapping[str, datetime | None]
    """When each anchor ends, by reference; None where its certificate cannot be read."""
    hosts: Mapping[str, str]
    """For each client host, why it does not show a certificate that an anchor issued; empty where it does."""


def uncovered(state: MtlsState) -> str:
    """Anchors that some HSM lacks."""
    if not state.anchors:
        return "none is registered"
    return ", ".join(f"{each.reference} is {each.coverage}" for each in state.anchors if each.coverage != FULL)


def unproved(state: MtlsState) -> str:
    """Client hosts that show no good certificate, where too few others do."""
    shown = [host for host, wrong in state.hosts.items() if not wrong]
    if len(shown) >= LEAST_HOSTS:
        return ""
    wrong = "; ".join(f"{host}: {why}" for host, why in state.hosts.items() if why)
    return f"{len(shown)} do ({wrong})" if wrong else f"{len(shown)} do, and the context has no other"


def admin_trouble(users: Sequence[HsmUser]) -> str:
    """Why the user `admin` could not act."""
    found = next((user for user in users if user.name == ADMIN_NAME), None)
    return "there is none" if found is None else "; ".join(found.troubles)


def day(moment: datetime | None) -> str:
    """The day, or that nobody can tell."""
    return f"{moment:%Y-%m-%d}" if moment else "nobody can tell when"
