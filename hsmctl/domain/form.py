"""A command as a form: what it takes, field by field, what was filled in, and what came of it; values only."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hsmctl.domain.plan import Plan
from hsmctl.errors import UsageError


class Kind(StrEnum):
    """How a field is filled in."""

    TEXT = "text"
    FILE = "file"
    CHOICE = "choice"
    FLAG = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that a command takes."""

    name: str
    """The command's own name for it; unique within a form."""
    option: str
    """How it is given on a command line, such as --label; empty for what stands there by its place."""
    kind: Kind
    help: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False
    default: str = ""
    several: bool = False
    """Whether it may be given more than once."""
    secret: bool = False
    """Whether nobody may see what is typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a command takes."""

    path: tuple[str, ...]
    """Its noun and verb."""
    help: str
    fields: tuple[Field, ...]
    changes: bool
    """Whether it changes anything, so that a context may forbid it."""
    plans: bool
    """Whether it makes a plan, which is confirmed before anything is done."""

    def field(self, name: str) -> Field | None:
        """The field of this name."""
        return next((each for each in self.fields if each.name == name), None)


Filled = Mapping[str, Sequence[str]]
"""By a field's name, what was filled in; a flag that is set has one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a form: a plan to be confirmed, or what the command said."""

    plan: Plan | None = None
    lines: tuple[str, ...] = ()
    code: int = 0


def words(form: Form, filled: Filled) -> tuple[str, ...]:
    """The arguments after the verb; a value is never taken for an option.

    Raises:
        UsageError: something that is required is missing.
    """
    for field in form.fields:
        if field.required and not any(filled.get(field.name, ())):
            raise UsageError(title(field), "it is required", field.help)
    options = [word for field in form.fields if field.option for word in _option(field, filled.get(field.name, ()))]
    values = [value for field in form.fields if not field.option for value in filled.get(field.name, ()) if value]
    return (*options, *(("--", *values) if any(value.startswith("-") for value in values) else values))


def command_line(form: Form, filled: Filled, begin: Sequence[str] = ()) -> str:
    """What to type for the same in a shell; what is missing is shown by its name."""
    blank = {field.name: (title(field).upper(),) for field in form.fields if field.required}
    given = {name: values for name, values in filled.items() if any(values)}
    return shlex.join(("hsmctl", *begin, *form.path, *words(form, {**blank, **given})))


def title(field: Field) -> str:
    """What people call a field."""
    return field.option.removeprefix("--") or field.name.replace("_", " ")


def _option(field: Field, values: Sequence[str]) -> Iterator[str]:
    if field.kind is Kind.FLAG:
        yield from (field.option for _ in values[:1])
    else:
        yield from (f"{field.option}={value}" for value in values if value and [value] != [field.default])
