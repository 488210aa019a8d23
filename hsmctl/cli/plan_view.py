"""A plan and what came of it, as documents and as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from hsmctl.cli.view import Page, View
from hsmctl.domain.event import Finished
from hsmctl.domain.plan import Effect, Plan, Precondition, Step
from hsmctl.mark import Mark
from hsmctl.words import clipped, lasting


@dataclass(frozen=True, slots=True, kw_only=True)
class PreconditionRow:
    """Something that must hold."""

    what: str
    holds: bool
    waived: str | None
    """The reason for going on although it does not hold."""
    grade: str
    why: str | None
    way_out: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One thing to do."""

    number: int
    action: str
    says: str
    effect: str
    """wait, change or destroy: what cannot be undone."""
    states: tuple[str, ...]
    """The cluster states it may start in."""
    permissions: tuple[str, ...]
    usual_seconds: float | None
    preconditions: tuple[PreconditionRow, ...]
    """What must hold when it begins, on top of what must hold for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanShown:
    """A change before it is made."""

    title: str
    target: str
    cluster_id: str | None
    region: str
    account: str
    destructive: bool
    confirmation: str | None
    """What is to be typed, or given with --confirm."""
    ready: bool
    """Whether everything holds that must."""
    preconditions: tuple[PreconditionRow, ...]
    steps: tuple[StepRow, ...]
    permissions: tuple[str, ...]
    warnings: tuple[str, ...]
    cost: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that was made."""

    operation_id: str
    title: str
    target: str
    found: Mapping[str, str]
    """What its steps found or made, such as new ids."""


def shown(plan: Plan) -> PlanShown:
    """The plan as it is written."""
    return PlanShown(
        title=plan.title,
        target=plan.target,
        cluster_id=plan.cluster_id,
        region=plan.region,
        account=plan.account,
        destructive=plan.destructive,
        confirmation=plan.confirmation if plan.destructive else None,
        ready=not plan.unmet,
        preconditions=tuple(map(_precondition, plan.preconditions)),
        steps=tuple(step_row(number, step) for number, step in enumerate(plan.steps, 1)),
        permissions=plan.permissions,
        warnings=plan.warnings,
        cost=plan.cost or None,
    )


def changed(finished: Finished, plan: Plan) -> Change:
    """What came of a plan, as it is written; long texts such as certificates are left to `operation show`."""
    found = {name: value for name, value in finished.found.items() if "\n" not in value}
    target = finished.found.get("cluster_id", plan.target)
    return Change(operation_id=finished.operation_id, title=plan.title, target=target, found=found)


def step_row(number: int, step: Step) -> StepRow:
    """A step as it is written."""
    return StepRow(
        number=number,
        action=step.action,
        says=step.says,
        effect=step.effect,
        states=tuple(sorted(step.states)),
        permissions=step.permissions,
        usual_seconds=None if step.usual is None else step.usual.total_seconds(),
        preconditions=tuple(map(_precondition, step.preconditions)),
    )


def _precondition(each: Precondition) -> PreconditionRow:
    return PreconditionRow(
        what=each.what,
        holds=each.holds,
        waived=each.waived or None,
        grade=each.grade,
        why=each.why or None,
        way_out=each.way_out or None,
    )


def plan_lines(plan: PlanShown) -> Iterator[str]:
    """A plan for people."""
    yield plan.title
    # Every removal has the same interlocks: they are shown once, and for each step only in the document.
    own = (each for step in plan.steps for each in step.preconditions)
    for each in dict.fromkeys((*plan.preconditions, *own)):
        yield from _precondition_lines(each, "  ")
    for step in plan.steps:
        mark = Mark.ATTENTION.glyph if step.effect == Effect.DESTROY else " "
        usually = f" (usually {lasting(timedelta(seconds=step.usual_seconds))})" if step.usual_seconds else ""
        yield f"{mark} {step.number} {step.says}{usually}"
    yield from (f"warning: {warning}" for warning in plan.warnings)
    if plan.cost:
        yield f"cost: {plan.cost}"
    if plan.confirmation:
        yield f"{Mark.ATTENTION.glyph} marks what cannot be undone; it is confirmed with {plan.confirmation}"


def _precondition_lines(each: PreconditionRow, indent: str) -> Iterator[str]:
    mark = Mark.REPORTED if each.holds else Mark.ATTENTION if each.waived else Mark.BAD
    why = f": {each.why}" if each.why else ""
    yield f"{indent}{mark.glyph} {each.what} ({each.grade}){why}"
    if each.waived:
        yield f"{indent}  waived: {each.waived}"
    elif not each.holds and each.way_out:
        yield f"{indent}  way out: {each.way_out}"


def _change_lines(change: Change, _: Page) -> Iterator[str]:
    yield f"{Mark.REPORTED.glyph} {change.title}: done"
    for name, value in change.found.items():
        yield f"  {name.replace('_', ' ')}  {value}"


def _new_names(change: Change) -> list[str]:
    """The ids that were found or made, those of HSMs, backups and the like before the cluster's own."""
    made = [value for value in change.found.values() if value.startswith(("hsm-", "backup-"))]
    return made or [change.target]


PLAN: View[PlanShown] = View(
    schema="operation.plan@1",
    document=PlanShown,
    lines=lambda plan, page: plan_lines(plan) if page.wide else map(clipped, plan_lines(plan)),
    names=lambda plan: [plan.target],
    items=lambda plan: plan.steps,
)
CHANGE: View[Change] = View(
    schema="operation.change@1",
    document=Change,
    lines=_change_lines,
    names=_new_names,
)
