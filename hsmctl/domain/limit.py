"""How much a CloudHSM holds, by its type (user guide, AWS CloudHSM quotas); none of it can be raised.

The numbers are a cluster's, which is each of its HSMs': all hold the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HSMS = 28
"""HSMs of a cluster."""

SESSIONS = 2_048
"""Open sessions of an HSM (user guide, hsm-metrics-cw)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much an HSM holds."""

    keys: int
    asymmetric: int
    """Of the keys."""
    users: int


_LIMITS: Mapping[str, Limits] = {
    "hsm1.medium": Limits(keys=3_300, asymmetric=3_300, users=250),
    "hsm2m.medium": Limits(keys=16_666, asymmetric=3_333, users=1_024),
}


def limits(hsm_type: str) -> Limits:
    """What an HSM of this type holds; one nobody knows is taken for the newest."""
    return _LIMITS.get(hsm_type, _LIMITS["hsm2m.medium"])
