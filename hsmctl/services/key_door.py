"""The way in to one token for one piece of work: the first replica that answers, one login, a lost session said."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from hsmctl.domain.ckr import LOST
from hsmctl.domain.key import Key, ObjectClass
from hsmctl.domain.key_name import KeyName, choose
from hsmctl.domain.key_offer import NOT_OFFERED, lacking
from hsmctl.domain.sync import Replica
from hsmctl.errors import Conflict, DeviceError, HsmctlError, Unreachable
from hsmctl.ports import Clock, Login, Token, Tokens

T = TypeVar("T")
Work = Callable[[Replica, Token], T]
"""What is done in a logged-in conversation."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDoor:
    """Opens tokens for work on single keys; to PKCS#11 a cluster is one token, so any of its HSMs will do."""

    clock: Clock
    tokens: Tokens
    login: Callable[[Replica], Login]

    def look(self, replicas: Sequence[Replica], seconds: float, work: Work[T]) -> T:
        """What work that changes nothing finds on the first replica that answers; a lost session is opened once more.

        A replica gets half of the time that is left, so that a frozen one does not use it up.

        Raises:
            Denied: a login was refused; it is not tried on another.
            Unreachable: nobody answered.
            DeviceError: the token refused.
        """
        error: HsmctlError = Conflict("no HSM to ask", "the cluster has none that is ACTIVE", "hsmctl hsm list")
        end = self.clock.monotonic() + seconds
        asked = [replica for replica in replicas if not replica.absent]
        for place, replica in enumerate(asked):
            until = self.clock.monotonic() + share(end, self.clock, len(asked) - place - 1)
            try:
                return self._twice(replica, until, work)
            except Unreachable as unreachable:
                error = unreachable
        raise error

    @contextmanager
    def opened(self, replicas: Sequence[Replica], seconds: float) -> Iterator[tuple[Replica, Token]]:
        """The first replica that can be opened: what is begun on it is done there, and nothing is done twice.

        Raises:
            HsmctlError: as for `look`; Unreachable after it was opened means that what was asked may have happened.
        """
        error: HsmctlError = Conflict("no HSM to ask", "the cluster has none that is ACTIVE", "hsmctl hsm list")
        deadline = self.clock.monotonic() + seconds
        with ExitStack() as stack:
            for replica in (each for each in replicas if not each.absent):
                try:
                    token = stack.enter_context(self.tokens.open(replica, self.login(replica), deadline))
                except Unreachable as unreachable:
                    error = unreachable
                else:
                    yield replica, token
                    return
        raise error

    def change(self, replicas: Sequence[Replica], seconds: float, work: Work[T]) -> T:
        """What work comes to that changes something, or uses a key, on one replica (`opened`)."""
        with self.opened(replicas, seconds) as (replica, token):
            return work(replica, token)

    def _twice(self, replica: Replica, deadline: float, work: Work[T]) -> T:
        login = self.login(replica)
        try:
            with self.tokens.open(replica, login, deadline) as token:
                return work(replica, token)
        except DeviceError as error:
            if error.ckr not in LOST:
                raise
            say_lost(replica, error)
        try:
            with self.tokens.open(replica, login, deadline) as token:
                return work(replica, token)
        except DeviceError as error:
            if error.ckr not in LOST:
                raise
            raise gone(replica, error) from error


def share(deadline: float, clock: Clock, others: int) -> float:
    """The seconds that a replica may take until the deadline, where so many others are left to be asked after it.

    Half of them, whatever their number: a login or a long list takes as long on each of two HSMs as on each of 28.
    """
    left = max(0.0, deadline - clock.monotonic())
    return left / 2 if others else left


def say_lost(replica: Replica, error: DeviceError) -> None:
    """Say that a session was lost and is opened again."""
    _logger.warning("%s lost the session (%s): opened again, once", replica.name, error.ckr)


def gone(replica: Replica, error: DeviceError) -> Unreachable:
    """What it is that a session was lost, and so was the one that was opened after it: the token is not there."""
    why = f"it lost the session, and the next one, too ({error.ckr})"
    return Unreachable(f"no answer from {replica.name}", why, "hsmctl token list; hsmctl explain " + error.ckr)


@contextmanager
def offered(token: Token, what: str, wanted: Sequence[str], instead: Sequence[str]) -> Iterator[None]:
    """Say with what a token lacks, and has instead, that it does not do something; it was tried, not guessed.

    Raises:
        DeviceError: as the token refused, with `what` it does not do.
    """
    try:
        yield
    except DeviceError as error:
        if error.ckr not in NOT_OFFERED:
            raise
        why = f"{lacking(token.objects.describe(), wanted, instead)} ({error.ckr})"
        raise DeviceError(what, why, "hsmctl token show", ckr=error.ckr) from error


def lasting(replica: Replica, token: Token) -> str:
    """What the token is for good (`Replica.lasting`), by its own word where no cluster says it."""
    return replica.lasting("" if replica.realm else token.objects.describe().serial)


def only(token: Token, name: KeyName, classes: Sequence[ObjectClass] = (), where: str = "") -> Key:
    """The one object that a name means on this token (`domain.key_name.choose`).

    Raises:
        Conflict: it means none, none of the classes that serve, or more than one.
    """
    keys = token.inventory().keys if name.fingerprint else token.objects.find(name.template)
    return choose(name, keys, classes, where)
