"""What can be done in the screens, each thing declared once.

A declaration feeds the key binding, the line of keys, the palette, `:` with its completion and the help. Its method is
`action_<name>` of the place; nothing here knows what a command does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from textual.binding import Binding, BindingType

from .estate import CHECKABLE

if TYPE_CHECKING:
    from .place import Place


class Takes(StrEnum):
    """What may follow a command's name after `:`."""

    NOTHING = ""
    CLUSTER = "cluster"
    THEME = "theme"


def always(_: Place) -> bool:
    """True."""
    return True


def checkable(place: Place) -> bool:
    """Whether the place's cluster, or the one under its cursor, has users who could read keys."""
    return place.cluster is not None and place.cluster.state in CHECKABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of the screens."""

    name: str
    """What `:` and the palette call it, and its id in a keymap."""
    help: str
    """What it does, as the second half of `it will ...`."""
    key: str = ""
    """Its keys, comma-separated; dangerous and expensive commands have none."""
    label: str = ""
    """What the line of keys says; the name, unless told."""
    noun: bool = False
    """Whether it leads to a place of that name."""
    takes: Takes = Takes.NOTHING
    available: Callable[[Place], bool] = always

    @property
    def keys(self) -> tuple[str, ...]:
        """Its keys as people write them."""
        return tuple(_KEYCAPS.get(key, key) for key in self.key.split(",") if key)

    def action(self, argument: str = "") -> str:
        """The Textual action that runs it."""
        if self.noun:
            return f"go({self.name!r}, {argument!r})"
        return f"{self.name}({argument!r})" if self.takes else self.name

    def binding(self) -> Binding:
        """Its key binding, which a keymap can change by the command's name."""
        return Binding(self.key, self.action(), self.label or self.name, id=self.name, tooltip=self.help, show=False)


_KEYCAPS = {
    "colon": ":",
    "slash": "/",
    "question_mark": "?",
    "escape": "esc",
    "ctrl+p": "^p",
    "ctrl+q": "^q",
}


def bindings(commands: Iterable[Command]) -> list[BindingType]:
    """The bindings of the commands that have keys."""
    return [command.binding() for command in commands if command.key]


def declared_as(action: str, parameters: tuple[object, ...]) -> str:
    """The name of the command that a Textual action runs."""
    return str(parameters[0]) if action == "go" and parameters else action


def completions(line: str, commands: Sequence[Command], arguments: Callable[[Takes], Sequence[str]]) -> tuple[str, ...]:
    """The lines a half-typed `:` line can become, best first; `arguments` are those a command may take."""
    name, space, rest = line.lstrip().partition(" ")
    if not space:
        beginning = [command for command in commands if command.name.startswith(name)]
        return tuple(command.name for command in sorted(beginning, key=lambda command: not command.noun))
    takes = next((command.takes for command in commands if command.name == name), Takes.NOTHING)
    return tuple(f"{name} {argument}" for argument in arguments(takes) if argument.startswith(rest.strip()))


FLEET = Command(name="fleet", help="show every cluster, the worst first", noun=True)
CLUSTER = Command(name="cluster", help="show a cluster's HSMs, backups and facts", noun=True, takes=Takes.CLUSTER)
SYNC = Command(
    name="sync", help="show which replica holds which key", key="s", noun=True,
    takes=Takes.CLUSTER,
)  # fmt: skip
KEY = Command(
    name="key", help="browse a cluster's keys", key="K", label="keys", noun=True, takes=Takes.CLUSTER,
)  # fmt: skip
NOUNS = (FLEET, CLUSTER, SYNC, KEY)
"""The places."""

OPEN = Command(name="open", help="open what the cursor is on", key="enter")
BACK = Command(name="back", help="drop the filter, or go back", key="escape")
FILTER = Command(name="filter", help="show only matching rows", key="slash")
LINE = Command(name="line", help="go to a place or run a command", key="colon", label="go")
HELP = Command(name="help", help="say what keys, commands and signs mean", key="question_mark")
REFRESH = Command(name="refresh", help="ask again now", key="r")
DESCRIBE = Command(name="describe", help="tell everything about what the cursor is on", key="d")
COPY = Command(name="copy", help="copy the id of what the cursor is on", key="y")
CHECK = Command(name="check", help="compare the keys on every replica now", key="c", available=checkable)
STOP = Command(name="stop", help="give up whatever is being waited for")
THEME = Command(name="theme", help="change the colours", takes=Takes.THEME)
QUIT = Command(name="quit", help="leave hsmctl", key="q,ctrl+q")
COMMON = (OPEN, BACK, FILTER, LINE, HELP, REFRESH, DESCRIBE, COPY, STOP, THEME, QUIT, *NOUNS)
"""What every place offers."""
