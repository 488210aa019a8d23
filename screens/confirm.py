"""A plan before it is carried out: what must hold and how that is known, what is done, what cannot be undone.

The harmless answer has the focus. What can be undone takes one more key; what cannot takes the end of the id, typed.
What does not hold and may be waived takes a reason, which the journal keeps; anything else is mended first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from textwrap import wrap
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from hsmctl.domain.plan import Effect, Plan, Precondition, Step
from hsmctl.mark import GRADES, Mark
from hsmctl.words import counted, lasting

from .glyph import ROLES, Role, Span, Spans, content, role, sign
from .window import fit

_WINDOW = 110
"""Cells the window is wide at most."""
_FRAME = 6
_MARGIN = 8
"""Cells left of what is said."""


class ConfirmScreen(ModalScreen[Plan | None]):
    """The window; it gives the plan with what was waived, or None. Escape is the harmless answer."""

    CSS_PATH = "window.tcss"
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)
    AUTO_FOCUS = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "leave it", show=False),
        Binding("left,right", "app.focus_next", "the other answer", show=False),
        Binding("down", "app.focus_next", "the next line", show=False),
        Binding("up", "app.focus_previous", "the line before", show=False),
        Binding("pagedown", "page(1)", "the plan further down", show=False),
        Binding("pageup", "page(-1)", "the plan further up", show=False),
    ]

    def __init__(self, plan: Plan, confirmation: str = "", done: Collection[int] = ()) -> None:
        """`confirmation` is what must be typed; without one, the plan's own where it cannot be undone.

        `done` are the numbers of the steps that are done already, where the plan was begun before.
        """
        super().__init__()
        self._plan, self._done = plan, done
        self._wanted = confirmation or (plan.confirmation if plan.destructive else "")
        possible = all(each.waiver for each in plan.unmet)
        self._reasons = {name: _reason() for name in _waivers(plan)} if possible else {}
        self._possible = possible
        self._told = Static("", markup=False)
        self._apply = Button("Apply", id="apply", compact=True, variant="error" if plan.destructive else "primary")
        self._typed = Input(id="typed", compact=True, max_length=len(self._wanted) or 1)

    def compose(self) -> ComposeResult:
        """The plan, the reasons it takes, what to type, the two answers."""
        with Vertical(classes="-grave" if self._plan.destructive else "") as window:
            window.border_title = Content(self._plan.title)
            with VerticalScroll(can_focus=False):
                yield self._told
            for name, reason in self._reasons.items():
                with Horizontal(classes="waiver"):
                    yield Static(content([_waiving(name)]), markup=False)
                    yield reason
            if not self._possible:
                yield Static(content([_stuck(self._plan)]), markup=False)
            if self._wanted and self._possible:
                yield Static(content([self._asking()]), markup=False)
                yield self._typed
            with Horizontal(id="answers"):
                yield Button("Cancel", id="cancel", compact=True)
                if self._possible:
                    yield self._apply

    def on_mount(self) -> None:
        """What cannot be undone, or does not hold, cannot be applied yet."""
        self._judge()

    def on_resize(self) -> None:
        """Tell the plan in lines of the new width."""
        self._judge()
        self.call_after_refresh(self._fit)

    def action_page(self, by: int) -> None:
        """Show more of the plan."""
        told = self.query_one(VerticalScroll)
        told.scroll_relative(y=by * max(1, told.size.height - 1), animate=False)

    def _fit(self) -> None:
        """Keep the answers in sight, and say how to see the rest of a plan that is longer than the window."""
        words = "pgup pgdn the whole plan · esc leaves" if fit(self) else "esc leaves"
        self.query_one(Vertical).border_subtitle = words

    @property
    def plan(self) -> Plan:
        """The plan with the reasons typed so far."""
        typed = {name: reason.value.strip() for name, reason in self._reasons.items()}
        return self._plan.waiving({name: reason for name, reason in typed.items() if reason})

    def _asking(self) -> Spans:
        words = " cannot be undone · type the last six characters of what it changes: "
        return sign(Mark.ATTENTION), (words, Role.WARN), (self._wanted, Role.STRONG)

    @on(Input.Changed)
    def _judge(self) -> None:
        """Show what is waived by now, and light up the answer once nothing stands in its way."""
        plan = self.plan
        self._told.update(content(lines(plan, min(_WINDOW, self.app.size.width) - _FRAME, self._done)))
        self._apply.disabled = bool(plan.unmet) or self._typed.value != self._wanted

    @on(Input.Submitted)
    def _entered(self) -> None:
        """Go on to what is still to be typed, then to the answer."""
        blank = [reason for reason in self._reasons.values() if not reason.value.strip()]
        if self._wanted and self._typed.value != self._wanted:
            blank.append(self._typed)
        self.set_focus(blank[0] if blank else self._apply)

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#apply")
    def _applied(self) -> None:
        self.dismiss(self.plan)


def _waivers(plan: Plan) -> Sequence[str]:
    """The options that waive what stands in the plan's way, each once."""
    return tuple(dict.fromkeys(each.waiver for each in plan.unmet))


