"""Everything about one thing, in a window over the place; it wraps and scrolls, and hides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from .glyph import ROLES, Spans, content


class DescribeScreen(ModalScreen[None]):
    """The window."""

    CSS_PATH = "window.tcss"
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,d,enter", "dismiss(None)", "close", show=False),
        Binding("y", "copy", "copy the id", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[Spans], subject: str | None = None) -> None:
        """`subject` is what `y` copies."""
        super().__init__()
        self._heading = title
        self._text = content(lines)
        self._subject = subject

    def compose(self) -> ComposeResult:
        """Title and text."""
        with VerticalScroll() as window:
            window.border_title = Content(self._heading)
            window.border_subtitle = "esc closes · y copies" if self._subject else "esc closes"
            yield Static(self._text, markup=False)

    def action_copy(self) -> None:
        """Copy the id."""
        if self._subject:
            self.app.copy_to_clipboard(self._subject)
            self.notify(f"copied {self._subject}", markup=False)
