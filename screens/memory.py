"""What the screens remember from one run to the next: theme, rate, sorting, hidden columns, what was typed after `:`.

A file that cannot be read, or is from a newer hsmctl, is as good as none: the screens open in any case. What is typed
after `:` holds no secret; passwords are asked for in a window of their own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from hsmctl.private import write_private

from .offload import call

VERSION = 1
LINES = 200
"""How many lines after `:` are kept."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """The preferences."""

    theme: str = ""
    every: Mapping[str, float] = field(default_factory=dict)
    """By context, the seconds between two looks; 0 is by hand."""
    orders: Mapping[str, str] = field(default_factory=dict)
    """By table, the column it is sorted by, with a minus downwards."""
    hidden: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By table, the columns that are not shown."""
    lines: tuple[str, ...] = ()
    """What was typed after `:`, oldest first."""

    def with_line(self, line: str) -> tuple[str, ...]:
        """The lines with this one last, each once."""
        return (*(known for known in self.lines if known != line), line)[-LINES:]


class Memory:
    """The file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = Remembered()
        """What stands in it."""
        self.busy = False
        """Whether it is being written."""

    def load(self) -> Remembered:
        """What was kept; nothing where there is nothing to be read."""
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return self._kept
        if isinstance(found, dict) and found.get("v") == VERSION:
            self._kept = _remembered(found)
        return self._kept

    async def follow(self, wanted: Callable[[], Remembered]) -> None:
        """Write down what is to be remembered, one after the other, so that the last is what stays."""
        self.busy = True
        while self._kept != (latest := wanted()):
            await call(partial(self.keep, latest))
        self.busy = False

    def keep(self, remembered: Remembered) -> None:
        """Write it down if it is not; where that cannot be, say so in the log and forget."""
        if remembered == self._kept:
            return
        document = json.dumps({"v": VERSION, **asdict(remembered)}, indent=1)
        try:
            write_private(self._path, document.encode())
        except OSError as error:
            _log.warning("%s: %s", self._path, error.strerror)
        self._kept = remembered


def _remembered(found: Mapping[str, object]) -> Remembered:
    """What of the document has the shape it should have; anybody may have edited it."""
    theme, lines = found.get("theme"), found.get("lines")
    return Remembered(
        theme=theme if isinstance(theme, str) else "",
        every={name: float(value) for name, value in _table(found, "every") if isinstance(value, int | float)},
        orders={name: value for name, value in _table(found, "orders") if isinstance(value, str)},
        hidden={
            name: tuple(column for column in value if isinstance(column, str))
            for name, value in _table(found, "hidden")
            if isinstance(value, list)
        },
        lines=tuple(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else (),
    )


def _table(found: Mapping[str, object], name: str) -> list[tuple[str, object]]:
    value = found.get(name)
    return list(value.items()) if isinstance(value, dict) else []
