"""Checks that were made, and what they say together: how often all was well, how long it took to heal, who flaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hsmctl.domain.evidence import Ok
from hsmctl.domain.key import Identity
from hsmctl.domain.sync import ACCUSED, Cell, Report
from hsmctl.domain.sync_row import UNSETTLED

_SPARKS = "▁▂▃▄▅▆▇█"
_UNREADABLE = "×"
NEWEST = 40
"""Checks a sparkline shows, one column each."""

WELL = ("no difference seen", "in sync")
"""Verdicts with which nobody has to do anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaPast:
    """One replica in one check."""

    name: str
    keys: int | None
    """None where it could not be read."""
    wrong: int
    """Keys that were missing, different, changing or healing there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TroublePast:
    """One key that was not well on one replica."""

    identity: Identity
    replica: str
    cell: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One check that was made."""

    at: datetime
    scope: str
    """What was compared: the clusters, or the replicas."""
    verdict: str
    says: str
    exit: int
    keys: int
    replicas: tuple[ReplicaPast, ...]
    troubles: tuple[TroublePast, ...] = ()

    @property
    def well(self) -> bool:
        """Whether nobody had to do anything."""
        return self.verdict in WELL


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What checks of one scope say together."""

    checks: int
    well: int
    open_since: datetime | None
    """When the trouble began that has not ended; None where all is well."""
    healed: tuple[timedelta, ...]
    """How long each trouble lasted, from the first check that saw it to the next one that did not; shortest first."""
    flapping: tuple[tuple[str, int], ...]
    """Keys that turned bad more than once, and how often, most first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """One replica over the newest checks, oldest first."""

    replica: str
    marks: str
    """A column a check: the higher the more keys were wrong; × where it could not be read, blank where not asked."""
    wrong: tuple[int | None, ...]
    """Keys that were wrong in each check; None where it could not be read."""


def scope(report: Report) -> str:
    """What a check compared: its clusters, or else its replicas."""
    replicas = [reading.replica for reading in report.readings]
    return " ".join(sorted({replica.realm or replica.name for replica in replicas}))


def past(report: Report, at: datetime) -> Past:
    """A check, to be remembered."""
    troubles = tuple(_troubles(report))
    wrong = Counter(trouble.replica for trouble in troubles)
    return Past(
        at=at,
        scope=scope(report),
        verdict=report.verdict,
        says=report.words,
        exit=report.exit_code,
        keys=len(report.rows),
        replicas=tuple(
            ReplicaPast(
                name=reading.replica.name,
                keys=len(reading.outcome.value.keys) if isinstance(reading.outcome, Ok) else None,
                wrong=wrong[reading.replica.name],
            )
            for reading in report.readings
        ),
        troubles=troubles,
    )


def summary(checks: Sequence[Past]) -> Summary:
    """What the checks, oldest first, say together."""
    began: datetime | None = None
    healed = []
    for check in checks:
        if not check.well:
            began = began or check.at
        elif began is not None:
            healed.append(check.at - began)
            began = None
    return Summary(
        checks=len(checks),
        well=sum(check.well for check in checks),
        open_since=began,
        healed=tuple(sorted(healed)),
        flapping=tuple(_flapping(checks)),
    )


def sparks(checks: Sequence[Past]) -> Iterator[Spark]:
    """Each replica over the newest of these checks."""
    newest = checks[-NEWEST:]
    names = dict.fromkeys(replica.name for check in newest for replica in check.replicas)
    most = max((replica.wrong for check in newest for replica in check.replicas), default=0)
    for name in names:
        found = [next((each for each in check.replicas if each.name == name), None) for check in newest]
        marks = [
            " " if each is None else _UNREADABLE if each.keys is None else _spark(each.wrong, most) for each in found
        ]
        wrong = tuple(None if each is None or each.keys is None else each.wrong for each in found)
        yield Spark(replica=name, marks="".join(marks), wrong=wrong)


def _spark(wrong: int, most: int) -> str:
    """The lowest mark for none wrong, and for any at least the next."""
    return _SPARKS[0] if not wrong else _SPARKS[max(1, round(wrong / most * (len(_SPARKS) - 1)))]


def _troubles(report: Report) -> Iterator[TroublePast]:
    names = [reading.replica.name for reading in report.readings]
    for row in (*report.differences, *report.unsettled):
        for name, cell in zip(names, row.cells, strict=True):
            if cell in (*ACCUSED, *UNSETTLED):
                yield TroublePast(identity=row.identity, replica=name, cell=cell)


def _flapping(checks: Sequence[Past]) -> Iterator[tuple[str, int]]:
    """The keys that turned bad twice or more."""
    turned: Counter[Identity] = Counter()
    bad: frozenset[Identity] = frozenset()
    for check in checks:
        now = frozenset(trouble.identity for trouble in check.troubles)
        turned.update(now - bad)
        bad = now
    yield from ((str(name), times) for name, times in turned.most_common() if times > 1)
