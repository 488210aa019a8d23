"""The help of a place, made from what it declares: its commands, how to move, the filter, and what each sign means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from hsmctl.domain.filter import GRAMMAR
from hsmctl.mark import Mark

from .command import COMMON, SECTIONS, Command
from .glyph import ROLES, Role, Spans, content, sign
from .lines import Lines

if TYPE_CHECKING:
    from .place import Place


class HelpScreen(ModalScreen[None]):
    """The window."""

    CSS_PATH = "window.tcss"
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss(None)", "close", show=False)]

    def __init__(self, place: Place) -> None:
        """Explain a place, its own commands first."""
        super().__init__()
        self._place = place

    def compose(self) -> ComposeResult:
        """The text."""
        with VerticalScroll() as window:
            window.border_title = Content(f"help · {' ▸ '.join(self._place.path)}")
            window.border_subtitle = "esc closes"
            yield Static(content(self._lines()), markup=False)

    def _lines(self) -> Iterable[Spans]:
        commands = self._place.available_commands()
        own = [command for command in commands if command not in COMMON]
        yield from self._section("HERE", own)
        yield from self._section("PLACES", [command for command in commands if command.noun])
        for title, members in SECTIONS:
            yield from self._section(title, [command for command in commands if command in members])
        yield _title("MOVING")
        for binding in Lines.BINDINGS:
            if isinstance(binding, Binding):
                yield _line(binding.key.replace(",", "  "), "", binding.description)
        yield _title("FILTER")
        yield from (_line(form, "", keeps) for form, keeps in GRAMMAR)
        yield _title("SIGNS")
        for mark in Mark:
            yield sign(mark), (f"  {mark.word}", Role.PLAIN)

    def _section(self, title: str, commands: Sequence[Command]) -> Iterable[Spans]:
        if commands:
            yield _title(title)
        for command in commands:
            takes = f" {command.takes.upper()}" if command.takes else ""
            yield _line("  ".join(self._place.keys_of(command)), f":{command.name}{takes}", command.help)


def _title(text: str) -> Spans:
    return ((text, Role.STRONG),)


def _line(keys: str, name: str, says: str) -> Spans:
    return (f"{keys:<18}", Role.ACCENT), (f"{name:<17}", Role.MUTED), (says, Role.PLAIN)
