"""Operations: what was started, here or from the command line; the steps of the one under the cursor, and its log."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.operation import Operation, OperationState
from hsmctl.errors import HsmctlError
from hsmctl.mark import Mark
from hsmctl.words import age

from .change import propose_resuming
from .column import Column
from .command import ABANDON, DESCRIBE, FILTER, HELP, LINE, RESUME, Command, bindings
from .confirm import lines as plan_lines
from .detail import beside, facts
from .estate import Estate
from .facts import failure, of_error
from .glyph import Role, Spans, role, sign
from .lines import Lines
from .offload import call
from .operation_facts import Line, facts_of, log, standing, steps
from .place import Description, Place
from .survey import Survey

_NONE: tuple[Spans, ...] = (
    (("Nothing was changed from this machine.", Role.STRONG),),
    (("Every change is a plan that is shown, confirmed and journaled; this lists them.", Role.MUTED),),
    (
        (":arm", Role.ACCENT),
        ("  allows changes for ten minutes; then a cluster has :add and :remove", Role.MUTED),
    ),
)


_ROOMY = 110
"""The width from which on the facts stand beside the steps."""


class OperationScreen(Place):
    """The operations."""

    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, RESUME, ABANDON)
    BINDINGS = bindings([RESUME, ABANDON])
    offered: ClassVar[tuple[Command, ...]] = (DESCRIBE, FILTER, LINE, HELP)

    def __init__(self, survey: Survey) -> None:
        self._journaled: tuple[Operation, ...] = ()
        self._error: HsmctlError | None = None
        self._wanted = ""
        self.operations: Lines[Line] = Lines(self._columns(), lambda line: line.operation_id, id="operations")
        super().__init__(survey, ("fleet", "operation"), self.operations)

    @property
    def current(self) -> Operation | None:
        """The journaled operation under the cursor, if it is open and not running here."""
        line = self.operations.current
        return line.journaled if line is not None and line.cut_off else None

    @property
    def subject(self) -> str | None:
        """The operation's id."""
        return self.operations.current.operation_id if self.operations.current else None

    def body(self) -> ComposeResult:
        """The operations, and the steps of one."""
        yield self.operations
        yield self.detail

    def on_mount(self) -> None:
        """Read the journal."""
        super().on_mount()
        self.read()

    def hear(self, estate: Estate) -> None:
        """Read the journal again when something has ended."""
        ended = {run.operation_id for run in estate.runs if not run.running}
        known = {each.operation_id for each in self._journaled if each.state is not OperationState.OPEN}
        if ended - known:
            self.read()
        super().hear(estate)

    def show(self) -> None:
        """Show what runs here over what the journal has, the newest first."""
        self.operations.teach(_NONE if self._error is None else failure(self._error, self.size.width))
        self.operations.show(self._lines())
        if self._wanted and self.operations.select(self._wanted):
            self._wanted = ""
        self.detail.draw(self._detail)

    def tick(self) -> None:
        """Keep the times true."""
        super().tick()
        if any(run.running for run in self.survey.estate.runs):
            self.operations.renew()
            self.detail.refresh()

    def point_at(self, operation_id: str) -> None:
        """Have the cursor on this operation, as soon as it is known."""
        self._wanted = operation_id
        self.operations.select(operation_id)

    def action_refresh(self) -> None:
        """Read the journal again."""
        self.read()

    @work(group="journal", exclusive=True)
    async def read(self) -> None:
        """Fetch what the journal has."""
        try:
            self._journaled, self._error = await call(lambda: self.survey.hsmctl.operations.all()), None
        except HsmctlError as error:
            self._error = error
        self.show()

    def describe(self, width: int) -> Description | None:
        """The plan of the operation, or what went wrong."""
        line = self.operations.current
        if line is None:
            return None
        if line.run is not None and line.run.error is not None:
            return of_error(line.run.error)
        return line.plan.title, list(plan_lines(line.plan, width))

    def action_resume(self) -> None:
        """Go on with the operation under the cursor."""
        if self.current is None:
            self.complain("only an open operation that nobody is at goes on")
        else:
            propose_resuming(self, self.current)

    def action_abandon(self, reason: str = "") -> None:
        """Close the operation under the cursor as it stands."""
        if self.current is None or not reason:
            self.complain(":abandon REASON closes an open operation; the journal keeps the reason")
        else:
            self.abandon(self.current, reason)

    @work(group="journal")
    async def abandon(self, operation: Operation, reason: str) -> None:
        """Have the journal say that it is given up."""
        try:
            await call(lambda: self.survey.hsmctl.operations.abandon(operation.operation_id, reason))
        except HsmctlError as error:
            self.complain(f"{error} · {error.hint}")
        self.read()

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)

    def _lines(self) -> list[Line]:
        account, journaled = self.survey.estate.account, {each.operation_id: each for each in self._journaled}
        # What was gone on with here ran more than once: the last run is what became of it.
        runs = {run.operation_id or f"{run.began.isoformat()} {run.plan.title}": run for run in self.survey.estate.runs}
        lines = [
            Line(
                operation_id=name,
                plan=run.plan,
                run=run,
                journaled=journaled.pop(run.operation_id, None),
            )
            for name, run in runs.items()
        ]
        # The journal is one for all contexts: another account's operations are none of this place's business.
        ours = [each for each in journaled.values() if not account or each.plan.account in ("", account)]
        lines += [Line(operation_id=each.operation_id, plan=each.plan, journaled=each) for each in ours]
        return sorted(lines, key=lambda line: (not line.running, not line.cut_off, -_seconds(line.began)))

    def _detail(self, room: Size) -> list[Spans]:
        line = self.operations.current
        if line is None:
            return []
        wide = room.width >= _ROOMY
        width = room.width * 3 // 5 if wide else room.width
        armed, now = self.survey.arming.armed, self.survey.hsmctl.clock.now()
        told = list(standing(line, armed=armed, width=width))
        told += [*([()] if told else []), *steps(line, now), ()]
        said = list(log(line))[-max(1, room.height - len(told)) :]
        if wide:
            return beside([*told, *said], facts(facts_of(line), room.width - width), width)[: room.height]
        return [*told, *(said or facts(facts_of(line), room.width))][: room.height]

    def _columns(self) -> tuple[Column[Line], ...]:
        def began(line: Line) -> str:
            return age(self.survey.hsmctl.clock.now(), line.began)

        return (
            Column(
                heads=("OPERATION",),
                text=lambda line: line.plan.title,
                draw=lambda line: (sign(line.mark), (f" {line.plan.title}", Role.STRONG)),
                width=30,
                grows=True,
            ),
            Column(heads=("STATE",), text=lambda line: line.state, draw=_state, width=10),
            Column(heads=("STEPS",), text=lambda line: f"{line.done}/{len(line.plan.steps)}", width=6, right=True),
            Column(
                heads=("AGE",),
                text=began,
                order=lambda line: -_seconds(line.began),
                role=Role.MUTED,
                width=6,
                right=True,
            ),
            Column(heads=("ID",), text=lambda line: line.known_as, role=Role.MUTED, width=26, room=110),
        )


def _state(line: Line) -> Spans:
    return ((line.state, Role.PLAIN if line.mark is Mark.REPORTED else role(line.mark)),)


def visit(place: Place, operation_id: str) -> None:
    """Go from another place to this operation."""
    stack = place.app.screen_stack
    found = next((each for each in stack if isinstance(each, OperationScreen)), OperationScreen(place.survey))
    found.point_at(operation_id)
    place.hsmctl_app.visit(found)


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
