"""The first line, where we are and as whom, and the last line, what can be done here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from hsmctl.mark import Mark
from hsmctl.settings import Context, ContextKind
from hsmctl.words import counted

from .command import Command
from .glyph import Role, Span, content
from .several import Several
from .survey import Survey


class Header(Widget):
    """The breadcrumb on the left; context, account, region, protection, work in progress and age on the right."""

    def __init__(self, context: Context) -> None:
        super().__init__(classes=_accent(context))
        self._path: tuple[str, ...] = ()
        self._facts: tuple[Span, ...] = ()

    def show(self, path: Sequence[str], survey: Survey, age: str, several: Several, *, paused: bool, late: int) -> None:
        """Say where we are and how old what is shown is; redraws only if that differs."""
        facts = tuple(self._parts(survey, age, several, late, paused=paused))
        self.set_classes(_accent(survey.hsmctl.context))
        if (tuple(path), facts) != (self._path, self._facts):
            self._path, self._facts = tuple(path), facts
            self.refresh()

    def render(self) -> Content:
        """The line."""
        width = self.size.width
        *above, here = self._path or ("",)
        crumbs: list[Span] = [(" ", Role.PLAIN)]
        crumbs += [(text, Role.MUTED) for name in above for text in (name, " ▸ ")]
        crumbs.append((here, Role.STRONG))
        parts = list(self._facts)
        while len(parts) > 2 and _width(_joined(parts)) > width - _width(crumbs) - 2:
            del parts[1]
        facts = _joined(parts)
        gap = max(1, width - _width(crumbs) - _width(facts) - 1)
        return content([[*crumbs, (" " * gap, Role.PLAIN), *facts]])

    def _parts(self, survey: Survey, age: str, several: Several, late: int, *, paused: bool) -> Iterable[Span]:
        """The facts; where there is no room the second one goes, again and again."""
        context = survey.hsmctl.context
        lab, estate = context.kind is ContextKind.LAB, survey.estate
        yield ("LAB", Role.ACCENT) if lab else (context.name or "no context", Role.STRONG)
        if estate.account:
            yield estate.account, Role.PLAIN
        if estate.region:
            yield estate.region, Role.PLAIN
        minutes = survey.arming.minutes
        yield (f"ARMED {minutes} min", Role.WARN) if minutes else ("RO", Role.PLAIN)
        if places := several.told():
            yield places, Role.PLAIN if places.endswith("places") else Role.WARN
        changing = late + sum(run.running for each in several.surveys for run in each.estate.runs)
        if changing:
            yield f"{Mark.PENDING.glyph} {counted(changing, 'op')}", Role.WARN
        known = [each.estate for each in several.surveys]
        running = sum(each.reading + sum(check.running for check in each.checks.values()) for each in known)
        if running:
            yield f"{Mark.PENDING.glyph} {running}", Role.ACCENT
        yield (f"paused {age}", Role.WARN) if paused else (age, Role.PLAIN)


_LEADING = 3
"""Commands at the end of the line of keys that lead to all others: `:` and the help."""


class KeyLine(Widget):
    """The keys of a place that matter most; a click on one runs its command."""

    class Chosen(Message):
        """A command was clicked."""

        def __init__(self, command: Command) -> None:
            super().__init__()
            self.command = command

    def __init__(self) -> None:
        super().__init__()
        self._commands: tuple[tuple[str, Command], ...] = ()

    def show(self, commands: Sequence[tuple[str, Command]]) -> None:
        """Offer these commands, each with its key."""
        if tuple(commands) != self._commands:
            self._commands = tuple(commands)
            self.refresh()

    def render(self) -> Content:
        """The line."""
        spans: list[Span] = []
        for key, command in self._fitting():
            spans += [(f" {key} ", Role.ACCENT), (_label(key, command), Role.PLAIN)]
        return content([spans])

    def on_click(self, event: events.Click) -> None:
        """Run the command under the pointer."""
        end = 0
        for key, command in self._fitting():
            end += _cells(key, command)
            if event.x < end:
                self.post_message(self.Chosen(command))
                return

    def _fitting(self) -> Sequence[tuple[str, Command]]:
        """The commands there is room for; the last three, which lead to all others, go last."""
        shown = list(self._commands)
        while len(shown) > _LEADING and sum(_cells(*each) for each in shown) > self.size.width:
            del shown[-_LEADING - 1]
        return shown


def _cells(key: str, command: Command) -> int:
    """The cells of one command in the line of keys."""
    return len(f" {key} {_label(key, command)}")


def _label(key: str, command: Command) -> str:
    """What stands after the key; nothing where that is the command's name already."""
    return "" if key == f":{command.name}" else f"{command.label or command.name} "


def _accent(context: Context) -> str:
    """The class that colours the header by what a mistake would cost here."""
    if context.kind is ContextKind.LAB:
        return "-lab"
    return "-protected" if context.protect else "-aws"


def _joined(parts: Sequence[Span]) -> list[Span]:
    """The parts with dots between them."""
    return [span for part in parts for span in ((" · ", Role.MUTED), part)][1:]


def _width(spans: Iterable[Span]) -> int:
    return sum(cell_len(text) for text, _ in spans)
