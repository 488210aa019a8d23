"""Holds on clusters: while one stands nothing is removed there, because a copy of a key may be the last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hsmctl.errors import Conflict, UsageError
from hsmctl.ports import Clock, Journal
from hsmctl.ports_hold import Hold, Holds


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldService:
    """The holds of this machine; each is journaled when it is set and when it is released, with the reason."""

    clock: Clock
    journal: Journal
    holds: Holds
    user: Callable[[], str]
    """The user of this machine."""

    def all(self) -> tuple[Hold, ...]:
        """Every hold, by cluster.

        Raises:
            Conflict: one cannot be read, which is no permission.
        """
        return self.holds.all()

    def put(self, cluster_id: str, reason: str) -> Hold:
        """The hold, set now.

        Raises:
            UsageError: there is no reason.
            Conflict: there is one already; its reason would be lost.
        """
        _check(reason)
        if known := self.holds.of(cluster_id):
            raise Conflict(f"{cluster_id} is held", f"by {known.set_by}: {known.reason}", "hsmctl sync hold list")
        hold = Hold(cluster_id=cluster_id, reason=reason, set_at=self.clock.now(), set_by=self.user())
        self.journal.append("hold-set", {"cluster": cluster_id, "reason": reason})
        self.holds.put(hold)
        return hold

    def release(self, cluster_id: str, reason: str) -> Hold:
        """The hold that was released; from now on removals are judged as ever.

        Raises:
            UsageError: there is no reason.
            Conflict: there is no hold.
        """
        _check(reason)
        hold = self.holds.of(cluster_id)
        if hold is None:
            raise Conflict(f"{cluster_id} is not held", "there is nothing to release", "hsmctl sync hold list")
        self.journal.append("hold-released", {"cluster": cluster_id, "reason": reason, "held_for": hold.reason})
        self.holds.release(cluster_id)
        return hold


def _check(reason: str) -> None:
    if not reason.strip():
        raise UsageError("--reason", "it is empty", "say why, for whoever reads the journal")
