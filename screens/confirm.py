"""A plan before it is carried out: what must hold and how that is known, what is done, what cannot be undone.

The harmless answer has the focus. What can be undone takes one more key; what cannot takes the end of the id, typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from hsmctl.domain.plan import Effect, Plan, Precondition, Step
from hsmctl.mark import Mark
from hsmctl.words import lasting

from .glyph import GRADES, ROLES, Role, Spans, content, sign


class ConfirmScreen(ModalScreen[bool]):
    """The window; escape is the harmless answer."""

    CSS_PATH = "window.tcss"
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)
    AUTO_FOCUS = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(False)", "leave it", show=False),
        Binding("left,right", "app.focus_next", "the other answer", show=False),
    ]

    def __init__(self, plan: Plan, confirmation: str = "") -> None:
        """`confirmation` is what must be typed; without one, the plan's own where it cannot be undone."""
        super().__init__()
        self._plan = plan
        self._wanted = confirmation or (plan.confirmation if plan.destructive else "")
        self._ready = not plan.unmet
        self._apply = Button("Apply", id="apply", compact=True, variant="error" if plan.destructive else "primary")
        self._typed = Input(id="typed", compact=True, max_length=len(self._wanted) or 1)

    def compose(self) -> ComposeResult:
        """The plan, what to type, the two answers."""
        with Vertical() as window:
            window.border_title = Content(self._plan.title)
            with VerticalScroll(can_focus=False):
                yield Static(content(lines(self._plan)), markup=False)
            if self._wanted and self._ready:
                yield Static(content([self._asking()]), markup=False)
                yield self._typed
            with Horizontal(id="answers"):
                yield Button("Cancel", id="cancel", compact=True)
                if self._ready:
                    yield self._apply

    def on_mount(self) -> None:
        """What cannot be undone cannot be applied yet."""
        self._apply.disabled = bool(self._wanted)

    def _asking(self) -> Spans:
        words = " cannot be undone · type the last six characters of what it changes: "
        return sign(Mark.ATTENTION), (words, Role.WARN), (self._wanted, Role.STRONG)

    @on(Input.Changed, "#typed")
    def _typing(self, event: Input.Changed) -> None:
        self._apply.disabled = event.value != self._wanted

    @on(Input.Submitted, "#typed")
    def _entered(self, event: Input.Submitted) -> None:
        if event.value == self._wanted:
            self._apply.focus()

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.dismiss(result=False)

    @on(Button.Pressed, "#apply")
    def _applied(self) -> None:
        self.dismiss(result=True)


def lines(plan: Plan) -> Iterator[Spans]:
    """The plan as it is read before it is confirmed."""
    own = [each for step in plan.steps for each in step.preconditions]
    told = {(each.what, each.why): each for each in (*plan.preconditions, *own)}
    for place, each in enumerate(told.values()):
        yield from _precondition(each, "before" if place == 0 else "")
    yield ()
    for number, step in enumerate(plan.steps, 1):
        yield from _step(number, step)
    for warning in plan.warnings:
        yield ("        ", Role.PLAIN), sign(Mark.ATTENTION), (f" {warning}", Role.WARN)
    if plan.cost:
        yield ("cost    ", Role.MUTED), (plan.cost, Role.PLAIN)
    if plan.permissions:
        yield ("needs   ", Role.MUTED), (" ".join(plan.permissions), Role.MUTED)


def precondition_sign(each: Precondition) -> Mark:
    """Whether it holds, and how that is known."""
    if each.holds:
        return GRADES.get(each.grade, Mark.REPORTED)
    if each.waived:
        return Mark.ATTENTION
    return Mark.UNPROVEN if each.unknown else Mark.BAD


def _precondition(each: Precondition, head: str) -> Iterator[Spans]:
    why = f": {each.why}" if each.why else ""
    yield (head.ljust(8), Role.MUTED), sign(precondition_sign(each)), (f" {each.what}{why}", Role.PLAIN)
    if each.waived:
        yield (("          waived: ", Role.MUTED), (each.waived, Role.PLAIN))
    elif not each.holds and each.way_out:
        yield (("          way out: ", Role.MUTED), (each.way_out, Role.ACCENT))


def _step(number: int, step: Step) -> Iterator[Spans]:
    usual = f"   usually {lasting(step.usual)}" if step.usual else ""
    final = step.effect is Effect.DESTROY
    mark = (Mark.ATTENTION.glyph, Role.WARN) if final else (" ", Role.PLAIN)
    yield mark, (f"{number:>5}  ", Role.MUTED), (step.says, Role.STRONG if final else Role.PLAIN), (usual, Role.MUTED)
