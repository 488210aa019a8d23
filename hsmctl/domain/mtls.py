"""Mutual TLS between client hosts and HSMs: anchors, enforcement, and what must hold before it is enforced.

Enforcement drops every connection without a client certificate at once, so the order is fixed: register the anchor,
see it on every HSM, give every client its certificate, see the clients over mTLS, enforce (user guide, cluster mtls;
the order is ours, AWS does not give one).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

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
