"""Leaving in good order when somebody else ends the session: a signal, or a terminal that is gone.

And leaving at all: Textual's writer ends where a terminal is gone, its queue fills, and the loop waits for ever. Then
the kernel ends the process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
from types import FrameType
from typing import Any

from textual.app import App

EVERY = 2.0
"""Seconds between two looks at the terminal."""


LAST = 10
"""Seconds that leaving in good order may take."""


def heed(app: App[Any]) -> None:
    """Have the app exit on SIGTERM and SIGHUP, and once nobody can type any more where somebody could."""
    loop = asyncio.get_running_loop()

    def leave(number: int, _: FrameType | None = None) -> None:
        signal.alarm(LAST)  # SIGALRM is left to the kernel, which needs no loop that turns
        loop.call_soon_threadsafe(lambda: app.exit(return_code=128 + number))

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)  # unlike a handler of the loop, it is called while the loop is stuck
    if there():
        app.set_interval(EVERY, lambda: None if there() else leave(signal.SIGHUP))


def there() -> bool:
    """Whether standard input still is a terminal with somebody at its other end."""
    try:
        return sys.__stdin__ is not None and bool(termios.tcgetattr(sys.__stdin__.fileno()))
    except (OSError, ValueError, termios.error):
        return False


def let_go() -> None:
    """Drop what a terminal that is gone will not take any more: the interpreter would end with 120 over it."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and not stream.closed:
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
