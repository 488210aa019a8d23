"""The sync matrix of a cluster's replicas, and what each holds of the key under the cursor."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.cluster import Cluster
from hsmctl.mark import Mark

from . import hold
from .bundle import bundle
from .check import Check
from .command import ALL_KEYS, CHECK, EVIDENCE, FILTER, HELP, HOLD, KEY, LINE, RELEASE, Command, bindings
from .detail import Detail, noted
from .evidence import evidence, title_of
from .glyph import Role, Spans, sign
from .judgement import Agreement
from .legend import with_legend
from .lines import Lines
from .matrix import Line, columns, identity, lines
from .past import history, replicas
from .place import Description, Place
from .survey import Survey
from .verdict import long
from .words import cluster_name

_OWN = (CHECK, ALL_KEYS, HOLD, RELEASE, EVIDENCE)


class SyncScreen(Place):
    """The matrix."""

    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, *_OWN)
    BINDINGS = bindings(_OWN)
    offered: ClassVar[tuple[Command, ...]] = (ALL_KEYS, CHECK, EVIDENCE, KEY, FILTER, LINE, HELP)

    def __init__(self, survey: Survey, cluster: Cluster) -> None:
        self._cluster = cluster
        self._unfolded = False
        self._searching = False
        self._shown: Check | None = None
        self.matrix: Lines[Line] = Lines((), identity, id="matrix")
        self.verdict = Detail(id="verdict")
        super().__init__(survey, ("fleet", cluster_name(cluster), "sync"), self.matrix)

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.survey.estate.cluster(self._cluster.cluster_id) or self._cluster

    @property
    def check(self) -> Check:
        """The cluster's check."""
        return self.survey.estate.check(self._cluster)

    @property
    def aged(self) -> datetime | None:
        """When the report was made."""
        return self.check.at

    @property
    def subject(self) -> str | None:
        """The label of the key under the cursor."""
        line = self.matrix.current
        return None if line is None or isinstance(line, Agreement) else str(line.identity)

    def body(self) -> ComposeResult:
        """The verdict, the matrix, the evidence."""
        yield self.verdict
        yield self.matrix
        yield self.detail

    def show(self) -> None:
        """Show the check, however far it is."""
        check = self.check
        self.verdict.draw(lambda room: self._verdict(room.width))
        shown, self._shown = self._shown, check
        if shown is None or shown.judgement is not check.judgement or shown.awaited != check.awaited:
            self._fill()

    async def action_filter(self) -> None:
        """Search all keys, also those that are folded."""
        self._searching = True
        self._fill()
        await super().action_filter()

    def sift(self, query: str) -> None:
        """Show what the query keeps of all keys; without a query the keys that agree fold again."""
        if self._searching != bool(query):
            self._searching = bool(query)
            self._fill()
        self.matrix.sift(query)

    def describe(self, width: int) -> Description | None:
        """The whole evidence about the key under the cursor."""
        line = self.matrix.current
        if line is None or isinstance(line, Agreement):
            told = replicas(self.check, Size(width, 100))
            return (cluster_name(self.cluster), told) if told else None
        return title_of(line), evidence(line, self.check, width, whole=True)

    def action_open(self) -> None:
        """Unfold the keys that agree, or tell everything about one."""
        if isinstance(self.matrix.current, Agreement):
            self.action_all()
        else:
            self.action_describe()

    def action_all(self) -> None:
        """Show every key, or only those that differ."""
        self._unfolded = not self._unfolded
        self._fill()

    async def action_hold(self, reason: str = "") -> None:
        """Have nothing removed from the cluster."""
        await hold.hold(self, reason)

    async def action_release(self, reason: str = "") -> None:
        """Have the cluster changed again."""
        await hold.release(self, reason)

    async def action_evidence(self, name: str = "") -> None:
        """Write what differs into a file."""
        await bundle(self, name)

    def on_resize(self) -> None:
        """Make the columns for the new width, which the table has once everything is laid out."""
        self._fill()
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        check = self.check
        self.matrix.teach(_words(check))
        shown = lines(check, unfolded=self._unfolded or self._searching)
        self.matrix.show(shown, columns(check, self.matrix.size.width or self.size.width))

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)

    def _verdict(self, width: int) -> list[Spans]:
        """The verdict, whether somebody holds the cluster, how the checks before went."""
        lines = long(self.check, width)
        hold = self.survey.estate.holds.get(self._cluster.cluster_id)
        if hold is not None:
            lines += noted(sign(Mark.ATTENTION), f"held by {hold.set_by}: {hold.reason}", width)
        return [*lines, *history(self.check, self.survey.hsmctl.clock.now())]

    def _detail(self, room: Size) -> list[Spans]:
        line = self.matrix.current
        if line is None or isinstance(line, Agreement):
            return with_legend(list(replicas(self.check, room)), room.width, room.height)
        lines = [((" ", Role.PLAIN), (title_of(line), Role.STRONG)), *evidence(line, self.check, room.width)]
        below = room.height - len(lines) - 1
        if below > len(self.check.replicas):
            lines += [(), *replicas(self.check, Size(room.width, below))]
        return with_legend(lines, room.width, room.height)[: room.height]


def _words(check: Check) -> tuple[Spans, ...]:
    """What an empty matrix says."""
    if check.running:
        return (((f"{Mark.PENDING.glyph} reading {len(check.replicas)} replicas", Role.ACCENT),),)
    if check.error:
        return (
            (sign(Mark.UNREADABLE), (f" {check.error}", Role.PLAIN)),
            ((check.error.hint, Role.ACCENT),),
        )
    if check.report is None:
        return (
            (("The keys of this cluster were not compared yet.", Role.STRONG),),
            (("One row a key, one column a replica; whatever differs comes first.", Role.MUTED),),
            ((CHECK.key, Role.ACCENT), ("  compares them now; it reads attributes and uses no key", Role.MUTED)),
        )
    return ((("no replica showed a key", Role.MUTED),),)
