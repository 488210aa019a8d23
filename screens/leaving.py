"""Leaving while changes go on: what they are, and what becomes of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from hsmctl.mark import Mark
from hsmctl.words import counted

from .glyph import ROLES, Role, Spans, content, sign
from .running import Run
from .window import fit


class LeaveScreen(ModalScreen[bool]):
    """The window; staying has the focus."""

    CSS_PATH = "window.tcss"
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)
    AUTO_FOCUS = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(False)", "stay", show=False),
        Binding("left,right", "app.focus_next", "the other answer", show=False),
    ]

    def __init__(self, runs: Sequence[Run], commands: Sequence[str]) -> None:
        """`runs` are the operations that go on, `commands` what was sent off and has not answered."""
        super().__init__()
        self._runs, self._commands = tuple(runs), tuple(commands)

    def compose(self) -> ComposeResult:
        """What goes on and what becomes of it, the two answers."""
        with Vertical() as window:
            window.border_title = f"{counted(len(self._runs) + len(self._commands), 'change')} still going on"
            with VerticalScroll(can_focus=False):
                yield Static(content(self._lines()), markup=False)
            with Horizontal(id="answers"):
                yield Button("Stay", id="cancel", compact=True)
                yield Button("Leave", id="apply", compact=True, variant="error")

    def on_resize(self) -> None:
        """Keep the answers in sight."""
        self.call_after_refresh(fit, self)

    def _lines(self) -> Iterator[Spans]:
        for run in self._runs:
            step = f"  step {run.number} of {len(run.plan.steps)}"
            yield sign(Mark.PENDING), (f" {run.plan.title}", Role.STRONG), (step, Role.MUTED)
            if run.operation_id:
                yield (("  hsmctl operation resume ", Role.ACCENT), (run.operation_id, Role.ACCENT))
        for command in self._commands:
            yield sign(Mark.PENDING), (f" {command}", Role.STRONG), ("  no answer yet", Role.MUTED)
        yield ()
        yield (("What AWS or an HSM has begun goes on there; no further step is taken.", Role.PLAIN),)
        if self._runs:
            yield (("Operations are journaled: they wait in :operation, and :resume goes on with them.", Role.PLAIN),)
        if self._commands:
            yield (
                ("Whether a command without an answer was carried out is not known; look before repeating.", Role.WARN),
            )

    @on(Button.Pressed, "#cancel")
    def _stays(self) -> None:
        self.dismiss(result=False)

    @on(Button.Pressed, "#apply")
    def _leaves(self) -> None:
        self.dismiss(result=True)
