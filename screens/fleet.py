"""The fleet: what needs attention, every cluster, the worst first, and the HSMs of the one under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Size

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.evidence import Grade
from hsmctl.domain.status_cluster import RUNNING
from hsmctl.domain.status_finding import Finding, Severity, Topic
from hsmctl.mark import Mark
from hsmctl.words import counted

from . import blank
from .attention import MARKS, attention, problems, standing
from .column import Column
from .command import (
    CEREMONY,
    CHECK,
    CREATE,
    DESCRIBE,
    FILTER,
    HELP,
    KEY,
    LINE,
    NET,
    OPEN,
    REFRESH,
    SYNC,
    Command,
    bindings,
    claimable,
)
from .detail import Detail, facts, noted, tiles
from .estate import Check, Estate, Problem
from .facts import of_cluster, of_error, title_of
from .glyph import GRADES, Role, Spans, rank, role, sign
from .lanes import lanes
from .legend import with_legend
from .lines import Lines
from .place import Description, Place
from .several import Several
from .survey import Survey
from .verdict import few_words, hsm_tiles, long, next_step, short, since
from .words import cluster_name, region_word, state_word

_TIGHT = 7
"""Lines up to which nothing is left blank."""
_ROOMY = 16
"""Lines from which on the detail tells the facts, and the problems that the attention block has no room for."""


class FleetScreen(Place):
    """Where hsmctl opens."""

    CSS_PATH = None
    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, CHECK, CREATE)
    BINDINGS = bindings([CHECK])
    offered: ClassVar[tuple[Command, ...]] = (OPEN, SYNC, KEY, CHECK, FILTER, LINE, HELP)

    def __init__(self, several: Several) -> None:
        self._several = several
        self.clusters: Lines[Cluster] = Lines(
            self._columns(), lambda cluster: cluster.cluster_id, id="clusters", empty=blank.ASKING
        )
        self.attention: Lines[Problem] = Lines((), _told_apart, id="attention")
        self.calm = Detail(id="calm")
        self.lanes = Detail(id="lanes")
        super().__init__(several.surveys[0], ("fleet",), self.clusters)

    @property
    def survey(self) -> Survey:
        """That of the cluster under the cursor, the first where there is none."""
        return (self._several.of(self.cluster) if self.cluster else None) or self._several.surveys[0]

    @property
    def estate(self) -> Estate:
        """What is known of all places."""
        return self._several.estate

    def is_same(self, other: object) -> bool:
        """There is one fleet."""
        return isinstance(other, FleetScreen)

    @property
    def cluster(self) -> Cluster | None:
        """The cluster under the cursor."""
        return self.problem.cluster if self.problem else self.clusters.current

    @property
    def problem(self) -> Problem | None:
        """The problem under the cursor, while the cursor is among the problems."""
        return self.attention.current if self.attention.has_focus else None

    @property
    def subject(self) -> str | None:
        """The cluster's id."""
        return self.cluster.cluster_id if self.cluster else None

    @property
    def offers(self) -> tuple[Command, ...]:
        """What can be done with the cluster under the cursor, or where there is none."""
        if self.cluster is None:
            return (*((DESCRIBE,) if self.estate.error else ()), REFRESH, CREATE, LINE, HELP)
        return (OPEN, CEREMONY, NET, FILTER, LINE, HELP) if claimable(self) else self.offered

    def body(self) -> ComposeResult:
        """Attention and clusters, where there is room their HSMs by zone, and beside or below them the detail."""
        with Vertical(id="main"):
            yield self.calm
            yield self.attention
            yield self.clusters
            yield self.lanes
        yield self.detail

    def move(self, several: Several) -> None:
        """Show the estates of other places from now on."""
        self._several = several
        self.clusters.teach(blank.ASKING)
        self.clusters.show((), self._columns())
        self.hear(several.estate)

    def show(self) -> None:
        """Put the worst on top."""
        estate = self.estate
        found = attention(estate)
        self.attention.show(found, _attention_columns(found))
        self.attention.display = bool(found)
        self.calm.display = not found and bool(estate.clusters)
        self.calm.draw(lambda _: [((" ", Role.PLAIN), *_calm(estate))])
        self.lanes.draw(self._lanes)
        self.call_after_refresh(self._moved)
        if estate.clusters is not None:
            self.clusters.teach(blank.none(self.survey))
            self.clusters.show(sorted(estate.clusters, key=self._order))
        elif estate.error:
            self.clusters.teach(blank.UNKNOWN)

    def tick(self) -> None:
        """Keep the ages true, those in the table too."""
        super().tick()
        self.clusters.renew()

    def describe(self, width: int) -> Description | None:
        """The error under the cursor, or the cluster."""
        error = self.problem.error if self.problem else None if self.cluster else self.estate.error
        if error:
            return of_error(error)
        return (title_of(self.cluster), facts(of_cluster(self.cluster), width)) if self.cluster else None

    def action_open(self) -> None:
        """Go where the problem under the cursor shows, or to the cluster."""
        if self.cluster is None:
            self.action_describe()
        else:
            self.hsmctl_app.go(self.problem.noun if self.problem else "cluster", self.cluster)

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)
        if self._several.many:
            self.tick()

    def _detail(self, room: Size) -> list[Spans]:
        """The cluster under the cursor: what is wrong with it, how that is known, its HSMs, its facts."""
        cluster, estate = self.cluster, self.estate
        if cluster is None:
            return list(blank.failed(estate.error, self.survey, room.width)) if estate.error else []
        name = (f" {cluster_name(cluster)}", Role.STRONG)
        lines: list[Spans] = [(name, (f"  {cluster.cluster_id}  {cluster.hsm_type} {cluster.mode}", Role.MUTED))]
        lines += long(estate.check(cluster), room.width) if cluster.state in RUNNING else next_step(cluster, room.width)
        if room.height > _ROOMY and self._hides_some:
            for problem in problems(cluster, estate):
                lines += noted(sign(problem.mark), problem.text, room.width)
        if room.height > _TIGHT:
            lines.append(())
        lines += tiles(hsm_tiles(cluster, estate), Size(room.width, room.height - len(lines)))
        if room.height > _ROOMY:
            lines += [(), *facts(of_cluster(cluster), room.width)]
        return lines

    @property
    def _hides_some(self) -> bool:
        """Whether there are more problems than the attention block shows at once."""
        height = self.attention.size.height
        return 0 < height < self.attention.virtual_size.height

    def _lanes(self, room: Size) -> list[Spans]:
        """The HSMs of all clusters by zone, and what the signs mean."""
        clusters = self.clusters.rows.items
        shown = lanes(clusters, self.estate) if len(clusters) > 1 else ()
        return with_legend([(), *shown], room.width, room.height)

    def _order(self, cluster: Cluster) -> tuple[int, str]:
        return rank(standing(cluster, self.estate)), cluster_name(cluster)

    def _columns(self) -> tuple[Column[Cluster], ...]:
        """The columns, which ask the survey so that they always show the newest check."""

        def check(cluster: Cluster) -> Check:
            return self.estate.check(cluster)

        def mark(cluster: Cluster) -> Spans:
            return sign(standing(cluster, self.estate)), (f" {cluster_name(cluster)}", Role.STRONG)

        def why(cluster: Cluster) -> str:
            return next((problem.brief for problem in problems(cluster, self.estate)), "")

        def sync(cluster: Cluster) -> Spans:
            return short(check(cluster), self._now()) if cluster.state in RUNNING else (("–", Role.MUTED),)

        return (
            Column(heads=("CLUSTER",), text=cluster_name, draw=mark, width=10, grows=True),
            *self._whereabouts(),
            Column(heads=("STATE",), text=lambda cluster: state_word(cluster.state), width=6, grows=True),
            Column(heads=("HSMS",), text=_hsms, draw=_hsms_drawn, width=5, right=True),
            Column(heads=("SYNC",), text=lambda cluster: few_words(check(cluster)), draw=sync, width=14, grows=True),
            Column(
                heads=("AGE",),
                text=lambda cluster: since(check(cluster), self._now()),
                role=Role.MUTED,
                width=6,
                right=True,
                room=100,
            ),
            self._topic("USERS", Topic.USERS, 5),
            self._topic("KMS", Topic.KMS, 3),
            self._topic("REACH", Topic.REACH, 5),
            self._topic("BACKUP", Topic.BACKUP, 7),
            Column(heads=("WHY",), text=why, width=12, grows=True, room=110),
        )

    def _whereabouts(self) -> Sequence[Column[Cluster]]:
        """Columns that tell places apart, where there are several."""

        def context(cluster: Cluster) -> str:
            survey = self._several.of(cluster)
            return survey.hsmctl.context.name if survey else ""

        def region(cluster: Cluster) -> str:
            return region_word(cluster.region)

        wheres = Column(heads=("CONTEXT",), text=context, width=8), Column(heads=("REGION",), text=region, width=6)
        return wheres[0 if self._several.contexts > 1 else 1 :] if self._several.many else ()

    def _topic(self, head: str, topic: Topic, width: int) -> Column[Cluster]:
        """A column of what `hsmctl status` finds about a topic, at its worst; a dash where nothing is known."""

        def found(cluster: Cluster) -> Finding | None:
            told = self.estate.standings.get(cluster.cluster_id)
            return told.on(topic) if told else None

        def text(cluster: Cluster) -> str:
            finding = found(cluster)
            return finding.brief if finding and finding.brief != "none" else "–"

        def draw(cluster: Cluster) -> Spans:
            finding = found(cluster)
            if finding is None or finding.brief == "none":
                return (("–", Role.MUTED),)
            bad = finding.severity is not Severity.OK
            mark = MARKS[finding.severity] if bad else GRADES[finding.grade or Grade.REPORTED]
            brief = finding.brief if len(finding.brief) <= width - 2 else ""
            return sign(mark), (f" {brief}", role(mark) if bad and mark is not Mark.UNREADABLE else Role.PLAIN)

        return Column(heads=(head,), text=text, draw=draw, width=width, room=100 if self._several.many else 78)

    def _now(self) -> datetime:
        return self.survey.hsmctl.clock.now()


