"""How a command shows a plan and runs it: the one way, whatever noun the plan is of.

A command that changes something is declared with `@changes` and ends in `carry_out`. The rule: a plan is always shown
before it starts. One that can be undone starts at once, because the command named all of it. One that cannot is
confirmed by typing the end of what it destroys, at the terminal or as `--confirm XXXXXX`; there is no `--yes`.
`--dry-run` shows the plan as the answer and starts nothing.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar, assert_never

import click

from hsmctl.cli.plan_view import CHANGE, PLAN, changed, plan_lines, shown
from hsmctl.cli.session import Session
from hsmctl.domain.event import Event, Finished, Progress, Started, StepDone, StepStarted
from hsmctl.domain.operation import OperationState
from hsmctl.domain.plan import Plan
from hsmctl.errors import Denied, ExitCode, HsmctlError, UsageError
from hsmctl.words import clipped, lasting

T = TypeVar("T")

_SAID_AGAIN = timedelta(seconds=30)
"""How often a step that takes its time says the same again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was typed about how to make a change."""

    dry_run: bool = False
    confirm: str | None = None
    break_glass: str = ""


def changes(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options of a change; it gets them as `wish`."""

    @functools.wraps(function)
    def call(*values: object, dry_run: bool, confirm: str | None, break_glass: str, **named: object) -> int:
        wish = Wish(dry_run=dry_run, confirm=confirm, break_glass=break_glass)
        return function(*values, wish=wish, **named)

    for option in (
        click.option("--break-glass", metavar="REASON", default="", help="Change a protected context; kept for ever."),
        click.option("--confirm", metavar="XXXXXX", help="The end of the id, for what cannot be undone."),
        click.option("--dry-run", is_flag=True, help="Show the plan and change nothing."),
    ):
        option(call)
    return call


def carry_out(session: Session, wish: Wish, make: Callable[[], Plan]) -> int:
    """Make a plan, show it, have it confirmed where it must be, run it and show what came of it; the exit code.

    Raises:
        Denied: the context refuses changes, or the caller is of another account.
        Conflict: something stands in the way of the plan.
        UsageError: it was not confirmed.
    """
    begin(session, wish)
    facade, plan = session.hsmctl, make()
    if session.hand_over is not None:
        session.hand_over(plan)
        return ExitCode.OK
    plan = facade.operations.hindered(facade.timeline.warned(plan))
    if wish.dry_run:
        return session.show(
            PLAN, shown(plan), region=plan.region, code=ExitCode.CONFLICT if plan.unmet else ExitCode.OK
        )
    for line in plan_lines(shown(plan)):
        session.out.say(clipped(line))
    from hsmctl.services.operation import check_met

    check_met(plan)
    if plan.destructive:
        confirm(clipped(plan.title), plan.confirmation, wish.confirm)
    finished = narrated(session, facade.operations.apply(plan, facade.playbook(plan.noun)))
    return session.show(CHANGE, changed(finished, plan), region=plan.region)


def begin(session: Session, wish: Wish) -> None:
    """Refuse a change, before anything is read for it, that the context or the account forbids."""
    facade = session.hsmctl
    facade.break_glass = wish.break_glass
    if not wish.dry_run:
        facade.check_may_write()
    session.check_account()


def confirm(what: str, wanted: str, given: str | None, why: str = "it cannot be undone") -> None:
    """Have somebody type what they are about to change for good, or to load; `why` says which.

    Raises:
        UsageError: nobody is there to type, and `--confirm` was not given.
        Denied: something else was typed.
    """
    if given is None and not sys.stdin.isatty():
        raise UsageError(what, f"{why} and nobody is there to confirm it", f"--confirm {wanted}")
    if given is None:
        sys.stderr.write(f"{what}: {why}. Type {wanted} to go on: ")
        sys.stderr.flush()
        given = sys.stdin.readline().strip()
    if given != wanted:
        raise Denied(what, "not confirmed: something else was typed", f"type {wanted}")


def narrated(session: Session, events: Iterator[Event]) -> Finished:
    """Run an operation to its end, saying on standard error what happens; how it ended."""
    narrator = _Narrator(session)
    try:
        for event in events:
            narrator.tell(event)
            if isinstance(event, Finished):
                return event
    except KeyboardInterrupt:
        narrator.say_how_to_follow("stopped looking; what AWS has begun goes on")
        raise
    except HsmctlError:
        narrator.say_how_to_follow("not finished")
        raise
    raise HsmctlError("an operation without an end")


def waited(session: Session, looks: Generator[str, None, T]) -> T:
    """Follow a wait that changes nothing, saying on standard error what it sees; what was waited for.

    Raises:
        Unreachable: it did not come in time.
    """
    said = ""
    try:
        while True:
            words = next(looks)
            if words != said:
                session.out.say(words)
            said = words
    except StopIteration as end:
        value: T = end.value
        return value


@dataclass
class _Narrator:
    """Says events, and waiting only as often as somebody wants to read it."""

    session: Session
    operation_id: str = ""
    _text: str = ""
    _said: timedelta = field(default_factory=timedelta)

    def tell(self, event: Event) -> None:
        match event:
            case Started(operation_id, _):
                self.operation_id = operation_id
                self._say(f"operation {operation_id}")
            case StepStarted(number, step):
                self._text, self._said = "", timedelta()
                self._say(f"  {number} {step.says}")
            case Progress(_, text, elapsed, usual):
                if text != self._text or elapsed - self._said >= _SAID_AGAIN:
                    self._text, self._said = text, elapsed
                    usually = f", usually {lasting(usual)}" if usual else ""
                    after = f" ({lasting(elapsed)}{usually})" if elapsed.total_seconds() >= 1 else ""
                    self._say(f"    {text}{after}")
            case StepDone() | Finished():
                return
            case _:
                assert_never(event)

    def say_how_to_follow(self, why: str) -> None:
        """Say how an operation that is still open goes on."""
        operations = self.session.hsmctl.operations
        if self.operation_id and operations.find(self.operation_id).state is OperationState.OPEN:
            self._say(f"{why}: hsmctl operation resume {self.operation_id} goes on with it")

    def _say(self, line: str) -> None:
        self.session.out.say(clipped(line))
