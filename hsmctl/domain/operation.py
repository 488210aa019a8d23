"""Operations: plans that were started, as the journal tells them; what is done, what is left, what nobody knows.

The journal is the only record. An operation is open until its last step is done, until it was refused before it had
changed anything, or until somebody abandoned it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from hsmctl.domain.plan import CONFIRMED_BY, Effect, Plan, Step, plan_of

Found = Mapping[str, str]


class OperationState(StrEnum):
    """Where an operation stands."""

    OPEN = "open"
    """Something is left to do; whether a process is at it is the lock's to say."""
    FINISHED = "finished"
    REFUSED = "refused"
    """It ended before it had changed anything."""
    ABANDONED = "abandoned"


class StepState(StrEnum):
    """Where a step stands."""

    PLANNED = "planned"
    UNCERTAIN = "uncertain"
    """It was begun, and nothing says how it ended."""
    FAILED = "failed"
    """It was refused and did not happen."""
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One step of an operation."""

    number: int
    """Counts from 1."""
    step: Step
    state: StepState = StepState.PLANNED
    before: Found = field(default_factory=dict)
    """What its runner noted when it began, by which it can be told whether it happened."""
    found: Found = field(default_factory=dict)
    error: str = ""
    """Why it last failed."""

    @property
    def changed(self) -> bool:
        """Whether it has, or may have, changed something."""
        return self.step.effect is not Effect.WAIT and self.state in (StepState.DONE, StepState.UNCERTAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A plan that was started."""

    operation_id: str
    plan: Plan
    steps: tuple[StepRecord, ...]
    state: OperationState = OperationState.OPEN
    started_at: datetime | None = None
    updated_at: datetime | None = None
    caller: str = ""
    os_user: str = ""
    reason: str = ""
    """Why it was abandoned."""

    @property
    def found(self) -> dict[str, str]:
        """Everything its steps have found, the cluster's id among it."""
        known = {} if self.plan.cluster_id is None else {"cluster_id": self.plan.cluster_id}
        return {**known, **{name: value for each in self.steps for name, value in each.found.items()}}

    @property
    def target(self) -> str:
        """What it changes: the cluster, also one that it created itself."""
        return self.found.get("cluster_id", self.plan.target)

    @property
    def confirmation(self) -> str:
        """What is typed to confirm that it goes on."""
        return self.target[-CONFIRMED_BY:]

    @property
    def left(self) -> tuple[StepRecord, ...]:
        """The steps that are not done."""
        return tuple(each for each in self.steps if each.state is not StepState.DONE)

    @property
    def destructive(self) -> bool:
        """Whether a step is left that cannot be undone."""
        return any(each.step.effect is Effect.DESTROY for each in self.left)

    @property
    def changed(self) -> bool:
        """Whether it has, or may have, changed something."""
        return any(each.changed for each in self.steps)

    @property
    def error(self) -> str:
        """Why the step it stands at last failed."""
        return self.left[0].error if self.left else ""


def begun(operation_id: str, plan: Plan) -> Operation:
    """The operation at its beginning."""
    steps = tuple(StepRecord(number=number, step=step) for number, step in enumerate(plan.steps, 1))
    return Operation(operation_id=operation_id, plan=plan, steps=steps)


def operations(records: Iterable[Mapping[str, Any]]) -> tuple[Operation, ...]:
    """Every operation that the journal's records tell of, the oldest first; plans that cannot be read are left out."""
    told: dict[str, Operation] = {}
    for record in records:
        name = record.get("operation")
        if not isinstance(name, str):
            continue
        if record["kind"] == "operation-started":
            _begin(told, name, record)
        elif name in told:
            told[name] = _after(told[name], record)
    return tuple(told.values())


def _begin(told: dict[str, Operation], name: str, record: Mapping[str, Any]) -> None:
    try:
        operation = begun(name, plan_of(record["plan"]))
    except (KeyError, TypeError, ValueError):
        return
    moment = _moment(record)
    told[name] = replace(
        operation,
        started_at=moment,
        updated_at=moment,
        caller=str(record.get("caller", "")),
        os_user=str(record.get("os_user", "")),
    )


def _after(operation: Operation, record: Mapping[str, Any]) -> Operation:
    """The operation after one more record; kinds it does not know change nothing."""
    operation = replace(operation, updated_at=_moment(record) or operation.updated_at)
    kind = record["kind"]
    if kind in _STATES:
        return replace(operation, state=_STATES[kind], reason=str(record.get("reason", "")))
    if kind in _STEPS and 1 <= record["number"] <= len(operation.steps):
        change, place = _STEPS[kind], record["number"] - 1
        steps = list(operation.steps)
        steps[place] = change(steps[place], record)
        return replace(operation, steps=tuple(steps))
    return operation


def _moment(record: Mapping[str, Any]) -> datetime | None:
    return datetime.fromisoformat(record["at"]) if isinstance(record.get("at"), str) else None


def _started(step: StepRecord, record: Mapping[str, Any]) -> StepRecord:
    return replace(step, state=StepState.UNCERTAIN, before=record.get("before", {}), error="")


def _done(step: StepRecord, record: Mapping[str, Any]) -> StepRecord:
    return replace(step, state=StepState.DONE, found=record["found"], error="")


def _failed(step: StepRecord, record: Mapping[str, Any]) -> StepRecord:
    state = StepState.FAILED if record.get("certain") else StepState.UNCERTAIN
    return replace(step, state=state, error=str(record["error"]))


def _hindered(step: StepRecord, record: Mapping[str, Any]) -> StepRecord:
    # Whether an earlier attempt happened is as unknown as before: this one was not even begun.
    return replace(step, error=str(record["error"]))


_STATES: Mapping[str, OperationState] = {
    "operation-finished": OperationState.FINISHED,
    "operation-refused": OperationState.REFUSED,
    "operation-abandoned": OperationState.ABANDONED,
}
_STEPS: Mapping[str, Callable[[StepRecord, Mapping[str, Any]], StepRecord]] = {
    "step-started": _started,
    "step-done": _done,
    "step-failed": _failed,
    "step-hindered": _hindered,
}
