"""The fleet: what needs attention, every cluster, the worst first, and the HSMs of the one under the cursor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Size

from . import blank
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
from .detail import Detail, facts
from .estate import Estate
from .glyph import Role, Spans
from .legend import with_legend
from .lines import Lines
from .place import Description, Place
from .several import Several
from .survey import Survey

if TYPE_CHECKING:
    from hsmctl.domain.cluster import Cluster

    from .problem import Problem


class FleetScreen(Place):
    """Where hsmctl opens."""

    CSS_PATH = None
    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, CHECK, CREATE)
    BINDINGS = bindings([CHECK])
    offered: ClassVar[tuple[Command, ...]] = (OPEN, SYNC, KEY, CHECK, FILTER, LINE, HELP)

    def __init__(self, several: Several) -> None:
        self._several = several
        self.clusters: Lines[Cluster] = Lines((), lambda cluster: cluster.cluster_id, id="clusters", empty=blank.ASKING)
        self.attention: Lines[Problem] = Lines((), lambda problem: problem.identity, id="attention")
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
        self.clusters.show((), ())
        self.attention.show((), ())
        self.hear(several.estate)

    def show(self) -> None:
        """Put the worst on top, once there is anything."""
        if self.estate.answered:
            self._show_answers(self.estate)
        else:
            self.attention.display = self.calm.display = False
        self.lanes.draw(self._lanes)
        self.call_after_refresh(self._moved)

    def _show_answers(self, estate: Estate) -> None:
        from .attention import attention
        from .fleet_table import calm, cluster_columns, problem_columns, worst_first

        found = attention(estate)
        self.attention.show(found, problem_columns(found))
        self.attention.display = bool(found)
        self.calm.display = not found and bool(estate.clusters)
        self.calm.draw(lambda _: [((" ", Role.PLAIN), *calm(estate))])
        if estate.clusters is not None:
            self.clusters.teach(blank.none(self.survey))
            columns = self.clusters.rows.columns or cluster_columns(self._several)
            self.clusters.show(worst_first(estate.clusters, estate), columns)
        elif estate.error:
            self.clusters.teach(blank.UNKNOWN)

    def tick(self) -> None:
        """Keep the ages true, those in the table too."""
        super().tick()
        self.clusters.renew()

    def describe(self, width: int) -> Description | None:
        """The error under the cursor, or the cluster."""
        from .facts import of_cluster, of_error, title_of

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

    def _detail(self, room: Size) -> Iterable[Spans]:
        """The cluster under the cursor, or why there is none."""
        cluster, error = self.cluster, self.estate.error
        if cluster is None:
            return blank.failed(error, self.survey, room.width) if error else ()
        from .fleet_detail import told

        return told(cluster, self.estate, room, crowded=self._hides_some)

    @property
    def _hides_some(self) -> bool:
        """Whether there are more problems than the attention block shows at once."""
        height = self.attention.size.height
        return 0 < height < self.attention.virtual_size.height

    def _lanes(self, room: Size) -> list[Spans]:
        """The HSMs of all clusters by zone, and what the signs mean."""
        clusters, lines = self.clusters.rows.items, list[Spans]([()])
        if len(clusters) > 1:
            from .lanes import lanes

            lines += lanes(clusters, self.estate)
        return with_legend(lines, room.width, room.height)