def _told_apart(problem: Problem) -> tuple[str, str]:
    """What makes two problems the same across refreshes."""
    return problem.cluster.cluster_id if problem.cluster else "", problem.text


def _whose(problem: Problem) -> str:
    return cluster_name(problem.cluster) if problem.cluster else problem.where or "AWS"


def _attention_columns(found: Sequence[Problem]) -> tuple[Column[Problem], ...]:
    """Whose problem it is, quietly where the line above says so already, and the problem."""
    again = {_told_apart(one) for above, one in pairwise(found) if _whose(above) == _whose(one)}

    def origin(problem: Problem) -> Spans:
        said = Role.MUTED if _told_apart(problem) in again else Role.STRONG
        return sign(problem.mark), (f" {_whose(problem)}", said)

    return (
        Column(heads=(f"ATTENTION {len(found)}",), text=_whose, draw=origin, width=11, grows=True),
        Column(heads=("",), text=lambda problem: problem.text, width=20, grows=True),
    )


def _hsms(cluster: Cluster) -> str:
    """Active and all."""
    return f"{len(cluster.active_hsms)}/{len(cluster.hsms)}"


def _hsms_drawn(cluster: Cluster) -> Spans:
    whole = len(cluster.active_hsms) == len(cluster.hsms)
    return ((_hsms(cluster), Role.PLAIN if whole else Role.WARN),)


def _calm(estate: Estate) -> Spans:
    """What may be said when there is no problem: only what was looked at."""
    clusters = estate.clusters
    if not clusters:
        return ()
    unchecked = [cluster for cluster in clusters if not estate.check(cluster).whole]
    if not unchecked:
        return sign(Mark.REPORTED), (f" nothing needs attention in {counted(len(clusters), 'cluster')}", Role.GOOD)
    if any(estate.check(cluster).running for cluster in unchecked):
        return sign(Mark.PENDING), (f" checking {counted(len(unchecked), 'cluster')}", Role.ACCENT)
    words = f" {counted(len(unchecked), 'cluster')} of {len(clusters)} not checked: c compares its keys"
    return sign(Mark.UNPROVEN), (words, Role.MUTED)
