"""A command of the command line as a window: a line for each thing it takes, and the same as one would type it.

What is typed stays until the command has taken it: where it refuses, the window says why and can be corrected. A
command that was sent off cannot be called back: who leaves, or has waited long enough, gets its answer later.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import DescendantFocus, Key
from textual.message import Message
from textual.reactive import reactive
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from hsmctl.domain.form import Answer, Field, Filled, Form, Kind, command_line, title
from hsmctl.errors import HsmctlError, UsageError
from hsmctl.mark import Mark

from .completing import Completion
from .glyph import ROLES, Role, Spans, content, sign
from .offload import answered, start

FORM_SECONDS = 300.0
"""How long the window waits for a command, with the time to type a password; then the command goes on alone."""
_LABEL = 18
"""Cells of what a field is called, at least."""
_SHOWN = 8
"""Completions that are shown at once."""
_NO, _YES = "no", "yes"


class Choice(Widget, can_focus=True):
    """One of several words: the arrows go through them, a letter goes to the next that begins so."""

    value: reactive[str] = reactive("")

    class Changed(Message):
        """Another word is chosen."""

    def __init__(self, choices: Sequence[str], value: str) -> None:
        super().__init__()
        self._choices = tuple(choices)
        self.set_reactive(Choice.value, value)

    def render(self) -> Content:
        """The word, and which of how many it is."""
        place = self._choices.index(self.value) + 1
        spans: Spans = (("‹ ", Role.MUTED), (self.value or "–", Role.STRONG), (" ›", Role.MUTED))
        return content([(*spans, (f"   {place} of {len(self._choices)}", Role.MUTED))])

    def on_key(self, event: Key) -> None:
        """Go on through the words: no binding, which would be looked for where the cursor is by then."""
        by = {"right": 1, "space": 1, "l": 1, "left": -1, "h": -1}.get(event.key)
        if by is None:
            return
        event.stop()
        self.value = self._choices[(self._choices.index(self.value) + by) % len(self._choices)]

    def watch_value(self) -> None:
        """Tell the window."""
        self.post_message(self.Changed())


class FormScreen(ModalScreen[Answer | Future[Answer] | None]):
    """The window; it gives the answer, what will be the answer of a command that still runs, or nothing."""

    CSS_PATH = "window.tcss"
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave it", show=False),
        Binding("tab", "complete", "complete, or the next line", show=False, priority=True),
        Binding("down", "app.focus_next", "the next line", show=False, priority=True),
        Binding("up", "app.focus_previous", "the line before", show=False, priority=True),
        Binding("ctrl+j", "send", "send it off", show=False, priority=True),
    ]

    def __init__(
        self,
        form: Form,
        filled: Filled,
        run: Callable[[Filled], Answer],
        *,
        begin: Sequence[str] = (),
        about: Sequence[Spans] = (),
        typed: Filled | None = None,
        suggest: Callable[[Field], Callable[[str], Sequence[str]]] = lambda _: lambda _: (),
    ) -> None:
        """`filled` is what is known already, and not asked again; `typed` is what the fields begin with.

        `suggest` gives what completes a field. `run` is called on a thread; `begin` stands before the noun in the line
        for a shell, `about` above the fields.
        """
        super().__init__()
        self._form, self._given, self._run, self._begin = form, dict(filled), run, begin
        self._about, self._suggest = tuple(about), suggest
        self._completions: dict[str, Completion] = {}
        self._sent_off: Future[Answer] | None = None
        self._warned = False
        asked = [field for field in form.fields if field.name not in filled]
        self._fields = sorted(asked, key=lambda field: not field.required)
        self.controls = {field.name: _control(field, (typed or {}).get(field.name)) for field in self._fields}
        self._begun = {name: control.value for name, control in self.controls.items()}
        self._help = Static("", classes="help", markup=False)
        self._line = Static("", classes="line", markup=False)
        self._wrong = Static("", classes="wrong", markup=False)
        self._go = Button(form.path[-1].capitalize(), id="apply", compact=True, variant="primary")

    def compose(self) -> ComposeResult:
        """What it does, the fields, what the one at hand means, the line for a shell, the two answers."""
        with Vertical() as window:
            window.border_title = Content(" ".join(self._form.path))
            window.border_subtitle = "↑↓ fields · tab completes · ^j sends · esc leaves"
            yield Static(content([((self._form.help, Role.MUTED),), *self._about]), markup=False)
            with VerticalScroll(can_focus=False):
                for field in self._fields:
                    with Horizontal(classes="field"):
                        label = Static(content([_label(field)]), classes="label", markup=False)
                        label.styles.width = max(_LABEL, *(len(title(each)) + 3 for each in self._fields))
                        yield label
                        yield self.controls[field.name]
            yield self._help
            yield self._line
            yield self._wrong
            with Horizontal(id="answers"):
                yield Button("Cancel", id="cancel", compact=True)
                yield self._go

    def on_mount(self) -> None:
        """Begin with the first field."""
        self.set_focus(next(iter(self.controls.values()), self._go))
        self._draw_line()

    @property
    def filled(self) -> Filled:
        """What is filled in now.

        Raises:
            UsageError: a quotation mark is not closed.
        """
        typed = {field.name: _values(field, self.controls[field.name]) for field in self._fields}
        return {**self._given, **typed}

    def action_send(self) -> None:
        """Have the command look at it."""
        if not self._go.disabled:
            self.send()

    def action_leave(self) -> None:
        """Leave; what runs goes on, and what was typed is dropped only when that is asked for twice."""
        if self._sent_off is not None:
            self.dismiss(self._sent_off)
        elif self._warned or self._begun == {name: control.value for name, control in self.controls.items()}:
            self.dismiss(None)
        else:
            self._warned = True
            self._wrong.update(content([(sign(Mark.ATTENTION), (" esc again drops what was typed", Role.WARN))]))

    def action_complete(self) -> None:
        """Complete what is typed; where there is nothing to complete, go on to the next line."""
        field, control = self._field, self.focused
        if field is None or not isinstance(control, Input) or not (half := _half(field, control.value)):
            self.app.action_focus_next()
            return
        whole = self._completion(field).next(half)
        if whole is None:
            self.app.action_focus_next()
            return
        control.value = control.value.removesuffix(half) + whole
        control.cursor_position = len(control.value)

    @work(group="send", exclusive=True, exit_on_error=True, description="")
    async def send(self) -> None:
        """Run the command on a thread; where it refuses, say why."""
        self._busy(busy=True)
        try:
            self._sent_off = start(partial(self._run, self.filled))
            answer = await answered(self._sent_off, FORM_SECONDS)
            self.dismiss(answer)
        except TimeoutError:
            self.dismiss(self._sent_off)
        except HsmctlError as error:
            self._refuse(f"{error} · {error.hint}" if error.hint else str(error))
        finally:
            self._sent_off = None
            self._busy(busy=False)

    @on(DescendantFocus)
    def _focused(self) -> None:
        self._explain()

    @on(Input.Changed)
    @on(Choice.Changed)
    def _changed(self) -> None:
        self._warned = False
        self._draw_line()
        self._explain()

    @property
    def _field(self) -> Field | None:
        """The field at hand."""
        return next((each for each in self._fields if self.controls[each.name] is self.focused), None)

    def _completion(self, field: Field) -> Completion:
        if field.name not in self._completions:
            self._completions[field.name] = Completion(self._suggest(field))
        return self._completions[field.name]

    def _explain(self) -> None:
        """Say what the field means, or what is half typed can become."""
        field, control = self._field, self.focused
        if field is None:
            self._help.update("")
            return
        half = _half(field, control.value) if isinstance(control, Input) and not field.secret else ""
        offered = self._completion(field).offer(half) if half else ()
        more = ("…",) if len(offered) > _SHOWN else ()
        shown = "  ".join((*offered[:_SHOWN], *more)) if offered and list(offered) != [half] else _help(field)
        self._help.update(content([((shown, Role.MUTED),)]))

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.focus_next()

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#apply")
    def _sent(self) -> None:
        self.action_send()

    def _refuse(self, why: str) -> None:
        self._wrong.update(content([(sign(Mark.BAD), (f" {why}", Role.PLAIN))]))

    def _busy(self, *, busy: bool) -> None:
        self._go.disabled = busy
        if busy:
            self._wrong.update(content([(sign(Mark.PENDING), (" asking", Role.ACCENT))]))

    def _draw_line(self) -> None:
        """The same for a shell; what nobody may see is left out of it."""
        try:
            shown = {name: values for name, values in self.filled.items() if name not in self._secret}
            line = command_line(self._form, shown, self._begin)
        except UsageError as error:
            line = str(error)
        self._line.update(content([(("$ ", Role.MUTED), (line, Role.ACCENT))]))

    @property
    def _secret(self) -> Iterable[str]:
        return {field.name for field in self._fields if field.secret}


def _control(field: Field, typed: Sequence[str] | None) -> Input | Choice:
    """What one fills the field in with; it begins with what was typed before, if that is told."""
    before = shlex.join(typed) if typed and field.several else "".join(typed or ())
    if field.kind is Kind.FLAG:
        return Choice((_NO, _YES), _YES if before else _NO)
    if field.kind is Kind.CHOICE and not field.several:
        choices = field.choices if field.default else ("", *field.choices)
        return Choice(choices, before or field.default or choices[0])
    text = field.default if typed is None else before
    return Input(text, password=field.secret, compact=True, select_on_focus=False)


def _half(field: Field, text: str) -> str:
    """What of a field's text is to be completed: the last of several values."""
    return text.rpartition(" ")[2] if field.several else text


def _values(field: Field, control: Input | Choice) -> tuple[str, ...]:
    """What is filled in.

    Raises:
        UsageError: a quotation mark is not closed.
    """
    if field.kind is Kind.FLAG:
        return (_YES,) if control.value == _YES else ()
    if field.several:
        try:
            return tuple(shlex.split(control.value))
        except ValueError as error:
            raise UsageError(title(field), str(error).lower(), "close it, or put a backslash before it") from None
    return (control.value,) if control.value else ()


def _label(field: Field) -> Spans:
    return (title(field), Role.STRONG if field.required else Role.PLAIN), (" *" if field.required else "", Role.WARN)


def _help(field: Field) -> str:
    """What the field means, and how it is filled in."""
    ways = {Kind.FILE: "a file", Kind.CHOICE: "← → choose", Kind.FLAG: "← → choose"}
    parts = (field.help, ways.get(field.kind, ""), "several, with spaces between" if field.several else "")
    return " · ".join(part for part in parts if part)
