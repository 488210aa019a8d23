"""Claiming a cluster: a list of steps, each with what it does, what to check and what was found; resumed by itself.

Where a ceremony stands is read from AWS and from the ceremony's folder, so leaving and coming back, also as another
process, lands on the same step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.ceremony import Ceremony, Stage, Standing
from hsmctl.domain.cluster import Cluster
from hsmctl.domain.form import Filled, Form
from hsmctl.domain.operation import Operation
from hsmctl.errors import HsmctlError
from hsmctl.mark import Mark

from .ceremony_step import RUNGS, STANDS, Rung, at, evidence, mark, says
from .cluster_facts import chains, changes
from .column import Column
from .command import DESCRIBE, HELP, LINE, NET, OPEN, OPERATION, Command
from .detail import Detail, cut, noted
from .estate import Estate
from .facts import of_error
from .glyph import Role, Spans, sign
from .lines import Lines
from .offload import call
from .place import Description, Place
from .story import cut_off, unfinished
from .survey import Survey
from .words import cluster_name


def _form(name: str, says: str, *path: str) -> Command:
    return Command(name=name, help=says, form=path, changes=True)


_OWN = (
    _form("first_hsm", "create the first HSM", "hsm", "add"),
    _form("csr", "keep the CSR and the certificates that the HSM shows", "cluster", "init", "csr"),
    _form("verify", "verify the hardware against your roots", "cluster", "init", "verify"),
    _form("sign", "have the CSR signed by your CA", "cluster", "init", "sign"),
    _form("submit", "claim the cluster with what was signed", "cluster", "init", "submit"),
    _form("activate", "set the first admins", "cluster", "activate"),
    _form("configure", "have a client host find the HSM", "client", "configure"),
    _form("install_ca", "have a client host trust the cluster's CA", "client", "install-ca"),
    _form("run", "go through everything from here to the claim as one operation", "cluster", "init", "run"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Where the ceremony stands."""

    standing: Standing
    ceremony: Ceremony
    transcript: tuple[str, ...]
    cut_off: tuple[Operation, ...]
    """Operations of this cluster that have not ended."""
    at: datetime


