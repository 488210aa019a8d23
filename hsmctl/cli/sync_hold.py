"""`sync hold`: clusters on which nothing may be removed until somebody says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import click

from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.mark import Mark
from hsmctl.ports_hold import Hold
from hsmctl.words import instant


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRow:
    """One hold."""

    cluster: str
    reason: str
    set_at: datetime
    set_by: str
    """The user of this machine."""


_REASON = click.option("--reason", metavar="TEXT", required=True, help="Why; it is journaled.")


@verb("set", "hsmctl sync hold set cluster-a2b3c4d5e6f --reason 'db-kek is on one HSM only'")
@click.argument("cluster")
@_REASON
def put(session: Session, cluster: str, reason: str) -> int:
    """Refuse removals, scale-down and migration on a cluster: a copy of a key there may be the last."""
    return session.show_local(SET, _row(session.unbound.hold.put(cluster, reason)))


@verb("list", "hsmctl sync hold list", "hsmctl sync hold list -o json")
def list_holds(session: Session) -> int:
    """List the clusters that are held, on this machine."""
    return session.show_local(LIST, tuple(map(_row, session.unbound.hold.all())))


@verb("release", "hsmctl sync hold release cluster-a2b3c4d5e6f --reason 'all keys are everywhere again'")
@click.argument("cluster")
@_REASON
def release(session: Session, cluster: str, reason: str) -> int:
    """Let a cluster be changed again."""
    return session.show_local(RELEASED, _row(session.unbound.hold.release(cluster, reason)))


noun = Noun("hold", "Clusters on which nothing may be removed.", put, list_holds, release)


def _row(hold: Hold) -> HoldRow:
    return HoldRow(cluster=hold.cluster_id, reason=hold.reason, set_at=hold.set_at, set_by=hold.set_by)


def _lines(holds: Sequence[HoldRow], page: Page) -> list[str]:
    columns: tuple[Column[HoldRow], ...] = (
        Column(title="", cell=lambda _: Mark.ATTENTION.glyph),
        Column(title="CLUSTER", cell=lambda row: row.cluster),
        Column(title="SINCE", cell=lambda row: instant(row.set_at)),
        Column(title="BY", cell=lambda row: row.set_by),
        Column(title="REASON", cell=lambda row: row.reason, shrinks=True),
    )
    return table(columns, holds, wide=page.wide, width=page.width)


LIST: View[tuple[HoldRow, ...]] = View(
    schema="sync.hold.list@1",
    document=tuple[HoldRow, ...],
    lines=_lines,
    names=lambda holds: [row.cluster for row in holds],
    items=lambda holds: holds,
    nothing="no cluster is held",
)
SET: View[HoldRow] = View(
    schema="sync.hold.set@1",
    document=HoldRow,
    lines=lambda row, _: [f"{Mark.ATTENTION.glyph} {row.cluster} is held: nothing is removed there"],
    names=lambda row: [row.cluster],
)
RELEASED: View[HoldRow] = View(
    schema="sync.hold.release@1",
    document=HoldRow,
    lines=lambda row, _: [f"{row.cluster} is no longer held; it was, by {row.set_by}: {row.reason}"],
    names=lambda row: [row.cluster],
)
