"""Which process owns a folder: a file held by flock that names its holder, and the end of a holder that lost its right.

A process is told apart from a later one with the same pid by its start time. Refuses to know what is in the folder.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: its id and when it started, in clock ticks since boot (/proc/PID/stat)."""

    pid: int
    started: int


class Owned(Exception):
    """Another process has the folder."""

    def __init__(self, owner: Owner | None) -> None:
        super().__init__(f"owned by {owner.pid}" if owner else "owned by a process that did not say who it is")
        self.owner = owner


def own(path: Path) -> int:
    """Take a lock file for the rest of this process's life; the descriptor that holds it.

    Raises:
        Owned: another process holds it.
    """
    descriptor = _locked(path)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {_started(os.getpid())}".encode(), 0)
    return descriptor


def still_owned(descriptor: int, path: Path) -> bool:
    """Whether a descriptor holds the lock file that others find at this path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def is_owned(path: Path) -> bool:
    """Whether a process holds the lock file now."""
    try:
        os.close(_locked(path))
    except Owned:
        return True
    return False


def wait_free(path: Path, seconds: float) -> bool:
    """Whether nobody holds the lock file any more, waiting at most `seconds` for it."""
    deadline = time.monotonic() + seconds
    while owned := is_owned(path):
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return not owned


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a lock file inside the context, waiting for whoever holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def end_owner(path: Path) -> Owner | None:
    """End the process that holds the lock file: CONT, TERM and, where that is not enough, KILL; who it was."""
    try:
        os.close(_locked(path))
    except Owned as owned:
        if owned.owner:
            _end(owned.owner)
        return owned.owner
    return None


def _locked(path: Path) -> int:
    """A descriptor that holds the lock file."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fields = os.read(descriptor, 64).split()
        os.close(descriptor)
        raise Owned(Owner(int(fields[0]), int(fields[1])) if len(fields) == 2 else None) from None
    return descriptor


def _started(pid: int) -> int | None:
    """When a process started, or None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in parentheses and may hold anything; the start time is the 22nd.
    return int(stat.rpartition(")")[2].split()[19])


def _end(owner: Owner) -> None:
    """Signal this very process, not a later one with its pid, until it is gone."""
    try:
        process = os.pidfd_open(owner.pid)
    except ProcessLookupError:
        return
    try:
        if _started(owner.pid) != owner.started:
            return
        for number in (signal.SIGCONT, signal.SIGTERM):
            signal.pidfd_send_signal(process, number)
        if not _gone(process, _PATIENCE_SECONDS):
            signal.pidfd_send_signal(process, signal.SIGKILL)
            _gone(process, _PATIENCE_SECONDS)
    except ProcessLookupError:
        return
    finally:
        os.close(process)


def _gone(process: int, seconds: float) -> bool:
    """Whether a process ended within `seconds` (a pidfd is readable then)."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
