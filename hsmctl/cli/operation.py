"""`operation`: changes that were started: what is done, what is left, going on with one, giving one up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import click

from hsmctl.cli.plan import Wish, begin, changes, confirm, narrated
from hsmctl.cli.plan_view import CHANGE, PLAN, StepRow, changed, shown, step_row
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, details, table
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.operation import Operation, OperationState, StepRecord, StepState
from hsmctl.mark import OPERATIONS, STEPS, Mark
from hsmctl.words import age, clipped, instant


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRow:
    """One operation of a list."""

    operation_id: str
    title: str
    target: str
    state: str
    """open, finished, refused (it changed nothing) or abandoned."""
    pid: int | None
    """The process of this machine that is at it."""
    steps_done: int
    steps_total: int
    started_at: datetime | None
    updated_at: datetime | None
    error: str | None
    """Why the step it stands at last failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShown:
    """One step of an operation and how it went."""

    step: StepRow
    state: str
    """planned, uncertain (it may have happened), failed (it did not) or done."""
    found: Mapping[str, str]
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationShown:
    """One operation whole."""

    operation: OperationRow
    region: str
    account: str
    caller: str | None
    os_user: str | None
    reason: str | None
    """Why it was abandoned."""
    steps: tuple[StepShown, ...]
    found: Mapping[str, str]


@verb("list", "hsmctl operation list", "hsmctl operation list --all -o json")
@click.option("--all", "whole", is_flag=True, help="Those that are over too.")
def list_operations(session: Session, *, whole: bool) -> int:
    """List the operations that are open, the newest first."""
    operations = session.hsmctl.operations
    found = [each for each in _ours(session) if whole or each.state is OperationState.OPEN]
    rows = tuple(_row(each, operations.holder(each)) for each in reversed(found))
    return session.show(LIST, rows)


@verb("show", "hsmctl operation show 01KAT3", "hsmctl operation show 01KAT3 -o json --query found")
@click.argument("operation")
def show_operation(session: Session, operation: str) -> int:
    """Show an operation step by step; the beginning or the end of its id is enough."""
    operations = session.hsmctl.operations
    found = operations.find(operation)
    return session.show(SHOW, _shown(found, operations.holder(found)), region=found.plan.region)


@verb("resume", "hsmctl operation resume 01KAT3", "hsmctl operation resume 01KAT3 --confirm r5t6y2")
@click.argument("operation")
@changes
def resume(session: Session, operation: str, wish: Wish) -> int:
    """Go on with an open operation: what is done is not repeated, what may have happened is looked for first."""
    begin(session, wish)
    facade = session.hsmctl
    found = facade.operations.open_one(operation)
    if wish.dry_run:
        return session.show(PLAN, shown(found.plan), region=found.plan.region)
    for line in _step_lines(_shown(found, None)):
        session.out.say(line)
    if found.destructive:
        confirm(found.plan.title, found.confirmation, wish.confirm)
    playbook = facade.playbook(found.plan.noun)
    finished = narrated(session, facade.operations.resume(found.operation_id, playbook, confirmed=True))
    return session.show(CHANGE, changed(finished, found.plan), region=found.plan.region)


@verb("abandon", 'hsmctl operation abandon 01KAT3 --reason "done by hand"')
@click.argument("operation")
@click.option("--reason", required=True, help="Why; the journal keeps it.")
@click.option("--break-glass", metavar="REASON", default="", help="Change a protected context; kept for ever.")
def abandon(session: Session, operation: str, reason: str, break_glass: str) -> int:
    """Give an open operation up as it stands; nothing that was done is undone."""
    begin(session, Wish(break_glass=break_glass))
    found = session.hsmctl.operations.find(operation)
    given_up = session.hsmctl.operations.abandon(found.operation_id, reason)
    return session.show(SHOW, _shown(given_up, None), region=given_up.plan.region)


noun = Noun("operation", "Changes that were started.", list_operations, show_operation, resume, abandon)


