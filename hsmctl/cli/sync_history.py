"""`sync history` and `sync report`: the checks of the past, one by one and together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

import click

from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.sync_history import Past, Summary, sparks, summary
from hsmctl.errors import Conflict
from hsmctl.mark import VERDICTS, Mark
from hsmctl.words import age, counted, instant

_NAMED = 10
"""Flapping keys that are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check that was made."""

    at: datetime
    scope: str
    """What was compared: the clusters, or the replicas."""
    verdict: str
    says: str
    exit: int
    keys: int
    unreadable: int
    """Replicas that could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkRow:
    """One replica over the newest checks, oldest first."""

    replica: str
    spark: str
    """A column a check: the higher the more keys were wrong; × where it could not be read, blank where not asked."""
    wrong: tuple[int | None, ...]
    """Keys that were wrong in each check; null where it could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """What the checks of one scope say together."""

    scope: str
    first: datetime
    last: datetime
    checks: int
    well: int
    """Checks after which nobody had to do anything."""
    open_since: datetime | None
    """When the trouble began that has not ended."""
    healed: int
    """Troubles that ended."""
    median_seconds: float | None
    """How long those lasted, from the first check that saw one to the next that did not."""
    longest_seconds: float | None
    flapping: Mapping[str, int]
    """Keys that turned bad more than once, and how often."""
    replicas: tuple[SparkRow, ...]


_SINCE = click.option("--since", metavar="AGE", default="7d", show_default=True, help="How far back: 12h, 7d.")


@verb("history", "hsmctl sync history", "hsmctl sync history cluster-a2b3c4d5e6f --since 24h -o json")
@click.argument("scope", required=False, metavar="[CLUSTER]")
@_SINCE
def show_history(session: Session, scope: str | None, since: str) -> int:
    """List the checks this machine made, oldest first."""
    return session.show_local(HISTORY, tuple(map(_check, _checks(session, scope, since))))


@verb("report", "hsmctl sync report", "hsmctl sync report --since 30d -o json")
@click.argument("scope", required=False, metavar="[CLUSTER]")
@_SINCE
def report_history(session: Session, scope: str | None, since: str) -> int:
    """Say how often all was well, how long trouble lasted, which keys flap, and how each replica fared."""
    checks = _checks(session, scope, since)
    scopes = dict.fromkeys(check.scope for check in checks)
    found = tuple(_report([check for check in checks if check.scope == name]) for name in scopes)
    return session.show_local(REPORT, found)


def _checks(session: Session, scope: str | None, since: str) -> tuple[Past, ...]:
    """The checks asked for.

    Raises:
        Conflict: none of this scope was made, and others were.
    """
    history, begin = session.unbound.history, session.unbound.clock.now() - _age(since)
    found = history.checks(scope, begin)
    if scope and not found and (others := history.checks(None, begin)):
        known = ", ".join(dict.fromkeys(check.scope for check in others))
        raise Conflict(
            f"no check of {scope} since {instant(begin)}", f"there are some of {known}", "hsmctl sync history"
        )
    return found


def _age(text: str) -> timedelta:
    """A length of time in minutes, hours or days."""
    units = {"m": "minutes", "h": "hours", "d": "days"}
    if not text[:-1].isdecimal() or text[-1] not in units or len(text) > 7:
        raise click.BadParameter(f"{text} is no age such as 12h or 7d", param_hint="--since")
    return timedelta(**{units[text[-1]]: int(text[:-1])})


def _check(check: Past) -> CheckRow:
    return CheckRow(
        at=check.at,
        scope=check.scope,
        verdict=check.verdict,
        says=check.says,
        exit=check.exit,
        keys=check.keys,
        unreadable=sum(replica.keys is None for replica in check.replicas),
    )


def _report(checks: Sequence[Past]) -> ReportRow:
    found: Summary = summary(checks)
    seconds = [each.total_seconds() for each in found.healed]
    return ReportRow(
        scope=checks[0].scope,
        first=checks[0].at,
        last=checks[-1].at,
        checks=found.checks,
        well=found.well,
        open_since=found.open_since,
        healed=len(seconds),
        median_seconds=median(seconds) if seconds else None,
        longest_seconds=seconds[-1] if seconds else None,
        flapping=dict(found.flapping),
        replicas=tuple(SparkRow(replica=each.replica, spark=each.marks, wrong=each.wrong) for each in sparks(checks)),
    )


def _history_lines(rows: Sequence[CheckRow], page: Page) -> list[str]:
    columns: tuple[Column[CheckRow], ...] = (
        Column(title="", cell=lambda row: VERDICTS[row.verdict].glyph),
        Column(title="AT", cell=lambda row: instant(row.at)),
        Column(title="OF", cell=lambda row: row.scope, shrinks=True),
        Column(title="KEYS", cell=lambda row: f"{row.keys:,}", right=True),
        Column(title="VERDICT", cell=lambda row: row.says if page.wide else row.verdict),
    )
    return table(columns, rows, wide=page.wide, width=page.width)


def _report_lines(rows: Sequence[ReportRow], page: Page) -> Iterator[str]:
    for place, row in enumerate(rows):
        if place:
            yield ""
        mark = Mark.BAD if row.open_since else Mark.REPORTED
        well = f"well in {row.well:,} of {counted(row.checks, 'check')}"
        yield f"{mark.glyph} {row.scope}: {well} since {instant(row.first)}"
        if row.open_since:
            yield f"  not well for {age(page.now, row.open_since)}"
        if row.median_seconds is not None and row.longest_seconds is not None:
            lasted = f"median {_lasted(row.median_seconds)}, longest {_lasted(row.longest_seconds)}"
            yield f"  {counted(row.healed, 'time')} trouble ended: {lasted}"
        for key, times in list(row.flapping.items())[:_NAMED]:
            yield f"  {Mark.ATTENTION.glyph} {key} turned bad {times:,} times"
        yield ""
        yield from _spark_table(row.replicas, page)


def _spark_table(rows: Sequence[SparkRow], page: Page) -> list[str]:
    columns: tuple[Column[SparkRow], ...] = (
        Column(title="REPLICA", cell=lambda row: row.replica, shrinks=True),
        Column(title="CHECKS, NEWEST LAST", cell=lambda row: row.spark),
    )
    return table(columns, rows, wide=page.wide, width=page.width)


def _lasted(seconds: float) -> str:
    """A length of time in its largest unit."""
    size, unit = next(
        ((size, unit) for size, unit in ((86400, "d"), (3600, "h"), (60, "min")) if seconds >= size), (1, "s")
    )
    return f"{seconds / size:.0f} {unit}"


HISTORY: View[tuple[CheckRow, ...]] = View(
    schema="sync.history@1",
    document=tuple[CheckRow, ...],
    lines=_history_lines,
    names=lambda rows: [row.scope for row in rows],
    items=lambda rows: rows,
    nothing="no check was made in that time",
)
REPORT: View[tuple[ReportRow, ...]] = View(
    schema="sync.report@1",
    document=tuple[ReportRow, ...],
    lines=_report_lines,
    names=lambda rows: [row.scope for row in rows],
    items=lambda rows: rows,
    nothing="no check was made in that time",
)
