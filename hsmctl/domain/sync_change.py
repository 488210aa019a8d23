"""What is no longer as it was between two checks of the same replicas: only that is news."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from hsmctl.domain.evidence import Failed
from hsmctl.domain.key import Identity
from hsmctl.domain.sync import Cell, Report

FINE = "fine"
"""What a key is on a replica where nothing is wrong with it, however well that is known."""
ABSENT = "absent"
"""What a key is that no replica holds, and a replica that was not asked."""


class ChangeKind(StrEnum):
    """What a change is about."""

    VERDICT = "verdict"
    REPLICA = "replica"
    KEY = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is no longer as it was."""

    kind: ChangeKind
    subject: str
    """The replica or the key; empty for the verdict."""
    replica: str = ""
    """Where, for a key that is not everywhere the same."""
    before: str | None
    """None where there was nothing before."""
    after: str
    says: str = ""


def changes(before: Report | None, after: Report) -> tuple[Change, ...]:
    """The news of a check; of a first one, the verdict and whatever is wrong."""
    return (*_verdict(before, after), *_replicas(before, after), *_keys(before, after))


def _verdict(before: Report | None, after: Report) -> Iterator[Change]:
    was = None if before is None else str(before.verdict)
    if was != after.verdict:
        yield Change(kind=ChangeKind.VERDICT, subject="", before=was, after=after.verdict, says=after.words)


def _replicas(before: Report | None, after: Report) -> Iterator[Change]:
    """Replicas that can be read no longer, or again, or that come and go."""
    was, now = _states(before) if before else {}, _states(after)
    for name in {**was, **now}:
        old, new = was.get(name, "readable" if before is None else ABSENT), now.get(name, ABSENT)
        if old != new:
            says = _why(after, name)
            yield Change(kind=ChangeKind.REPLICA, subject=name, before=old, after=new, says=says)


def _keys(before: Report | None, after: Report) -> Iterator[Change]:
    """Keys that appear, go, turn bad or turn good."""
    if before is not None:
        yield from _listed(before, after)
    was, now = _wrong(before) if before else {}, _wrong(after)
    held = {row.identity for row in after.rows}
    for place in {**was, **now}:
        name, replica = place
        old, new = was.get(place, FINE), now.get(place, FINE)
        if old != new and name in held:
            yield Change(kind=ChangeKind.KEY, subject=_title(name), replica=replica, before=old, after=new)


def _listed(before: Report, after: Report) -> Iterator[Change]:
    """Keys that are new, or gone everywhere; unreadable replicas may hold what seems gone."""
    was, now = ({row.identity for row in report.rows} for report in (before, after))
    for name in sorted(now - was):
        yield Change(kind=ChangeKind.KEY, subject=_title(name), before=ABSENT, after="listed")
    gone = "not seen" if after.unreadable else ABSENT
    for name in sorted(was - now):
        yield Change(kind=ChangeKind.KEY, subject=_title(name), before="listed", after=gone)


def _wrong(report: Report) -> Mapping[tuple[Identity, str], str]:
    """Every key and replica where something is wrong or has not settled."""
    names = [reading.replica.name for reading in report.readings]
    return {
        (row.identity, name): cell
        for row in (*report.differences, *report.unsettled)
        for name, cell in zip(names, row.cells, strict=True)
        if cell in _NEWS
    }


_NEWS = (Cell.MISSING, Cell.DIFFERENT, Cell.ATTRIBUTES, Cell.CHANGING, Cell.HEALING)


def _states(report: Report) -> Mapping[str, str]:
    return {
        reading.replica.name: "unreadable" if isinstance(reading.outcome, Failed) else "readable"
        for reading in report.readings
    }


def _why(report: Report, name: str) -> str:
    return next(
        (
            str(one.outcome.error)
            for one in report.unreadable
            if one.replica.name == name and isinstance(one.outcome, Failed)
        ),
        "",
    )


def _title(name: Identity) -> str:
    return f"{name} ({name.object_class})"
