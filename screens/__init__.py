"""The terminal UI, shipped as hsmctl.screens; importing it costs nothing until `run` is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsmctl.bootstrap import Hsmctl


def run(hsmctl: Hsmctl) -> int:
    """The exit code of an interactive session over these services."""
    import os
    import sys

    # A key's repaint waits for the next frame: 8 ms at the most instead of 17. Textual reads it when it is imported.
    os.environ.setdefault("TEXTUAL_FPS", "120")

    from rich.console import Console

    from hsmctl.errors import ExitCode

    from .app import HsmctlApp
    from .password import asker
    from .theme import fitting

    encoding = (sys.stdout.encoding or "").lower()
    ascii_only = "utf" not in encoding or os.environ.get("TERM") in ("linux", "vt100", "vt220")
    app = HsmctlApp(hsmctl, theme=fitting(Console().color_system), ascii_only=ascii_only)
    hsmctl.ask = asker(app)
    app.run()
    return ExitCode.BUG if app.return_code else ExitCode.OK
