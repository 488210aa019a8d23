"""The two lines an operator types into: `:` for commands and `/` for the filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static


class FilterLine(Horizontal):
    """Sifts as one types; enter keeps the filter, escape drops it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "drop", "drop the filter", show=False)]

    class Changed(Message):
        """The query is another one."""

        def __init__(self, query: str) -> None:
            super().__init__()
            self.query = query

    class Left(Changed):
        """The operator is done typing."""

    def __init__(self) -> None:
        super().__init__()
        self._input = Input(placeholder="text  !text  column:value", compact=True, select_on_focus=False)
        self._count = Static("", classes="count", markup=False)

    def compose(self) -> ComposeResult:
        """The sign, the query, and how many rows it keeps."""
        yield Static("/", classes="sign", markup=False)
        yield self._input
        yield self._count

    def take_keyboard(self) -> None:
        """Let the operator type."""
        self._input.focus()

    def say(self, kept: int, total: int) -> None:
        """Say how many rows the filter keeps."""
        self._count.update(f"{kept:,} of {total:,}")

    def action_drop(self) -> None:
        """Forget the query."""
        self._input.value = ""
        self.post_message(self.Left(""))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    @on(Input.Submitted)
    def _kept(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Left(event.value))


class CommandLine(Vertical):
    """Takes a command or a place by name, with completion; it goes away when it is done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", show=False),
        Binding("tab", "complete", "complete", show=False, priority=True),
    ]

    class Entered(Message):
        """A line was entered; an empty one means nothing is wanted."""

        def __init__(self, asked: CommandLine, line: str) -> None:
            super().__init__()
            self.asked = asked
            self.line = line

    def __init__(self, complete: Callable[[str], Sequence[str]]) -> None:
        """`complete` gives the lines a half-typed one can become, best first."""
        super().__init__()
        self._complete = complete
        self._candidates = Static("", classes="candidates", markup=False)
        self._input = Input(compact=True, select_on_focus=False)

    def compose(self) -> ComposeResult:
        """What could be typed, and what is."""
        yield self._candidates
        with Horizontal():
            yield Static(":", classes="sign", markup=False)
            yield self._input

    def on_mount(self) -> None:
        """Take the keyboard."""
        self._input.focus()
        self._offer("")

    def refuse(self, why: str) -> None:
        """Say why the line cannot be run; it can be corrected."""
        self._candidates.update(why)

    def action_leave(self) -> None:
        """Want nothing."""
        self.post_message(self.Entered(self, ""))

    def action_complete(self) -> None:
        """Take the best completion."""
        best = next(iter(self._complete(self._input.value)), self._input.value)
        self._input.value = best
        self._input.cursor_position = len(best)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._offer(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Entered(self, event.value.strip()))

    def _offer(self, line: str) -> None:
        last = [candidate.rpartition(" ")[2] for candidate in self._complete(line)]
        self._candidates.update("  ".join(last) or "nothing is called so; esc leaves")
