"""Asking for a password in a window."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from hsmctl.secret import Secret

PATIENCE = 120.0
"""Seconds the question stays open."""


class PasswordScreen(ModalScreen[Secret | None]):
    """The window; escape is the harmless answer."""

    CSS_PATH = "window.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "give none", show=False)]

    def __init__(self, prompt: str) -> None:
        super().__init__()
        self._prompt = prompt

    def compose(self) -> ComposeResult:
        """One line that shows nothing of what is typed."""
        with Vertical() as window:
            window.border_title = Content(self._prompt)
            window.border_subtitle = "enter gives it · esc does not"
            yield Input(password=True, compact=True)

    def on_mount(self) -> None:
        """Do not wait for ever."""
        self.set_timer(PATIENCE, lambda: self.dismiss(None))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the password and keep no copy."""
        value, event.input.value = event.value, ""
        self.dismiss(Secret(value) if value else None)
