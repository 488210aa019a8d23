"""The help of a place, made from what it declares: its commands, how to move, the filter, and what each sign means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen

from hsmctl.domain.filter import GRAMMAR
from hsmctl.mark import Mark

from .command import COMMON, SECTIONS, Command
from .detail import Detail, beside
from .glyph import ROLES, Role, Spans, sign
from .lines import Lines

if TYPE_CHECKING:
    from .place import Place


_TWO = 130
"""The width from which on sections stand side by side."""
_KEYS = 8
_NAMES = 22
"""Cells of keys, and of a command's name with what it takes."""


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
        text = Detail(id="told")
        text.draw(lambda room: list(self._lines(room.width)))
        with VerticalScroll() as window:
            window.border_title = Content(f"help · {' ▸ '.join(self._place.path)}")
            window.border_subtitle = "↑↓ scroll · esc closes"
            yield text

    def _lines(self, width: int) -> Iterable[Spans]:
        """Each section; side by side where there is room."""
        sections = list(self._sections(width // 2 - 1 if width >= _TWO else width))
        if width < _TWO:
            yield from (line for section in sections for line in (*section, ()))
            return
        half = sum(map(len, sections)) / 2
        left: list[Spans] = []
        right: list[Spans] = []
        for section in sections:
            side = left if len(left) < half else right
            side += [*section, ()]
        yield from beside(left, right, width // 2 + 1)

    def _sections(self, width: int) -> Iterable[Sequence[Spans]]:
        commands = self._place.available_commands()
        own = [command for command in commands if command not in COMMON]
        groups = [("HERE", own), ("PLACES", [command for command in commands if command.noun])]
        groups += [(title, [each for each in commands if each in members]) for title, members in SECTIONS]
        rows = [(title, [self._row(command) for command in members]) for title, members in groups if members]
        keys = [binding for binding in Lines.BINDINGS if isinstance(binding, Binding)]
        rows += [("MOVING", [(_keys(binding.key), "", binding.description) for binding in keys])]
        rows += [("FILTER", [(form, "", keeps) for form, keeps in GRAMMAR])]
        for title, members in rows:
            yield [((title, Role.STRONG),), *(line for member in members for line in _line(*member, width))]
        yield [(("SIGNS", Role.STRONG),), *((sign(mark), (f"  {mark.word}", Role.PLAIN)) for mark in Mark)]

    def _row(self, command: Command) -> tuple[str, str, str]:
        takes = f" {command.takes.upper()}" if command.takes else ""
        return "  ".join(self._place.keys_of(command)), f":{command.name}{takes}", command.help


def _keys(keys: str) -> str:
    return keys.replace(",", "  ").replace("pageup", "pgup").replace("pagedown", "pgdn")


def _line(keys: str, name: str, says: str, width: int) -> Iterable[Spans]:
    """A command, or what keys do, in as many lines as it takes."""
    lead = f"{keys:<{_KEYS}}" if name else f"{keys:<{_KEYS + _NAMES}}"
    margin = max(len(lead), _KEYS) + (_NAMES if name else 0)
    first, *more = wrap(says, max(20, width - margin)) or [""]
    yield (lead, Role.ACCENT), (f"{name:<{_NAMES}}" if name else "", Role.MUTED), (first, Role.PLAIN)
    yield from (((" " * margin, Role.PLAIN), (line, Role.PLAIN)) for line in more)
