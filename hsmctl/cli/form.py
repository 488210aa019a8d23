"""Commands as forms for the screens: read off the options they declare, run over the façade the screens hold.

What runs is the command itself, with what was filled in as its arguments; only a plan is handed back instead of being
carried out, because the screens have it confirmed in their own way. Nothing is read from standard input.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import click

from hsmctl.cli.output import Output
from hsmctl.cli.root import complaint
from hsmctl.cli.session import Session
from hsmctl.cli.verb import Noun, Shared, Verb
from hsmctl.domain.form import Answer, Field, Filled, Form, Kind, words
from hsmctl.domain.plan import Plan
from hsmctl.errors import Conflict, UsageError

if TYPE_CHECKING:
    from hsmctl.bootstrap import Hsmctl

_OURS = frozenset({"dry_run", "confirm", "break_glass"})
"""Options whose part the screens have in their own way: the window that shows the plan, and arming."""


def form(path: Sequence[str]) -> Form:
    """The form of a command, such as `key generate`.

    Raises:
        Conflict: there is no such command.
    """
    command = _command(path)
    own = {str(each.name): each for each in command.params if not isinstance(each, Shared)}
    return Form(
        path=tuple(path),
        help=(command.help or "").partition("\n\n")[0].replace("\n", " "),
        fields=tuple(_field(each) for name, each in own.items() if name not in _OURS),
        changes="break_glass" in own,
        plans="confirm" in own,
    )


def fill(facade: Hsmctl, form: Form, filled: Filled) -> Answer:
    """What the command answers to what was filled in.

    Raises:
        UsageError: it makes no sense to the command.
        HsmctlError: as the command itself.
    """
    if any(value == "-" for field in form.fields if field.kind is Kind.FILE for value in filled.get(field.name, ())):
        raise UsageError("-", "standard input belongs to the screens", "name a file")
    command, found = _command(form.path), list[Plan]()
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n")
    session = Session(out=Output(stdout=out, stderr=out, environ={}), environ={}, logs=False)
    session.hsmctl = session.unbound = facade
    session.hand_over = found.append
    arguments = [*(_break_glass(facade, form)), *words(form, filled)]
    try:
        with command.make_context(" ".join(("hsmctl", *form.path)), arguments, obj=session) as context:
            code = int(command.invoke(context) or 0)
    except click.ClickException as error:
        raise complaint(error) from error
    finally:
        if not found:
            facade.answers.forget()
    if found:
        return Answer(plan=found[0])
    out.seek(0)
    return Answer(lines=tuple(out.read().splitlines()), code=code)


def _break_glass(facade: Hsmctl, form: Form) -> Iterator[str]:
    """The reason the screens were armed with, for a command that would take it back otherwise."""
    if form.changes and facade.break_glass:
        yield f"--break-glass={facade.break_glass}"


def _command(path: Sequence[str]) -> Verb:
    found: Noun | Verb | None = import_module(f"hsmctl.cli.{path[0]}").noun
    for name in path[1:]:
        found = found.get_command(None, name) if isinstance(found, Noun) else None
    if not isinstance(found, Verb):
        raise Conflict(" ".join(path), "there is no such command", "hsmctl --help")
    return found


def _field(parameter: click.Parameter) -> Field:
    """A parameter as a field; standard input, where it is the default, is none."""
    option = isinstance(parameter, click.Option)
    default = parameter.default if isinstance(parameter.default, str) and parameter.default != "-" else ""
    reads = isinstance(parameter.type, click.Path) and parameter.type.allow_dash
    flag = isinstance(parameter, click.Option) and parameter.is_flag
    return Field(
        name=str(parameter.name),
        option=max(parameter.opts, key=len) if option else "",
        kind=Kind.FLAG if flag else _kind(parameter.type),
        help=(parameter.help or "") if isinstance(parameter, click.Option) else "",
        choices=tuple(map(str, parameter.type.choices)) if isinstance(parameter.type, click.Choice) else (),
        required=parameter.required or reads,
        default="" if flag else default,
        several=parameter.multiple or parameter.nargs == -1,
        secret=isinstance(parameter, click.Option) and parameter.hide_input,
    )


def _kind(kind: click.ParamType[object]) -> Kind:
    if isinstance(kind, click.Choice):
        return Kind.CHOICE
    return Kind.FILE if isinstance(kind, click.Path) else Kind.TEXT
