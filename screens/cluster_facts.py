"""What stands behind a cluster's facts: its certificates as chains, its backups, the changes that are still open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from hsmctl.domain.cluster import Backup, BackupState, Cluster
from hsmctl.mark import Mark
from hsmctl.words import age

from .detail import noted
from .glyph import Role, Span, Spans, sign
from .running import Run

SHOWN = 5
"""Backups that are listed; the others are counted."""

_BACKUPS = {BackupState.READY: Mark.REPORTED, BackupState.CREATE_IN_PROGRESS: Mark.PENDING}


def chains(cluster: Cluster) -> Iterator[Spans]:
    """Whose word each certificate is, end to root; a sign says that AWS shows the document, not that it verifies."""
    held = cluster.certificates
    if not any((held.csr, held.hsm, held.cluster, held.aws_hardware, held.manufacturer_hardware)):
        return
    yield ((" CERTIFICATES", Role.STRONG),)
    if held.hsm or held.aws_hardware or held.manufacturer_hardware:
        yield from _chain("AWS", ("HSM", held.hsm), ("AWS hardware", held.aws_hardware), "AWS root")
        made = ("manufacturer hardware", held.manufacturer_hardware)
        yield from _chain("maker", ("HSM", held.hsm), made, "manufacturer root")
    request = ("signing request", held.csr) if held.csr and not held.cluster else ("cluster", held.cluster)
    yield from _chain("yours", request, "customer CA")


def backups(found: Sequence[Backup], now: datetime) -> Iterator[Spans]:
    """The newest backups, with their age."""
    if not found:
        return
    yield ((f" BACKUPS {len(found)}", Role.STRONG),)
    width = max(len(backup.state) for backup in found[:SHOWN])
    for backup in found[:SHOWN]:
        mark = _BACKUPS.get(backup.state, Mark.UNPROVEN)
        kept = "   kept for ever" if backup.never_expires else ""
        yield (
            (" ", Role.PLAIN),
            sign(mark),
            (f" {backup.backup_id}", Role.PLAIN),
            (f"  {backup.state.upper():<{width}}", Role.MUTED),
            (f"{age(now, backup.created):>8}{kept}", Role.MUTED),
        )


def changes(runs: Sequence[Run], cluster: Cluster) -> Iterator[Spans]:
    """The changes of this session that go on at the cluster."""
    mine = [run for run in runs if run.running and run.plan.cluster_id == cluster.cluster_id]
    for run in mine:
        says = run.said[-1][1] if run.said else "starting"
        yield from noted(sign(Mark.PENDING), f"{run.plan.title}: step {run.number} of {len(run.plan.steps)}, {says}")


def _chain(name: str, *links: tuple[str, str | None] | str) -> Iterator[Spans]:
    """One chain; its root is a name only, because AWS shows none."""
    spans: list[Span] = [(f" {name:<7}", Role.MUTED)]
    for place, link in enumerate(links):
        if place:
            spans.append((" ─ ", Role.MUTED))
        if isinstance(link, str):
            spans.append((link, Role.MUTED))
        else:
            label, document = link
            spans += [sign(Mark.REPORTED if document else Mark.UNPROVEN), (f" {label}", Role.PLAIN)]
    yield tuple(spans)
