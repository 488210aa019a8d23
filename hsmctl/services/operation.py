"""Applying a plan: one writer per target, preconditions read again before every step, everything journaled first.

A noun describes its changes as plans (`domain.plan`) and gives a `Playbook`: for each action a `Runner`, for each
precondition that is looked at again a reader. `apply` starts a plan as an operation, `resume` goes on with one that
was cut off, in whatever process: a step that is done is never repeated, and one that may have happened is looked for
first. A step that only waits changes nothing, so that the plan's preconditions are not read again before it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from hsmctl.domain.cluster import Cluster, legal_now
from hsmctl.domain.event import Event, Finished, Progress, Started, StepDone, StepStarted
from hsmctl.domain.operation import (
    Found,
    Operation,
    OperationState,
    StepRecord,
    StepState,
    begun,
    operations,
)
from hsmctl.domain.plan import CONFIRMATION_LIFE, Action, Effect, Plan, Precondition, Step
from hsmctl.errors import Conflict, Denied, DeviceError, HsmctlError, UsageError
from hsmctl.ports import Caller, Clock, Identity, Journal, Locks

Run = Callable[[Step, Found], Generator[str, None, Found]]
"""Runs one step: yields what it sees while it waits and returns what it found for the steps after it."""

Reader = Callable[[Precondition, Found], Precondition]
"""Looks again: the same precondition with what is seen now."""

_SURE = (Conflict, Denied, DeviceError, UsageError)
"""Errors by which a change was refused and did not happen; after any other nobody knows."""


@dataclass(frozen=True, slots=True)
class Runner:
    """How one action is carried out."""

    run: Run
    look: Callable[[Step, Found], Found | None] | None = None
    """What a step that may have happened found, or None if it did not happen; `before` is in what it is given."""
    before: Callable[[Step, Found], Found] | None = None
    """What to note when the step begins, so that `look` can tell afterwards."""


@dataclass(frozen=True, slots=True)
class Playbook:
    """How a noun's plans are carried out."""

    runners: Mapping[Action, Runner]
    readers: Mapping[str, Reader] = field(default_factory=dict)
    looking: Callable[[], AbstractContextManager[Mapping[str, Reader]]] | None = None
    """The readers for one look at all preconditions, where opening what they ask is shared; else `readers` are used."""

    def look(self) -> AbstractContextManager[Mapping[str, Reader]]:
        """The readers for as long as one look lasts."""
        return self.looking() if self.looking else nullcontext(self.readers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Applies plans; every change of hsmctl goes through here."""

    clock: Clock
    journal: Journal
    locks: Locks
    identity: Identity
    cluster: Callable[[str], Cluster]
    """Reads a cluster anew, for the preconditions."""
    new_id: Callable[[], str]
    """Makes operation ids (ULIDs)."""
    guard: Callable[[], str | None]
    """Raises Denied where the context refuses changes; returns why a protected one may be changed, for the journal."""

    def apply(self, plan: Plan, playbook: Playbook) -> Iterator[Event]:
        """Start the plan as an operation, run it and say what happens.

        Raises:
            Conflict: the plan is older than its confirmation may be, a precondition does not or no longer hold, an
                operation on the same target is open, or somebody else on this machine is changing it.
            Denied: the context refuses changes, or the caller's account is not the plan's.
        """
        break_glass = self.guard()
        self._check_fresh(plan)
        check_met(plan)
        caller = self._checked_caller(plan)
        with self.locks.hold(plan.target):
            self.check_free(plan)
            operation = begun(self.new_id(), plan)
            self._record(operation, "operation-started", caller=caller.arn, break_glass=break_glass, plan=plan)
            yield from self._run(operation, playbook)

    def resume(self, operation_id: str, playbook: Playbook, *, confirmed: bool) -> Iterator[Event]:
        """Go on with an open operation where it stands.

        Raises:
            Conflict: it is not open, a precondition no longer holds, or a step may have happened and nobody can tell.
            Denied: as for `apply`.
            UsageError: a step that cannot be undone is left and was not confirmed anew.
        """
        break_glass = self.guard()
        operation = self.find(operation_id)
        caller = self._checked_caller(operation.plan)
        with self.locks.hold(operation.plan.target):
            operation = self.open_one(operation_id)
            if operation.destructive and not confirmed:
                hint = f"--confirm {operation.confirmation}"
                raise UsageError(operation_id, "a step that cannot be undone is left: confirm it anew", hint)
            self._record(operation, "operation-resumed", caller=caller.arn, break_glass=break_glass)
            yield from self._run(operation, playbook)

    def abandon(self, operation_id: str, reason: str) -> Operation:
        """Close an open operation as it stands; nothing that was done is undone.

        Raises:
            Conflict: it is not open, or a process of this machine is at it.
            Denied: the context refuses changes.
        """
        self.guard()
        with self.locks.hold(self.find(operation_id).plan.target):
            operation = self.open_one(operation_id)
            self._record(operation, "operation-abandoned", reason=reason)
        return self.find(operation_id)

    def all(self) -> tuple[Operation, ...]:
        """Every operation the journal knows, the oldest first."""
        return operations(self.journal.records())

    def find(self, operation_id: str) -> Operation:
        """The operation of this id, or of the only id that begins or ends like this.

        Raises:
            Conflict: there is none, or more than one.
        """
        known = {each.operation_id: each for each in self.all()}
        near = [name for name in known if name.startswith(operation_id) or name.endswith(operation_id)]
        if operation_id in known:
            return known[operation_id]
        if len(near) == 1:
            return known[near[0]]
        why = f"{len(near)} operations have ids like it" if near else "the journal of this machine has none like it"
        raise Conflict(f"operation {operation_id}", why, "hsmctl operation list --all")

    def open_one(self, operation_id: str) -> Operation:
        """The operation, which is open.

        Raises:
            Conflict: it is not.
        """
        operation = self.find(operation_id)
        if operation.state is not OperationState.OPEN:
            raise Conflict(f"operation {operation_id}", f"it is {operation.state}", "hsmctl operation list")
        return operation

    def open_on(self, plan: Plan) -> tuple[Operation, ...]:
        """The open operations that change what the plan would change."""
        return tuple(
            each
            for each in self.all()
            if each.state is OperationState.OPEN and (each.target, each.plan.account) == (plan.target, plan.account)
        )

    def hindered(self, plan: Plan) -> Plan:
        """The plan with a condition that does not hold for each open operation on what it would change."""
        return replace(plan, preconditions=(*map(self._ended, self.open_on(plan)), *plan.preconditions))

    def holder(self, operation: Operation) -> int | None:
        """The process of this machine that is at an open operation, if one is."""
        return self.locks.holder(operation.plan.target) if operation.state is OperationState.OPEN else None

    def check_free(self, plan: Plan) -> None:
        """Refuse a new plan where an operation is open.

        Raises:
            Conflict: one is; the hint goes on with it.
        """
        for operation in self.open_on(plan):
            raise Conflict(
                f"{plan.target} has an open operation",
                f"{operation.operation_id}: {operation.plan.title}",
                f"hsmctl operation resume {operation.operation_id}, or abandon it",
            )

    def _ended(self, operation: Operation) -> Precondition:
        """That an open operation has ended, which it has not."""
        name, process = operation.operation_id, self.holder(operation)
        return Precondition(
            what=f"no other operation is open on {operation.target}",
            holds=False,
            why=f"{name}: {operation.plan.title}" + (f" (process {process} is at it)" if process else ""),
            way_out="wait until it has ended" if process else f"hsmctl operation resume {name}, or abandon it",
        )

    def _run(self, operation: Operation, playbook: Playbook) -> Iterator[Event]:
        yield Started(operation.operation_id, operation.plan)
        found = operation.found
        for record in operation.left:
            news = yield from self._step(operation, record, playbook, found)
            found.update(news)
        self._record(operation, "operation-finished", found=found)
        yield Finished(operation.operation_id, found)

    def _step(
        self, operation: Operation, record: StepRecord, playbook: Playbook, found: Found
    ) -> Generator[Event, None, Found]:
        """Run one step, or find that it has happened already."""
        runner = _runner(playbook, record.step)
        news = self._looked(operation, record, runner, found)
        if news is not None:
            yield StepStarted(record.number, record.step)
        else:
            self._check(operation, record, playbook, found)
            before = runner.before(record.step, found) if runner.before else {}
            number = record.number
            self._record(operation, "step-started", number=number, action=record.step.action, before=before)
            yield StepStarted(number, record.step)
            news = yield from self._tried(operation, record, runner, found)
        self._record(operation, "step-done", number=record.number, found=dict(news))
        yield StepDone(record.number, news)
        return news

    def _tried(
        self, operation: Operation, record: StepRecord, runner: Runner, found: Found
    ) -> Generator[Event, None, Found]:
        try:
            return (yield from self._follow(record.number, record.step, runner.run(record.step, found)))
        except HsmctlError as error:
            sure = isinstance(error, _SURE)
            self._record(operation, "step-failed", number=record.number, error=str(error), certain=sure)
            self._close_if_unchanged(operation)
            if isinstance(error, Conflict) and error.what.startswith("cloudhsm:"):
                raise self._in_context(error, found.get("cluster_id", "")) from error
            raise

    def _in_context(self, error: Conflict, cluster_id: str) -> Conflict:
        """A refusal of the service with what it does not say: the cluster's state and what is legal in it."""
        try:
            cluster = self.cluster(cluster_id)
        except HsmctlError:
            return error
        return Conflict(f"{error.what}, {cluster_id} is {cluster.state}", error.why, legal_now(cluster))

    def _looked(self, operation: Operation, record: StepRecord, runner: Runner, found: Found) -> Found | None:
        """What a step that may have happened found; None where it is to be run.

        Raises:
            Conflict: it may have happened, and there is no way to tell.
        """
        if record.state is not StepState.UNCERTAIN:
            return None
        if runner.look is not None:
            return runner.look(record.step, {**found, **record.before})
        if record.step.effect is Effect.WAIT:
            return None
        raise Conflict(
            f"step {record.number} of {operation.operation_id} may have happened",
            f"{record.step.says}: nothing here can tell",
            f"look yourself, then hsmctl operation abandon {operation.operation_id} --reason TEXT",
        )

    def _check(self, operation: Operation, record: StepRecord, playbook: Playbook, found: Found) -> None:
        """Read everything again that must hold, and refuse the step where something does not."""
        plan, step = operation.plan, record.step
        asked = () if step.effect is Effect.WAIT else plan.preconditions
        try:
            self._check_state(step, found.get("cluster_id"))
            with playbook.look() as readers:
                for precondition in (*asked, *step.preconditions):
                    if precondition.key:
                        _check_one(readers[precondition.key](precondition, found))
        except HsmctlError as error:
            self._record(operation, "step-hindered", number=record.number, error=str(error))
            self._close_if_unchanged(operation)
            raise

    def _close_if_unchanged(self, operation: Operation) -> None:
        """An operation that has changed nothing is over: there is nothing to go on with."""
        if not self.find(operation.operation_id).changed:
            self._record(operation, "operation-refused")

    def _follow(self, number: int, step: Step, run: Generator[str, None, Found]) -> Generator[Event, None, Found]:
        """Turn what a running step says into events."""
        began = self.clock.now()
        while True:
            try:
                said = next(run)
            except StopIteration as end:
                return dict(end.value or {})
            yield Progress(number, said, self.clock.now() - began, step.usual)

    def _check_fresh(self, plan: Plan) -> None:
        if self.clock.now() - plan.made_at > CONFIRMATION_LIFE:
            raise Conflict(plan.title, f"the plan is older than {CONFIRMATION_LIFE}", "plan and confirm anew")

    def _checked_caller(self, plan: Plan) -> Caller:
        """Who we are, which must be somebody of the account the plan was made for; AWS is not asked without one."""
        if not plan.account:
            return Caller(account="", arn="")
        caller = self.identity.caller()
        if caller.account != plan.account:
            raise Denied(
                plan.title, f"planned for account {plan.account}, we are in {caller.account}", "check --context"
            )
        return caller

    def _check_state(self, step: Step, cluster_id: str | None) -> None:
        """Refuse a step whose cluster has left the states it is legal in."""
        if not step.states or cluster_id is None:
            return
        state = self.cluster(cluster_id).state
        if state not in step.states:
            legal = ", ".join(sorted(step.states))
            raise Conflict(
                f"{cluster_id} is {state}", f"{step.action} needs {legal}", f"hsmctl cluster show {cluster_id}"
            )

    def _record(self, operation: Operation, kind: str, **fields: object) -> None:
        self.journal.append(kind, {"operation": operation.operation_id, **fields})


def check_met(plan: Plan) -> None:
    """Refuse a plan that something stands in the way of.

    Raises:
        Conflict: the first precondition that is not met, with the reason and the way out.
    """
    for precondition in plan.unmet:
        _check_one(precondition)


def _check_one(precondition: Precondition) -> None:
    if not precondition.met:
        raise Conflict(f"not true: {precondition.what}", precondition.why, precondition.way_out)


def _runner(playbook: Playbook, step: Step) -> Runner:
    """How the step is run.

    Raises:
        Conflict: this version does not know.
    """
    if step.action not in playbook.runners:
        raise Conflict(f"{step.action}: {step.says}", "this hsmctl does not know such a step", "use the newer hsmctl")
    return playbook.runners[step.action]
