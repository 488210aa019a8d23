"""The users of a cluster as cloudhsm-cli reports them, and the rules they live by.

Every word is the service's over the HSMs one client host is connected to: `full` means on all of *those*. Words that a
newer cloudhsm-cli may bring are kept as they come, and whatever is not plainly good counts as a problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hsmctl.errors import Conflict, Denied, UsageError

FULL = "full"
INCONSISTENT = "inconsistent"
UNKNOWN = "unknown"
"""Stands where an answer leaves out what it should say."""
ENABLED = "enabled"

ADMIN_NAME = "admin"
"""The one user who may enforce mTLS (user guide, cluster mtls set-enforcement)."""
APPLIANCE = "app_user"
"""The service's own user; nobody may touch it (user guide, HSM users)."""
KMS_USER = "kmsuser"
"""KMS's user while a custom key store is connected (KMS developer guide)."""


class Role(StrEnum):
    """What a user may be made."""

    ADMIN = "admin"
    CRYPTO_USER = "crypto-user"


UNACTIVATED = "unactivated-admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class HsmUser:
    """One entry of `user list`."""

    name: str
    role: str
    """admin, crypto-user, unactivated-admin, internal(APPLIANCE_USER), inconsistent, or unknown."""
    locked: str
    """true, false, inconsistent, or unknown."""
    mfa: str = ""
    """Empty where there is no second factor, else its status: enabled or inconsistent."""
    quorum: str = ""
    """The same of the registration as an approver."""
    coverage: str = UNKNOWN
    """full, inconsistent, or unknown."""
    more: Mapping[str, object] = field(default_factory=dict)
    """What the answer says beside that, as it stands."""

    @property
    def sound(self) -> bool:
        """Whether every connected HSM knows the same user and lets them in."""
        return not self.troubles

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """What is wrong with the user, in the order in which it is repaired (user guide, inconsistent values)."""
        return tuple(trouble for trouble in Trouble if _TROUBLED[trouble](self))

    @property
    def approves(self) -> bool:
        """Whether they count as an approver: an admin whose registration every connected HSM has."""
        return self.role == Role.ADMIN and self.quorum == ENABLED and self.coverage == FULL


class Trouble(StrEnum):
    """What may be wrong with a user."""

    ROLE = "other role on some HSM"
    COVERAGE = "missing on some HSM"
    LOCKED = "locked"
    LOCKED_SOMEWHERE = "locked on some HSM"
    MFA = "second factor differs"
    QUORUM = "quorum registration differs"
    UNKNOWN = "not told"

    @property
    def repair(self) -> str:
        """The command, before the user's name, that mends it; nobody registers as an approver for another."""
        return {"QUORUM": "quorum register", "UNKNOWN": "user list"}.get(self.name, "user repair")


_TROUBLED: Mapping[Trouble, Callable[[HsmUser], bool]] = {
    Trouble.ROLE: lambda user: user.role == INCONSISTENT,
    Trouble.COVERAGE: lambda user: user.coverage not in (FULL, UNKNOWN),
    Trouble.LOCKED: lambda user: user.locked == "true",
    Trouble.LOCKED_SOMEWHERE: lambda user: user.locked not in ("true", "false", UNKNOWN),
    Trouble.MFA: lambda user: user.mfa not in ("", ENABLED),
    Trouble.QUORUM: lambda user: user.quorum not in ("", ENABLED),
    Trouble.UNKNOWN: lambda user: UNKNOWN in (user.role, user.locked, user.coverage),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HsmInfo:
    """One entry of `cluster hsm-info`: an HSM this host is connected to. It has no id, so it can only be counted."""

    serial: str
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    fips: str = ""
    more: Mapping[str, object] = field(default_factory=dict)


def find(users: Sequence[HsmUser], name: str) -> HsmUser:
    """The user of this name; names are compared without case.

    Raises:
        Conflict: there is none.
    """
    found = next((user for user in users if user.name == name.lower()), None)
    if found is None:
        raise Conflict(f"no user {name}", f"there are {', '.join(user.name for user in users) or 'none'}", _LIST)
    return found


def check_name(name: str) -> str:
    """The name as CloudHSM keeps it: lower case.

    Raises:
        UsageError: CloudHSM would not take it (user guide, user create).
    """
    if not re.fullmatch(r"[A-Za-z0-9_]{1,31}", name):
        raise UsageError(f"user name {name}", "1 to 31 letters, digits and underscores are allowed", "choose another")
    return name.lower()


def check_password(password: str) -> None:
    """Refuse a password that CloudHSM would refuse; it is never part of the message.

    Raises:
        UsageError: it is not 8 to 32 characters without a colon (user guide, quotas and user create).
    """
    if not 8 <= len(password) <= 32 or ":" in password or not password.isprintable():
        raise UsageError(
            "the new password", "8 to 32 printable characters without a colon are allowed", "choose another"
        )


def check_may_touch(name: str, *, key_store: str | None) -> None:
    """Refuse what belongs to somebody else; `key_store` is KMS's on the cluster, None if none, empty if unknown.

    Raises:
        Denied: the user is the service's own, or KMS's while a key store exists or may exist.
    """
    if name == APPLIANCE:
        raise Denied(f"user {name}", "it is the service's own user", "leave it alone")
    if name == KMS_USER and key_store is not None:
        why = f"it is KMS's while the key store {key_store} exists" if key_store else "nobody can tell if KMS uses it"
        raise Denied(f"user {name}", why, "aws kms describe-custom-key-stores")


def check_may_log_in(user: HsmUser, role: Role) -> None:
    """Refuse a login that would cost an attempt for nothing, or lock somebody out.

    Raises:
        Denied: the user is locked, or not the same user everywhere; how many attempts are left is unknown.
        Conflict: the user has another role.
    """
    if user.locked != "false":
        word = "locked" if user.locked == "true" else f"locked: {user.locked}"
        raise Denied(f"user {user.name}", f"{word}; attempts left: unknown", f"hsmctl user unlock {user.name}")
    if user.coverage != FULL or user.role == INCONSISTENT:
        why = "it is not the same user on every HSM, so a login may fail on some; attempts left: unknown"
        raise Denied(f"user {user.name}", why, f"hsmctl user repair {user.name}")
    if user.role != role:
        raise Conflict(f"user {user.name}", f"it is {user.role}, not {role}", _LIST)


_LIST = "hsmctl user list"
