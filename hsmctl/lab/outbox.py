"""What one HSM still has to tell its siblings: reports of changes that outlive its process, in its folder's `outbox`.

An entry is written before the call that may make or destroy objects and completed after it, so a process that is
killed anywhere in between knows at its next start that it has to look for them. An entry goes when every sibling has
them. Files are not fsynced: SoftHSM's are not either. Refuses to know who the siblings are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hsmctl.lab.objectfile import Torn
from hsmctl.lab.softhsm import object_files, read_object


@dataclass(frozen=True, slots=True)
class Entry:
    """One report: its number, the user whose token it is about, and the object files that appeared or are gone."""

    number: int
    user: str
    names: tuple[str, ...] | None = None
    """None where the call has not ended."""
    cut_off: bool = False
    """Whether the process was killed before the call ended; the objects are those that appeared meanwhile."""
    destroys: bool = False
    """Whether the call was to destroy objects."""
    before: tuple[str, ...] = ()
    """The object files there were before a call that destroys: which of them it meant, only their absence tells."""


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

    def begin(self, user: str, *, destroys: bool = False) -> Entry:
        """A new entry, before a call that may make, or destroy, objects of a user; calls come one at a time."""
        self._last += 1
        before = tuple(sorted(object_files(self._tokens / user))) if destroys else ()
        return self._write(Entry(self._last, user, destroys=destroys, before=before))

    def finish(self, entry: Entry, names: tuple[str, ...]) -> Entry:
        """The entry with what the call did; without anything it is settled."""
        finished = Entry(entry.number, entry.user, names, destroys=entry.destroys)
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
        user, names, destroys = kept["user"], kept["names"], bool(kept.get("destroys"))
        if names is not None:
            return Entry(_number(path), user, tuple(names), destroys=destroys)
        if destroys:
            gone = tuple(sorted(set(kept["before"]) - set(object_files(self._tokens / user))))
            return Entry(_number(path), user, gone, destroys=True)
        return Entry(_number(path), user, self._since(path, user), cut_off=True)

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
        kept = {"user": entry.user, "names": entry.names, "destroys": entry.destroys, "before": entry.before}
        temporary.write_text(json.dumps(kept))
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
