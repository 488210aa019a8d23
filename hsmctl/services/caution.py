"""Looking before a login over PKCS#11: a user who is locked, or not the same on every HSM, is not logged in.

The library says neither how many attempts are left nor on which HSM one was counted, so `user list` is read on a client
host first, once for each user in a process, where the context has a client host. Nobody logs in for that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from hsmctl.domain.sync import Replica
from hsmctl.domain.user import HsmUser, Role, check_may_log_in, find
from hsmctl.errors import HsmctlError
from hsmctl.ports import Clock, Login
from hsmctl.services.console import ConsoleService
from hsmctl.services.fanout import within

Gate = Callable[[Replica, Login, float], AbstractContextManager[None]]
"""Lets one login through, or refuses it."""

_logger = logging.getLogger(__name__)


class Caution:
    """A gate that looks at the user before the one behind it."""

    def __init__(self, console: Callable[[], ConsoleService], gate: Gate, clock: Clock) -> None:
        self._console = console
        self._gate = gate
        self._clock = clock
        self._looked: set[tuple[str, str]] = set()

    @contextmanager
    def gate(self, replica: Replica, login: Login, deadline: float) -> Iterator[None]:
        """One login, made inside the context.

        Raises:
            Denied: the user is locked or differs between HSMs, so nothing is sent; or what the gate behind refuses.
            Conflict: there is no such user, or it is no crypto user.
        """
        if replica.realm and (replica.realm, login.user) not in self._looked:
            self._check(replica.realm, login.user, deadline)
            self._looked.add((replica.realm, login.user))
        with self._gate(replica, login, deadline):
            yield

    def _check(self, cluster_id: str, name: str, deadline: float) -> None:
        """Refuse a login that could cost an attempt; where nobody can look, it is said and left to the breaker."""
        now = self._clock.monotonic()
        half = now + max(0.0, deadline - now) / 2  # the login needs the rest
        try:
            users = within(lambda: self._users(cluster_id), "user list", clock=self._clock, deadline=half)
        except HsmctlError as error:
            _logger.warning("whether %s is locked is not known, attempts left: unknown (%s)", name, error)
            return
        check_may_log_in(find(users, name), Role.CRYPTO_USER)

    def _users(self, cluster_id: str) -> tuple[HsmUser, ...]:
        with self._console().open(cluster_id) as console:
            return console.users()
