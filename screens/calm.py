"""Keeping the interpreter out of the way of keys: its garbage collector, and threads that parse what has come.

Looking through all that a large estate holds takes the collector a fifth of a second, in which no key is answered. So
of itself it looks at young things only, and at everything once nobody has pressed a key for a while.
"""

from __future__ import annotations

import gc
import sys
from time import monotonic
from typing import Any

from textual.app import App

SWITCH = 0.001
"""Seconds a thread may compute before the event loop gets a turn; Python's 5 ms are felt with several threads."""
YOUNG = 20_000
"""Objects after which the youngest are looked through, which takes about a millisecond."""
QUIET = 60.0
"""Seconds without a key after which everything is looked through."""


class Calm:
    """When the last key came, and what is done once none has come for a while."""

    def __init__(self) -> None:
        self._pressed = monotonic()

    def keep(self, app: App[Any]) -> None:
        """From now on, for a process that is the app's own."""
        sys.setswitchinterval(SWITCH)
        gc.freeze()
        gc.set_threshold(YOUNG, 1_000_000, 1_000_000)
        app.set_interval(QUIET, self.tidy)

    def pressed(self) -> None:
        """A key came."""
        self._pressed = monotonic()

    def tidy(self) -> None:
        """Collect all garbage, unless somebody is at the keys."""
        if monotonic() - self._pressed >= QUIET:
            gc.collect()
