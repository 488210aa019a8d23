"""How a change is made from the screens, whatever noun it is of: planned on a thread, shown, confirmed, started."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

from hsmctl.domain.operation import Operation, StepState
from hsmctl.domain.plan import Plan
from hsmctl.errors import HsmctlError

from .offload import call

if TYPE_CHECKING:
    from .app import HsmctlApp
    from .place import Place
    from .running import Run

PLAN_SECONDS = 120.0
"""How long making a plan may take: its interlocks read from AWS and HSMs."""


def propose(place: Place, make: Callable[[], Plan]) -> None:
    """Have a plan made and, once it is confirmed, carried out; the place stays as it is meanwhile."""
    place.run_worker(_propose(place, make), group="plan", exclusive=True)


def propose_resuming(place: Place, operation: Operation) -> None:
    """Have an operation that was cut off confirmed, and gone on with."""
    place.run_worker(_resume(place, operation), group="plan", exclusive=True)


async def _propose(place: Place, make: Callable[[], Plan]) -> None:
    try:
        plan = await call(make, seconds=PLAN_SECONDS)
    except HsmctlError as error:
        place.complain(f"{error} · {error.hint}" if error.hint else str(error))
        return
    await confirm_and_begin(place, plan)


async def confirm_and_begin(place: Place, plan: Plan) -> bool:
    """Show a plan, with what else goes on where it changes something, and, once it is confirmed, have it carried out.

    Whether it was confirmed.
    """
    from .confirm import ConfirmScreen

    facade = place.survey.hsmctl
    plan = await call(lambda: facade.operations.hindered(facade.timeline.warned(plan)), seconds=PLAN_SECONDS)
    confirmed = await place.app.push_screen_wait(ConfirmScreen(plan))
    if confirmed is not None and _still_armed(place):
        _begin(place.hsmctl_app, place.survey.apply(confirmed))
    return confirmed is not None


async def _resume(place: Place, operation: Operation) -> None:
    from .confirm import ConfirmScreen

    wanted = operation.confirmation if operation.destructive else ""
    done = {each.number for each in operation.steps if each.state is StepState.DONE}
    confirmed = await place.app.push_screen_wait(ConfirmScreen(operation.plan, wanted, done))
    if confirmed is not None and _still_armed(place):
        _begin(place.hsmctl_app, place.survey.resume(operation))


def _still_armed(place: Place) -> bool:
    """Whether changes are still allowed: the ten minutes may have ended while the plan was read."""
    if not place.survey.arming.armed:
        place.complain("no longer armed; :arm allows changes")
    return place.survey.arming.armed


def _begin(app: HsmctlApp, change: Coroutine[None, None, Run]) -> None:
    """Have a change carried out, wherever one goes meanwhile."""
    app.run_worker(_changed(app, change), group="operation")
    app.notify("started; :operation shows how it goes")


async def _changed(app: HsmctlApp, change: Coroutine[None, None, Run]) -> None:
    run = await change
    if run.error is not None:
        app.notify(str(run.error), title=run.plan.title, severity="error", markup=False, timeout=15)
    else:
        app.notify("done", title=run.plan.title, markup=False)
    app.look()
