"""The journal of this machine: what was done, when, by whom, the newest first; one record whole below."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.errors import HsmctlError
from hsmctl.mark import Mark
from hsmctl.words import age, instant

from .column import Column
from .command import DESCRIBE, FILTER, HELP, LINE, OPERATION, Command
from .detail import facts
from .glyph import Role, Spans, sign
from .lines import Lines
from .offload import call
from .place import Description, Place
from .survey import Survey

_CHAIN = ("v", "kind", "time", "previous", "caller", "os_user", "sudo_user", "from")
"""Fields every record has, told in columns or of no interest."""
_NONE: tuple[Spans, ...] = (
    (("Nothing was done from this machine yet.", Role.STRONG),),
    (("Every change, and every login that was refused, is written down here before it happens.", Role.MUTED),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of the journal."""

    number: int
    fields: Mapping[str, object]

    @property
    def kind(self) -> str:
        """What happened."""
        return str(self.fields.get("kind", ""))

    @property
    def at(self) -> datetime | None:
        """When."""
        try:
            return datetime.fromisoformat(str(self.fields.get("time")))
        except ValueError:
            return None

    @property
    def who(self) -> str:
        """Who did it: the AWS caller's last name, or the user of this machine."""
        caller = str(self.fields.get("caller") or "")
        return caller.rpartition("/")[2] or str(self.fields.get("os_user") or "")

    @property
    def what(self) -> str:
        """What it was about."""
        plan = self.fields.get("plan")
        title = plan.get("title") if isinstance(plan, Mapping) else getattr(plan, "title", None)
        if title:
            return str(title)
        told = (f"{name} {value}" for name, value in self.fields.items() if name not in _CHAIN and _short(value))
        return "  ".join(told)


class LogScreen(Place):
    """The journal."""

    offered: ClassVar[tuple[Command, ...]] = (DESCRIBE, OPERATION, FILTER, LINE, HELP)

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

    @work(group="journal", exclusive=True)
    async def read(self) -> None:
        """Fetch the records in the background."""
        journal = self.survey.hsmctl.journal
        try:
            found = await call(lambda: [Record(number=n, fields=each) for n, each in enumerate(journal.records(), 1)])
        except HsmctlError as error:
            self.records.teach(((sign(Mark.UNREADABLE), (f" {error}", Role.PLAIN)), ((error.hint, Role.ACCENT),)))
            return
        self.records.show(found[::-1])

    def describe(self, width: int) -> Description | None:
        """Everything the record says."""
        record = self.records.current
        if record is None:
            return None
        told = [(name.replace("_", " "), _whole(value)) for name, value in record.fields.items()]
        return f"record {record.number}: {record.kind}", facts(told, width)

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)

    def _detail(self, room: Size) -> list[Spans]:
        record = self.records.current
        if record is None:
            return []
        told = [("time", instant(record.at)), ("by", str(record.fields.get("caller") or record.who))]
        more = [(name.replace("_", " "), _whole(value)) for name, value in record.fields.items() if name not in _CHAIN]
        return facts([*told, *more], room.width)[: room.height]

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
            Column(heads=("WHAT",), text=lambda record: record.kind, role=Role.STRONG, width=20),
            Column(heads=("ABOUT",), text=lambda record: record.what, width=20, grows=True),
            Column(heads=("BY",), text=lambda record: record.who, role=Role.MUTED, width=12, room=70),
        )


def _short(value: object) -> bool:
    """Whether it says something in a word or two."""
    return isinstance(value, str | int | float) and value != "" and len(str(value)) < 80 and "\n" not in str(value)


def _whole(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
