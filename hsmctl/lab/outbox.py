"""What one HSM still has to tell its siblings: reports of changes that outlive its process, in its folder's `outbox`.

An entry is written before the call that may make objects and completed after it, so a process that is killed anywhere
in between knows at its next start that it has to look for them. An entry goes when every sibling has the objects. Files
are not fsynced: SoftHSM's are not either. Refuses to know who the siblings are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hsmctl.lab.objectfile import Torn
from hsmctl.lab.softhsm import object_files, read_object


@dataclass(frozen=True, slots=True)
class Entry:
    """One report: its number, the user whose token it is about, and the object files that appeared."""

    number: int
    user: str
    names: tuple[str, ...] | None = None
    """None where the call has not ended."""
    cut_off: bool = False
    """Whether the process was killed before the call ended; the objects are those that appeared meanwhile."""


class Outbox:
    """The reports of one HSM that are not settled."""

    def __init__(self, folder: Path, tokens: Path) -> None:
        self._folder = folder
        self._tokens = tokens
        folder.mkdir(mode=0o700, exist_ok=True)
        self._last = max((int(path.name) for path in self._entries()), default=0)

    def unsettled(self) -> tuple[Entry, ...]:
        """What an earlier process left, oldest first; what was cut off has the objects that are there now."""
        return tuple(self._read(path) for path in sorted(self._entries(), key=_number))

    def begin(self, user: str) -> Entry:
        """A new entry, before a call that may make objects of a user; calls come one at a time."""
        self._last += 1
        return self._write(Entry(self._last, user))

    def finish(self, entry: Entry, names: tuple[str, ...]) -> Entry:
        """The entry with what the call made; without anything it is settled."""
        finished = Entry(entry.number, entry.user, names)
        if names:
            return self._write(finished)
        self._path(entry.number).unlink()
        return finished

    def settle(self, number: int) -> None:
        """Forget every entry up to this number."""
        for path in list(self._entries()):
            if _number(path) <= number:
                path.unlink(missing_ok=True)

    def _read(self, path: Path) -> Entry:
        kept = json.loads(path.read_text())
        user, names = kept["user"], kept["names"]
        if names is None:
            return Entry(_number(path), user, self._since(path, user), cut_off=True)
        return Entry(_number(path), user, tuple(names))

    def _since(self, path: Path, user: str) -> tuple[str, ...]:
        """The finished objects that appeared after an entry was written; a sibling's among them do no harm."""
        began, token = path.stat().st_mtime_ns, self._tokens / user
        return tuple(
            name
            for name in sorted(object_files(token))
            if (token / name).stat().st_mtime_ns >= began and _finished(token, name)
        )

    def _write(self, entry: Entry) -> Entry:
        path = self._path(entry.number)
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps({"user": entry.user, "names": entry.names}))
        temporary.replace(path)
        return entry

    def _entries(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.name.isdecimal()]

    def _path(self, number: int) -> Path:
        return self._folder / str(number)


def _number(path: Path) -> int:
    return int(path.name)


def _finished(token: Path, name: str) -> bool:
    try:
        read_object(token, name)
    except Torn:
        return False
    return True
