"""Going to work somewhere else: in another context or region, or in several together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hsmctl.errors import HsmctlError

from .offload import call
from .several import ALL, open_places, surveys_of

if TYPE_CHECKING:
    from .app import HsmctlApp


def to_contexts(app: HsmctlApp, names: str) -> None:
    """Work in these contexts; without a name, say which there are."""
    if names:
        app.run_worker(_move(app, _each(names), ()), group="move", exclusive=True)
    else:
        known = ", ".join(app.elsewhere.contexts()) or "none"
        app.notify(f"contexts: {known}; :context NAME goes there", markup=False)


def to_regions(app: HsmctlApp, names: str) -> None:
    """Work in these regions of the context at hand; without a name, say which this is."""
    if names:
        here = app.survey.hsmctl.context.name or None
        app.run_worker(_move(app, (here,), _each(names)), group="move", exclusive=True)
    else:
        words = f"this is {app.survey.estate.region}; :region NAME goes to another, A,B or {ALL} shows several"
        app.notify(words, markup=False)


async def _move(app: HsmctlApp, contexts: Sequence[str | None], regions: Sequence[str]) -> None:
    """The fleet there, disarmed, with nothing of here left open."""
    here = app.survey.hsmctl
    try:
        found = await call(lambda: open_places(app.elsewhere, contexts, regions))
    except HsmctlError as error:
        app.notify(f"{error}: {error.hint}", severity="error", markup=False)
        return
    for facade in found.facades:
        facade.ask = here.ask
    several = surveys_of(found, app.changed.publish)
    while len(app.screen_stack) > 1:
        await app.pop_screen()
    app.show_places(several)


def _each(text: str) -> tuple[str, ...]:
    """Names with commas or spaces between."""
    return tuple(text.replace(",", " ").split())
