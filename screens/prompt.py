"""The two lines an operator types into: `:` for commands and `/` for the filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from .completing import Completion
from .glyph import Role, Span, content

if TYPE_CHECKING:
    from textual.widgets import Input


class FilterLine(Horizontal):
    """Sifts as one types; enter keeps the filter, escape drops it."""

    DEFAULT_CSS = """
    FilterLine {
        height: 1;
        background: $panel;
        .sign { width: 2; padding: 0 0 0 1; color: $accent; text-style: bold; }
        .count { width: auto; padding: 0 1; color: $foreground 60%; }
        Input { width: 1fr; background: $panel !important; background-tint: $panel !important; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "drop", "drop the filter", show=False)]

    class Changed(Message):
        """The query is another one."""

        def __init__(self, query: str) -> None:
            super().__init__()
            self.query = query

    class Left(Changed):
        """The operator is done typing."""

    def __init__(self) -> None:
        from textual.widgets import Input

        super().__init__()
        self._input = Input(placeholder="text  !text  column:value", compact=True, select_on_focus=False)
        self._count = Static("", classes="count", markup=False)

    def compose(self) -> ComposeResult:
        """The sign, the query, and how many rows it keeps."""
        yield Static("/", classes="sign", markup=False)
        yield self._input
        yield self._count

    def take_keyboard(self) -> None:
        """Let the operator type, from the next key on."""
        self.screen.set_focus(self._input)

    def say(self, kept: int, total: int) -> None:
        """Say how many rows the filter keeps."""
        self._count.update(f"{kept:,} of {total:,}")

    def action_drop(self) -> None:
        """Forget the query."""
        self._input.value = ""
        self.post_message(self.Left(""))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Sift by what is typed so far."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter and leave the line."""
        event.stop()
        self.post_message(self.Left(event.value))


class CommandLine(Vertical):
    """Takes a command or a place by name, with completion; it goes away when it is done."""

    DEFAULT_CSS = """
    CommandLine {
        height: 2;
        Horizontal { height: 1; background: $panel; }
        .sign { width: 2; padding: 0 0 0 1; color: $accent; text-style: bold; }
        .candidates {
            height: 1;
            padding: 0 1;
            text-wrap: nowrap;
            text-overflow: ellipsis;
            color: $foreground 60%;
            background: $panel;
        }
        Input { width: 1fr; background: $panel !important; background-tint: $panel !important; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", show=False),
        Binding("tab", "complete", "complete", show=False, priority=True),
        Binding("up", "recall(-1)", "the line before", show=False),
        Binding("down", "recall(1)", "the line after", show=False),
    ]

    class Entered(Message):
        """A line was entered; an empty one means nothing is wanted."""

        def __init__(self, asked: CommandLine, line: str) -> None:
            super().__init__()
            self.asked = asked
            self.line = line

    def __init__(
        self,
        complete: Callable[[str], Sequence[str]],
        history: Sequence[str] = (),
        beginning: str = "",
        says: Callable[[str], str] = lambda _: "",
    ) -> None:
        """`complete` gives the lines a half-typed one can become, best first; `history` is what was typed before.

        `says` tells what the line would do, where that is clear.
        """
        from .line_input import LineInput

        super().__init__()
        self._says = says
        self._completion = Completion(complete)
        self._history = (*history, "")
        self._recalled = len(history)
        self._beginning = beginning
        self._candidates = Static("", classes="candidates", markup=False)
        self._input = LineInput(compact=True, select_on_focus=False)

    @property
    def handed(self) -> bool:
        """Whether its line was handed over, and it is about to go."""
        return self._input.handed

    def compose(self) -> ComposeResult:
        """What could be typed, and what is."""
        yield self._candidates
        with Horizontal():
            yield Static(":", classes="sign", markup=False)
            yield self._input

    def on_mount(self) -> None:
        """Begin with what is typed already."""
        name, space, _ = self._beginning.partition(" ")
        self._offer(name + space)
        if space:
            self._completion.begin(name + space)
        self._put(self._beginning)

    def take_keyboard(self) -> None:
        """Let the operator type, from the next key on."""
        self.screen.set_focus(self._input)

    def refuse(self, why: str) -> None:
        """Say why the line cannot be run; it can be corrected."""
        self._candidates.update(Content.styled(why, "$text-warning"))
        self._input.handed = False
        self.take_keyboard()

    def action_leave(self) -> None:
        """Want nothing."""
        self.post_message(self.Entered(self, ""))

    def action_complete(self) -> None:
        """Take the best completion; again takes the next one."""
        if line := self._completion.next(self._input.value):
            self._put(line)

    def action_recall(self, by: int) -> None:
        """Go through what was typed before."""
        self._recalled = max(0, min(len(self._history) - 1, self._recalled + by))
        self._put(self._history[self._recalled])

    def on_input_changed(self, event: Input.Changed) -> None:
        """Offer what the line can become."""
        event.stop()
        self._offer(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the line over."""
        event.stop()
        self.post_message(self.Entered(self, event.value.strip()))

    def _put(self, line: str) -> None:
        self._input.value = line
        self._input.cursor_position = len(line)

    def _offer(self, line: str) -> None:
        """Show what tab takes, what else the line can become, and what it does."""
        first, *rest = [candidate.rpartition(" ")[2] for candidate in self._completion.offer(line)] or [""]
        does = self._says(line)
        spans: list[Span] = [(first, Role.ACCENT), *((f"  {name}", Role.MUTED) for name in rest)]
        gap = "   " if first else ""
        spans += [(f"{gap}{does}", Role.PLAIN)] if does else []
        if not first and not does:
            spans = [("nothing is called so; esc leaves", Role.MUTED)]
        self._candidates.update(content([spans]))
