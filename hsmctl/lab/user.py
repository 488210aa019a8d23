"""The users of one HSM, in its users.json: who they are, what proves them, and when they are locked out.

Knows CloudHSM's rules (user guide, HSM users): names are compared without case, five wrong passwords lock a user on
that HSM. Refuses to know tokens and keys: what a user may open is the node's business.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from hsmctl.errors import Conflict, UsageError
from hsmctl.lab.folder import write_private

MAX_FAILURES = 5
_ROUNDS = 10_000


class Role(StrEnum):
    """What a user is, in CloudHSM's words (cloudhsm-cli user list)."""

    UNACTIVATED = "unactivated-admin"
    ADMIN = "admin"
    CRYPTO_USER = "crypto-user"
    APPLIANCE = "internal(APPLIANCE_USER)"


class Verdict(StrEnum):
    """What a login comes to, as PKCS#11 says it."""

    OK = "CKR_OK"
    INCORRECT = "CKR_PIN_INCORRECT"
    LOCKED = "CKR_PIN_LOCKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One user of one HSM."""

    name: str
    role: Role
    verifier: str | None = None
    """Salt and PBKDF2-HMAC-SHA256 of the password, both hex; None: nobody can log in."""
    failures: int = 0
    """Wrong passwords since the last right one."""
    public_key: str | None = None
    """PEM of the RSA key that signs tokens; second factor and quorum share it (user guide, quorum authentication)."""
    mfa: bool = False
    """Whether a login takes a signature too."""
    quorum: bool = False
    """Whether the user can approve."""

    @property
    def locked(self) -> bool:
        """Whether an admin has to set a new password."""
        return self.failures >= MAX_FAILURES


class Users:
    """The users of one HSM; every change is in the file before it counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        loaded = json.loads(path.read_text()) if path.exists() else [asdict(user) for user in _FACTORY]
        self._users = {entry["name"]: user_from(entry) for entry in loaded}

    def all(self) -> tuple[User, ...]:
        """Every user, in the order of creation."""
        return tuple(self._users.values())

    def get(self, name: str) -> User | None:
        """The user of this name, or None."""
        return self._users.get(name.lower())

    def add(self, name: str, role: Role, password: str) -> User:
        """A new user.

        Raises:
            UsageError: name or password is not what CloudHSM takes.
            Conflict: there is one of this name.
        """
        self.check_free(name)
        with self._lock:
            return self._store(User(name=name.lower(), role=role, verifier=_verifier(password)))

    def check_free(self, name: str) -> None:
        """Refuse a name that cannot be a new user's.

        Raises:
            UsageError: it is not 1 to 31 letters, digits and underscores.
            Conflict: there is a user of this name.
        """
        if not re.fullmatch(r"[A-Za-z0-9_]{1,31}", name):
            why = "1 to 31 letters, digits and underscores are allowed"
            raise UsageError(f"user name {name!r} refused", why, "choose another name")
        if self.get(name):
            raise Conflict(f"user {name} exists already", "names are compared without case", "choose another name")

    def activate(self, password: str) -> None:
        """Give the factory's `admin` its password: the HSM is activated.

        Raises:
            UsageError: the password is not what CloudHSM takes.
            Conflict: it is activated already.
        """
        admin = self._users["admin"]
        if admin.role is not Role.UNACTIVATED:
            raise Conflict("already activated", "the admin has a password", "log in as admin")
        with self._lock:
            self._store(replace(admin, role=Role.ADMIN, verifier=_verifier(password)))

    def authenticate(self, name: str, password: str) -> Verdict:
        """Whether this is the user; wrong passwords are counted, a right one clears the count."""
        with self._lock:
            user = self.get(name)
            if user is None or user.verifier is None:
                return Verdict.INCORRECT
            if user.locked:
                return Verdict.LOCKED
            right = _matches(user.verifier, password)
            failures = 0 if right else user.failures + 1
            if failures != user.failures:
                self._store(replace(user, failures=failures))
            return Verdict.OK if right else Verdict.INCORRECT

    def named(self, name: str) -> User:
        """The user of this name.

        Raises:
            Conflict: there is none.
        """
        user = self.get(name)
        if user is None:
            raise Conflict(f"no user {name}", "the HSM does not know it", "user list")
        return user

    def set_password(self, name: str, password: str, *, keep_mfa: bool = True, keep_quorum: bool = True) -> User:
        """The user with another password and unlocked; one with a second factor loses its quorum registration.

        Raises:
            UsageError: the password is not what CloudHSM takes.
            Conflict: there is no such user.
        """
        user = self.named(name)
        mfa, quorum = user.mfa and keep_mfa, user.quorum and keep_quorum and not user.mfa
        key = user.public_key if mfa or quorum else None
        proof = _verifier(password)
        with self._lock:
            return self._store(replace(user, verifier=proof, failures=0, mfa=mfa, quorum=quorum, public_key=key))

    def store(self, user: User) -> None:
        """Have the user of this name be like this."""
        with self._lock:
            self._store(user)

    def remove(self, name: str) -> None:
        """Forget a user."""
        self.put(name, None, 0)

    def exported(self, name: str) -> dict[str, object]:
        """A user with everything that proves it, plain JSON; the inverse is `user_from`."""
        return asdict(self.named(name))

    def place(self, name: str) -> int:
        """Where a user stands in the order of creation; behind the last one where there is none of this name."""
        names = list(self._users)
        return names.index(name.lower()) if name.lower() in names else len(names)

    def put(self, name: str, user: User | None, place: int) -> None:
        """Make the user of a name be this one, standing there, or nobody; nobody's rules are asked."""
        with self._lock:
            others = [each for each in self._users.values() if each.name != name.lower()]
            if user:
                others.insert(place, user)
            self._keep({each.name: each for each in others})

    def _store(self, user: User) -> User:
        self._keep({**self._users, user.name: user})
        return user

    def _keep(self, users: dict[str, User]) -> None:
        write_private(self._path, json.dumps([asdict(each) for each in users.values()], indent=1).encode())
        self._users = users


def user_from(entry: Mapping[str, Any]) -> User:
    """The user that was written as JSON, field by field."""
    return User(**{**entry, "role": Role(entry["role"])})


def verifier(password: str) -> str:
    """What proves a password later; whether it is one that CloudHSM takes is not asked."""
    salt = secrets.token_bytes(16)
    return (salt + _derive(salt, password)).hex()


_FACTORY = (User(name="admin", role=Role.UNACTIVATED), User(name="app_user", role=Role.APPLIANCE))
"""The users of an HSM nobody has activated."""


def _verifier(password: str) -> str:
    """What proves a new password later.

    Raises:
        UsageError: it is not 8 to 32 characters without a colon (which parts user and password in a PIN).
    """
    if not 8 <= len(password) <= 32 or ":" in password:
        raise UsageError("password refused", "8 to 32 characters without a colon are allowed", "choose another one")
    return verifier(password)


def _matches(verifier: str, password: str) -> bool:
    known = bytes.fromhex(verifier)
    return hmac.compare_digest(known[16:], _derive(known[:16], password))


def _derive(salt: bytes, password: str) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS)
