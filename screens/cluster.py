"""A cluster: its HSMs by zone and its facts, as AWS describes them, with what the check of its keys showed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.cluster import Backup, BackupState, Cluster, Hsm
from hsmctl.domain.scale import emptiest_zones
from hsmctl.errors import HsmctlError
from hsmctl.mark import Mark
from hsmctl.words import age, counted

from . import hold, story
from .attention import hsm_mark, problems
from .change import propose
from .cluster_facts import backups, chains, changes
from .column import Column
from .command import (
    ADD,
    CHECK,
    COPY,
    DESCRIBE,
    HELP,
    HOLD,
    KEY,
    LINE,
    RELEASE,
    REMOVE,
    REPLACE,
    SYNC,
    Command,
    bindings,
)
from .detail import Detail, facts, noted
from .facts import Fact, of_cluster, of_hsm, title_of
from .glyph import Role, Spans, sign
from .lines import Lines
from .offload import call
from .place import Description, Place
from .story import Story
from .survey import Survey
from .verdict import held, long
from .words import cluster_name, state_word, zone_names

_NO_HSM = (
    (("This cluster has no HSM.", Role.STRONG),),
    (("Nothing can be signed or decrypted, and the cluster costs nothing, until one is created.", Role.MUTED),),
)


class ClusterScreen(Place):
    """One cluster."""

    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, CHECK, HOLD, RELEASE, ADD, REMOVE, REPLACE)
    BINDINGS = bindings([CHECK])
    offered: ClassVar[tuple[Command, ...]] = (SYNC, KEY, CHECK, DESCRIBE, COPY, LINE, HELP)

    def __init__(self, survey: Survey, cluster: Cluster) -> None:
        self._cluster = cluster
        self._backups: tuple[Backup, ...] | HsmctlError | None = None
        self._story: Story | None = None
        self.hsms: Lines[Hsm] = Lines(self._columns(), lambda hsm: hsm.hsm_id, id="hsms", empty=_NO_HSM)
        self.verdict = Detail(id="verdict")
        super().__init__(survey, ("fleet", cluster_name(cluster)), self.hsms)

    @property
    def cluster(self) -> Cluster:
        """The cluster as last seen."""
        return self.survey.estate.cluster(self._cluster.cluster_id) or self._cluster

    @property
    def subject(self) -> str | None:
        """The id of the HSM under the cursor."""
        return self.hsms.current.hsm_id if self.hsms.current else self._cluster.cluster_id

    def body(self) -> ComposeResult:
        """The verdict, the HSMs, the facts."""
        yield self.verdict
        yield self.hsms
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
        self.detail.draw(self._detail)

    def describe(self, width: int) -> Description | None:
        """The HSM under the cursor."""
        hsm = self.hsms.current
        title, told = (hsm.hsm_id, of_hsm(hsm)) if hsm else (title_of(self.cluster), of_cluster(self.cluster))
        return title, facts(told, width)

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
        self.detail.draw(self._detail)

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)

    def _verdict(self, width: int) -> list[Spans]:
        cluster, check = self.cluster, self.survey.estate.check(self.cluster)
        found = problems(cluster, self.survey.estate)
        return [
            *long(check, width),
            *(line for problem in found[:2] for line in noted(sign(problem.mark), problem.text)),
        ]

    def _detail(self, room: Size) -> list[Spans]:
        """What goes on, the cluster's facts, and where there is room its certificates and backups."""
        cluster = self.cluster
        told = self._story
        lines = [*changes(self.survey.estate.runs, cluster)]
        lines += story.unfinished(told.cut_off, room.width) if told else ()
        lines += self._facts(room.width)
        if told and (happened := list(story.events(told.lately, room.width))):
            lines += [(), *happened]
        lines += [(), *chains(cluster)]
        if isinstance(self._backups, tuple):
            lines += [(), *backups(self._backups, self._now())]
        return lines[: room.height]

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

        return (
            Column(heads=("HSM",), text=lambda hsm: hsm.hsm_id, draw=mark, width=19),
            Column(heads=("ZONE",), text=zone, width=6),
            Column(heads=("STATE",), text=lambda hsm: state_word(hsm.state), width=13),
            Column(heads=("ADDRESS",), text=lambda hsm: hsm.address or "–", width=15),
            Column(heads=("KEYS",), text=keys, width=10, right=True),
            Column(heads=("INTERFACE",), text=lambda hsm: hsm.eni_id, role=Role.MUTED, width=21, room=100),
        )

    def _now(self) -> datetime:
        return self.survey.hsmctl.clock.now()