def _ours(session: Session) -> list[Operation]:
    """The operations of the context's account, and those of no account."""
    account = session.hsmctl.context.account_id
    every = session.hsmctl.operations.all()
    return [each for each in every if account is None or each.plan.account in ("", account)]


def _row(operation: Operation, pid: int | None) -> OperationRow:
    return OperationRow(
        operation_id=operation.operation_id,
        title=operation.plan.title,
        target=operation.target,
        state=operation.state,
        pid=pid,
        steps_done=len(operation.steps) - len(operation.left),
        steps_total=len(operation.steps),
        started_at=operation.started_at,
        updated_at=operation.updated_at,
        error=operation.error or None,
    )


def _shown(operation: Operation, pid: int | None) -> OperationShown:
    return OperationShown(
        operation=_row(operation, pid),
        region=operation.plan.region,
        account=operation.plan.account,
        caller=operation.caller or None,
        os_user=operation.os_user or None,
        reason=operation.reason or None,
        steps=tuple(map(_step, operation.steps)),
        found=operation.found,
    )


def _step(record: StepRecord) -> StepShown:
    row = step_row(record.number, record.step)
    return StepShown(step=row, state=record.state, found=record.found, error=record.error or None)


def _state(row: OperationRow) -> str:
    return f"running as process {row.pid}" if row.pid else row.state


def _mark(row: OperationRow) -> Mark:
    return Mark.PENDING if row.pid else OPERATIONS[row.state]


def _list_lines(rows: tuple[OperationRow, ...], page: Page) -> list[str]:
    columns: tuple[Column[OperationRow], ...] = (
        Column(title="", cell=lambda row: _mark(row).glyph),
        Column(title="OPERATION", cell=lambda row: row.operation_id),
        Column(title="STATE", cell=_state),
        Column(title="STEPS", cell=lambda row: f"{row.steps_done}/{row.steps_total}", right=True),
        Column(title="SINCE", cell=lambda row: age(page.now, row.started_at), right=True),
        Column(title="WHAT", cell=lambda row: row.title if page.wide else clipped(row.title)),
        Column(title="WHY", cell=lambda row: row.error or "", wide=True),
    )
    return table(columns, rows, wide=page.wide, width=page.width)


def _show_lines(shown: OperationShown, page: Page) -> Iterator[str]:
    row = shown.operation
    began = f"{instant(row.started_at)} ({age(page.now, row.started_at)})" if row.started_at else ""
    yield from details(
        [
            ("operation", row.operation_id),
            ("what", clipped(row.title)),
            ("on", row.target),
            ("state", _state(row)),
            ("started", began),
            ("by", " ".join(part for part in (shown.caller, shown.os_user) if part)),
            ("reason", shown.reason or ""),
        ]
    )
    yield ""
    yield from _step_lines(shown)
    if row.state == OperationState.OPEN and not row.pid:
        yield ""
        yield f"it goes on with: hsmctl operation resume {row.operation_id}"


def _step_lines(shown: OperationShown) -> Iterator[str]:
    for each in shown.steps:
        words = "" if each.state in (StepState.DONE, StepState.PLANNED) else f" ({each.state})"
        mark = STEPS[each.state]
        yield f"{mark.glyph if mark else ' '} {each.step.number} {clipped(each.step.says)}{words}"
        if each.error:
            yield f"    {each.error}"
        for name, value in each.found.items():
            if "\n" not in value:  # certificates and the like are for `-o json`
                yield f"    {name.replace('_', ' ')}  {value}"


LIST: View[tuple[OperationRow, ...]] = View(
    schema="operation.list@1",
    document=tuple[OperationRow, ...],
    lines=_list_lines,
    names=lambda rows: [row.operation_id for row in rows],
    items=lambda rows: rows,
    nothing="no operations are open",
)
SHOW: View[OperationShown] = View(
    schema="operation.show@1",
    document=OperationShown,
    lines=_show_lines,
    names=lambda shown: [shown.operation.operation_id],
    items=lambda shown: shown.steps,
)
