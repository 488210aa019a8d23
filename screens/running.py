"""Changes that this session has started: each plan's steps as they happen, told by the operation service's events.

It runs on the event loop and touches no widget. Leaving a place, or giving up waiting, ends none of them; what ends
with hsmctl itself is journaled, and `operation resume` goes on with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from hsmctl.domain.event import Event, Finished, Progress, Started, StepDone, StepStarted
from hsmctl.domain.operation import StepState
from hsmctl.domain.plan import Plan
from hsmctl.errors import HsmctlError

KEPT = 200
"""Lines of a running operation's log that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One plan being applied, or that was."""

    plan: Plan
    began: datetime
    operation_id: str = ""
    """Empty until the journal has it."""
    number: int = 0
    """The step it is at, counted from 1."""
    step_began: datetime | None = None
    done: int = 0
    said: tuple[tuple[datetime, str], ...] = ()
    ended: datetime | None = None
    error: HsmctlError | None = None

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.ended is None

    def state(self, number: int) -> StepState:
        """Where a step stands."""
        if number <= self.done:
            return StepState.DONE
        if self.error is not None and number == self.number:
            return StepState.FAILED
        return StepState.UNCERTAIN if number == self.number and self.running else StepState.PLANNED


def after(run: Run, event: Event, now: datetime) -> Run:
    """The run after one more event; what is said twice in a row is kept once."""
    match event:
        case Started(operation_id, plan):
            return replace(run, operation_id=operation_id, plan=plan)
        case StepStarted(number, step):
            return _saying(replace(run, number=number, step_began=now), step.says, now)
        case Progress(_, text, _, _):
            return _saying(run, text, now)
        case StepDone(number, _):
            return replace(run, done=number)
        case Finished():
            return replace(_saying(run, "done", now), ended=now)


def failed(run: Run, error: HsmctlError, now: datetime) -> Run:
    """The run after it was refused, or cut off."""
    return replace(_saying(run, str(error), now), error=error, ended=now)


def _saying(run: Run, text: str, now: datetime) -> Run:
    if run.said and run.said[-1][1] == text:
        return run
    return replace(run, said=(*run.said, (now, text))[-KEPT:])
