"""One operation: as it runs here, as the journal has it, or both; how it stands, its steps, its log, its facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from hsmctl.domain.operation import Operation, OperationState, StepState
from hsmctl.domain.plan import Plan
from hsmctl.mark import OPERATIONS, STEPS, Mark
from hsmctl.words import age, instant, lasting

from .detail import noted
from .facts import Fact
from .glyph import Role, Span, Spans, role, sign
from .running import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One operation."""

    operation_id: str
    plan: Plan
    run: Run | None = None
    journaled: Operation | None = None

    @property
    def known_as(self) -> str:
        """The id in the journal; a dash while, or where, there is none."""
        return self.run.operation_id or "–" if self.run is not None else self.operation_id

    @property
    def running(self) -> bool:
        """Whether this session is at it."""
        return self.run is not None and self.run.running

    @property
    def cut_off(self) -> bool:
        """Whether it has not ended, and nobody here is at it."""
        return not self.running and self.journaled is not None and self.journaled.state is OperationState.OPEN

    @property
    def mark(self) -> Mark:
        """How it stands."""
        if self.running:
            return Mark.PENDING
        if self.journaled is not None:
            return OPERATIONS[self.journaled.state]
        return Mark.BAD if self.run is not None and self.run.error else Mark.REPORTED

    @property
    def state(self) -> str:
        """The same in a word."""
        if self.running:
            return "running"
        if self.journaled is not None:
            return str(self.journaled.state)
        return "failed" if self.run is not None and self.run.error else "finished"

    @property
    def began(self) -> datetime | None:
        """When it was started."""
        return self.run.began if self.run else self.journaled.started_at if self.journaled else None

    @property
    def error(self) -> str:
        """What went wrong, or nothing."""
        if self.run is not None and self.run.error is not None:
            return f"{self.run.error} · {self.run.error.hint}" if self.run.error.hint else str(self.run.error)
        return self.journaled.error if self.journaled and self.journaled.error else ""

    @property
    def done(self) -> int:
        """How many of its steps are done."""
        if self.run is not None:
            return self.run.done
        steps = self.journaled.steps if self.journaled else ()
        return sum(each.state is StepState.DONE for each in steps)

    def step(self, number: int) -> StepState:
        """Where a step stands."""
        if self.run is not None:
            return self.run.state(number)
        return self.journaled.steps[number - 1].state if self.journaled else StepState.PLANNED


def standing(line: Line, *, armed: bool, width: int) -> Iterator[Spans]:
    """What went wrong or was left open, and the way on; nothing of what runs or went well."""
    reason = line.journaled.reason if line.journaled else ""
    if line.error:
        yield from noted(sign(Mark.BAD), line.error, width)
    elif line.cut_off:
        yield from noted(sign(Mark.ATTENTION), "cut off: whether the step it was at is done has to be looked at", width)
    elif reason:
        yield from noted(sign(line.mark), f"{line.state}: {reason}", width)
    if line.cut_off:
        first: Span = ("   ", Role.PLAIN) if armed else ("   :arm, then ", Role.ACCENT)
        words = " looks and goes on with it   ", Role.MUTED
        yield first, (":resume", Role.ACCENT), words, (":abandon REASON", Role.ACCENT), (" closes it", Role.MUTED)


def steps(line: Line, now: datetime) -> Iterator[Spans]:
    """The steps; of the one it is at how long it has taken, of those to come how long they usually take."""
    for number, step in enumerate(line.plan.steps, 1):
        state = line.step(number)
        at_it = line.running and state is StepState.UNCERTAIN
        mark = Mark.PENDING if at_it else STEPS[state]
        since = f"   {age(now, line.run.step_began)}" if at_it and line.run and line.run.step_began else ""
        usual = f"   usually {lasting(step.usual)}" if step.usual and state is not StepState.DONE else ""
        yield (
            (" ", Role.PLAIN),
            sign(mark) if mark else (" ", Role.PLAIN),
            (f" {number:>2}  ", Role.MUTED),
            (step.says, role(mark) if mark not in (None, Mark.REPORTED) else Role.PLAIN),
            (since, Role.STRONG),
            (usual, Role.MUTED),
        )


def log(line: Line) -> Iterator[Spans]:
    """What was said while it ran here."""
    for moment, text in line.run.said if line.run is not None else ():
        yield (f" {moment:%H:%M:%S}  ", Role.MUTED), (text, Role.PLAIN)


def facts_of(line: Line) -> Iterator[Fact]:
    """Who started it when, and what it has made or found."""
    yield "id", line.known_as
    yield "started", instant(line.began)
    yield "cluster", line.plan.cluster_id or ""
    yield "region", line.plan.region
    if line.journaled is not None:
        yield "by", line.journaled.caller or line.journaled.os_user
        for name, value in line.journaled.found.items():
            if value and value != line.plan.cluster_id:
                yield name.replace("_", " "), value.splitlines()[0]
