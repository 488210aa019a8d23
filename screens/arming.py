"""Whether changes are allowed: never when the screens open, and for ten minutes once the operator has said so.

Commands that change an estate do not exist until then. The real guard of a real estate is IAM.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hsmctl.bootstrap import Hsmctl
from hsmctl.errors import Denied
from hsmctl.settings import check_may_write

LIFE = timedelta(minutes=10)


class Arming:
    """The switch of one context."""

    def __init__(self, hsmctl: Hsmctl) -> None:
        self._hsmctl = hsmctl
        self._until: datetime | None = None

    @property
    def armed(self) -> bool:
        """Whether changes are allowed now."""
        return self.minutes > 0

    @property
    def minutes(self) -> int:
        """For how many minutes changes are still allowed, a started one counted whole."""
        if self._until is None:
            return 0
        return max(0, -(-(self._until - self._hsmctl.clock.now()) // timedelta(minutes=1)))

    def arm(self, reason: str = "") -> None:
        """Allow changes from now on; a protected context wants to know why, and journals it with each of them.

        Raises:
            Denied: the context allows none, or none without a reason.
        """
        context = self._hsmctl.context
        if context.name and not context.read_only and context.protect and not reason:
            raise Denied(f"context {context.name}", "it is protected", ":arm REASON")
        check_may_write(context, reason)
        self._hsmctl.break_glass = reason if context.protect else ""
        self._until = self._hsmctl.clock.now() + LIFE

    def disarm(self) -> None:
        """Allow no changes any more; what is running goes on."""
        self._until = None
        self._hsmctl.break_glass = ""