class CeremonyScreen(Place):
    """The ceremony of one cluster."""

    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, *_OWN)
    offered: ClassVar[tuple[Command, ...]] = (OPEN, DESCRIBE, OPERATION, NET, LINE, HELP)

    def __init__(self, survey: Survey, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: Known | None = None
        self._error: HsmctlError | None = None
        self._seen: object = None
        """What the ceremony was last read for."""
        self.steps: Lines[Rung] = Lines(self._columns(), lambda rung: rung.number, id="steps")
        self.verdict = Detail(id="verdict")
        super().__init__(survey, ("fleet", cluster_name(cluster), "ceremony"), self.steps)

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.survey.estate.cluster(self._cluster.cluster_id) or self._cluster

    @property
    def aged(self) -> datetime | None:
        """When it was read where the ceremony stands."""
        return self._known.at if self._known else None

    @property
    def subject(self) -> str | None:
        """The fingerprint that is compared now."""
        if self._known is None:
            return None
        ceremony = self._known.ceremony
        return ceremony.signed_sha256 or ceremony.csr_sha256 or self._cluster.cluster_id

    def body(self) -> ComposeResult:
        """Where it stands, the steps, the one under the cursor."""
        yield self.verdict
        yield self.steps
        yield self.detail

    def on_mount(self) -> None:
        """Read where it stands."""
        super().on_mount()
        self.steps.show(RUNGS)
        self.verdict.draw(lambda room: self._verdict(room.width))

    def hear(self, estate: Estate) -> None:
        """Read anew when the cluster, or what is being done, has changed."""
        super().hear(estate)
        seen = (self.cluster, [(run.operation_id, run.done, run.running) for run in estate.runs])
        if seen != self._seen:
            self._seen = seen
            self.read()

    def describe(self, width: int) -> Description | None:
        """The step under the cursor with the transcript so far, or what went wrong."""
        if self._known is None:
            return of_error(self._error) if self._error else None
        rung = self.steps.current or RUNGS[0]
        log: list[Spans] = [((line, Role.MUTED),) for line in self._known.transcript]
        return rung.title, [*self._evidence(rung, width), (), *log]

    def preset(self, form: Form) -> Filled | None:
        """The cluster; the first HSM is one."""
        known = dict(super().preset(form) or {})
        return known | ({"count": ("1",)} if form.path == ("hsm", "add") else {})

    def action_open(self) -> None:
        """Open the form of the step that is to be done; of any other, tell."""
        rung = self.steps.current
        if self._known is None or rung is None or rung.number != self._now:
            self.action_describe()
        elif self._known.standing.stage in (Stage.NO_CSR, Stage.SUBMITTED):
            self.complain(f"nothing to do but wait: {self._known.standing.next}")
        elif not self.survey.arming.armed:
            self.complain(f"read-only; :arm allows changes, then enter opens :{rung.command}")
        else:
            self.action_form(rung.command)

    def action_refresh(self) -> None:
        """Ask again."""
        super().action_refresh()
        self.read()

    @work(group="ceremony", exclusive=True)
    async def read(self) -> None:
        """Find out in the background where it stands; the cursor goes along to the step that is to be done."""
        before = self._now
        try:
            self._known, self._error = await call(self._ask), None
        except HsmctlError as error:
            self._error = error
        if self._now != before:
            self.steps.select(min(max(1, self._now), len(RUNGS)))
        self.steps.renew()
        self.verdict.refresh(layout=True)
        self.detail.draw(self._detail)
        self.tick()

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)

    @property
    def _now(self) -> int:
        """The number of the step that is to be done, 0 where that is not known."""
        return at(self._known.standing, self._known.ceremony) if self._known else 0

    def _ask(self) -> Known:
        facade, cluster = self.survey.hsmctl, self.cluster
        service, name = facade.ceremony, cluster.cluster_id
        return Known(
            standing=service.standing(cluster),
            ceremony=service.ceremonies.load(name),
            transcript=service.ceremonies.transcript(name),
            cut_off=cut_off(facade, name, self.survey.estate.runs),
            at=facade.clock.now(),
        )

    def _verdict(self, width: int) -> list[Spans]:
        """Where it stands, what cannot be left like this, what runs or was cut off."""
        if self._error is not None:
            return noted(sign(Mark.UNREADABLE), f"{self._error} · d tells more", width)
        if self._known is None:
            return [((f" {Mark.PENDING.glyph} reading where the ceremony stands", Role.ACCENT),)]
        standing, cluster = self._known.standing, self.cluster
        good = Mark.REPORTED if standing.stage is Stage.ACTIVE else Mark.ATTENTION
        sign_of = Mark.BAD if standing.critical else good
        lines = noted(
            sign(sign_of),
            f"{cluster.cluster_id} is {cluster.state.upper()}: {standing.critical or STANDS[standing.stage]}",
            width,
        )
        lines += changes(self.survey.estate.runs, cluster)
        lines += unfinished(self._known.cut_off, width)
        return lines

    def _evidence(self, rung: Rung, width: int) -> Iterator[Spans]:
        known = self._known
        return evidence(rung, known.ceremony, width, done=rung.number < self._now) if known else iter(())

    def _detail(self, room: Size) -> list[Spans]:
        rung = self.steps.current
        if rung is None or self._known is None:
            return []
        lines = list(self._evidence(rung, room.width))
        if rung.number == self._now:
            lines += [(), *self._next(rung, self._known.standing, room.width)]
        lines += [(), *chains(self.cluster)]
        said = self._known.transcript[-max(0, room.height - len(lines) - 2) :] if room.height > len(lines) + 2 else ()
        if said:
            lines += [(), ((" TRANSCRIPT", Role.STRONG),), *(((f" {line}", Role.MUTED),) for line in said)]
        return cut(lines, room.height, elsewhere="d tells all")

    def _next(self, rung: Rung, standing: Standing, width: int) -> list[Spans]:
        """How the step is done from here, and from a command line."""
        armed = self.survey.arming.armed
        here = "enter opens its form" if armed else f":arm allows changes, then enter opens :{rung.command}"
        kept = standing.stage is not Stage.CSR or rung.command != "csr"
        command = standing.next if kept else f"hsmctl cluster init csr {self._cluster.cluster_id}"
        return [*noted(("▸", Role.ACCENT), here, width), *noted(("or", Role.MUTED), command, width)]

    def _columns(self) -> tuple[Column[Rung], ...]:
        def drawn(rung: Rung) -> Spans:
            known = self._known
            found = mark(rung, known.standing, known.ceremony) if known else None
            now = found is not None and rung.number == self._now
            return (
                sign(found) if found else (" ", Role.PLAIN),
                (f" {rung.number}  {rung.title}", Role.STRONG if now else Role.PLAIN if found else Role.MUTED),
            )

        def told(rung: Rung) -> str:
            return says(rung, self._known.standing, self._known.ceremony) if self._known else ""

        return (
            Column(heads=("STEP",), text=lambda rung: rung.title, draw=drawn, width=36),
            Column(heads=("EVIDENCE",), text=told, role=Role.MUTED, width=20, grows=True),
            Column(heads=("COMMAND",), text=lambda rung: f":{rung.command}", role=Role.ACCENT, width=10, room=90),
        )
