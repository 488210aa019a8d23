"""Who may use the module of an HSM now: every conversation at once, or the one that opens it anew.

SoftHSM finds a new token only when it starts, and handles do not outlive that; so it starts again only while nobody is
in the middle of an answer. Refuses to know what is done meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turn:
    """Lets many in together, or one alone."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._together = 0
        self._alone = False

    @contextmanager
    def together(self) -> Iterator[None]:
        """Be in with others; whoever is alone is waited for."""
        with self._change:
            self._change.wait_for(lambda: not self._alone)
            self._together += 1
        try:
            yield
        finally:
            with self._change:
                self._together -= 1
                self._change.notify_all()

    @contextmanager
    def alone(self, seconds: float) -> Iterator[None]:
        """Be in without others, who are waited for at most this long.

        Raises:
            TimeoutError: somebody did not leave.
        """
        with self._change:
            self._change.wait_for(lambda: not self._alone)
            self._alone = True
            if not self._change.wait_for(lambda: not self._together, seconds):
                self._leave()
                raise TimeoutError("somebody is still being answered")
        try:
            yield
        finally:
            with self._change:
                self._leave()

    def _leave(self) -> None:
        self._alone = False
        self._change.notify_all()
