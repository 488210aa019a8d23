"""Leaving in good order when somebody else ends the session: a signal, or a terminal that is gone."""

from __future__ import annotations

import asyncio
import signal
import sys
import termios
from functools import partial
from typing import Any

from textual.app import App

EVERY = 2.0
"""Seconds between two looks at the terminal."""


def heed(app: App[Any]) -> None:
    """Have the app exit on SIGTERM and SIGHUP, and once nobody can type any more."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, partial(app.exit, return_code=128 + number))
    app.set_interval(EVERY, lambda: None if _there() else app.exit(return_code=128 + signal.SIGHUP))


def _there() -> bool:
    """Whether standard input still is a terminal with somebody at its other end."""
    try:
        return sys.__stdin__ is not None and bool(termios.tcgetattr(sys.__stdin__.fileno()))
    except (OSError, ValueError, termios.error):
        return False
