"""The application: one context's estate, the stack of places, the timers that keep it fresh."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import App
from textual.command import Provider
from textual.filter import LineFilter
from textual.screen import Screen
from textual.signal import Signal

from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.cluster import Cluster

from .estate import Estate
from .fleet import FleetScreen
from .glyph import Ascii
from .palette import Commands
from .place import Place
from .survey import Survey
from .theme import DARK, THEMES

LAB_EVERY = 5.0
AWS_EVERY = 30.0
"""Seconds between two looks at the control plane; CloudHSM throttles DescribeClusters like any API."""


class HsmctlApp(App[None]):
    """The operator's console."""

    TITLE = "hsmctl"
    CSS_PATH = "hsmctl.tcss"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {Commands}
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self, hsmctl: Hsmctl, *, theme: str = DARK.name, ascii_only: bool = False, every: float | None = None
    ) -> None:
        """`every` is the seconds between two looks, by default as often as the context can bear."""
        super().__init__()
        for ours in THEMES:
            self.register_theme(ours)
        self.theme = theme
        self.changed: Signal[Estate] = Signal(self, "estate")
        self.survey = Survey(hsmctl, self.changed.publish)
        self._fallback = Ascii(enabled=ascii_only)
        self._every = every or (LAB_EVERY if self.survey.lab else AWS_EVERY)

    def get_default_screen(self) -> Screen[None]:
        """The fleet, which is always at the bottom of the stack."""
        return FleetScreen(self.survey)

    def get_line_filters(self) -> list[LineFilter]:
        """What lines pass through on their way to the terminal."""
        return [*super().get_line_filters(), *((self._fallback,) if self._fallback.enabled else ())]

    def on_mount(self) -> None:
        """Look, now and from time to time."""
        self.look()
        self.set_interval(self._every, self.look)

    def look(self) -> None:
        """Ask AWS again, in the background."""
        self.run_worker(self._look(), group="look")

    def check(self, cluster: Cluster) -> None:
        """Compare a cluster's replicas, in the background."""
        self.run_worker(self.survey.check(cluster), group="check")

    def go(self, noun: str, cluster: Cluster | None) -> None:
        """Go back to a place that is still open, or open it on top."""
        place = self._place(noun, cluster)
        if place is None:
            self.notify(f"{noun} needs a cluster: name one", severity="warning", markup=False)
        elif place.path in [getattr(screen, "path", None) for screen in self.screen_stack]:
            while getattr(self.screen, "path", None) != place.path:
                self.pop_screen()
        else:
            self.push_screen(place)

    def leave(self) -> None:
        """Go back to where we came from; the fleet is not left."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    async def _look(self) -> None:
        await self.survey.look()
        for cluster in self.survey.due():
            self.check(cluster)

    def _place(self, noun: str, cluster: Cluster | None) -> Place | None:
        """The place, imported when it is first needed, or None where it needs a cluster and there is none."""
        if noun == "fleet":
            return FleetScreen(self.survey)
        if cluster is None:
            return None
        match noun:
            case "sync":
                from .sync import SyncScreen

                return SyncScreen(self.survey, cluster)
            case "key":
                from .key import KeyScreen

                return KeyScreen(self.survey, cluster)
            case _:
                from .cluster import ClusterScreen

                return ClusterScreen(self.survey, cluster)
