"""Reading every replica of a cluster's keys at once, and having the keys prove themselves where that is asked for."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from hsmctl.domain.proof import NONCE_BYTES, USES_PER_SECOND, Permission, refusals, refused, usable
from hsmctl.domain.sync import Inventory, Reading, Replica, Report
from hsmctl.errors import Conflict, Denied, Unreachable
from hsmctl.ports import Clock, Login, SignatureVerifier, Token, Tokens
from hsmctl.ports_sync import History
from hsmctl.services.fanout import each
from hsmctl.words import counted

if TYPE_CHECKING:
    from hsmctl.services.proof import Signatures

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncService:
    """Checks whether replicas hold the same keys."""

    clock: Clock
    tokens: Tokens
    login: Callable[[Replica], Login]
    """The crypto user to read a replica with."""
    permission: Permission
    """Which keys may be used for proofs."""
    verifier: Callable[[], SignatureVerifier]
    """Asked for only where keys prove themselves."""
    history: History | None = None
    """Remembers checks, if there is one."""
    grace: timedelta = timedelta(0)
    """How long a key that was seen to appear may take to be everywhere."""

    def nonce(self) -> bytes:
        """What one run of proofs is about; nobody could foresee it.

        Raises:
            Denied: no key may be used.
        """
        if not self.permission.everything and not self.permission.patterns:
            raise Denied(
                "no key may be used for proofs",
                "the context has no deep_allow",
                'add deep_allow = ["LABEL", "app-*"] to the context: each key it names is used once on every replica',
            )
        return secrets.token_bytes(NONCE_BYTES)

    def readings(self, replicas: Sequence[Replica], *, seconds: float, nonce: bytes | None = None) -> Iterator[Reading]:
        """What each replica answered, as the answers come; none later than `seconds` from now.

        With a nonce the keys that may be used are used, and the readings are to be settled.
        """
        logins = self.logins(replicas)
        deadline = self.clock.monotonic() + seconds

        def read(replica: Replica) -> Inventory:
            return self.read(replica, logins, deadline, nonce)

        for replica, outcome in each(replicas, read, clock=self.clock, deadline=deadline):
            yield Reading(replica, outcome)

    def logins(self, replicas: Sequence[Replica]) -> Mapping[str, Login]:
        """The login of each replica that can be asked, by its name.

        They are made before a clock runs and a fan-out begins: a prompt or a keyring is asked once, from here.
        """
        return {replica.name: self.login(replica) for replica in replicas if not replica.absent}

    def read(
        self, replica: Replica, logins: Mapping[str, Login], deadline: float, nonce: bytes | None = None
    ) -> Inventory:
        """What one replica holds, asked now.

        Raises:
            HsmctlError: why it could not be read.
        """
        if replica.absent:
            raise Unreachable(replica.name, replica.absent, "hsmctl hsm list")
        with self.tokens.open(replica, logins[replica.name], deadline) as token:
            return self._prove(token, replica, nonce, deadline) if nonce else token.inventory()

    def signatures(self, nonce: bytes) -> Signatures:
        """What settles the readings of the run with this nonce."""
        from hsmctl.services.proof import Signatures

        return Signatures(self.verifier(), nonce)

    def check(
        self,
        replicas: Sequence[Replica],
        *,
        seconds: float,
        nonce: bytes | None = None,
        heard: Callable[[Reading], object] = lambda _: None,
    ) -> Report:
        """The report on these replicas, columns in the order given; nothing is called wrong that was seen only once.

        With a nonce the keys that may be used are used. `heard` is told of each first answer as it comes.
        """
        from hsmctl.services.sync_check import checked

        return self._remembered(checked(self, replicas, seconds, nonce, heard))

    def _remembered(self, report: Report) -> Report:
        """The report with young keys as healing, once it is in the history; without one, no key is young."""
        if self.history is None:
            return report
        from hsmctl.domain.sync_again import graced
        from hsmctl.domain.sync_history import past, scope

        now = self.clock.now()
        try:
            appeared = self.history.appeared(scope(report)) if report.differences and self.grace else {}
            found = graced(report, appeared, now, self.grace)
            if len(found.unreadable) < len(found.readings):
                self.history.record(past(found, now), frozenset(row.identity for row in found.rows))
        except (Unreachable, Conflict) as error:
            _logger.warning("the check is not in the history: %s", error)
            return report
        return found

    def _prove(self, token: Token, replica: Replica, nonce: bytes, deadline: float) -> Inventory:
        """The inventory with the proofs of the keys that may be used, which is decided before any of them is.

        Raises:
            Unreachable: they are too many for the time that is left.
        """
        if self.permission.everything:
            return token.prove(nonce)
        untouched = token.prove(nonce, only=())
        why = refusals(replica, untouched, self.permission, self.verifier().certify)
        allowed = usable(untouched) - set(why)
        needed = len(allowed) / USES_PER_SECOND
        if self.clock.monotonic() + needed > deadline:
            raise Unreachable(
                f"{replica.name}: no time to use {counted(len(allowed), 'key')}",
                f"at {USES_PER_SECOND:.0f} in a second that takes {needed:.0f} s",
                "give it more with --deadline",
            )
        return refused(token.prove(nonce, allowed, USES_PER_SECOND), why)
