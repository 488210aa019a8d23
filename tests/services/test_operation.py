"""Proves that an operation cut off anywhere goes on in another process without repeating or losing a step."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import world

from hsmctl.adapters.journal import FileJournal
from hsmctl.domain.evidence import Grade
from hsmctl.domain.operation import Found, OperationState, StepState
from hsmctl.domain.plan import Action, Effect, Plan, Precondition, Step, plan_of
from hsmctl.errors import Conflict, Denied, HsmctlError, Unreachable, UsageError
from hsmctl.services.operation import Operations, Playbook, Runner

ACTIONS = (Action.CREATE_HSM, Action.WAIT_HSM, Action.INITIALIZE)


class Killed(BaseException):
    """The end of the process."""


class OneLock:
    """ports.Locks of a machine with one process."""

    held: set[str]

    def __init__(self) -> None:
        self.held = set()

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        if name in self.held:
            raise Conflict(f"{name} is being changed")
        self.held.add(name)
        try:
            yield
        finally:
            self.held.discard(name)

    def holder(self, name: str) -> int | None:
        return 4711 if name in self.held else None


@dataclass
class Estate:
    """What three steps do to the world, where the process dies, and everything that was called."""

    path: Path
    dies_before: Action | None = None
    dies_after: Action | None = None
    """After it happened, before the journal has it."""
    error: HsmctlError | None = None
    true: dict[str, bool] = field(default_factory=dict)
    calls: list[Action] = field(default_factory=list)
    looks: list[Action] = field(default_factory=list)
    locks: OneLock = field(default_factory=OneLock)

    def operations(self, name: str = "OP1") -> Operations:
        clock = world.FakeClock()
        return Operations(
            clock=clock,
            journal=FileJournal(self.path, clock),
            locks=self.locks,
            identity=world.FakeIdentity(world.ACCOUNT, None, None),
            cluster=lambda _: world.three_hsms(),
            new_id=lambda: name,
            guard=lambda: None,
        )

    @property
    def playbook(self) -> Playbook:
        looking = Runner(self.run, self.look, lambda step, _: {"before": step.says})
        runners = {Action.CREATE_HSM: looking, Action.WAIT_HSM: Runner(self.run), Action.INITIALIZE: looking}
        return Playbook(runners, {"truth": self.read})

    def run(self, step: Step, found: Found) -> Generator[str, None, Found]:
        if step.action is self.dies_before:
            raise Killed
        yield "calling"
        if self.error:
            raise self.error
        self.calls.append(step.action)
        if step.action is self.dies_after:
            raise Killed
        return {f"{step.action}-made": f"after {len(found)}"}

    def look(self, step: Step, found: Found) -> Found | None:
        assert found["before"] == step.says
        self.looks.append(step.action)
        return {f"{step.action}-made": "seen"} if step.action in self.calls else None

    def read(self, precondition: Precondition, _: Found) -> Precondition:
        holds = self.true.get(precondition.inputs["name"], True)
        return replace(precondition, holds=holds, why="" if holds else "it changed")


def plan(*preconditions: Precondition, own: tuple[Precondition, ...] = ()) -> Plan:
    effects = (Effect.CHANGE, Effect.WAIT, Effect.DESTROY)
    steps = tuple(
        Step(action=action, says=f"do {action}", effect=effect, preconditions=own if effect is Effect.DESTROY else ())
        for action, effect in zip(ACTIONS, effects, strict=True)
    )
    return Plan(
        title="a change",
        region=world.REGION,
        account=world.ACCOUNT,
        made_at=world.NOW,
        cluster_id=world.CLUSTER,
        steps=steps,
        preconditions=preconditions,
    )


def truth(name: str) -> Precondition:
    return Precondition(
        what=f"{name} is true", holds=True, grade=Grade.PROVED, key="truth", inputs={"name": name}, way_out="make it so"
    )


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path / "journal.jsonl")


def test_a_plan_comes_back_from_the_journal_as_it_was(estate: Estate) -> None:
    made = replace(plan(truth("a"), own=(truth("b"),)), warnings=("mind",), cost="+1.60 USD/h", subject="x")
    list(estate.operations().apply(made, estate.playbook))
    (started, *_) = estate.operations().journal.records()
    assert plan_of(started["plan"]) == made  # type: ignore[arg-type]
    assert estate.operations().find("OP1").plan == made


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("late", [False, True])
def test_killed_at_any_step_it_goes_on_and_every_step_happens_once(
    estate: Estate, action: Action, *, late: bool
) -> None:
    estate.dies_before, estate.dies_after = (None, action) if late else (action, None)
    with pytest.raises(Killed):
        list(estate.operations().apply(plan(), estate.playbook))
    estate.dies_before = estate.dies_after = None

    operation = estate.operations().find("OP1")
    assert operation.state is OperationState.OPEN
    assert operation.left[0].state is StepState.UNCERTAIN
    list(estate.operations().resume("OP1", estate.playbook, confirmed=True))

    changes = [each for each in estate.calls if each is not Action.WAIT_HSM]
    assert changes == [Action.CREATE_HSM, Action.INITIALIZE]
    assert estate.operations().find("OP1").state is OperationState.FINISHED
    assert set(estate.operations().find("OP1").found) == {"cluster_id", *(f"{each}-made" for each in ACTIONS)}


def test_an_answer_that_was_lost_is_looked_for_and_a_refusal_is_not(estate: Estate) -> None:
    estate.error = Unreachable("no answer")
    with pytest.raises(Unreachable):
        list(estate.operations().apply(plan(), estate.playbook))
    assert estate.operations().find("OP1").left[0].state is StepState.UNCERTAIN
    estate.error = None
    list(estate.operations().resume("OP1", estate.playbook, confirmed=True))
    assert estate.looks == [Action.CREATE_HSM]

    estate.error = Conflict("no such zone")
    with pytest.raises(Conflict, match="no such zone"):
        list(estate.operations("OP2").apply(plan(), estate.playbook))
    assert estate.operations().find("OP2").state is OperationState.REFUSED
    assert estate.operations().find("OP2").error == "no such zone"


def test_what_may_have_happened_is_not_repeated_where_nothing_can_tell(estate: Estate) -> None:
    estate.dies_after = Action.CREATE_HSM
    with pytest.raises(Killed):
        list(estate.operations().apply(plan(), estate.playbook))
    blind = Playbook({action: Runner(estate.run) for action in ACTIONS})
    with pytest.raises(Conflict, match="may have happened"):
        list(estate.operations().resume("OP1", blind, confirmed=True))
    assert estate.calls == [Action.CREATE_HSM]


def test_a_step_that_cannot_be_undone_resumes_only_after_a_new_confirmation(estate: Estate) -> None:
    estate.dies_before = Action.INITIALIZE
    with pytest.raises(Killed):
        list(estate.operations().apply(plan(), estate.playbook))
    estate.dies_before = None
    with pytest.raises(UsageError) as refused:
        list(estate.operations().resume("OP1", estate.playbook, confirmed=False))
    assert refused.value.hint == f"--confirm {world.CLUSTER[-6:]}"
    assert Action.INITIALIZE not in estate.calls


def test_an_open_operation_makes_a_new_plan_a_conflict_until_it_is_abandoned(estate: Estate) -> None:
    estate.dies_after = Action.CREATE_HSM
    with pytest.raises(Killed):
        list(estate.operations().apply(plan(), estate.playbook))
    estate.dies_after = None
    with pytest.raises(Conflict, match="open operation") as refused:
        list(estate.operations("OP2").apply(plan(), estate.playbook))
    assert "operation resume OP1" in refused.value.hint
    hindered = estate.operations().hindered(plan()).preconditions[0]
    assert (hindered.met, hindered.waiver, hindered.why) == (False, "", f"OP1: {plan().title}")
    list(estate.operations("OP3").apply(replace(plan(), cluster_id="cluster-zzzzzzzzzzz"), estate.playbook))
    assert estate.operations().abandon("OP1", "done by hand").reason == "done by hand"
    list(estate.operations("OP4").apply(plan(), estate.playbook))
    with pytest.raises(Conflict, match="abandoned"):
        list(estate.operations().resume("OP1", estate.playbook, confirmed=True))


def test_a_running_operation_is_neither_resumed_nor_abandoned_and_its_process_is_named(estate: Estate) -> None:
    running = estate.operations().apply(plan(), estate.playbook)
    next(running)
    operations = estate.operations()
    assert operations.holder(operations.find("OP1")) == 4711
    assert "process 4711 is at it" in operations.hindered(plan()).preconditions[0].why
    with pytest.raises(Conflict, match="being changed"):
        operations.abandon("OP1", "in a hurry")
    with pytest.raises(Conflict, match="being changed"):
        list(operations.resume("OP1", estate.playbook, confirmed=True))


def test_what_must_hold_is_read_again_before_every_step_that_changes_something(estate: Estate) -> None:
    events = estate.operations().apply(plan(truth("a")), estate.playbook)
    while estate.calls != [Action.CREATE_HSM]:
        next(events)
    estate.true["a"] = False
    with pytest.raises(Conflict, match="not true: a is true: it changed") as refused:
        list(events)
    assert refused.value.hint == "make it so"
    assert estate.calls == [Action.CREATE_HSM, Action.WAIT_HSM]
    assert estate.operations().find("OP1").state is OperationState.OPEN


def test_what_must_hold_for_one_step_is_read_before_that_step_alone(estate: Estate) -> None:
    estate.true["b"] = False
    with pytest.raises(Conflict, match="b is true"):
        list(estate.operations().apply(plan(own=(truth("b"),)), estate.playbook))
    assert estate.calls == [Action.CREATE_HSM, Action.WAIT_HSM]


def test_nothing_starts_while_something_stands_in_the_way_unless_it_is_waived(estate: Estate) -> None:
    against = replace(truth("a"), holds=False, why="it is not", key="")
    with pytest.raises(Conflict, match="it is not"):
        list(estate.operations().apply(plan(against), estate.playbook))
    assert estate.operations().all() == ()
    list(estate.operations().apply(plan(replace(against, waived="told to")), estate.playbook))
    assert estate.operations().find("OP1").plan.preconditions[0].waived == "told to"


def test_an_operation_that_was_hindered_before_it_changed_anything_is_over(estate: Estate) -> None:
    estate.true["a"] = False
    with pytest.raises(Conflict):
        list(estate.operations().apply(plan(truth("a")), estate.playbook))
    assert estate.operations().find("OP1").state is OperationState.REFUSED


def test_the_end_or_the_beginning_of_an_id_is_enough_if_it_is_the_only_one(estate: Estate) -> None:
    for name in ("01AAA1", "01AAB2"):
        list(estate.operations(name).apply(plan(), estate.playbook))
    assert estate.operations().find("B2").operation_id == "01AAB2"
    with pytest.raises(Conflict, match="2 operations"):
        estate.operations().find("01")
    with pytest.raises(Conflict, match="none like it"):
        estate.operations().find("77")


def test_a_step_of_another_version_is_listed_and_not_resumed(estate: Estate) -> None:
    newer = replace(plan(), steps=(Step(action=Action("melt-hsm"), says="melt"),))
    with pytest.raises(Conflict, match="does not know"):
        list(estate.operations().apply(newer, estate.playbook))
    assert estate.operations().find("OP1").steps[0].step.action == "melt-hsm"


def test_a_plan_that_changes_nothing_in_aws_asks_nobody_there(estate: Estate) -> None:
    aws_is_away = replace(
        estate.operations(), identity=world.FakeIdentity(world.ACCOUNT, None, Denied("no credentials"))
    )
    list(aws_is_away.apply(replace(plan(), account="", cluster_id=None, subject="token:dr"), estate.playbook))
    assert estate.operations().find("OP1").target == "token:dr"
