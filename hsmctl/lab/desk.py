"""What an HSM's users and admins ask of it about themselves: one operation each, by its name in a frame.

Knows who may ask what (user guide, HSM user permissions table) and CloudHSM's rules about users. An operation is
refused with the sentence cloudhsm-cli shows; where AWS prints none, the wording is ours and UNCONFIRMED. Refuses to
know siblings: whoever wants a change everywhere asks every HSM for it.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hsmctl.agent.inventory import Refused
from hsmctl.errors import HsmctlError
from hsmctl.lab.policy import Service
from hsmctl.lab.quorum import NUMBER_BYTES, check_challenge
from hsmctl.lab.user import Role, User, user_from

if TYPE_CHECKING:
    from hsmctl.lab.administration import Administration

Arguments = Mapping[str, Any]
Answer = Mapping[str, object]


@dataclass(eq=False, slots=True, kw_only=True)
class Guest:
    """One connection to an HSM: who is logged in on it, and how it came."""

    number: int
    mutual: bool = False
    """Whether it showed a client certificate of a trust anchor."""
    user: str = ""
    role: Role | None = None
    challenges: dict[str, bytes] = field(default_factory=dict)
    """Numbers to be signed, by the name of the user who is to sign."""


Handler = Callable[["Administration", Guest, Arguments], Answer]


Operation = tuple[frozenset[Role], Handler]
"""Who may ask, anybody where it is empty, and what is done."""


def answer(operation: Operation, hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    """The answer to one operation.

    Raises:
        Refused: this guest may not, or the HSM does not.
    """
    who, handler = operation
    if who and (guest.role is None or guest.role not in who):
        raise Refused("CKR_USER_NOT_LOGGED_IN", _WHO[who])
    try:
        return handler(hsm, guest, args)
    except HsmctlError as error:
        raise Refused("", _sentence(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("CKR_ARGUMENTS_BAD", f"asked without or with another {error}") from error


def _sentence(error: HsmctlError) -> str:
    return f"{error.what[:1].upper()}{error.what[1:]}: {error.why}"


def _info(hsm: Administration, _: Guest, __: Arguments) -> Answer:
    return {"info": hsm.node.record.info()}


def _users(hsm: Administration, _: Guest, __: Arguments) -> Answer:
    return {
        "users": [
            {
                "username": user.name,
                "role": user.role,
                "locked": user.locked,
                "mfa": user.mfa,
                "quorum": user.quorum,
            }
            for user in hsm.users.all()
        ]
    }


def _activate(hsm: Administration, _: Guest, args: Arguments) -> Answer:
    hsm.activate(str(args["password"]))
    return {}


def _challenge(_: Administration, guest: Guest, args: Arguments) -> Answer:
    """A number for a user to sign; the next one replaces it."""
    number = guest.challenges[str(args["username"]).lower()] = secrets.token_bytes(NUMBER_BYTES)
    return {"number": base64.b64encode(number).decode()}


def _sign_in(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    """Log an admin in; crypto users log in to their keys."""
    user = hsm.identify(guest, str(args["username"]), str(args["password"]), args.get("tokens"))
    if user.role is not Role.ADMIN:
        raise Refused("CKR_PIN_INCORRECT", LOGIN_FAILED)
    guest.user, guest.role = user.name, user.role
    return {}


LOGIN_FAILED = "Login failed: the username, the role or the password is not right"
"""UNCONFIRMED: AWS prints no example of it."""


def _create(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    hsm.approve(guest, Service.USER, args)
    role = Role(args["role"])
    if role not in (Role.ADMIN, Role.CRYPTO_USER):
        raise Refused("", f"No user of role {role} can be created")
    if hsm.users.get(args["username"]):
        raise Refused("exists", f"User {args['username']} already exists")
    hsm.add_user(args["username"], role, str(args["password"]))
    return {}


def _delete(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    user = _named(hsm, args)
    hsm.approve(guest, Service.USER, args)
    if hsm.is_logged_in(user.name):
        raise Refused("", "User is logged in and can not be deleted")
    if user.role is Role.CRYPTO_USER and hsm.keys_of(user.name):  # an admin owns none, whoever else has the name
        raise Refused("", "User owns keys and can not be deleted")
    hsm.users.remove(user.name)
    hsm.note("delete user", user)
    return {}


def _change_password(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    user = _changeable(hsm, guest, args)
    hsm.approve(guest, Service.USER, args)
    changed = hsm.users.set_password(
        user.name,
        str(args["password"]),
        keep_mfa=not args.get("deregister_mfa"),
        keep_quorum=not args.get("deregister_quorum"),
    )
    hsm.note("change password", changed)
    return {}


def _change_mfa(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    """Enrol a key for the second factor, or take it away; either sets the password too."""
    user = _changeable(hsm, guest, args)
    hsm.approve(guest, Service.USER, args)
    key = args.get("public_key")
    if key is not None:
        check_challenge(key, guest.challenges.pop(user.name, None), args.get("tokens"))
    hsm.users.set_password(user.name, str(args["password"]), keep_mfa=False, keep_quorum=False)
    changed = replace(hsm.users.named(user.name), mfa=key is not None, public_key=key)
    # One key serves both, so another second factor ends the registration unless it is asked to take it along.
    hsm.users.store(replace(changed, quorum=bool(key and user.quorum and args.get("change_quorum"))))
    hsm.note("change password", changed)
    return {}


def _register_quorum(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    user = hsm.users.named(guest.user)
    key = str(args["public_key"])
    if user.mfa and user.public_key != key:
        raise Refused("", "Quorum and MFA have to use the same key")
    check_challenge(key, guest.challenges.pop(user.name, None), args.get("tokens"))
    hsm.users.store(replace(user, quorum=True, public_key=key))
    return {}


def _read_user(hsm: Administration, _: Guest, args: Arguments) -> Answer:
    """A user with everything that proves it, for a clone of this cluster (cloudhsm_cli-user-replicate)."""
    return {"user": hsm.users.exported(_named(hsm, args).name)}


def _write_user(hsm: Administration, guest: Guest, args: Arguments) -> Answer:
    user = user_from(args["user"])
    hsm.approve(guest, Service.USER, args)
    hsm.put_user(user)
    return {}


def _named(hsm: Administration, args: Arguments) -> User:
    """The user that is meant.

    Raises:
        Refused: the HSM has none of this name and role, or it is the appliance's own.
    """
    user = hsm.users.get(str(args["username"]))
    if user is None or user.role != args["role"]:
        raise Refused("missing", "Specified user does not exist")
    if user.role not in (Role.ADMIN, Role.CRYPTO_USER):
        raise Refused("", f"User {user.name} can not be changed")
    return user


def _changeable(hsm: Administration, guest: Guest, args: Arguments) -> User:
    """The user that is meant, if this guest may change it: it is its own, or an admin changes another who is not in.

    Raises:
        Refused: it may not.
    """
    user = _named(hsm, args)
    if user.name == guest.user:
        return user
    if guest.role is not Role.ADMIN:
        raise Refused("", "An Admin must be logged in to change another user")
    if hsm.is_logged_in(user.name):
        raise Refused("", "User is logged in and can not be changed")
    return user


ANYBODY: frozenset[Role] = frozenset()
"""Nobody has to be logged in."""
USERS = frozenset({Role.ADMIN, Role.CRYPTO_USER})
"""Whoever is logged in."""
ADMINS = frozenset({Role.ADMIN})
NOT_LOGGED_IN = "You must be logged in to run this command"
_WHO: Mapping[frozenset[Role], str] = {
    USERS: NOT_LOGGED_IN,
    frozenset({Role.CRYPTO_USER}): "A crypto user must be logged in to run this command",
    ADMINS: "An Admin must be logged in to run this command",
}

OPERATIONS: Mapping[str, Operation] = {
    "hsm info": (ANYBODY, _info),
    "users": (ANYBODY, _users),
    "activate": (ANYBODY, _activate),
    "challenge": (ANYBODY, _challenge),
    "sign in": (ANYBODY, _sign_in),
    "user create": (ADMINS, _create),
    "user delete": (ADMINS, _delete),
    "user password": (USERS, _change_password),
    "user mfa": (USERS, _change_mfa),
    "user quorum": (USERS, _register_quorum),
    "user read": (ADMINS, _read_user),
    "user write": (ADMINS, _write_user),
}
"""By their names in a frame."""
