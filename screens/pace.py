"""How often AWS is asked: by itself, at a rate that can be set and is remembered, or only when told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.timer import Timer

    from .app import HsmctlApp

LAB_EVERY = 15.0
AWS_EVERY = 30.0
"""Seconds between two looks at the control plane; CloudHSM throttles DescribeClusters like any API."""
FASTEST = 2.0
"""The shortest rate there is."""


class Pace:
    """The seconds between two looks, and the timer that keeps to them."""

    def __init__(self, app: HsmctlApp, every: float | None) -> None:
        """`every` is the rate to begin with, by default the usual one."""
        self._app = app
        self._ticking: Timer | None = None
        self.every = self.usual if every is None else every
        """Seconds; 0 is by hand."""

    @property
    def usual(self) -> float:
        """What is remembered for the context, or what it can bear."""
        return self._app.remembered.every.get(self._whose, self._bearable)

    def begin(self) -> None:
        """Look from time to time, from now on."""
        if self._ticking is not None:
            self._ticking.stop()
        self._ticking = self._app.set_interval(self.every, self._app.look) if self.every else None

    def set(self, seconds: float) -> None:
        """Go on at this rate."""
        self.every = seconds
        self.begin()
        self._app.tell()

    def pause(self) -> None:
        """Ask only when told, or by itself again."""
        self.set(0.0 if self.every else self.usual or self._bearable)

    def want(self, text: str) -> None:
        """Go on at the rate that somebody typed, and remember it."""
        app = self._app
        try:
            seconds = 0.0 if text in ("off", "0") else max(FASTEST, float(text.removesuffix("s").strip()))
        except ValueError:
            app.notify(f"{text or 'nothing'} is no number of seconds, nor off", severity="warning", markup=False)
            return
        self.set(seconds)
        app.remember(replace(app.remembered, every={**app.remembered.every, self._whose: seconds}))

    @property
    def _whose(self) -> str:
        return self._app.several.surveys[0].hsmctl.context.name

    @property
    def _bearable(self) -> float:
        return LAB_EVERY if all(survey.lab for survey in self._app.several.surveys) else AWS_EVERY
