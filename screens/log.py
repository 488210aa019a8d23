"""The journal of this machine: what was done, when, by whom, the newest first; one record whole below."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.errors import HsmctlError
from hsmctl.mark import Mark
from hsmctl.words import age, instant

from .column import Column
from .command import DESCRIBE, FILTER, HELP, LINE, OPEN, OPERATION, Command
from .detail import facts
from .facts import Fact, failure
from .glyph import Role, Spans, role, sign
from .lines import Lines
from .offload import call
from .operation import visit
from .place import Description, Place
from .survey import Survey

_CHAIN = ("v", "kind", "at", "previous", "caller", "os_user", "sudo_user", "source", "pid", "operation", "plan")
"""Fields that are told in columns, in the words of the operation, or of no interest."""
_INNER = ("number", "action", "before")
"""Fields of a step that its words stand for."""
_AMISS = ("-refused", "-failed", "-hindered")
"""How the kinds of records end that say that something went wrong."""
_NONE: tuple[Spans, ...] = (
    (("Nothing was done from this machine yet.", Role.STRONG),),
    (("Every change, and every login that was refused, is written down here before it happens.", Role.MUTED),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of the journal."""

    number: int
    fields: Mapping[str, Any]
    started: Mapping[str, Any] = field(default_factory=dict)
    """The record with which its operation began, if it is an operation's."""

    @property
    def kind(self) -> str:
        """What happened."""
        return str(self.fields.get("kind", ""))

    @property
    def at(self) -> datetime | None:
        """When."""
        try:
            return datetime.fromisoformat(str(self.fields.get("at")))
        except ValueError:
            return None

    @property
    def operation(self) -> str:
        """The id of the operation it belongs to, or nothing."""
        return str(self.fields.get("operation") or "")

    @property
    def caller(self) -> str:
        """Who did it, whole: the AWS caller, or the user of this machine."""
        person = self.fields.get("sudo_user") or self.fields.get("os_user")
        return str(self.fields.get("caller") or self.started.get("caller") or person or "")

    @property
    def mark(self) -> Mark | None:
        """The sign of what went wrong or was given up; what went well is not marked."""
        if self.fields.get("error") or self.kind.endswith(_AMISS):
            return Mark.BAD
        return Mark.UNPROVEN if self.kind.endswith("-abandoned") else None

    @property
    def what(self) -> str:
        """What it was about: the operation, its step, or what the record says."""
        words = [self._step or self._title] if self._step or self._title else []
        hidden = (*_CHAIN, *(_INNER if words else ()))
        words += [f"{name} {value}" for name, value in self.fields.items() if name not in hidden and _short(value)]
        return "  ".join(words)

    @property
    def steps(self) -> Sequence[str]:
        """What its operation was to do, in words."""
        return [str(step.get("says")) for step in _plan(self.started).get("steps", ())]

    @property
    def _title(self) -> str:
        return str(_plan(self.started).get("title", ""))

    @property
    def _step(self) -> str:
        """Its step in words."""
        number, steps = self.fields.get("number"), self.steps
        return f"{number} {steps[number - 1]}" if isinstance(number, int) and 0 < number <= len(steps) else ""


