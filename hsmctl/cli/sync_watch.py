"""`sync watch`: checks again and again, and a line of JSON for whatever is no longer as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import click

from hsmctl.cli.output import Format
from hsmctl.cli.session import Session
from hsmctl.cli.sync_run import checked
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Seconds, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.sync import Report
from hsmctl.domain.sync_change import Change, ChangeKind
from hsmctl.errors import ExitCode, HsmctlError
from hsmctl.mark import CELLS, VERDICTS, Mark
from hsmctl.services.sync_watch import watched
from hsmctl.words import instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """One thing that is no longer as it was."""

    at: datetime
    kind: str
    """verdict, replica, key or error."""
    subject: str
    """The replica or the key; empty for the verdict and for an error."""
    replica: str | None
    """Where, for a key that is not everywhere the same."""
    before: str | None
    after: str
    says: str


@verb(
    "watch",
    "hsmctl -c prod sync watch --every 5m --count 288",
    "hsmctl --lab sync watch --count 2 --every 1s -o table",
)
@click.argument("cluster", required=False)
@click.option("--replica", "names", metavar="NAME", multiple=True, help="Watch only these, as in sync check.")
@click.option("--every", type=Seconds(), default="60s", show_default=True, help="From one check to the next.")
@click.option("--deadline", type=Seconds(), default="10s", show_default=True, help="Of each check.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many checks, with the exit code of the last.")
def watch_sync(
    session: Session, cluster: str | None, names: tuple[str, ...], every: float, deadline: float, count: int | None
) -> int:
    """Check again and again; write a line for each change and nothing where there is none.

    Every check logs in to every replica. The lines are JSON unless -o says otherwise; Ctrl-C ends it.
    """
    if "output" not in session.typed and session.out.query is None:
        session.out.format = Format.JSONL
    code = int(ExitCode.OK)

    def check() -> Report:
        return checked(session, cluster, names, deadline)

    for found, news in watched(check, session.hsmctl.clock, every=every, count=count):
        now = session.hsmctl.clock.now()
        code = found.exit_code
        rows = (_failed(found, now),) if isinstance(found, HsmctlError) else tuple(_row(each, now) for each in news)
        session.show(WATCH, rows)
        session.out.flush()
    return code


def _row(change: Change, now: datetime) -> ChangeRow:
    return ChangeRow(
        at=now,
        kind=change.kind,
        subject=change.subject,
        replica=change.replica or None,
        before=change.before,
        after=change.after,
        says=change.says,
    )


def _failed(error: HsmctlError, now: datetime) -> ChangeRow:
    return ChangeRow(at=now, kind="error", subject="", replica=None, before=None, after="not checked", says=str(error))


def _lines(rows: Sequence[ChangeRow], page: Page) -> list[str]:
    columns: tuple[Column[ChangeRow], ...] = (
        Column(title="", cell=lambda row: _mark(row).glyph),
        Column(title="AT", cell=lambda row: instant(row.at)),
        Column(title="WHAT", cell=lambda row: " on ".join(filter(None, (row.subject or row.kind, row.replica)))),
        Column(title="BEFORE", cell=lambda row: row.before or "–"),
        Column(title="AFTER", cell=lambda row: row.says if row.kind == ChangeKind.VERDICT else row.after),
        Column(title="WHY", cell=lambda row: "" if row.kind == ChangeKind.VERDICT else row.says, shrinks=True),
    )
    return table(columns, rows, wide=page.wide, width=page.width) if rows else []


def _mark(row: ChangeRow) -> Mark:
    if row.kind == ChangeKind.VERDICT:
        return VERDICTS[row.after]
    return CELLS.get(row.after, Mark.ATTENTION if row.after in ("absent", "not seen", "not checked") else Mark.REPORTED)


WATCH: View[tuple[ChangeRow, ...]] = View(
    schema="sync.watch@1",
    document=tuple[ChangeRow, ...],
    lines=_lines,
    names=lambda rows: [row.subject for row in rows if row.subject],
    items=lambda rows: rows,
)
