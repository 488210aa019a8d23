"""Asking for a password on behalf of a service that waits for it on a thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from hsmctl.errors import UsageError
from hsmctl.secret import Secret

if TYPE_CHECKING:
    from textual.app import App


def asker(app: App[Any]) -> Callable[[str], Secret]:
    """A function for service threads that asks the operator and waits for the answer, which comes or is given up."""

    def ask(prompt: str) -> Secret:
        from .password import PasswordScreen

        answer: Future[Secret | None] = Future()
        app.call_from_thread(app.push_screen, PasswordScreen(prompt), answer.set_result)
        given = answer.result()
        if given is None:
            raise UsageError(prompt, "none was given", "try again")
        return given

    return ask
