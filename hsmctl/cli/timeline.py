"""`timeline`: what happened to a cluster, by whom and where, from every source that knows, in one list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import click

from hsmctl.cli.moment import Moment
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Seconds, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.timeline import Happening, Looked, Timeline, Weight
from hsmctl.domain.timeline_fold import Fold, folded, where
from hsmctl.errors import Conflict, Denied, ExitCode, UsageError
from hsmctl.mark import Mark
from hsmctl.services.fanout import within
from hsmctl.words import counted, instant, shortened

_MARKS = {Weight.ALARM: Mark.ATTENTION, Weight.CHANGE: Mark.REPORTED, Weight.SESSION: Mark.UNPROVEN}
_NAME = 17
"""Columns an id or a caller takes at most in the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HappeningRow:
    """One thing that happened."""

    at: datetime
    source: str
    """cloudtrail, network, audit log or journal."""
    what: str
    """The operation, opcode or kind of record."""
    says: str
    who: str | None
    address: str | None
    """Where the caller was."""
    on: tuple[str, ...]
    """The HSMs, interfaces or clusters it is about."""
    weight: str
    """alarm, change or session."""
    failed: str | None
    """Why it did not succeed."""
    grade: str
    reference: str | None
    """How to find it at its source: event id, HSM and sequence number, operation id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedRow:
    """A place that was looked at."""

    source: str
    name: str
    found: int
    whole: bool
    """Whether the absence of an event there means anything."""
    why: str | None
    """Why it could not be read, or what of it is missing."""
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineShown:
    """What is known to have happened in a time, oldest first."""

    cluster_id: str
    since: datetime
    until: datetime
    whole: bool
    """Whether every source could be read whole."""
    left_out: int
    """Logins, logouts and the like that were not asked for."""
    happenings: tuple[HappeningRow, ...]
    looked: tuple[LookedRow, ...]


@verb(
    "timeline",
    "hsmctl --lab timeline",
    "hsmctl -c prod timeline cluster-a2b3c4d5e6f --since 2026-11-28T02:00 --until 2026-11-28T02:20",
    "hsmctl -c prod timeline cluster-a2b3c4d5e6f --since 7d --alarms -o json",
)
@click.argument("cluster", required=False)
@click.option("--since", type=Moment(), default="24h", show_default=True, help="A time, or how long ago.")
@click.option("--until", type=Moment(), help="A time, or how long ago; without it now.")
@click.option("--sessions", is_flag=True, help="Logins and logouts too.")
@click.option("--alarms", is_flag=True, help="Only what takes something away, opens something, or failed.")
@click.option("--deadline", type=Seconds(), default="30s", show_default=True, help="Give up on who has not answered.")
def noun(
    session: Session,
    cluster: str | None,
    since: Moment.Value,
    until: Moment.Value | None,
    deadline: float,
    *,
    sessions: bool,
    alarms: bool,
) -> int:
    """Show what happened to a cluster: CloudTrail, the HSMs' audit logs, interfaces and security group, our journal.

    What could not be read is named: silence there means nothing, and the exit code is 6. Times are UTC. CloudTrail is
    up to 15 minutes late. The use of a key is logged nowhere. A cluster that is gone is asked for by its id.
    """
    facade = session.hsmctl
    now = facade.clock.now()
    begin, end = since.at(now), until.at(now) if until else now
    if begin >= end:
        raise UsageError("--since", f"{instant(begin)} is not before {instant(end)}", "--since 24h")
    give_up = facade.clock.monotonic() + deadline
    name = within(lambda: _named(session, cluster), "AWS", clock=facade.clock, deadline=give_up)
    found = facade.timeline.collect(name, begin, end, give_up - facade.clock.monotonic())
    shown = _shown(found, sessions=sessions, alarms=alarms)
    return session.show(VIEW, shown, region=facade.aws.plane.region, code=_code(found))


def _named(session: Session, cluster: str | None) -> str:
    """The cluster that is meant, once the account is the right one."""
    session.check_account(cluster)
    return cluster or session.hsmctl.cluster.only(None).cluster_id


def _code(found: Timeline) -> ExitCode:
    """6 where some source is not whole; where none of AWS's could be read, why.

    Raises:
        Conflict: no source knows the cluster.
    """
    failed = [each.error for each in found.looked if each.error]
    remote = [each for each in found.looked if each.source != "journal"]
    if not found.happenings and any(isinstance(error, Conflict) for error in failed) and not _read(remote):
        raise Conflict(f"{found.cluster_id} not found", "no source knows anything of it", "hsmctl cluster list")
    if len(failed) == len(remote):
        return ExitCode.DENIED if all(isinstance(error, Denied) for error in failed) else ExitCode.UNKNOWN
    return ExitCode.PARTIAL if found.unread else ExitCode.OK


def _read(looked: list[Looked]) -> int:
    """How many events were found there."""
    return sum(each.found for each in looked)


def _shown(found: Timeline, *, sessions: bool, alarms: bool) -> TimelineShown:
    kept = [each for each in found.happenings if sessions or each.weight is not Weight.SESSION]
    chosen = [each for each in kept if not alarms or each.weight is Weight.ALARM]
    return TimelineShown(
        cluster_id=found.cluster_id,
        since=found.since,
        until=found.until,
        whole=not found.unread,
        left_out=len(found.happenings) - len(kept),
        happenings=tuple(map(_row, chosen)),
        looked=tuple(map(_looked, found.looked)),
    )


def _row(each: Happening) -> HappeningRow:
    return HappeningRow(
        at=each.at,
        source=each.source,
        what=each.what,
        says=each.says,
        who=each.who or None,
        address=each.address or None,
        on=each.on,
        weight=each.weight,
        failed=each.failed or None,
        grade=each.grade,
        reference=each.reference or None,
    )


def _looked(each: Looked) -> LookedRow:
    why = str(each.error) if each.error else each.remark
    return LookedRow(
        source=each.source,
        name=each.name,
        found=each.found,
        whole=each.whole,
        why=why or None,
        hint=each.error.hint or None if each.error else None,
    )


def _lines(shown: TimelineShown, page: Page) -> Iterator[str]:
    yield f"{shown.cluster_id}  {instant(shown.since)} to {instant(shown.until)}"
    columns: tuple[Column[Fold[HappeningRow]], ...] = (
        Column(title="", cell=lambda line: _MARKS[Weight(line.first.weight)].glyph),
        Column(title="TIME", cell=lambda line: f"{line.first.at:%m-%d %H:%M:%S}"),
        Column(title="SOURCE", cell=lambda line: line.first.source),
        Column(title="WHO", cell=lambda line: line.first.who or "" if page.wide else _short(line.first.who or "")),
        Column(title="FROM", cell=lambda line: line.first.address or "", wide=True),
        Column(
            title="WHERE",
            cell=lambda line: " ".join(line.first.on) if page.wide else shortened(where(line.first.on), _NAME),
        ),
        Column(title="WHAT", cell=_what),
        Column(title="GRADE", cell=lambda line: line.first.grade, wide=True),
        Column(title="REFERENCE", cell=lambda line: line.first.reference or "", wide=True),
    )
    lines = [Fold((row,)) for row in shown.happenings] if page.wide else list(folded(shown.happenings))
    if lines:
        yield from table(columns, lines, wide=page.wide, width=page.width)
    else:
        yield "nothing happened that could be seen"
    if shown.left_out:
        yield f"{counted(shown.left_out, 'login or session event')} left out: --sessions"
    yield from _unknown(shown.looked)


def _unknown(looked: Sequence[LookedRow]) -> Iterator[str]:
    """What could not be read, places with one reason on one line."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for each in looked:
        if not each.whole:
            reasons.setdefault((each.source, each.why or ""), []).append(each.name)
    for (source, why), names in reasons.items():
        yield f"{Mark.UNREADABLE.glyph} UNKNOWN: {source} ({', '.join(names)}): {why}"


def _what(line: Fold[HappeningRow]) -> str:
    row, times = line.first, len(line.members)
    if times > 1:
        return f"{times} × {line.kind}"
    return f"{row.says}: FAILED, {row.failed}" if row.failed else row.says


def _where(row: HappeningRow) -> str:
    return shortened(where(row.on), _NAME)


def _short(who: str) -> str:
    """The end of an ARN, which tells people apart: the user, or the session of a role."""
    return shortened(who.rpartition("/")[2] or who, _NAME)


VIEW: View[TimelineShown] = View(
    schema="timeline@1",
    document=TimelineShown,
    lines=_lines,
    names=lambda shown: [row.reference for row in shown.happenings if row.reference],
    items=lambda shown: shown.happenings,
)
