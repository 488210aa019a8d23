"""What all places share: header, keys, commands by key and by name, the filter, going in and out.

A place holds values and translates them into lines. What is true it is told by the survey; what happens to the stack
of screens is the app's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.geometry import Size
from textual.screen import Screen

from hsmctl.words import age

from . import arrange
from .argument import candidates
from .command import COMMON, FILTER, HELP, LINE, OPEN, Command, Takes, bindings, completions, declared_as, keycaps, says
from .detail import Detail
from .estate import Estate
from .glyph import ROLES, Spans
from .header import Header, KeyLine
from .lines import Lines
from .prompt import CommandLine, FilterLine
from .refusal import hindrance, named, refusal
from .survey import Survey

if TYPE_CHECKING:
    from textual.types import CSSPathType

    from hsmctl.domain.cluster import Cluster
    from hsmctl.domain.form import Filled, Form

    from .app import HsmctlApp

Description = tuple[str, Sequence[Spans]]
"""A title and lines: everything known about a thing."""

_WINDOW = 104
"""Cells of the longest line in a window over a place."""
_WIDTHS = [(0, "-narrow"), (160, "-wide")]
_HEIGHTS = [(0, "-short"), (36, "-tall")]
"""The class a screen has from a width or height on."""


def _fitting(size: Size) -> Iterator[str]:
    """The classes that Textual gives a screen of this size, but only once it was drawn without them."""
    for length, steps in ((size.width, _WIDTHS), (size.height, _HEIGHTS)):
        yield max((least, name) for least, name in steps if length >= least)[1]


class Place(Screen[None]):
    """A screen one can be at."""

    CSS_PATH: ClassVar[CSSPathType | None] = Path(__file__).with_name("place.tcss")
    AUTO_FOCUS = ""  # the table takes it
    BINDINGS = bindings(COMMON)
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    commands: ClassVar[tuple[Command, ...]] = COMMON
    """Everything that can be done here."""
    offered: ClassVar[tuple[Command, ...]] = (OPEN, FILTER, LINE, HELP)
    """What the line of keys shows, seven at most."""

    def __init__(self, survey: Survey, path: Sequence[str], table: Lines[Any]) -> None:
        """`path` is the breadcrumb and tells places apart; `table` is where the cursor is and what is filtered."""
        super().__init__(classes=" ".join(_fitting(self.app.size)))
        self._survey = survey
        self.path = tuple(path)
        self._ended = survey.ended
        self._later: tuple[str, str] | None = None
        """The noun and the name of where one goes once it is known which clusters there are."""
        self.table = table
        self.detail = Detail(id="detail", blank=not survey.estate.answered)
        self._header = Header(survey.hsmctl.context)
        self._key_line = KeyLine()

    @property
    def survey(self) -> Survey:
        """What asks the services of the context and region it is about."""
        return self._survey

    @property
    def hsmctl_app(self) -> HsmctlApp:
        """The app, by its own type."""
        return cast("HsmctlApp", self.app)

    @property
    def cluster(self) -> Cluster | None:
        """The cluster the place is about, or the one under the cursor."""
        return None

    @property
    def subject(self) -> str | None:
        """The id of what the cursor is on."""
        return None

    @property
    def aged(self) -> datetime | None:
        """When what is shown was true."""
        return self.survey.estate.read_at

    @property
    def estate(self) -> Estate:
        """What is known."""
        return self.survey.estate

    def is_same(self, other: object) -> bool:
        """Whether it is the same place of the same context and region."""
        return isinstance(other, Place) and (other.path, other.survey) == (self.path, self.survey)

    @property
    def offers(self) -> tuple[Command, ...]:
        """What the line of keys shows now; what does not run is left out."""
        return self.offered

    def describe(self, width: int) -> Description | None:  # noqa: ARG002 - for the places that have something to tell
        """Everything known about what the cursor is on, in lines of this width."""
        return None

    def preset(self, form: Form) -> Filled | None:
        """What a form is filled in with before anybody types; None where it cannot be opened here, which is told."""
        known = {"cluster": (self.cluster.cluster_id,)} if self.cluster else {}
        return {name: value for name, value in known.items() if form.field(name)}

    def told(self, form: Form) -> Sequence[Spans]:  # noqa: ARG002 - for the places that have something to tell
        """What a form is about to be done to."""
        return ()

    def body(self) -> ComposeResult:
        """What stands between the header and the line of keys."""
        yield self.table

    def show(self) -> None:
        """Show news of the estate."""

    def after_change(self) -> None:
        """Ask again for what the place has found out by itself: a change has ended."""

    def sift(self, query: str) -> None:
        """Show only what the query keeps."""
        self.table.sift(query)

    def compose(self) -> ComposeResult:
        """Header, body, keys."""
        yield self._header
        with Container(id="body"):
            yield from self.body()
        yield self._key_line

    def on_mount(self) -> None:
        """Take the keyboard, show what is known already as it was arranged, and listen for news."""
        self._take_keyboard()
        arrange.as_remembered(self)
        self.hsmctl_app.changed.subscribe(self, self.hear)
        self.set_interval(1.0, self.tick)
        self.hear(self.survey.estate)

    def hear(self, _: Estate) -> None:
        """Show news, however it came; what waited for it is gone to, unless one has gone elsewhere."""
        self.show()
        self.tick()
        if self._ended != self.survey.ended:
            self._ended = self.survey.ended
            self.after_change()
        if self._later and not self._unknown:
            later, self._later = self._later, None
            if self.is_current:
                self.action_go(*later)

    def tick(self) -> None:
        """Keep the ages true."""
        if self.is_current:
            now = self.survey.hsmctl.clock.now()
            app, old = self.hsmctl_app, age(now, self.aged)
            self._header.show(
                self.path, self.survey, old, app.several, paused=not app.every, late=len(app.outlasting.titles)
            )
            self._key_line.show([(self._way(command), command) for command in self.offers if command.runs(self)])
            for line in self.query(FilterLine):
                line.say(*self.table.counts)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether the command may run here and now."""
        name = declared_as(action, parameters)
        command = next((command for command in self.commands if command.name == name), None)
        if command is None or not self.is_mounted:
            return True
        return command.runs(self) and not (command.early and self._typing)

    async def perform(self, command: Command, argument: str = "") -> None:
        """Run a command as if its key had been pressed."""
        await self.app.run_action(command.action(argument), self)

    def keys_of(self, command: Command) -> tuple[str, ...]:
        """The keys that run a command here, as people write them."""
        return keycaps(self.hsmctl_app.key_of(command.name, command.key))

    def available_commands(self) -> tuple[Command, ...]:
        """What can be done here and now."""
        return tuple(command for command in self.commands if command.runs(self))

    def arguments(self, takes: Takes) -> Sequence[str]:
        """What may follow a command after `:`."""
        return candidates(self, takes)

    def action_go(self, noun: str, name: str = "") -> None:
        """Go to a place, about the named cluster or the one at hand; while nothing is known of clusters, soon."""
        known = self.survey.estate, self.hsmctl_app.several.estate
        named = (found for estate in known if (found := estate.cluster(name)))
        cluster = next(named, None) if name else self.cluster or self._only_cluster()
        if cluster is None and self._unknown and (name or self._about_cluster(noun)):
            self._later = (noun, name)
            self.notify(f"{noun} opens once AWS has said which clusters there are", markup=False)
        elif name and cluster is None:
            self.complain(f"no cluster is called {name}")
        else:
            self.hsmctl_app.go(noun, cluster)

    def action_form(self, name: str) -> None:
        """Open the form of a command of the command line."""
        from .fill import open_form

        path = next(command.form for command in self.commands if command.name == name)
        open_form(self, self.hsmctl_app.forms, path)

    def action_open(self) -> None:
        """Nothing lies deeper, unless a place says otherwise: describe it."""
        self.action_describe()

    def action_back(self) -> None:
        """Drop the filter, or leave the place."""
        if self.query(FilterLine):
            self._leave_filter(drop=True)
        else:
            self.hsmctl_app.leave()

    async def action_filter(self) -> None:
        """Open the filter line."""
        if not self.query(FilterLine):
            await self.mount(FilterLine(), before=self._key_line)
            self.run_worker(self.table.prepare(), group="prepare", exclusive=True)
        for line in self.query(FilterLine):
            line.take_keyboard()

    async def action_line(self) -> None:
        """Open the command line."""
        await self.ask_line()

    async def ask_line(self, beginning: str = "") -> None:
        """Open the command line with something typed already; it has the keyboard when this returns."""
        if all(line.handed for line in self.query(CommandLine)):
            line = CommandLine(
                lambda line: completions(line, self.available_commands(), self.arguments),
                self.hsmctl_app.remembered.lines,
                beginning,
                lambda line: says(line, self.available_commands()) or hindrance(line.strip().partition(" ")[0], self),
            )
            await self.mount(line, before=self._key_line)
            line.take_keyboard()

    def action_help(self) -> None:
        """Explain this place."""
        from .help import HelpScreen

        self.app.push_screen(HelpScreen(self))

    def action_refresh(self) -> None:
        """Ask again."""
        self.hsmctl_app.look(afresh=True)

    def action_describe(self) -> None:
        """Tell everything known about what the cursor is on."""
        from .describe import DescribeScreen

        if description := self.describe(min(_WINDOW, self.size.width - 8)):
            self.app.push_screen(DescribeScreen(*description, subject=self.subject))

    def action_copy(self) -> None:
        """Copy the id of what the cursor is on."""
        if self.subject:
            self.app.copy_to_clipboard(self.subject)
            self.notify(f"copied {self.subject}", markup=False)

    def action_check(self) -> None:
        """Compare the cluster's replicas now."""
        if self.cluster:
            self.hsmctl_app.check(self.cluster)

    async def action_sort(self, name: str = "") -> None:
        """Sort by this column, or by the next one; after the last one as the items are given."""
        await arrange.sort(self, name)

    async def action_turn(self) -> None:
        """Sort the other way."""
        await arrange.turn(self)

    def action_hide(self, name: str = "") -> None:
        """Hide a column, or show it again."""
        arrange.hide(self, name)

    async def action_save(self, name: str = "") -> None:
        """Save what is shown; without a name, ask for one and offer some."""
        await arrange.save(self, name)

    def complain(self, why: str) -> None:
        """Say why what was asked for is not done."""
        self.notify(why, severity="warning", markup=False)

    @on(Lines.Opened)
    def _double_clicked(self) -> None:
        self.action_open()

    @on(KeyLine.Chosen)
    async def _clicked(self, event: KeyLine.Chosen) -> None:
        await self.perform(event.command)

    @on(FilterLine.Changed)
    def _filter_changed(self, event: FilterLine.Changed) -> None:
        self.sift(event.query)
        self.tick()

    @on(FilterLine.Left)
    def _filter_left(self, event: FilterLine.Left) -> None:
        self._leave_filter(drop=not event.query)

    @on(CommandLine.Entered)
    async def _entered(self, event: CommandLine.Entered) -> None:
        name, _, argument = event.line.partition(" ")
        command = named(name, self.available_commands())
        if name and command is None:
            event.asked.refuse(refusal(name, self))
            return
        await event.asked.remove()
        self._take_keyboard()
        if command:
            remembered = self.hsmctl_app.remembered
            self.hsmctl_app.remember(replace(remembered, lines=remembered.with_line(event.line)))
            await self.perform(command, argument.strip())

    def _way(self, command: Command) -> str:
        """The first key of a command, or what is typed where it has none."""
        return next(iter(self.keys_of(command)), f":{command.name}")

    @property
    def _typing(self) -> bool:
        """Whether one of the lines has the keyboard."""
        return any(line.has_focus_within for line in self.query("FilterLine, CommandLine"))

    def _leave_filter(self, *, drop: bool) -> None:
        self.set_focus(self.table)
        if drop:
            self.query(FilterLine).remove()
            self.sift("")

    @property
    def _unknown(self) -> bool:
        """Whether it is not known yet which clusters there are."""
        return self.estate.clusters is None and self.estate.error is None

    def _about_cluster(self, noun: str) -> bool:
        return any(command.name == noun and command.takes is Takes.CLUSTER for command in self.commands)

    def _take_keyboard(self) -> None:
        """Have the keys for the table, unless a line was opened by now: keys come faster than places are drawn."""
        if not self._typing:
            self.set_focus(self.table)

    def _only_cluster(self) -> Cluster | None:
        clusters = self.estate.clusters or ()
        return clusters[0] if len(clusters) == 1 else None
