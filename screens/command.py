"""What can be done in the screens, each thing declared once.

A declaration feeds the key binding, the line of keys, the palette, `:` with its completion and the help. Its method is
`action_<name>` of the place; nothing here knows what a command does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from textual.binding import Binding, BindingType

from .completing import paths

if TYPE_CHECKING:
    from .place import Place


class Takes(StrEnum):
    """What may follow a command's name after `:`."""

    NOTHING = ""
    CLUSTER = "cluster"
    THEME = "theme"
    COLUMN = "column"
    SECONDS = "seconds"
    CONTEXT = "context"
    REGION = "region"
    FILE = "file"
    BUNDLE = "file.json"
    REASON = "reason"
    ZONE = "zone"
    CLIENT = "client"
    FAULT = "fault"
    IN_FORCE = "id"
    SCENARIO = "scenario"
    PATH = "path"
    KEY = "key"
    KEY_ID = "key id"
    USER = "user"
    TOKEN = "token"  # noqa: S105 - what it takes, not a secret
    TIME = "time"
    BACKUP = "backup"


def always(_: Place) -> bool:
    """True."""
    return True


def checkable(place: Place) -> bool:
    """Whether the place's cluster, or the one under its cursor, has users who could read keys."""
    from hsmctl.domain.status_cluster import RUNNING

    return place.cluster is not None and place.cluster.state in RUNNING


def about_cluster(place: Place) -> bool:
    """Whether the place is about a cluster."""
    return place.cluster is not None


def claimable(place: Place) -> bool:
    """Whether the place's cluster, or the one under its cursor, is yet to be claimed or given its first admins."""
    from hsmctl.domain.status_cluster import UNCLAIMED

    return place.cluster is not None and place.cluster.state in UNCLAIMED


def emulated(place: Place) -> bool:
    """Whether everything seen is a lab's."""
    return place.survey.lab


def steady(place: Place) -> bool:
    """Whether the place is about a cluster whose HSMs may come and go."""
    from hsmctl.domain.cluster import ClusterState

    return place.cluster is not None and place.cluster.state is ClusterState.ACTIVE


class Command(NamedTuple):
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
    of_app: bool = False
    """Whether it is the app that does it, and not the place."""
    changes: bool = False
    """Whether it changes an estate, which takes arming first."""
    form: tuple[str, ...] = ()
    """The command of the command line whose form it opens, such as `key generate`."""
    early: bool = False
    """Whether its key counts before the next one is looked at: what is typed right after it is for what it opens."""

    def runs(self, place: Place) -> bool:
        """Whether it can be done at this place now."""
        return self.available(place) and (not self.changes or place.survey.arming.armed)

    def action(self, argument: str = "") -> str:
        """The Textual action that runs it."""
        if self.noun:
            return f"go({self.name!r}, {argument!r})"
        if self.form:
            return f"form({self.name!r})"
        name = f"app.{self.name}" if self.of_app else self.name
        return f"{name}({argument!r})" if self.takes else name

    def binding(self) -> Binding:
        """Its key binding, which a keymap can change by the command's name."""
        return Binding(
            self.key,
            self.action(),
            self.label or self.name,
            id=self.name,
            tooltip=self.help,
            show=False,
            priority=self.early,
        )


_KEYCAPS = {
    "colon": ":",
    "slash": "/",
    "question_mark": "?",
    "right": "→",
    "escape": "esc",
    "ctrl+p": "^p",
    "ctrl+q": "^q",
    "ctrl+s": "^s",
}


def keycaps(keys: str) -> tuple[str, ...]:
    """Comma-separated keys as people write them."""
    return tuple(_KEYCAPS.get(key, key) for key in keys.split(",") if key)


def bindings(commands: Iterable[Command]) -> list[BindingType]:
    """The bindings of the commands that have keys."""
    return [command.binding() for command in commands if command.key]


def declared_as(action: str, parameters: tuple[object, ...]) -> str:
    """The name of the command that a Textual action runs."""
    return str(parameters[0]) if action in ("go", "form") and parameters else action


