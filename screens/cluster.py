"""A cluster: its HSMs by zone and its facts, as AWS describes them, with what the check of its keys showed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.cluster import Backup, BackupState, Cluster, Hsm
from hsmctl.domain.scale import emptiest_zones
from hsmctl.domain.status_cluster import RUNNING
from hsmctl.errors import HsmctlError
from hsmctl.mark import Mark
from hsmctl.words import age, counted

from . import hold, story
from .attention import hsm_mark, problems
from .change import propose
from .cluster_command import FORMS
from .cluster_facts import backups, chains, changes
from .column import Column
from .command import (
    ADD,
    CEREMONY,
    CHECK,
    COPY,
    DESCRIBE,
    HELP,
    HOLD,
    KEY,
    LINE,
    NET,
    RELEASE,
    REMOVE,
    REPLACE,
    SYNC,
    TIMELINE,
    Command,
    Takes,
    bindings,
    claimable,
)
from .detail import Detail, cut, facts, noted
from .facts import Fact, of_cluster, of_hsm, title_of
from .glyph import Role, Spans, sign
from .lines import Lines
from .offload import call
from .place import Description, Place
from .reason import reason
from .story import Story
from .survey import Survey
from .verdict import held, long, next_step
from .words import cluster_name, state_word, zone_names

_FEW, _MANY = 2, 6
"""Problems that are told above the HSMs, on a low screen and on a high one."""
_NO_HSM = (
    (("This cluster has no HSM.", Role.STRONG),),
    (("Nothing can be signed or decrypted, and the cluster costs nothing, until one is created.", Role.MUTED),),
)


class ClusterScreen(Place):
    """One cluster."""

    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, CHECK, HOLD, RELEASE, ADD, REMOVE, REPLACE, *FORMS)
    BINDINGS = bindings([CHECK])
    offered: ClassVar[tuple[Command, ...]] = (SYNC, KEY, CHECK, DESCRIBE, COPY, LINE, HELP)
    before: ClassVar[tuple[Command, ...]] = (CEREMONY, NET, DESCRIBE, COPY, TIMELINE, LINE, HELP)
    """What is offered before anybody can use the cluster."""

    def __init__(self, survey: Survey, cluster: Cluster) -> None:
        self._cluster = cluster
        self._backups: tuple[Backup, ...] | HsmctlError | None = None
        self._story: Story | None = None
        self.hsms: Lines[Hsm] = Lines(self._columns(), lambda hsm: hsm.hsm_id, id="hsms", empty=_NO_HSM)
        self.verdict = Detail(id="verdict")
        self.lately = Detail(id="lately")
        super().__init__(survey, ("fleet", cluster_name(cluster)), self.hsms)

    @property
    def cluster(self) -> Cluster:
        """The cluster as last seen."""
        return self.survey.estate.cluster(self._cluster.cluster_id) or self._cluster

    @property
    def subject(self) -> str | None:
        """The id of the HSM under the cursor."""
        return self.hsms.current.hsm_id if self.hsms.current else self._cluster.cluster_id

    @property
    def offers(self) -> tuple[Command, ...]:
        """What can be done with the cluster as it is."""
        return self.before if claimable(self) else self.offered

    def body(self) -> ComposeResult:
        """The verdict, the HSMs, the facts; where there is room beside them, what happened lately below."""
        yield self.verdict
        yield self.hsms
        yield self.lately
        yield self.detail

    def on_mount(self) -> None:
        """Ask for the backups and for what happened, too."""
        super().on_mount()
        self.ask_backups()
        self.ask_story()

    def show(self) -> None:
        """Show the cluster as it is now."""
        self.hsms.show(sorted(self.cluster.hsms, key=lambda hsm: (hsm.zone, hsm.hsm_id)))
        self.verdict.draw(lambda room: self._verdict(room.width))
        self._redraw()

    def describe(self, width: int) -> Description | None:
        """The HSM under the cursor."""
        hsm = self.hsms.current
        title, told = (hsm.hsm_id, of_hsm(hsm)) if hsm else (title_of(self.cluster), of_cluster(self.cluster))
        return title, facts(told, width)

    def arguments(self, takes: Takes) -> Sequence[str]:
        """What may follow a command after `:`, the cluster's backups too."""
        if takes is Takes.BACKUP:
            return [each.backup_id for each in self._backups] if isinstance(self._backups, tuple) else ()
        return super().arguments(takes)

    def after_change(self) -> None:
        """Ask for the backups and for what happened, too."""
        self.ask_backups()
        self.ask_story()

    def action_refresh(self) -> None:
        """Ask again, for the backups and for what happened too."""
        super().action_refresh()
        self.ask_backups()
        self.ask_story()

    def action_add(self, zones: str = "") -> None:
        """Add HSMs, one in each zone named, or one where there are fewest."""
        facade, cluster = self.survey.hsmctl, self.cluster
        wanted = zones.split()
        propose(self, lambda: facade.hsm.plan_add(cluster, wanted or emptiest_zones(cluster, 1), {}))

    def action_remove(self) -> None:
        """Delete the HSM under the cursor."""
        facade, cluster, hsm = self.survey.hsmctl, self.cluster, self.hsms.current
        if hsm is not None:
            propose(self, lambda: facade.hsm.plan_remove(cluster, [hsm.hsm_id], {}))

    async def action_hold(self, reason: str = "") -> None:
        """Have nothing removed from the cluster."""
        await hold.hold(self, reason)

    async def action_release(self, reason: str = "") -> None:
        """Have the cluster changed again."""
        await hold.release(self, reason)

    def action_replace(self) -> None:
        """Put a new HSM in the place of the one under the cursor."""
        facade, cluster, hsm = self.survey.hsmctl, self.cluster, self.hsms.current
        if hsm is not None:
            propose(self, lambda: facade.hsm.plan_replace(cluster, hsm.hsm_id, {}, keep_ip=False))

    @work(group="backups", exclusive=True)
    async def ask_backups(self) -> None:
        """Fetch the backups in the background."""
        try:
            self._backups = await self.survey.backups(self._cluster)
        except HsmctlError as error:
            self._backups = error
        self.show()

    @work(group="story", exclusive=True)
    async def ask_story(self) -> None:
        """Find out in the background what happened in the last day."""
        facade, name, runs = self.survey.hsmctl, self._cluster.cluster_id, self.survey.estate.runs
        try:
            self._story = await call(lambda: story.read(facade, name, runs), seconds=2 * story.SECONDS)
        except HsmctlError as error:
            self._story = Story(cut_off=(), lately=error)
        self._redraw()

    @on(Lines.Moved)
    def _redraw(self) -> None:
        self.lately.draw(self._lately)
        self.detail.draw(self._detail)

    def _verdict(self, width: int) -> list[Spans]:
        """What the check says, or what is to be done first; then the problems, as many as there is room for."""
        cluster, check = self.cluster, self.survey.estate.check(self.cluster)
        found = problems(cluster, self.survey.estate)
        lines = long(check, width) if cluster.state in RUNNING else next_step(cluster, width)
        for problem in found[: _MANY if self.has_class("-tall") else _FEW]:
            lines += noted(sign(problem.mark), problem.text)
        return lines

    def _detail(self, room: Size) -> list[Spans]:
        """What goes on, the cluster's facts, and where there is room its certificates and backups."""
        cluster = self.cluster
        told = self._story
        lines = [*changes(self.survey.estate.runs, cluster)]
        lines += story.unfinished(told.cut_off, room.width) if told else ()
        lines += self._facts(room.width)
        if not self.lately.display:
            lines += self._lately(room)
        lines += [(), *chains(cluster)]
        if isinstance(self._backups, tuple):
            lines += [(), *backups(self._backups, self._now())]
        return cut(lines, room.height)

    def _lately(self, room: Size) -> list[Spans]:
        """What happened in the last day."""
        happened = list(story.events(self._story.lately, self._cluster.cluster_id, room)) if self._story else []
        return [(), *happened] if happened else []

    def _facts(self, width: int) -> list[Spans]:
        return facts((*of_cluster(self.cluster), *self._backup_facts()), width)

    def _backup_facts(self) -> Iterable[Fact]:
        match self._backups:
            case None:
                yield "backups", f"{Mark.PENDING.glyph} asking"
            case HsmctlError() as error:
                yield "backups", f"{Mark.UNREADABLE.glyph} {error}"
            case backups:
                ready = [backup for backup in backups if backup.state is BackupState.READY]
                newest = f", the newest {age(self._now(), ready[0].created)} old" if ready else ""
                yield "backups", f"{counted(len(ready), 'backup')} ready{newest}"

    def _columns(self) -> tuple[Column[Hsm], ...]:
        """The columns, which ask the survey so that they always show the newest check."""

        def mark(hsm: Hsm) -> Spans:
            return sign(hsm_mark(hsm, self.survey.estate.check(self.cluster))), (f" {hsm.hsm_id}", Role.STRONG)

        def zone(hsm: Hsm) -> str:
            names = zone_names(self.cluster.subnets or (hsm.zone,))
            return names.get(hsm.zone, hsm.zone)

        def keys(hsm: Hsm) -> str:
            return held(self.survey.estate.check(self.cluster), hsm.hsm_id)

        def why(hsm: Hsm) -> str:
            return reason(self.cluster, hsm.hsm_id, self.survey.estate)

        return (
            Column(heads=("HSM",), text=lambda hsm: hsm.hsm_id, draw=mark, width=17, grows=True),
            Column(heads=("ZONE",), text=zone, width=4, grows=True),
            Column(heads=("STATE",), text=lambda hsm: state_word(hsm.state), width=6, grows=True),
            Column(heads=("ADDRESS",), text=lambda hsm: hsm.address or "–", width=11, grows=True, room=90),
            Column(heads=("KEYS",), text=keys, width=4, right=True, grows=True),
            Column(heads=("WHY",), text=why, width=8, grows=True),
            Column(heads=("INTERFACE",), text=lambda hsm: hsm.eni_id, role=Role.MUTED, width=21, room=120),
        )

    def _now(self) -> datetime:
        return self.survey.hsmctl.clock.now()
