"""Holds: a cluster on which nothing may be removed until somebody says so, with the reason."""

from __future__ import annotations

from typing import Protocol

from hsmctl.domain.hold import Hold as Hold


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