def completions(line: str, commands: Sequence[Command], arguments: Callable[[Takes], Sequence[str]]) -> tuple[str, ...]:
    """The lines a half-typed `:` line can become, best first; `arguments` are those a command may take."""
    name, space, rest = line.lstrip().partition(" ")
    if not space:
        beginning = [command for command in commands if command.name.startswith(name)]
        return tuple(command.name for command in sorted(beginning, key=lambda command: not command.noun))
    takes = next((command.takes for command in commands if command.name == name), Takes.NOTHING)
    found = paths(rest.strip()) if takes is Takes.PATH else arguments(takes)
    return tuple(f"{name} {argument}" for argument in found if argument.startswith(rest.strip()))


def says(line: str, commands: Sequence[Command]) -> str:
    """What the command of a half-typed `:` line does, once it is clear which; else nothing."""
    name = line.lstrip().partition(" ")[0]
    found = [command for command in commands if command.name == name]
    found = found or [command for command in commands if name and command.name.startswith(name)]
    return found[0].help if len(found) == 1 else ""


FLEET = Command(name="fleet", help="show every cluster, the worst first", noun=True)
CLUSTER = Command(name="cluster", help="show a cluster's HSMs, backups and facts", noun=True, takes=Takes.CLUSTER)
SYNC = Command(
    name="sync", help="show which replica holds which key", key="s", noun=True,
    takes=Takes.CLUSTER,
)  # fmt: skip
KEY = Command(
    name="key", help="browse a cluster's keys", key="K", label="keys", noun=True, takes=Takes.CLUSTER,
)  # fmt: skip
OPERATION = Command(name="operation", help="show what was changed from here, and how it goes", key="x", noun=True)
NET = Command(
    name="net", help="show which client reaches which HSM, and why not", key="n", noun=True, takes=Takes.CLUSTER
)
USER = Command(
    name="user", help="show a cluster's users and its quorum", key="u", label="users", noun=True, takes=Takes.CLUSTER
)
CEREMONY = Command(
    name="ceremony",
    help="claim a cluster step by step: CSR, hardware, signature, activation",
    key="I",
    noun=True,
    takes=Takes.CLUSTER,
)
TIMELINE = Command(
    name="timeline", help="show what happened to a cluster, and by whom", key="t", noun=True, takes=Takes.CLUSTER
)
LAB = Command(name="lab", help="show the lab and have it go wrong", key="L", noun=True, available=emulated)
LOG = Command(name="log", help="show the journal of this machine", key="l", noun=True)
NOUNS = (FLEET, CLUSTER, SYNC, KEY, NET, USER, CEREMONY, TIMELINE, OPERATION, LAB, LOG)
"""The places."""

