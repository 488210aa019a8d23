"""Faults of users: one HSM knows a user otherwise than its siblings, or not at all.

Users are not replicated, so there is nothing to hold: the HSM's own record is edited, and whoever repairs it as an
operator would has repaired it. Clearing puts back what was there before, unless the record is no longer as the faults
left it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from hsmctl.errors import Conflict
from hsmctl.lab.fault import Family, Fault, FaultBook
from hsmctl.lab.folder import LabFolder
from hsmctl.lab.user import MAX_FAILURES, Role, User, Users, user_from, verifier

Put = Callable[[str, str, User | None, int], None]
"""Makes an HSM have this user, of this name and at this place of its list; None is nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFaults:
    """The family USERS."""

    lab: LabFolder
    book: FaultBook
    put: Put
    default: str
    """The user a fault is about where none is named."""

    def prepare(self, fault: Fault) -> Fault:
        """The fault with its edit, and with the user as it is without faults.

        Raises:
            Conflict: the HSM has no such user.
        """
        fault = replace(fault, user=(fault.user or self.default).lower())
        earlier = self._faults(fault)
        if earlier:
            before = {name: earlier[0].detail[name] for name in ("before", "place")}
        else:
            users = self._users(fault)
            user = users.get(str(fault.user))
            if user is None:
                raise Conflict(f"no user {fault.user} on {fault.hsm}", "there is nothing to bend", "name another user")
            before = {"before": asdict(user), "place": users.place(user.name)}
        return replace(fault, detail={**before, "edit": _EDITS[fault.name](user_from(before["before"]))})

    def settle(self, fault: Fault) -> None:
        """Make the user what the faults in the book make of it, unless somebody else has changed it since.

        Raises:
            Unreachable: the HSM does not answer.
        """
        after = self._faults(fault)
        others = [each for each in after if each.fault_id != fault.fault_id]
        before = others if fault in after else sorted([*others, fault], key=lambda each: each.number)
        if _same(self._users(fault).get(str(fault.user)), _bent(fault, before)):
            self.put(str(fault.hsm), str(fault.user), _bent(fault, after), fault.detail["place"])

    def _faults(self, fault: Fault) -> list[Fault]:
        """The faults in the book about the same user of the same HSM, oldest first."""
        same = (fault.hsm, fault.user)
        return [each for each in self.book.family(Family.USERS) if (each.hsm, each.user) == same]

    def _users(self, fault: Fault) -> Users:
        return Users(self.lab.node(str(fault.hsm)).users)


_NOBODYS_KEY = "a key nobody has"
_EDITS: Mapping[str, Callable[[User], dict[str, Any] | None]] = {
    "user-missing": lambda _: None,
    "user-locked": lambda _: {"failures": MAX_FAILURES},
    "user-role": lambda user: {"role": Role.CRYPTO_USER if user.role is Role.ADMIN else Role.ADMIN},
    "user-password": lambda _: {"verifier": verifier(secrets.token_urlsafe(24))},
    "user-mfa": lambda _: {"mfa": True, "public_key": _NOBODYS_KEY},
    "user-quorum": lambda user: {"quorum": not user.quorum, "public_key": user.public_key or _NOBODYS_KEY},
}
"""The fields a user gets, or None where it is lost."""


def _bent(fault: Fault, faults: list[Fault]) -> User | None:
    """What faults make of the user."""
    entry: dict[str, Any] = dict(fault.detail["before"])
    for each in faults:
        if each.detail["edit"] is None:
            return None
        entry |= each.detail["edit"]
    return user_from(entry)


def _same(one: User | None, other: User | None) -> bool:
    """Whether two users are set up alike; wrong passwords since then are no difference."""
    if one is None or other is None:
        return one is other
    return replace(one, failures=0) == replace(other, failures=0)
