"""The journal: append-only JSON Lines that say what was done, when, by whom and from where (architecture, section 4).

Nothing is ever rewritten. Each record carries the hash of the line before it, so that a line taken out or changed
shows; a line that a crash left half-written is closed by a `recovered` record. A secret is refused before a byte is
written.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields as fields_of
from dataclasses import is_dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

from hsmctl.errors import Conflict, Denied, Unreachable
from hsmctl.ports import Clock
from hsmctl.private import private_folder

VERSION = 1
"""The format this version writes; it reads every one up to it, for ever."""

_Line = bytes


class FileJournal:
    """ports.Journal in one file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def append(self, kind: str, fields: Mapping[str, object]) -> None:
        """Write one record, durably, before the caller goes on.

        Raises:
            TypeError: a field holds a secret, or something the journal cannot keep.
            Conflict: the journal was written by a newer hsmctl.
        """
        encoded = {name: plain(value) for name, value in fields.items()}
        with self._locked() as descriptor:
            last = _last_line(descriptor)
            if last and not last.endswith(b"\n"):
                last = self._write(descriptor, b"\n", last + b"\n", "recovered", {"torn_bytes": len(last)})
            elif last:
                _parsed(last, self._path)
            self._write(descriptor, b"", last, kind, encoded)
            os.fsync(descriptor)

    def records(self) -> Iterator[Mapping[str, object]]:
        """Every readable record, oldest first; what a crash tore is left out.

        Raises:
            Conflict: a record was written by a newer hsmctl.
        """
        for line in self._lines():
            if (record := _parsed(line, self._path)) is not None:
                yield record

    def broken(self) -> tuple[int, ...]:
        """The numbers, from 1, of the lines whose predecessor is not the one they were written after."""
        previous, wrong = b"", []
        for number, line in enumerate(self._lines(), 1):
            record = _parsed(line, self._path)
            if record is not None and record.get("previous") != _digest(previous):
                wrong.append(number)
            previous = line
        return tuple(wrong)

    def _lines(self) -> Iterator[_Line]:
        if self._path.exists():
            with self._path.open("rb") as stream:
                yield from stream

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The open file, ours alone until the context ends."""
        try:
            private_folder(self._path.parent)
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield descriptor
            finally:
                os.close(descriptor)
        except PermissionError as error:
            raise Denied(str(self._path), "not ours to write", "hsmctl doctor") from error
        except OSError as error:
            raise Unreachable(str(self._path), error.strerror or str(error), "hsmctl doctor") from error

    def _write(self, descriptor: int, before: bytes, previous: _Line, kind: str, fields: Mapping[str, object]) -> _Line:
        """Append one record, `before` in front of it; the line it has become."""
        stamp = {"v": VERSION, "kind": kind, "at": plain(self._clock.now()), **_who(), "previous": _digest(previous)}
        line = json.dumps({**stamp, **fields, **stamp}, separators=(",", ":")).encode() + b"\n"
        left = memoryview(before + line)
        while left:
            left = left[os.write(descriptor, left) :]
        return line


def _who() -> dict[str, object]:
    """Who writes, by user id and not by what the environment claims; the address is the SSH session's, if any."""
    source = os.environ.get("SSH_CONNECTION", "").split()
    return {
        "os_user": _user_name(os.getuid()),
        "sudo_user": os.environ.get("SUDO_USER"),
        "source": source[0] if source else None,
        "pid": os.getpid(),
    }


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def plain(value: object) -> object:
    """The value as JSON keeps it.

    Raises:
        TypeError: it is a secret, or of a type the journal does not know.
    """
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return str(value)
        case bytes():
            return value.hex()
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Path() | Decimal():
            return str(value)
        case Mapping():
            return {str(name): plain(each) for name, each in value.items()}
        case frozenset() | set():
            return sorted(str(plain(each)) for each in value)
        case list() | tuple():
            return [plain(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields_of(value)}
    raise TypeError(f"the journal does not keep a {type(value).__name__}")


def _last_line(descriptor: int) -> _Line:
    """The file's last line, with its newline unless it is torn; nothing if the file is empty."""
    end = os.fstat(descriptor).st_size
    tail = b""
    while end and b"\n" not in tail[:-1]:
        start = max(0, end - 65_536)
        tail = os.pread(descriptor, end - start, start) + tail
        end = start
    return tail[tail.rfind(b"\n", 0, -1) + 1 :]


def _parsed(line: _Line, path: Path) -> dict[str, object] | None:
    """The record of a line, or None for a torn one.

    Raises:
        Conflict: a newer hsmctl wrote it.
    """
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict):
        return None
    if not isinstance(record.get("v"), int) or record["v"] > VERSION:
        version = record.get("v")
        raise Conflict(str(path), f"its format is {version}, this hsmctl knows up to {VERSION}", "update hsmctl")
    return record


def _digest(line: _Line) -> str | None:
    """The SHA-256 of a line with its newline; None before the first."""
    return sha256(line).hexdigest() if line else None
