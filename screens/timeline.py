"""What happened to a cluster, by whom and where, the newest first; whose silence means nothing is said on top."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.timeline import Happening, Looked, Source, Timeline, Weight
from hsmctl.errors import HsmctlError, UsageError
from hsmctl.mark import Mark
from hsmctl.words import counted, instant

from .command import ALARMS, DESCRIBE, FILTER, HELP, LINE, OPEN, SESSIONS, SINCE, UNTIL, Command, bindings
from .detail import Detail, noted
from .facts import failure, of_error
from .glyph import Role, Spans, sign
from .happening import COLUMNS, Line, lines, told
from .lines import Lines
from .offload import call
from .operation import visit
from .place import Description, Place
from .survey import Survey
from .words import cluster_name, listed

SECONDS = 45.0
"""How long the sources may take to answer."""
LIVE = timedelta(seconds=30)
"""How old the list becomes, at the least, before it is read again by itself: CloudTrail answers twice a second."""
USUAL = "24h"
_NAMED = 2
"""Places that could not be read that are named for each reason."""
_UNITS = {"m": 60.0, "h": 3_600.0, "d": 86_400.0}
_ASKING: tuple[Spans, ...] = (
    ((f"{Mark.PENDING.glyph} asking CloudTrail, the HSMs' audit logs and our journal", Role.ACCENT),),
)
_NONE: tuple[Spans, ...] = (
    (("Nothing happened in this time that could be seen.", Role.STRONG),),
    ((":since 7d", Role.ACCENT), ("  looks further back; CloudTrail is up to 15 minutes late", Role.MUTED)),
)
_OWN = (SINCE, UNTIL, SESSIONS, ALARMS)


class TimelineScreen(Place):
    """The timeline of one cluster."""

    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, *_OWN)
    BINDINGS = bindings(_OWN)
    offered: ClassVar[tuple[Command, ...]] = (OPEN, DESCRIBE, SESSIONS, ALARMS, FILTER, LINE, HELP)

    def __init__(self, survey: Survey, cluster: Cluster) -> None:
        self._cluster = cluster
        self._since, self._until = USUAL, ""
        self._sessions = self._alarms = self._asking = False
        self._found: Timeline | None = None
        self._kept = 0
        """Events that are shown, folded or not."""
        self._error: HsmctlError | None = None
        self._opened: frozenset[Hashable] = frozenset()
        """The lines that stand unfolded."""
        self.events: Lines[Line] = Lines(COLUMNS, lambda line: line.identity, id="timeline", empty=_ASKING)
        self.verdict = Detail(id="verdict")
        super().__init__(survey, ("fleet", cluster_name(cluster), "timeline"), self.events)

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.survey.estate.cluster(self._cluster.cluster_id) or self._cluster

    @property
    def aged(self) -> datetime | None:
        """When the list was read."""
        return self._found.until if self._found else None

    @property
    def subject(self) -> str | None:
        """How the event under the cursor is found at its source."""
        return self.events.current.last.reference if self.events.current else None

    def body(self) -> ComposeResult:
        """How far the list goes and what is missing, the events, one of them."""
        yield self.verdict
        yield self.events
        yield self.detail

    def on_mount(self) -> None:
        """Ask."""
        super().on_mount()
        self.verdict.draw(lambda room: self._reach(room.width))
        self.read()

    def tick(self) -> None:
        """Keep the list new as long as it goes until now."""
        super().tick()
        every = timedelta(seconds=self.hsmctl_app.every)
        live = self.is_current and every and not self._until and not self._asking and self._error is None
        if live and self._found and self.survey.hsmctl.clock.now() - self._found.until >= max(LIVE, every):
            self.read()

    def describe(self, width: int) -> Description | None:
        """The event under the cursor, whole, or why there is none."""
        line = self.events.current
        if line is None:
            return of_error(self._error) if self._error else None
        return line.what, told(line, width)

    def action_open(self) -> None:
        """Go to the operation, where the event is one of ours; unfold or fold many; else tell everything about it."""
        line = self.events.current
        if line is not None and line.several:
            self._opened ^= {line.identity}
            self._fill()
            return
        event = line.last if line else None
        if event is None or event.source is not Source.JOURNAL or not event.reference:
            self.action_describe()
            return
        visit(self, event.reference)

    def action_refresh(self) -> None:
        """Ask again."""
        self.read()

    def action_since(self, wanted: str = "") -> None:
        """Look so far back, or from this time on."""
        self._ask_for(wanted or USUAL, self._until)

    def action_until(self, wanted: str = "") -> None:
        """Look no further than this time; without one, until now, and live."""
        self._ask_for(self._since, "" if wanted == "now" else wanted)

    def action_sessions(self) -> None:
        """Show logins and logouts, or no longer."""
        self._sessions = not self._sessions
        self._fill()

    def action_alarms(self) -> None:
        """Show only what takes something away, opens something or failed, or everything again."""
        self._alarms = not self._alarms
        self._fill()

    @work(group="timeline", exclusive=True)
    async def read(self) -> None:
        """Ask every source in the background; what was there stays until they have answered."""
        now, service = self.survey.hsmctl.clock.now(), self.survey.hsmctl
        self._asking = True
        self.verdict.refresh()
        try:
            since, until = moment(self._since, now), moment(self._until, now) if self._until else now
            name = self._cluster.cluster_id
            self._found = await call(lambda: service.timeline.collect(name, since, until, SECONDS), seconds=2 * SECONDS)
            self._error = None
        except HsmctlError as error:
            self._error = error
        finally:
            self._asking = False
            self._fill()

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)

    def _ask_for(self, since: str, until: str) -> None:
        """Look at another time, if it is one."""
        now = self.survey.hsmctl.clock.now()
        try:
            begin, end = moment(since, now), moment(until, now) if until else now
        except UsageError as error:
            self.complain(f"{error} · {error.hint}")
            return
        if begin >= end:
            self.complain(f"{instant(begin)} is not before {instant(end)}")
            return
        self._since, self._until = since, until
        self.read()

    def _fill(self) -> None:
        if self._error:
            self.events.teach(failure(self._error, self.size.width))
        else:
            self.events.teach(_NONE)
        if self._found:
            kept = [each for each in self._found.happenings if self._wanted(each)]
            self._kept = len(kept)
            self.events.show(list(lines(kept, self._opened)))
        self.verdict.refresh(layout=True)
        self.tick()

    def _wanted(self, event: Happening) -> bool:
        if self._alarms:
            return event.weight is Weight.ALARM
        return self._sessions or event.weight is not Weight.SESSION

    def _reach(self, width: int) -> Iterator[Spans]:
        """The time that is shown, what is left out, and each place whose silence means nothing."""
        pending: Spans = (sign(Mark.PENDING), (" asking   ", Role.ACCENT)) if self._asking else ()
        if self._error:
            pending = (*pending, sign(Mark.UNREADABLE), (f" {self._error} · d tells more   ", Role.BAD))
        found = self._found
        if found is None:
            yield ((" ", Role.PLAIN), *pending)
            return
        until = instant(found.until) if self._until else "now"
        left = sum(each.weight is Weight.SESSION for each in found.happenings) if not self._sessions else 0
        says = f"{counted(self._kept, 'event')} from {instant(found.since)} to {until}"
        only = "   alarms only" if self._alarms else f"   {counted(left, 'session event')} left out" if left else ""
        mark = Mark.PARTIAL if found.unread else Mark.REPORTED
        yield (" ", Role.PLAIN), *pending, sign(mark), (f" {says}", Role.PLAIN), (only, Role.MUTED)
        for why, places in _reasons(found.unread).items():
            yield from noted(sign(Mark.UNREADABLE), f"UNKNOWN: {listed(places, _NAMED)}: {why}", width)

    def _detail(self, room: Size) -> list[Spans]:
        line = self.events.current
        return told(line, room.width)[: room.height] if line else []


def _reasons(unread: Sequence[Looked]) -> Mapping[str, Sequence[str]]:
    """The places whose silence means nothing, by why that is."""
    reasons: dict[str, list[str]] = {}
    for each in unread:
        reasons.setdefault(str(each.error or each.remark), []).append(f"{each.source} {each.name}")
    return reasons


def moment(text: str, now: datetime) -> datetime:
    """A point in time as it is typed: how long ago, such as 24h, or a time, in UTC unless it says otherwise.

    Raises:
        UsageError: it is neither.
    """
    ago = re.fullmatch(r"(\d+)([mhd])", text.strip())
    if ago:
        return now - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(text, "it is no time such as 24h or 2026-11-28T02:10", ":since 24h") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