OPEN = Command(name="open", help="open what the cursor is on", key="enter")
BACK = Command(name="back", help="drop the filter, or go back", key="escape")
FILTER = Command(name="filter", help="show only matching rows", key="slash", early=True)
LINE = Command(name="line", help="go to a place or run a command", key="colon", label="go", early=True)
HELP = Command(name="help", help="say what keys, commands and signs mean", key="question_mark")
REFRESH = Command(name="refresh", help="ask again now", key="r")
DESCRIBE = Command(name="describe", help="tell everything about what the cursor is on", key="d")
COPY = Command(name="copy", help="copy the id of what the cursor is on", key="y")
ALL_KEYS = Command(name="all", help="show or fold the keys that agree", key="a")
CHECK = Command(name="check", help="compare the keys on every replica now", key="c", available=checkable)
HOLD = Command(
    name="hold", help="refuse removals from this cluster, for a reason", takes=Takes.REASON, available=about_cluster
)
RELEASE = Command(
    name="release", help="allow removals again, for a reason", takes=Takes.REASON, changes=True, available=about_cluster
)
EVIDENCE = Command(
    name="evidence", help="write what differs into a file for AWS Support", key="e", takes=Takes.BUNDLE,
    available=about_cluster,
)  # fmt: skip
SORT = Command(name="sort", help="sort by the next column, or by the one named", key="o", takes=Takes.COLUMN)
TURN = Command(name="turn", help="turn the order round", key="O")
HIDE = Command(name="hide", help="hide a column, or show it again", takes=Takes.COLUMN)
SAVE = Command(name="save", help="save what is shown as csv, json or svg", key="ctrl+s", takes=Takes.FILE)
STOP = Command(name="stop", help="give up whatever is being waited for", of_app=True)
PAUSE = Command(name="pause", help="ask AWS only when told, or by itself again", key="p", of_app=True)
EVERY = Command(name="every", help="set how often AWS is asked: 30, or off", takes=Takes.SECONDS, of_app=True)
ARM = Command(name="arm", help="allow changes for ten minutes", takes=Takes.REASON, of_app=True)
DISARM = Command(name="disarm", help="allow no changes any more", of_app=True)
CONTEXT = Command(
    name="context", help="work in another context, or in several together: a,b", takes=Takes.CONTEXT, of_app=True
)
REGION = Command(
    name="region",
    help="work in another region, or in several together: a,b or all",
    takes=Takes.REGION,
    of_app=True,
)
THEME = Command(name="theme", help="change the colours", takes=Takes.THEME, of_app=True)
QUIT = Command(name="quit", help="leave hsmctl", key="q", of_app=True)
LOOKING = (SORT, TURN, HIDE, SAVE, PAUSE, EVERY)
SESSION = (ARM, DISARM, CONTEXT, REGION, THEME, STOP, QUIT)
BASIC = (OPEN, BACK, FILTER, LINE, HELP, REFRESH, DESCRIBE, COPY)
SECTIONS = (("EVERYWHERE", BASIC), ("LOOKING", LOOKING), ("SESSION", SESSION))
"""How the help groups what every place offers, apart from the places themselves."""
COMMON = (*BASIC, *LOOKING, *SESSION, *NOUNS)
"""What every place offers."""
ADD = Command(
    name="add", help="add HSMs, in these zones or the emptiest one", takes=Takes.ZONE, changes=True, available=steady
)
REMOVE = Command(name="remove", help="delete the HSM under the cursor", changes=True, available=steady)
REPLACE = Command(name="replace", help="put a new HSM in the place of this one", changes=True, available=steady)
RESUME = Command(name="resume", help="go on with the operation that was cut off", changes=True)
ABANDON = Command(name="abandon", help="close an operation as it stands", takes=Takes.REASON, changes=True)
NEXT_HSM = Command(name="next_hsm", help="draw the way to the next HSM", key="h", label="next HSM")
PROBE = Command(name="probe", help="try from every client host whether the HSMs answer", key="c")
CLIENT = Command(name="client", help="ask about one more client", takes=Takes.CLIENT)
FIX = Command(name="fix", help="copy the command that mends the way", key="f", label="copy fix")
SINCE = Command(name="since", help="look so far back: 24h, 7d, or from a time on", takes=Takes.TIME)
UNTIL = Command(name="until", help="look no further than a time; without one until now, live", takes=Takes.TIME)
SESSIONS = Command(name="sessions", help="show logins and logouts, or no longer", key="e")
ALARMS = Command(name="alarms", help="show only what takes away, opens or failed, or all", key="w")
CREATE = Command(
    name="create", help="create a cluster, which :ceremony then claims", form=("cluster", "create"), changes=True
)
INJECT = Command(name="inject", help="have something go wrong at this HSM", key="i", takes=Takes.FAULT)
CLEAR = Command(name="clear", help="end a fault, or all", key="C", takes=Takes.IN_FORCE)
PLAY = Command(name="play", help="play a scenario", key="P", takes=Takes.SCENARIO)
ALL = (
    *COMMON,
    NEXT_HSM,
    PROBE,
    CLIENT,
    FIX,
    INJECT,
    CLEAR,
    PLAY,
    CHECK,
    ALL_KEYS,
    HOLD,
    RELEASE,
    EVIDENCE,
    ADD,
    REMOVE,
    REPLACE,
    RESUME,
    ABANDON,
)
"""Every command there is, whichever place has it."""
