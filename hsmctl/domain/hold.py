"""A hold: somebody's word that nothing may be removed from a cluster for now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Removals, scale-down and migration refuse on this cluster."""

    cluster_id: str
    reason: str
    set_at: datetime
    set_by: str
    """The user of this machine."""
