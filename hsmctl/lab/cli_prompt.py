"""What the emulated cloudhsm-cli asks of whoever sits before it: passwords without an echo, paths with one.

UNCONFIRMED: whether prompts go to standard output or error; here it is standard output, before the JSON. The echo is
off before the prompt is written, so who waits for the prompt may answer at once.
"""

from __future__ import annotations

import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from hsmctl.lab.cli_answer import Failed, put

_LFLAG = 3
"""The place of c_lflag in what tcgetattr answers."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The person, or the program, at the other end of standard input and output."""

    typed: TextIO
    shown: TextIO

    def password(self, question: str = "Enter password:") -> str:
        """One password.

        Raises:
            Failed: there is nobody to ask.
        """
        with _no_echo(self.typed):
            return self._ask(question)

    def new_password(self) -> str:
        """A password that was given twice.

        Raises:
            Failed: the two differ, or there is nobody to ask.
        """
        first, second = self.password(), self.password("Confirm password:")
        if first != second:
            raise Failed("Passwords do not match")
        return first

    def path(self, question: str) -> str:
        """A path; empty where none was given.

        Raises:
            Failed: there is nobody to ask.
        """
        return self._ask(question).strip()

    def _ask(self, question: str) -> str:
        put(self.shown, question)
        line = self.typed.readline()
        if not self.typed.isatty():
            put(self.shown, "\n")
        if not line:
            raise Failed("Failed to read from the terminal")
        return line.rstrip("\r\n")


@contextmanager
def _no_echo(typed: TextIO) -> Iterator[None]:
    """Let the terminal show nothing of what is typed but the end of the line; harmless where it is none."""
    if not typed.isatty():
        yield
        return
    before = termios.tcgetattr(typed.fileno())
    quiet = list(before)
    quiet[_LFLAG] = before[_LFLAG] & ~termios.ECHO | termios.ECHONL
    termios.tcsetattr(typed.fileno(), termios.TCSANOW, quiet)  # what was typed ahead stays
    try:
        yield
    finally:
        termios.tcsetattr(typed.fileno(), termios.TCSANOW, before)


def standard() -> Prompt:
    """Whoever started this program."""
    return Prompt(sys.stdin, sys.stdout)