def _reason() -> Input:
    return Input(placeholder="the reason, for the journal", compact=True, select_on_focus=False)


def _waiving(name: str) -> Spans:
    """What a reason is asked for, by the option that takes it on a command line."""
    return sign(Mark.ATTENTION), (f" {name}, because: ", Role.WARN)


def _stuck(plan: Plan) -> Spans:
    """That a reason does not help."""
    final = sum(not each.waiver for each in _told(plan.unmet))
    words = f" {counted(final, 'condition')} cannot be waived: take the way out first"
    return sign(Mark.BAD), (words, Role.PLAIN)


def _told(all_of: Iterable[Precondition]) -> Iterable[Precondition]:
    """Each condition once: every removal has the same ones."""
    return {(each.what, each.why): each for each in all_of}.values()


def lines(plan: Plan, width: int, done: Collection[int] = ()) -> Iterator[Spans]:
    """The plan as it is read before it is confirmed, in lines of this width; the steps that are done say so."""
    own = [each for step in plan.steps for each in step.preconditions]
    for place, each in enumerate(_told((*plan.preconditions, *own))):
        yield from _precondition(each, "before" if place == 0 else "", width)
    yield ()
    for number, step in enumerate(plan.steps, 1):
        yield from _step(number, step, width, done=number in done)
    for warning in plan.warnings:
        yield from _wrapped(("", Role.MUTED), sign(Mark.ATTENTION), warning, Role.WARN, width)
    if plan.cost:
        yield from _wrapped(("cost", Role.MUTED), None, plan.cost, Role.PLAIN, width)
    if plan.permissions:
        yield from _wrapped(("needs", Role.MUTED), None, " ".join(plan.permissions), Role.MUTED, width)


def precondition_sign(each: Precondition) -> Mark:
    """Whether it holds, and how that is known."""
    if each.holds:
        return GRADES.get(each.grade, Mark.REPORTED)
    if each.waived:
        return Mark.ATTENTION
    return Mark.UNPROVEN if each.unknown else Mark.BAD


def _precondition(each: Precondition, head: str, width: int) -> Iterator[Spans]:
    why = f": {each.why}" if each.why else ""
    mark = precondition_sign(each)
    loud = Role.PLAIN if each.holds else role(mark)
    yield from _wrapped((head, Role.MUTED), sign(mark), f"{each.what}{why}", loud, width)
    if each.waived:
        yield from _wrapped(("", Role.MUTED), None, f"  waived: {each.waived}", Role.PLAIN, width)
    elif not each.holds and each.way_out:
        yield from _wrapped(("", Role.MUTED), None, f"  way out: {each.way_out}", Role.ACCENT, width)


def _step(number: int, step: Step, width: int, *, done: bool) -> Iterator[Spans]:
    """What is done, what cannot be undone with its sign; a step that is done says so."""
    final = step.effect is Effect.DESTROY and not done
    mark = sign(Mark.REPORTED) if done else sign(Mark.ATTENTION) if final else (" ", Role.PLAIN)
    its = Role.MUTED if done else Role.STRONG if final else Role.PLAIN
    after = "   done" if done else f"   usually {lasting(step.usual)}" if step.usual else ""
    *lines, last = wrap(f"{step.says}{after}", max(20, width - _MARGIN), break_on_hyphens=False)
    told, tail = last.removesuffix(after), after if last.endswith(after) else ""
    for place, line in enumerate((*lines, told)):
        head = (mark, (f"{number:>5}  ", Role.MUTED)) if place == 0 else ((" " * _MARGIN, Role.PLAIN),)
        yield *head, (line, its), (tail if place == len(lines) else "", Role.MUTED)


def _wrapped(head: Span, mark: Span | None, text: str, its: Role, width: int) -> Iterator[Spans]:
    """A text that hangs below its beginning, with its head on the left, and its sign."""
    lead = " " * _MARGIN + ("  " if mark else "")
    first, *more = wrap(text, max(20, width - len(lead)), break_on_hyphens=False) or [""]
    own = (mark, (" ", Role.PLAIN)) if mark else ()
    yield (head[0].ljust(_MARGIN), head[1]), *own, (first, its)
    yield from (((lead, Role.PLAIN), (line, its)) for line in more)
