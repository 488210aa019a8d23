"""What a command's answer is made of: a document with a schema, and how it reads as text, as names and as a check.

A `View` knows one kind of document; `output` writes it. Documents are frozen dataclasses of plain values that live
beside their noun's commands; domain values are turned into them there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What text is written for."""

    now: datetime
    wide: bool = False
    width: int | None = None
    """Columns of the terminal, None where there is none."""


class Level(IntEnum):
    """A check's state and exit code in the convention of Nagios plugins."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One of the things a check looked at: a test case to CI, a sample to Prometheus."""

    labels: Mapping[str, str]
    """What it is, such as the client, the HSM and the port; no two cases have the same."""
    level: Level
    says: str = ""
    """What is the matter, in lines."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """What was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A verdict as a monitoring system or CI reads it."""

    level: Level
    says: str
    figures: Mapping[str, int]
    """The performance data."""
    cases: Sequence[Case] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View(Generic[T]):
    """How one kind of document is shown."""

    schema: str
    """noun.verb@version; a new field keeps the version, anything else raises it."""
    document: Any
    """The type of the document, from which its JSON Schema is derived."""
    lines: Callable[[T, Page], Iterable[str]]
    names: Callable[[T], Iterable[str]]
    items: Callable[[T], Sequence[object]] = lambda document: [document]
    """What stands on the lines of `-o jsonl`."""
    nothing: str = ""
    """What is said where a table would have no rows."""
    check: Callable[[T], Check] | None = None
    exports: Mapping[str, Callable[[T], str]] = field(default_factory=dict)
    """Formats that this document alone has."""

    @property
    def name(self) -> str:
        """noun.verb."""
        return self.schema.partition("@")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an answer comes from."""

    environment: str
    """aws or lab."""
    account: str | None
    region: str | None
