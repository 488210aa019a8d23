"""The application: the estates looked at, the stack of places, how often AWS is asked, and what is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from signal import SIGHUP
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.command import Provider
from textual.events import Event, Key
from textual.filter import LineFilter
from textual.screen import Screen
from textual.signal import Signal
from textual.worker import WorkerFailed

from hsmctl.bootstrap import Hsmctl
from hsmctl.errors import HsmctlError

from .calm import Calm
from .command import declared_as
from .elsewhere import Elsewhere, Nowhere
from .estate import Estate
from .fleet import FleetScreen
from .forms import Forms, NoForms
from .glyph import Ascii
from .heed import heed, there
from .memory import Memory, Remembered
from .outlasting import Outlasting
from .pace import Pace
from .palette import Commands
from .place import Place
from .registry import place_for
from .several import Closed, Several, place_name
from .survey import Survey
from .theme import DARK, THEMES, row_cursor

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hsmctl.domain.cluster import Cluster


KEPT_BY_STOP = frozenset({"operation", "memory"})
"""Groups of workers that giving up waiting does not end."""


class HsmctlApp(App[None]):
    """The operator's console."""

    TITLE = "hsmctl"
    CSS_PATH = "hsmctl.tcss"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {Commands}
    ENABLE_COMMAND_PALETTE = True
    _begun: str | None = None
    """The theme it begins with, until that is styled."""

    def __init__(
        self,
        hsmctl: Hsmctl,
        *,
        theme: str = "",
        ascii_only: bool = False,
        every: float | None = None,
        elsewhere: Elsewhere | None = None,
        forms: Forms | None = None,
        keymap: Mapping[str, str] | None = None,
        heeds: bool = False,
        others: Sequence[Hsmctl] = (),
        closed: Sequence[Closed] = (),
    ) -> None:
        """`others` and `closed` are the places that are looked at together with this one.

        `every` is the seconds between two looks, by default what is remembered, or what the context can bear.

        `heeds` has it leave, and put the terminal in order, when it is told to by a signal or the terminal is gone.
        """
        super().__init__()
        self._memory = Memory(hsmctl.settings.state_folder / "ui.json")
        self.remembered = self._memory.load()
        for ours in THEMES:
            self.register_theme(ours)
        known = self.remembered.theme in self.available_themes
        self.theme = theme or (self.remembered.theme if known else DARK.name)
        self._begun = self.theme
        self.stylesheet.set_variables(self.get_css_variables())
        self.changed: Signal[Estate] = Signal(self, "estate")
        self.elsewhere: Elsewhere = elsewhere or Nowhere()
        self.forms: Forms = forms or NoForms()
        self.several = Several([Survey(each, self.changed.publish) for each in (hsmctl, *others)], closed)
        self._pace = Pace(self, every)
        self._fallback = Ascii(enabled=ascii_only)
        self._keys = dict(keymap or {})
        self.outlasting = Outlasting(self)
        self._heeds = heeds
        self.calm = Calm()

    @property
    def survey(self) -> Survey:
        """What asks the services of the place one is at; at the fleet, of the cluster under the cursor."""
        places = (screen for screen in reversed(self.screen_stack if self.is_running else ()))
        return next((screen.survey for screen in places if isinstance(screen, Place)), self.several.surveys[0])

    @property
    def every(self) -> float:
        """Seconds between two looks; 0 is by hand."""
        return self._pace.every

    @property
    def bug(self) -> BaseException | None:
        """What brought the app down, if anything did."""
        return self._exception.error if isinstance(self._exception, WorkerFailed) else self._exception

    def _fatal_error(self) -> None:
        """Leave, without Textual's traceback: it prints the values of locals, and passwords may be among them."""
        self._close_messages_no_wait()

    def panic(self, *renderables: RenderableType) -> None:
        """Leave where Textual can no longer read keys: because the terminal is gone, or else with what it says."""
        if there():
            super().panic(*renderables)
        else:
            self.exit(return_code=128 + SIGHUP)

    def get_default_screen(self) -> Screen[None]:
        """The fleet, which is always at the bottom of the stack."""
        return FleetScreen(self.several)

    def get_css_variables(self) -> dict[str, str]:
        """The theme's colours, and those that follow from them; none while Textual does not know the theme yet."""
        if self._begun is None:
            return {}
        variables = super().get_css_variables()
        return {**variables, "row-cursor": row_cursor(self.current_theme, variables)}

    def refresh_css(self, animate: bool = True) -> None:  # noqa: FBT001, FBT002 - Textual's signature
        """Style everything anew; not for the theme that it begins with, which would parse all twice."""
        begun, self._begun = self._begun, ""
        if begun != self.theme:
            super().refresh_css(animate)

    def get_line_filters(self) -> list[LineFilter]:
        """What lines pass through on their way to the terminal."""
        return [*super().get_line_filters(), *((self._fallback,) if self._fallback.enabled else ())]

    def on_mount(self) -> None:
        """Take over the keymap, and be told when to leave."""
        self.set_keymap(self._keys)
        if self._heeds:
            heed(self)

    def on_ready(self) -> None:
        """Look, now and from time to time: after the first frame, which a thread that asks AWS would delay.

        The style sheets of what may be opened next are read now: Textual would parse all anew for a late one.
        """
        self.stylesheet.read_all([Path(__file__).with_name(name) for name in ("place.tcss", "window.tcss")])
        if self._heeds:
            self.calm.keep(self)
        self.look()
        self._pace.begin()

    async def on_event(self, event: Event) -> None:
        """Take note that somebody is at the keys."""
        if isinstance(event, Key):
            self.calm.pressed()
        await super().on_event(event)

    def key_of(self, name: str, declared: str) -> str:
        """The keys of a command: the keymap's, or those it was declared with."""
        return self._keys.get(name, declared)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a command of the app's may run at the place one is at; Textual's own actions always may."""
        place, name = self.screen if self.screen_stack else None, declared_as(action, parameters)
        if not isinstance(place, Place):
            return True
        return all(command.runs(place) for command in place.commands if command.of_app and command.name == name)

    def look(self, *, afresh: bool = False) -> None:
        """Ask AWS again, in the background; `afresh` also what is asked now and then only."""
        self.run_worker(self._look(afresh=afresh), group="look")

    def check(self, cluster: Cluster) -> None:
        """Compare a cluster's replicas, in the background."""
        survey = self.several.of(cluster) or self.survey
        self.run_worker(survey.check(cluster), group="check")

    def go(self, noun: str, cluster: Cluster | None) -> None:
        """Go back to a place that is still open, or open it on top."""
        whose = (self.several.of(cluster) if cluster else None) or self.survey
        place = FleetScreen(self.several) if noun == "fleet" else place_for(noun, whose, cluster)
        if place is None:
            self.notify(f"{noun} needs a cluster: name one", severity="warning", markup=False)
        else:
            self.visit(place)

    def visit(self, place: Place) -> None:
        """Go back to this place if it is open, or open it on top."""
        if any(place.is_same(screen) for screen in self.screen_stack):
            while not place.is_same(self.screen):
                self.pop_screen()
        else:
            self.push_screen(place)

    def leave(self) -> None:
        """Go back to where we came from; the fleet is not left."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def remember(self, remembered: Remembered) -> None:
        """Keep this for the next run."""
        self.remembered = remembered
        if not self._memory.busy:
            self.run_worker(self._memory.follow(lambda: self.remembered), group="memory")

    def on_unmount(self) -> None:
        """Write down what is not written yet."""
        self._memory.keep(self.remembered)

    def action_every(self, wanted: str = "") -> None:
        """Ask AWS this often."""
        self._pace.want(wanted)

    def action_pause(self) -> None:
        """Ask only when told, or by itself again."""
        self._pace.pause()

    def action_arm(self, reason: str = "") -> None:
        """Allow changes."""
        try:
            self.survey.arming.arm(reason)
        except HsmctlError as error:
            self.notify(f"{error}: {error.hint}", severity="error", markup=False)
            return
        where = f"{place_name(self.survey)} is " if self.several.many else ""
        self.notify(f"{where}armed for ten minutes; :disarm ends it", markup=False)
        self.tell()

    def action_disarm(self) -> None:
        """Allow no changes any more."""
        self.survey.arming.disarm()
        self.tell()

    def action_context(self, name: str = "") -> None:
        """Work in another context, or look at several together."""
        from . import move

        move.to_contexts(self, name)

    def action_region(self, name: str = "") -> None:
        """Work in another region of this context, or look at several together."""
        from . import move

        move.to_regions(self, name)

    def show_places(self, several: Several) -> None:
        """Work somewhere else: the fleet there, with nothing of here left open."""
        self.several = several
        if isinstance(self.screen, FleetScreen):
            self.screen.move(several)
        self._pace.set(self._pace.usual)
        self.look()

    def action_stop(self) -> None:
        """Give up waiting; what changes an estate goes on."""
        for worker in list(self.workers):
            if worker.group not in KEPT_BY_STOP:
                worker.cancel()
        self.notify("stopped waiting; r asks again")

    def action_theme(self, name: str = "") -> None:
        """Change the colours, or ask which."""
        if name in self.available_themes:
            self.theme = name
        else:
            self.search_themes()

    def watch_theme(self, theme: str) -> None:
        """Remember what the operator has chosen."""
        if self.is_running:
            self.remember(replace(self.remembered, theme=theme))

    async def action_quit(self) -> None:
        """Leave; while changes go on, only once that was said."""
        runs = [run for survey in self.several.surveys for run in survey.estate.runs if run.running]
        if not (runs or self.outlasting.titles):
            self.exit()
            return
        from .leaving import LeaveScreen

        if not isinstance(self.screen, LeaveScreen):
            window = LeaveScreen(runs, self.outlasting.titles)
            self.push_screen(window, lambda leaves: self.exit() if leaves else None)

    def tell(self) -> None:
        """Have the place show what is not about the estate."""
        if isinstance(self.screen, Place):
            self.screen.tick()

    async def _look(self, *, afresh: bool) -> None:
        await asyncio.gather(*(self._look_at(survey, afresh=afresh) for survey in self.several.surveys))

    async def _look_at(self, survey: Survey, *, afresh: bool) -> None:
        await survey.look()
        for cluster in survey.due():
            self.check(cluster)
        await survey.stand(afresh=afresh)
