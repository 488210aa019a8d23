"""How a command of the command line is run from a place: its form filled in, its plan confirmed, its answer shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from hsmctl.domain.form import Answer, Filled, Form
from hsmctl.errors import Denied
from hsmctl.mark import Mark
from hsmctl.settings import Context, ContextKind

from .change import confirm_and_begin
from .glyph import Role, Spans, sign
from .suggestion import suggested

if TYPE_CHECKING:
    from .forms import Forms
    from .place import Place


def open_form(place: Place, forms: Forms, path: Sequence[str]) -> None:
    """Open the form of a command with what the place knows already; nothing is done before it is sent off."""
    place.run_worker(_opened(place, forms, path), group="form", exclusive=True, description="")


async def _opened(place: Place, forms: Forms, path: Sequence[str]) -> None:
    from .form import FormScreen

    form, facade = forms.form(path), place.survey.hsmctl
    filled = place.preset(form)
    if filled is None:
        return

    def run(typed: Filled) -> Answer:
        if form.changes and not place.survey.arming.armed:
            raise Denied(" ".join(path), "no longer armed", ":arm allows changes")
        return forms.fill(facade, form, typed)

    begin, about, typed = beginning(facade.context), place.told(form), None
    while True:
        suggest = partial(suggested, place, form)
        window = FormScreen(form, filled, run, begin=begin, about=about, typed=typed, suggest=suggest)
        answer = await place.app.push_screen_wait(window)
        if not isinstance(answer, Answer) or answer.plan is None:
            break
        if await confirm_and_begin(place, answer.plan):
            return
        typed = window.filled
    if isinstance(answer, Answer):
        show_answer(place, form, answer)
        place.action_refresh()
    elif answer is not None:
        place.hsmctl_app.outlasting.add(" ".join(form.path), answer)


def show_answer(place: Place, form: Form, answer: Answer) -> None:
    """Show what a command said."""
    from .describe import DescribeScreen

    title = f"{' '.join(form.path)}{f' · exit {answer.code}' if answer.code else ''}"
    place.app.push_screen(DescribeScreen(title, list(_lines(answer.lines))))


def beginning(context: Context) -> tuple[str, ...]:
    """What stands before the noun in a shell, to work in this context."""
    if context.kind is ContextKind.LAB:
        return ("--lab",)
    return ("-c", context.name) if context.name else ()


def _lines(said: Iterable[str]) -> Iterable[Spans]:
    """What was said, its signs in their colours."""
    marks = {mark.glyph: mark for mark in Mark}
    for line in said:
        mark = marks.get(line[:1])
        yield (sign(mark), (line[1:], Role.PLAIN)) if mark else ((line, Role.PLAIN),)