class LogScreen(Place):
    """The journal."""

    offered: ClassVar[tuple[Command, ...]] = (OPEN, DESCRIBE, OPERATION, FILTER, LINE, HELP)

    def __init__(self, survey: Survey) -> None:
        self._error: HsmctlError | None = None
        self.records: Lines[Record] = Lines(self._columns(), lambda record: record.number, id="log", empty=_NONE)
        super().__init__(survey, ("fleet", "log"), self.records)

    @property
    def subject(self) -> str | None:
        """The operation the record belongs to."""
        record = self.records.current
        return str(record.fields["operation"]) if record and "operation" in record.fields else None

    def body(self) -> ComposeResult:
        """The records, and one of them."""
        yield self.records
        yield self.detail

    def on_mount(self) -> None:
        """Read the journal."""
        super().on_mount()
        self.read()

    def action_refresh(self) -> None:
        """Read it again."""
        self.read()

    def action_open(self) -> None:
        """Go to the operation, where the record is of one; else tell everything about it."""
        record = self.records.current
        if record is not None and record.operation:
            visit(self, record.operation)
        else:
            self.action_describe()

    @work(group="journal", exclusive=True)
    async def read(self) -> None:
        """Fetch the records in the background."""
        try:
            found = await call(lambda: _records(self.survey.hsmctl.journal.records()))
        except HsmctlError as error:
            self.records.teach(failure(error, self.size.width))
            return
        self.records.show(found[::-1])

    def describe(self, width: int) -> Description | None:
        """Everything the record says."""
        record = self.records.current
        if record is None:
            return None
        told = [fact for name, value in record.fields.items() for fact in _facts(name, value)]
        return f"record {record.number}: {record.kind}", facts(told, width)

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)

    def _detail(self, room: Size) -> list[Spans]:
        record = self.records.current
        if record is None:
            return []
        told = [("time", instant(record.at)), ("by", record.caller), ("operation", record.operation)]
        told += [("from", str(record.fields.get("source") or ""))]
        told += [fact for name, value in record.fields.items() if name not in _CHAIN for fact in _facts(name, value)]
        steps = [_step(number, says, record) for number, says in enumerate(record.steps, 1)]
        return [*facts(told, room.width), (), *steps][: room.height]

    def _columns(self) -> tuple[Column[Record], ...]:
        return (
            Column(
                heads=("AGE",),
                text=lambda record: age(self.survey.hsmctl.clock.now(), record.at),
                order=lambda record: -record.number,
                role=Role.MUTED,
                width=7,
                right=True,
            ),
            Column(heads=("WHAT",), text=lambda record: record.kind, draw=_drawn, width=22),
            Column(heads=("ABOUT",), text=lambda record: record.what, width=20, grows=True),
            Column(heads=("BY",), text=_who, role=Role.MUTED, width=12, room=70),
        )


def _records(lines: Iterable[Mapping[str, Any]]) -> list[Record]:
    """The journal's lines, those of an operation with its beginning."""
    begun: dict[str, Mapping[str, Any]] = {}
    found = []
    for number, fields in enumerate(lines, 1):
        operation = str(fields.get("operation") or "")
        if fields.get("kind") == "operation-started":
            begun[operation] = fields
        found.append(Record(number=number, fields=fields, started=begun.get(operation, {})))
    return found


def _plan(started: Mapping[str, Any]) -> Mapping[str, Any]:
    plan = started.get("plan")
    return plan if isinstance(plan, Mapping) else {}


def _who(record: Record) -> str:
    return record.caller.rpartition("/")[2]


def _step(number: int, says: str, record: Record) -> Spans:
    """A step of the operation; the one that the record is about stands out."""
    its = number == record.fields.get("number")
    return (f" {number:>3}  ", Role.MUTED), (says, Role.STRONG if its else Role.MUTED)


def _drawn(record: Record) -> Spans:
    mark = record.mark
    return sign(mark) if mark else (" ", Role.PLAIN), (f" {record.kind}", role(mark) if mark else Role.STRONG)


def _short(value: object) -> bool:
    """Whether it says something in a word or two."""
    return isinstance(value, str | int | float) and value != "" and len(str(value)) < 80 and "\n" not in str(value)


def _facts(name: str, value: object) -> Iterator[Fact]:
    """A field of a record; what lies in it by its own name, a list of plain things in words."""
    if isinstance(value, Mapping):
        for inner, each in value.items():
            yield from _facts(str(inner), each)
    elif isinstance(value, Sequence) and all(isinstance(each, str | int) for each in value):
        yield name.replace("_", " "), value if isinstance(value, str) else ", ".join(map(str, value))
    elif value is not None:
        yield name.replace("_", " "), json.dumps(value, ensure_ascii=False, default=str)
