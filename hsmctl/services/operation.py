"""Applying a plan: one writer per cluster, preconditions read again before every step, everything journaled first."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.event import Event, Finished, Progress, Started, StepDone, StepStarted
from hsmctl.domain.plan import CONFIRMATION_LIFE, Action, Plan, Step
from hsmctl.errors import Conflict, Denied, HsmctlError
from hsmctl.ports import Caller, Clock, Identity, Journal, Locks

Found = Mapping[str, str]
Runner = Callable[[Step, Found], Generator[str, None, Found]]
"""Runs one step: yields what it sees while it waits and returns what it found for the steps after it."""


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

    def apply(self, plan: Plan, runners: Mapping[Action, Runner]) -> Iterator[Event]:
        """Run the plan step by step and say what happens.

        Raises:
            Conflict: the plan is older than its confirmation may be, a precondition no longer holds, or somebody else
                on this machine is changing the cluster.
            Denied: the context refuses changes, or the caller's account is not the plan's.
        """
        break_glass = self.guard()
        self._check_fresh(plan)
        caller = self._checked_caller(plan)
        with self.locks.hold(plan.cluster_id or f"create-{plan.region}"):
            operation_id = self.new_id()
            self._record("operation-started", operation_id, caller=caller.arn, break_glass=break_glass, plan=plan)
            yield from self._run(plan, runners, operation_id)

    def _run(self, plan: Plan, runners: Mapping[Action, Runner], operation_id: str) -> Iterator[Event]:
        yield Started(operation_id, plan)
        found: dict[str, str] = {} if plan.cluster_id is None else {"cluster_id": plan.cluster_id}
        for number, step in enumerate(plan.steps, 1):
            try:
                self._check_state(step, found.get("cluster_id"))
                self._record("step-started", operation_id, number=number, action=step.action)
                yield StepStarted(number, step)
                news = yield from self._follow(number, step, runners[step.action](step, found))
            except HsmctlError as error:
                self._record("step-failed", operation_id, number=number, error=str(error))
                raise
            found.update(news)
            self._record("step-done", operation_id, number=number, found=dict(news))
            yield StepDone(number, news)
        self._record("operation-finished", operation_id, found=dict(found))
        yield Finished(operation_id, found)

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
        """Who we are, which must be somebody of the account the plan was made for."""
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

    def _record(self, kind: str, operation_id: str, **fields: object) -> None:
        self.journal.append(kind, {"operation": operation_id, **fields})
