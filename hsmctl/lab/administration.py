"""One HSM as its users and admins administer it: users, policies, open quorum tokens, and who is connected.

Knows what an HSM does beyond keeping keys; every change is in a file before it counts and is told to the supervisor.
Refuses to know frames and what may be asked (`desk`).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hsmctl.agent.inventory import Refused
from hsmctl.lab.desk import LOGIN_FAILED, Guest
from hsmctl.lab.limit import check_user_fits
from hsmctl.lab.policy import Policies, Service
from hsmctl.lab.quorum import Quorum, check_challenge
from hsmctl.lab.turn import Turn
from hsmctl.lab.user import Role, User, Verdict

if TYPE_CHECKING:
    from hsmctl.lab.node import Node
    from hsmctl.lab.reception import Reception

_BUSY_SECONDS = 10.0


class Administration:
    """What the connections to one HSM share beyond its module."""

    def __init__(self, node: Node, clock: Callable[[], float] = time.time) -> None:
        self.node = node
        self.users = node.users
        self.policies = Policies.read(node.folder.policies)
        self.quorum = Quorum(lambda: self.policies, clock)
        self.turn = Turn()
        self.on_policy: Callable[[], None] = lambda: None
        """Called when clients are to be met in another way."""
        self._receptions: set[Reception] = set()
        self._numbers = itertools.count(1)

    def new_guest(self, *, mutual: bool) -> Guest:
        """Somebody who has connected."""
        return Guest(number=next(self._numbers), mutual=mutual)

    def enter(self, reception: Reception) -> None:
        """Count a conversation among those that go on."""
        self._receptions.add(reception)

    def leave(self, reception: Reception) -> None:
        """Forget a conversation, and what dies with it."""
        self._receptions.discard(reception)
        self.quorum.forget(reception.guest.number)

    def is_logged_in(self, user: str) -> bool:
        """Whether somebody is connected as this user."""
        return any(each.guest.user == user for each in tuple(self._receptions))

    def identify(self, guest: Guest, name: str, password: str, tokens: object = None) -> User:
        """The user who proves to be itself, with the second factor if it has one.

        Raises:
            Refused: nobody of this name, a wrong password, a wrong or missing second factor, or locked out.
        """
        verdict = self.users.authenticate(name, password)
        user = self.users.get(name)
        role = user.role if user else Role.CRYPTO_USER
        self.node.say({"event": "login", "user": name.lower(), "role": role, "response": verdict})
        if verdict is Verdict.LOCKED:
            raise Refused(verdict, f"{name} is locked on {self.node.record.place.hsm_id}")
        if verdict is not Verdict.OK or user is None:
            raise Refused(Verdict.INCORRECT, LOGIN_FAILED)
        if user.mfa:
            check_challenge(user.public_key, guest.challenges.pop(user.name, None), tokens)
        return user

    def approve(self, guest: Guest, service: Service, args: Mapping[str, Any]) -> None:
        """Let the guest do something of a service; its token is used up.

        Raises:
            Refused: that needs approvals, and these do not do.
        """
        if self.quorum.approve(guest.user, service, args.get("approval"), self.users):
            self.note("approve token", self.users.named(guest.user))

    def activate(self, password: str) -> None:
        """Give the factory's admin its password.

        Raises:
            UsageError: the password is not what CloudHSM takes.
            Conflict: it has one already.
        """
        self.users.activate(password)
        self.node.say({"event": "activated"})

    def add_user(self, name: str, role: Role, password: str) -> None:
        """A new user; a crypto user gets a place for its keys.

        Raises:
            UsageError: name or password is not what CloudHSM takes.
            Conflict: there is no room for another user.
            Refused: the HSM is too busy to make the place.
        """
        self.users.check_free(name)
        check_user_fits(self.users, self.node.room.most)
        if role is Role.CRYPTO_USER:
            self._make_place(name.lower())
        self.note("create user", self.users.add(name, role, password))

    def put_user(self, user: User) -> None:
        """Have a user of a clone of this cluster as it is there."""
        if user.role is Role.CRYPTO_USER:
            self._make_place(user.name)
        self.users.put(user.name, user, self.users.place(user.name))
        self.note("create user", user)

    def set_policies(self, policies: Policies) -> None:
        """Have other policies from now on."""
        policies.write(self.node.folder.policies)
        self.policies = policies
        self.on_policy()

    def keys_of(self, user: str) -> int:
        """How many objects a user owns."""
        return self.node.objects_of(user)

    def note(self, what: str, user: User) -> None:
        """Have the audit log say what was done to a user."""
        self.node.say({"event": "user", "what": what, "user": user.name, "role": user.role})

    def note_key(self, what: str, *names: str) -> None:
        """Have the audit log say what was done to keys, by the names of their files."""
        self.node.say({"event": "key", "what": what, "names": names})

    def _make_place(self, user: str) -> None:
        """Give a user a token, and open the module anew so that it finds it.

        Raises:
            Refused: somebody's answer takes too long.
        """
        if user in self.node.record.tokens:
            return
        try:
            with self.turn.alone(_BUSY_SECONDS):
                self.node.add_token(user, tuple(self._receptions))
        except TimeoutError as error:
            raise Refused("", "Received error response code from Server. Response Code: 187") from error
        self.node.say({"event": "token", "user": user})
