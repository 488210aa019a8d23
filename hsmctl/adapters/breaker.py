"""The breaker: a PIN that was refused is tried by no process of this machine again (architecture, section 8).

Knows who may log in now, and remembers refusals in the state folder under a keyed fingerprint instead of the PIN.
Refuses to know how a login is made, and when a refused PIN might have become right: an operator says so by `reset`.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from hsmctl.domain.sync import Replica
from hsmctl.errors import Conflict, Denied, PinRefused, Unreachable
from hsmctl.ports import Clock, Login, RefusedLogin
from hsmctl.private import private_folder, write_private
from hsmctl.words import instant

VERSION = 1
"""The format this version reads and writes."""

TURN_SECONDS = 2.0
"""How long a login without an answer keeps the user's other logins waiting: one slow HSM must not hide the rest."""

FRESH_SECONDS = 5.0
"""How long an accepted login lets this process make others at the same time; the password may change after it."""

_LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What a refusal is remembered for."""

    realm: str
    user: str
    fingerprint: str

    @property
    def lock(self) -> str:
        """The name of the file whose lock is this user's turn, whatever the PIN."""
        return f"login-{sha256(f'{self.realm}/{self.user}'.encode()).hexdigest()[:16]}.lock"


class FileBreaker:
    """ports.Breaker in a folder, and the gate through which logins go."""

    def __init__(self, folder: Path, clock: Clock, *, turn: float = TURN_SECONDS) -> None:
        self._folder = folder
        self._path = folder / "breaker.json"
        self._clock = clock
        self._turn_seconds = turn
        self._accepted: dict[_Attempt, float] = {}

    @contextmanager
    def gate(self, replica: Replica, login: Login, deadline: float) -> Iterator[None]:
        """One login, made inside the context; until one is accepted, a user's logins are made one after the other.

        Raises:
            Denied: this PIN was refused before.
            Unreachable: other logins of the user took until the deadline.
        """
        realm = replica.realm or replica.name
        attempt = _Attempt(realm, login.user, login.password.fingerprint(self._key))
        with self._turn(attempt, deadline):
            self._check(attempt)
            try:
                yield
            except PinRefused:
                self._trip(attempt, replica)
                raise
            self._accepted[attempt] = self._clock.monotonic()

    def refused(self) -> tuple[RefusedLogin, ...]:
        """What is not tried again, oldest first.

        Raises:
            Conflict: a newer hsmctl wrote the file, or it is damaged.
        """
        with _translated(self._path):
            return _parsed(self._path.read_bytes(), self._path) if self._path.exists() else ()

    def reset(self, logins: Sequence[RefusedLogin]) -> None:
        """Forget these refusals."""
        with self._changing():
            self._write(tuple(each for each in self.refused() if each not in logins))

    @cached_property
    def _key(self) -> bytes:
        """The key of the fingerprints, made on first use; without it the file says nothing about a PIN."""
        path = self._folder / "breaker.key"
        with self._changing():
            if not path.exists():
                write_private(path, secrets.token_bytes(32))
            return path.read_bytes()

    def _check(self, attempt: _Attempt) -> None:
        """Refuse what was refused."""
        for known in self.refused():
            if _Attempt(known.realm, known.user, known.fingerprint) == attempt:
                raise Denied(
                    f"user {known.user}",
                    f"this PIN was refused at {instant(known.at)} by {known.replica}, so it is not tried again",
                    f"correct the PIN, or hsmctl login reset {known.user}",
                )

    def _trip(self, attempt: _Attempt, replica: Replica) -> None:
        """Remember a refusal."""
        now = RefusedLogin(
            realm=attempt.realm,
            user=attempt.user,
            fingerprint=attempt.fingerprint,
            replica=replica.name,
            at=self._clock.now(),
        )
        with self._changing():
            self._write((*self.refused(), now))

    def _write(self, logins: Sequence[RefusedLogin]) -> None:
        rows = [{**asdict(each), "at": each.at.isoformat()} for each in logins]
        write_private(self._path, json.dumps({"v": VERSION, "refused": rows}, indent=1).encode())

    @contextmanager
    def _turn(self, attempt: _Attempt, deadline: float) -> Iterator[None]:
        """Ours alone, unless this process has just seen the same login accepted."""
        with self._lock_file(attempt.lock) as descriptor:
            while not self._is_accepted(attempt) and not _locked(descriptor):
                if self._clock.monotonic() >= deadline:
                    raise Unreachable(f"user {attempt.user}", "earlier logins took too long", "try again")
                self._clock.sleep(_LOOK_SECONDS)
            with _unlocking_after(self._turn_seconds, descriptor):
                yield

    def _is_accepted(self, attempt: _Attempt) -> bool:
        then = self._accepted.get(attempt)
        return then is not None and self._clock.monotonic() - then < FRESH_SECONDS

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The files of the breaker, ours alone; held for moments only."""
        with self._lock_file("breaker.lock") as descriptor, _translated(self._path):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _lock_file(self, name: str) -> Iterator[int]:
        with _translated(self._path):
            path = private_folder(self._folder / "locks") / name
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Whether the file's lock could be taken at once."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _unlocking_after(seconds: float, descriptor: int) -> Iterator[None]:
    """The lock is given back after so long, whatever is going on inside."""
    timer = threading.Timer(seconds, fcntl.flock, (descriptor, fcntl.LOCK_UN))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        # The number of a closed descriptor is soon another file's.
        timer.join()


def _parsed(data: bytes, path: Path) -> tuple[RefusedLogin, ...]:
    """What the file says."""
    try:
        document = json.loads(data)
        if document["v"] > VERSION:
            raise Conflict(str(path), f"its format is {document['v']}, this hsmctl knows {VERSION}", "update hsmctl")
        return tuple(RefusedLogin(**{**row, "at": datetime.fromisoformat(row["at"])}) for row in document["refused"])
    except (KeyError, TypeError, ValueError) as error:
        raise Conflict(str(path), f"it is damaged: {error!r}", f"look at it, then remove it: rm {path}") from error


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Where the state folder cannot be used nobody logs in: a refusal could not be remembered."""
    try:
        yield
    except PermissionError as error:
        raise Denied(str(path), "not ours to read and write", "hsmctl doctor") from error
    except OSError as error:
        raise Unreachable(str(path), error.strerror or str(error), "hsmctl doctor") from error
