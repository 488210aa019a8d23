"""The application: the estates looked at, the stack of places, how often AWS is asked, and what is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from signal import SIGHUP
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App
from textual.command import Provider
from textual.events import Event, Key
from textual.filter import LineFilter
from textual.screen import Screen
from textual.signal import Signal
from textual.timer import Timer
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
from .lines import Lines
from .memory import Memory, Remembered
from .offload import answered, call
from .palette import Commands
from .place import Place
from .registry import place_for
from .several import ALL, Closed, Several, open_places, place_name, surveys_of
from .survey import Survey
from .theme import DARK, THEMES, row_cursor

if TYPE_CHECKING:
    from concurrent.futures import Future

    from rich.console import RenderableType

    from hsmctl.domain.cluster import Cluster
    from hsmctl.domain.form import Answer

    from .running import Run

LAB_EVERY = 15.0
AWS_EVERY = 30.0
"""Seconds between two looks at the control plane; CloudHSM throttles DescribeClusters like any API."""
FASTEST = 2.0
"""The shortest rate there is."""
KEPT_BY_STOP = frozenset({"operation", "memory"})
"""Groups of workers that giving up waiting does not end."""


class HsmctlApp(App[None]):
    """The operator's console."""

    TITLE = "hsmctl"
    CSS_PATH = "hsmctl.tcss"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {Commands}
    ENABLE_COMMAND_PALETTE = True

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
        self.remembered = self._kept = self._memory.load()
        self._keeping = False
        for ours in THEMES:
            self.register_theme(ours)
        known = self.remembered.theme in self.available_themes
        self.theme = theme or (self.remembered.theme if known else DARK.name)
        self.stylesheet.set_variables(self.get_css_variables())
        self._begun = self.theme
        self.changed: Signal[Estate] = Signal(self, "estate")
        self.elsewhere: Elsewhere = elsewhere or Nowhere()
        self.forms: Forms = forms or NoForms()
        self.several = Several([Survey(each, self.changed.publish) for each in (hsmctl, *others)], closed)
        self.every = self._rate() if every is None else every
        """Seconds between two looks; 0 is by hand."""
        self._fallback = Ascii(enabled=ascii_only)
        self._ticking: Timer | None = None
        self._keys = dict(keymap or {})
        self.outlasting: tuple[str, ...] = ()
        """Commands whose window is gone and that have not answered."""
        self._heeds = heeds
        self.calm = Calm()

    @property
    def survey(self) -> Survey:
        """What asks the services of the place one is at; at the fleet, of the cluster under the cursor."""
        places = (screen for screen in reversed(self.screen_stack if self.is_running else ()))
        return next((screen.survey for screen in places if isinstance(screen, Place)), self.several.surveys[0])

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
        """The theme's colours, and those that follow from them."""
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
        self._tick_anew()

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

    def begin(self, change: Coroutine[None, None, Run]) -> None:
        """Have a change carried out, wherever one goes meanwhile."""
        self.run_worker(self._changed(change), group="operation")
        self.notify("started; :operation shows how it goes")

    def outlast(self, title: str, answer: Future[Answer]) -> None:
        """Have what a command answers told when it comes: its window is gone, and it goes on."""
        self.outlasting = (*self.outlasting, title)
        self.notify(f"{title} goes on; what it answers is told when it comes", markup=False)
        self.run_worker(self._outlasted(title, answer), group="operation", description="")
        self._tell()

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
        if not self._keeping:
            self.run_worker(self._keep(), group="memory")

    def remember_table(self, table: Lines[Any]) -> None:
        """Keep how a table is sorted and what it hides."""
        name, remembered = str(table.id), self.remembered
        orders = {**remembered.orders, name: str(table.rows.order or "")}
        hidden = {**remembered.hidden, name: tuple(sorted(table.hidden))}
        self.remember(replace(remembered, orders=orders, hidden=hidden))

    def on_unmount(self) -> None:
        """Write down what is not written yet."""
        if self._kept != self.remembered:
            self._memory.keep(self.remembered)

    def action_every(self, wanted: str = "") -> None:
        """Ask AWS this often."""
        try:
            seconds = 0.0 if wanted in ("off", "0") else max(FASTEST, float(wanted.removesuffix("s").strip()))
        except ValueError:
            self.notify(f"{wanted or 'nothing'} is no number of seconds, nor off", severity="warning", markup=False)
            return
        self._set_every(seconds)
        self.remember(replace(self.remembered, every={**self.remembered.every, self._whose: seconds}))

    def action_pause(self) -> None:
        """Ask only when told, or by itself again."""
        self._set_every(0.0 if self.every else self._rate() or self._usual)

    def action_arm(self, reason: str = "") -> None:
        """Allow changes."""
        try:
            self.survey.arming.arm(reason)
        except HsmctlError as error:
            self.notify(f"{error}: {error.hint}", severity="error", markup=False)
            return
        where = f"{place_name(self.survey)} is " if self.several.many else ""
        self.notify(f"{where}armed for ten minutes; :disarm ends it", markup=False)
        self._tell()

    def action_disarm(self) -> None:
        """Allow no changes any more."""
        self.survey.arming.disarm()
        self._tell()

    def action_context(self, name: str = "") -> None:
        """Work in another context, or look at several together."""
        if name:
            self.run_worker(self._move(_names(name), ()), group="move", exclusive=True)
        else:
            self.notify(
                f"contexts: {', '.join(self.elsewhere.contexts()) or 'none'}; :context NAME goes there", markup=False
            )

    def action_region(self, name: str = "") -> None:
        """Work in another region of this context, or look at several together."""
        if name:
            here = self.survey.hsmctl.context.name or None
            self.run_worker(self._move((here,), _names(name)), group="move", exclusive=True)
        else:
            words = f"this is {self.survey.estate.region}; :region NAME goes to another, A,B or {ALL} shows several"
            self.notify(words, markup=False)

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
        if not (runs or self.outlasting):
            self.exit()
            return
        from .leaving import LeaveScreen

        if not isinstance(self.screen, LeaveScreen):
            self.push_screen(LeaveScreen(runs, self.outlasting), lambda leaves: self.exit() if leaves else None)

    async def _look(self, *, afresh: bool) -> None:
        await asyncio.gather(*(self._look_at(survey, afresh=afresh) for survey in self.several.surveys))

    async def _look_at(self, survey: Survey, *, afresh: bool) -> None:
        await survey.look()
        for cluster in survey.due():
            self.check(cluster)
        await survey.stand(afresh=afresh)

    async def _keep(self) -> None:
        """Write down what is to be remembered, one after the other, so that the last is what stays."""
        self._keeping = True
        while self._kept != self.remembered:
            wanted = self.remembered
            await call(partial(self._memory.keep, wanted))
            self._kept = wanted
        self._keeping = False

    async def _changed(self, change: Coroutine[None, None, Run]) -> None:
        run = await change
        if run.error is not None:
            self.notify(str(run.error), title=run.plan.title, severity="error", markup=False, timeout=15)
        else:
            self.notify("done", title=run.plan.title, markup=False)
        self.look()

    async def _outlasted(self, title: str, future: Future[Answer]) -> None:
        try:
            answer = await answered(future)
        except HsmctlError as error:
            self.notify(f"{error}: {error.hint}", title=title, severity="error", markup=False, timeout=15)
        else:
            late = "its plan came too late, and nothing was changed: open the form again"
            self.notify(late if answer.plan else "\n".join(answer.lines), title=title, markup=False, timeout=30)
        finally:
            place = self.outlasting.index(title)
            self.outlasting = self.outlasting[:place] + self.outlasting[place + 1 :]
        self.look()

    async def _move(self, contexts: Sequence[str | None], regions: Sequence[str]) -> None:
        """Work somewhere else: the fleet there, disarmed, with nothing of here left open."""
        here = self.survey.hsmctl
        try:
            found = await call(lambda: open_places(self.elsewhere, contexts, regions))
        except HsmctlError as error:
            self.notify(f"{error}: {error.hint}", severity="error", markup=False)
            return
        for facade in found.facades:
            facade.ask = here.ask
        self.several = surveys_of(found, self.changed.publish)
        while len(self.screen_stack) > 1:
            await self.pop_screen()
        if isinstance(self.screen, FleetScreen):
            self.screen.move(self.several)
        self._set_every(self._rate())
        self.look()

    @property
    def _whose(self) -> str:
        return self.several.surveys[0].hsmctl.context.name

    @property
    def _usual(self) -> float:
        return LAB_EVERY if all(survey.lab for survey in self.several.surveys) else AWS_EVERY

    def _rate(self) -> float:
        return self.remembered.every.get(self._whose, self._usual)

    def _set_every(self, seconds: float) -> None:
        self.every = seconds
        self._tick_anew()
        self._tell()

    def _tick_anew(self) -> None:
        if self._ticking is not None:
            self._ticking.stop()
        self._ticking = self.set_interval(self.every, self.look) if self.every else None

    def _tell(self) -> None:
        """Have the place show what is not about the estate."""
        if isinstance(self.screen, Place):
            self.screen.tick()


def _names(text: str) -> tuple[str, ...]:
    """Names with commas or spaces between."""
    return tuple(text.replace(",", " ").split())
