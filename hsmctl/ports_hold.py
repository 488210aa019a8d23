"""Holds: a cluster on which nothing may be removed until somebody says so, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Removals, scale-down and migration refuse on this cluster."""

    cluster_id: str
    reason: str
    set_at: datetime
    set_by: str
    """The user of this machine."""


class Holds(Protocol):
    """The holds that this machine knows of; another machine's are not seen."""

    def all(self) -> tuple[Hold, ...]:
        """Every hold, by cluster.

        Raises:
            Conflict: a hold cannot be read, which is no permission.
        """
        ...

    def of(self, cluster_id: str) -> Hold | None:
        """The hold on this cluster, if there is one.

        Raises:
            Conflict: it cannot be read, which is no permission.
        """
        ...

    def put(self, hold: Hold) -> None:
        """Set the hold, in the place of an earlier one."""
        ...

    def release(self, cluster_id: str) -> None:
        """Take the hold away; harmless where there is none. Why is for the journal."""
        ...
