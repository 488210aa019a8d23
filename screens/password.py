"""Asking for a password in a window, on behalf of a service that waits for it on a thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from hsmctl.errors import UsageError
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


def asker(app: App[Any]) -> Callable[[str], Secret]:
    """A function for service threads that asks the operator and waits for the answer, which comes or is given up."""

    def ask(prompt: str) -> Secret:
        answer: Future[Secret | None] = Future()
        app.call_from_thread(app.push_screen, PasswordScreen(prompt), answer.set_result)
        given = answer.result()
        if given is None:
            raise UsageError(prompt, "none was given", "c asks again")
        return given

    return ask
