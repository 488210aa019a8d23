"""Completion of what is half typed, after `:` and in the fields of forms: what it can become, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

MOST = 500
"""Entries of a folder that are looked at."""


class Completion:
    """What a text can become, best first; asking again for what was taken gives the next."""

    def __init__(self, complete: Callable[[str], Sequence[str]]) -> None:
        """`complete` gives what a half-typed text can become."""
        self._complete = complete
        self._offered: tuple[str, ...] = ()

    def offer(self, text: str) -> Sequence[str]:
        """What the text can become; while it is one of those it was completed to, what it could have become."""
        if text not in self._offered:
            self._offered = ()
            return self._complete(text)
        return self._offered

    def begin(self, text: str) -> None:
        """Let the first completion go through what this can become, whatever is typed already."""
        self._offered = tuple(self._complete(text))

    def next(self, text: str) -> str | None:
        """The best completion, or the one after the text where that is one; None where there is none but itself."""
        if text not in self._offered:
            self._offered = tuple(self._complete(text))
        if not self._offered or self._offered == (text,):
            return None
        place = self._offered.index(text) + 1 if text in self._offered else 0
        return self._offered[place % len(self._offered)]


def paths(typed: str) -> Sequence[str]:
    """The files and folders that begin so; folders end with a slash, hidden ones come only when asked for."""
    folder, slash, name = typed.rpartition("/")
    where = Path(folder + slash).expanduser() if slash else Path()
    try:
        found = [(each.name, each.is_dir()) for each in islice(where.iterdir(), MOST)]
    except OSError:
        return ()
    fitting = (
        pair for pair in sorted(found) if pair[0].startswith(name) and pair[0].startswith(".") <= (name[:1] == ".")
    )
    return tuple(f"{folder}{slash}{each}{'/' if is_folder else ''}" for each, is_folder in fitting)
