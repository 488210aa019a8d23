"""Locks between processes of this machine: one file each, held by flock, freed by the kernel whatever happens."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from hsmctl.errors import Conflict
from hsmctl.private import private_folder


class FileLocks:
    """ports.Locks in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """The lock, held inside the context.

        Raises:
            Conflict: another process of this machine holds it (the message names its pid), or there can be no file.
        """
        path = self._path(name)
        try:
            private_folder(self._folder)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Conflict(f"{path} cannot be locked", str(error.strerror), "hsmctl doctor") from error
        try:
            _take(descriptor, name)
            try:
                yield
            finally:
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def holder(self, name: str) -> int | None:
        """The process that holds the lock, if one does; asking takes nothing."""
        try:
            pid = int(self._path(name).read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid

    def _path(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe='')}.lock"


def _take(descriptor: int, name: str) -> None:
    """Lock the file and write our pid into it, or say who has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        raise Conflict(f"{name} is being changed", f"by process {holder} on this machine", "wait for it") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
