"""The terminal UI, shipped as hsmctl.screens; importing it costs nothing until it is asked for something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsmctl.bootstrap import Hsmctl
    from hsmctl.settings import Ui

    from .app import HsmctlApp
    from .elsewhere import Elsewhere
    from .forms import Forms
    from .several import Opened


def run(
    hsmctl: Hsmctl,
    ui: Ui,
    elsewhere: Elsewhere,
    forms: Forms,
    contexts: Sequence[str] = (),
    regions: Sequence[str] = (),
) -> int:
    """The exit code of an interactive session over these services, or over these regions of these contexts together.

    Raises:
        UsageError: `ui` names a theme or a command there is not.
        HsmctlError: none of the places can be opened.
        BaseException: a bug ended the session; the terminal is in order again.
    """
    import os
    import sys

    # A key's repaint waits for the next frame: 8 ms at the most instead of 17. Textual reads it when it is imported.
    os.environ.setdefault("TEXTUAL_FPS", "120")

    from rich.console import Console

    from .asking import asker
    from .heed import let_go
    from .theme import fitting

    encoding = (sys.stdout.encoding or "").lower()
    ascii_only = "utf" not in encoding or os.environ.get("TERM") in ("linux", "vt100", "vt220")
    places = _places(hsmctl, elsewhere, contexts, regions)
    app = _app(places, ui, fitting(Console().color_system), elsewhere, forms, ascii_only=ascii_only, heeds=True)
    for facade in places.facades:
        facade.ask = asker(app)
    app.run()
    let_go()
    if app.bug is not None:
        raise app.bug
    return _exit_code(app.return_code or 0)


def screenshot(
    hsmctl: Hsmctl,
    ui: Ui,
    line: str,
    *,
    size: tuple[int, int],
    keys: Sequence[str] = (),
    forms: Forms | None = None,
    elsewhere: Elsewhere | None = None,
    contexts: Sequence[str] = (),
    regions: Sequence[str] = (),
) -> str:
    """A screen as SVG, drawn without a terminal once everything it asks for has been answered.

    Raises:
        UsageError: nothing is called so, or `ui` names a theme or a command there is not.
        HsmctlError: none of the places can be opened.
    """
    import asyncio

    from .shot import drawn
    from .theme import DARK

    places = _places(hsmctl, elsewhere, contexts, regions)
    return asyncio.run(drawn(_app(places, ui, DARK.name, forms=forms), line, size, keys))


def _places(hsmctl: Hsmctl, elsewhere: Elsewhere | None, contexts: Sequence[str], regions: Sequence[str]) -> Opened:
    """The services at hand, or those of the places that are to be looked at together."""
    from .several import Opened, open_places

    if elsewhere is None or not (contexts or regions):
        return Opened((hsmctl,))
    return open_places(elsewhere, contexts or (None,), regions)


def _app(
    places: Opened,
    ui: Ui,
    theme: str,
    elsewhere: Elsewhere | None = None,
    forms: Forms | None = None,
    *,
    ascii_only: bool = False,
    heeds: bool = False,
) -> HsmctlApp:
    """The app as the configuration wants it; `theme` is for where that leaves it open."""
    from .app import HsmctlApp
    from .keymap import checked
    from .theme import checked as checked_theme

    chosen = checked_theme(ui.theme) or theme
    first, *others = places.facades
    return HsmctlApp(
        first,
        theme=chosen,
        ascii_only=ascii_only,
        elsewhere=elsewhere,
        forms=forms,
        keymap=checked(ui.keys),
        heeds=heeds,
        others=others,
        closed=places.closed,
    )


def _exit_code(code: int) -> int:
    """What the app returned: nothing, a bug, or 128 and the signal that ended it."""
    from hsmctl.errors import ExitCode

    return code if code > 128 else ExitCode.BUG if code else ExitCode.OK
