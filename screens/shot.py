"""A screen drawn without a terminal, for documents and tickets: opened, everything answered, exported as SVG."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from textual.app import App
from textual.pilot import Pilot

from hsmctl.errors import UsageError

from .app import HsmctlApp
from .place import Place
from .refusal import named

_log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds after which whatever has not answered is drawn as not answered."""


async def drawn(app: HsmctlApp, line: str, size: tuple[int, int], keys: Sequence[str]) -> str:
    """The screen that `line` opens, after these keys.

    Raises:
        UsageError: nothing is called so.
    """
    async with app.run_test(size=size) as pilot:
        await _settled(app, pilot)
        await _open(app, line)
        await _settled(app, pilot)
        for key in keys:
            await pilot.press(key)
            await _settled(app, pilot)
        return svg(app, f"hsmctl {line}")


def svg(app: App[None], title: str) -> str:
    """What is on the screen; programs that are no browser keep its blanks, too."""
    return app.export_screenshot(title=title).replace("<svg ", '<svg xml:space="preserve" ', 1)


async def _open(app: HsmctlApp, line: str) -> None:
    place = app.screen
    name, _, argument = line.partition(" ")
    command = named(name, place.available_commands()) if isinstance(place, Place) else None
    if command is None or not isinstance(place, Place):
        raise UsageError(f"no screen {name}", "nothing is called so", "hsmctl ui, and : lists what there is")
    await place.perform(command, argument.strip())


async def _settled(app: HsmctlApp, pilot: Pilot[None]) -> None:
    """Wait for answers, not for ever."""
    import asyncio

    await pilot.pause()
    try:
        async with asyncio.timeout(PATIENCE):
            while any(not worker.is_finished for worker in app.workers):
                await app.workers.wait_for_complete()
                await pilot.pause()
    except TimeoutError:
        _log.warning("the picture shows what had not answered in %.0f s", PATIENCE)
    await pilot.pause()
