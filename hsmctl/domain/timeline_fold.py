"""Events that say the same again and again as one line, which both faces show: `39 × key generated`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, Protocol, TypeVar

from hsmctl.domain.audit import OPCODES
from hsmctl.domain.timeline import Source


class Told(Protocol):
    """What tells events apart: a happening, or a row that one is written as."""

    @property
    def source(self) -> str:
        """Whose word it is."""

    @property
    def what(self) -> str:
        """The operation, opcode or kind of record."""

    @property
    def on(self) -> Sequence[str]:
        """What it is about."""

    @property
    def weight(self) -> str:
        """How much it matters."""

    @property
    def failed(self) -> str | None:
        """Why it did not succeed."""


Event = TypeVar("Event", bound=Told)


@dataclass(frozen=True, slots=True)
class Fold(Generic[Event]):
    """Events of one kind on the same HSMs, one right after the other; mostly one alone."""

    members: tuple[Event, ...]
    """Oldest first."""

    @property
    def first(self) -> Event:
        """The oldest."""
        return self.members[0]

    @property
    def kind(self) -> str:
        """What they all are, in words."""
        return OPCODES.get(self.first.what, self.first.what)


def folded(events: Iterable[Event]) -> Iterator[Fold[Event]]:
    """The events, oldest first, many of one kind on one HSM in a row, such as made keys, as one for each kind.

    Only what the HSMs log comes in such runs.
    """
    for _, run in groupby(events, key=lambda event: (event.source, event.on, event.weight, event.failed)):
        alike: dict[str, list[Event]] = {}
        for number, event in enumerate(run):
            alike.setdefault(event.what if event.source == Source.AUDIT else str(number), []).append(event)
        yield from (Fold(tuple(members)) for members in alike.values())


def where(on: Sequence[str]) -> str:
    """What an event is about: one thing by its name, several HSMs by their number."""
    hsms = [name for name in on if name.startswith("hsm-")]
    if len(hsms) > 1:
        return f"{len(hsms)} HSMs"
    return (hsms or list(on) or [""])[0]
