"""Logins that were refused: which they are, and letting them be tried once more."""

from __future__ import annotations

from dataclasses import dataclass

from hsmctl.errors import Conflict
from hsmctl.ports import Breaker, Journal, RefusedLogin


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginService:
    """The refused logins of this machine."""

    breaker: Breaker
    journal: Journal

    def refused(self) -> tuple[RefusedLogin, ...]:
        """What is not tried again, oldest first."""
        return self.breaker.refused()

    def reset(self, user: str | None = None) -> tuple[RefusedLogin, ...]:
        """What may be tried once more from now on: the PINs of one user, or of all.

        Raises:
            Conflict: no PIN of this user was refused.
        """
        known = self.breaker.refused()
        found = tuple(each for each in known if user in (None, each.user))
        if user is not None and not found:
            users = ", ".join(sorted({each.user for each in known}))
            raise Conflict(
                f"user {user}", f"no PIN of theirs was refused, only of {users or 'nobody'}", "hsmctl login status"
            )
        if found:
            logins = [{"realm": each.realm, "user": each.user, "refused_by": each.replica} for each in found]
            self.journal.append("login-reset", {"logins": logins})
            self.breaker.reset(found)
        return found
