"""Backups as documents, as tables for people and, where they are checked for age, as a verdict for monitoring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from hsmctl.cli.table import Column, details, table
from hsmctl.cli.view import Case, Check, Level, Page, View
from hsmctl.domain.backup import Checked, Freshness
from hsmctl.domain.cluster import Backup, BackupState
from hsmctl.mark import Mark
from hsmctl.services.backup import Inspected
from hsmctl.words import age, counted, instant

_MARKS: Mapping[str, Mark] = {
    BackupState.READY: Mark.REPORTED,
    BackupState.DELETED: Mark.BAD,
    BackupState.PENDING_DELETION: Mark.ATTENTION,
}
_FRESH: Mapping[str, tuple[Mark, Level]] = {
    Freshness.FRESH: (Mark.REPORTED, Level.OK),
    Freshness.NOT_APPLICABLE: (Mark.UNPROVEN, Level.OK),
    Freshness.OLD: (Mark.BAD, Level.CRITICAL),
    Freshness.NONE: (Mark.BAD, Level.CRITICAL),
}
STALE = frozenset(freshness for freshness, (_, level) in _FRESH.items() if level is Level.CRITICAL)
"""What a check says no to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRow:
    """One backup."""

    backup_id: str
    arn: str | None
    state: str
    cluster_id: str | None
    """Null for a copy from another region, which belongs to no cluster here."""
    created: datetime | None
    copied: datetime | None
    deleted: datetime | None
    """When a deleted one is gone for good."""
    never_expires: bool
    hsm_type: str | None
    mode: str | None
    source_region: str | None
    source_backup: str | None
    source_cluster: str | None
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupInspected:
    """A backup, whom it is shared with, and what can be done with it."""

    backup: BackupRow
    shared_with: tuple[str, ...]
    spare: bool
    """Whether it may be deleted."""
    why: str
    restores_to: tuple[str, ...]
    """The HSM types and modes of clusters it can be restored to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshnessRow:
    """A cluster's newest READY backup."""

    cluster_id: str
    freshness: str
    """fresh, old, none, or n/a where no backups are taken."""
    backup_id: str | None
    created: datetime | None
    age_seconds: int | None


def row(backup: Backup) -> BackupRow:
    """A backup as it is written."""
    return BackupRow(
        backup_id=backup.backup_id,
        arn=backup.arn or None,
        state=backup.state,
        cluster_id=backup.cluster_id or None,
        created=backup.created,
        copied=backup.copied,
        deleted=backup.deleted,
        never_expires=backup.never_expires,
        hsm_type=backup.hsm_type or None,
        mode=backup.mode or None,
        source_region=backup.source_region or None,
        source_backup=backup.source_backup or None,
        source_cluster=backup.source_cluster or None,
        tags=backup.tags,
    )


def inspected(found: Inspected) -> BackupInspected:
    """What a look into a backup found, as it is written."""
    backup = found.backup
    # An hsm1.medium backup is restored to hsm2m.medium in FIPS mode: the way from one type to the other.
    return BackupInspected(
        backup=row(backup),
        shared_with=found.shared_with,
        spare=found.spare.holds,
        why=found.spare.why,
        restores_to=(f"hsm2m.medium {backup.mode or 'FIPS'}",),
    )


def freshness_row(found: Checked) -> FreshnessRow:
    """How old a cluster's newest backup is, as it is written."""
    return FreshnessRow(
        cluster_id=found.cluster_id,
        freshness=found.freshness,
        backup_id=found.newest.backup_id if found.newest else None,
        created=found.newest.created if found.newest else None,
        age_seconds=None if found.age is None else int(found.age.total_seconds()),
    )


def _list_lines(rows: tuple[BackupRow, ...], page: Page) -> list[str]:
    columns: tuple[Column[BackupRow], ...] = (
        Column(title="", cell=lambda each: _MARKS.get(each.state, Mark.PENDING).glyph),
        Column(title="BACKUP", cell=lambda each: each.backup_id, shrinks=True),
        Column(title="STATE", cell=lambda each: each.state.upper()),
        Column(title="AGE", cell=lambda each: age(page.now, each.created), right=True),
        Column(title="CLUSTER", cell=lambda each: each.cluster_id or f"copy from {each.source_region}", shrinks=True),
        Column(title="KEPT", cell=lambda each: "for ever" if each.never_expires else ""),
        Column(title="GONE", cell=lambda each: instant(each.deleted) if each.deleted else ""),
        Column(title="TYPE", cell=lambda each: each.hsm_type or "", wide=True),
        Column(title="MODE", cell=lambda each: each.mode or "", wide=True),
        Column(title="SOURCE", cell=lambda each: each.source_backup or "", wide=True),
    )
    return table(columns, rows, wide=page.wide, width=page.width)


def _show_lines(backup: BackupRow, page: Page) -> list[str]:
    return details(
        [
            ("backup", backup.backup_id),
            ("state", backup.state.upper()),
            ("cluster", backup.cluster_id or ""),
            ("created", f"{instant(backup.created)} ({age(page.now, backup.created)})" if backup.created else ""),
            ("copied", instant(backup.copied) if backup.copied else ""),
            ("from", " ".join(part for part in (backup.source_region, backup.source_backup) if part)),
            ("gone", instant(backup.deleted) if backup.deleted else ""),
            ("kept", "for ever" if backup.never_expires else "as its cluster's retention policy says"),
            ("type", " ".join(part for part in (backup.hsm_type, backup.mode) if part)),
            ("arn", backup.arn or ""),
            ("tags", " ".join(f"{name}={value}" for name, value in backup.tags.items())),
        ]
    )


def _inspect_lines(found: BackupInspected, page: Page) -> Iterator[str]:
    yield from _show_lines(found.backup, page)
    yield ""
    mark = Mark.REPORTED if found.spare else Mark.ATTENTION
    yield f"{mark.glyph} {'it can be spared' if found.spare else 'it is not deleted'}: {found.why}"
    yield f"  shared with {', '.join(found.shared_with) or 'nobody'}"
    yield f"  restores to {', '.join(found.restores_to)}, with the customer CA of its cluster"


def _check_lines(rows: tuple[FreshnessRow, ...], page: Page) -> list[str]:
    columns: tuple[Column[FreshnessRow], ...] = (
        Column(title="", cell=lambda each: _FRESH[each.freshness][0].glyph),
        Column(title="CLUSTER", cell=lambda each: each.cluster_id, shrinks=True),
        Column(title="NEWEST", cell=lambda each: each.freshness),
        Column(title="AGE", cell=lambda each: age(page.now, each.created), right=True),
        Column(title="BACKUP", cell=lambda each: each.backup_id or "", shrinks=True),
    )
    return table(columns, rows, wide=page.wide, width=page.width)


def _check(rows: tuple[FreshnessRow, ...]) -> Check:
    level = max((_FRESH[each.freshness][1] for each in rows), default=Level.OK)
    bad = [f"{each.cluster_id} {each.freshness}" for each in rows if each.freshness in STALE]
    oldest = max((each.age_seconds or 0 for each in rows), default=0)
    cases = [
        Case(labels={"cluster": each.cluster_id}, level=_FRESH[each.freshness][1], says=each.freshness) for each in rows
    ]
    says = ", ".join(bad) or f"backups of {counted(len(rows), 'cluster')} are fresh"
    return Check(level=level, says=says, figures={"clusters": len(rows), "oldest_seconds": oldest}, cases=cases)


LIST: View[tuple[BackupRow, ...]] = View(
    schema="backup.list@1",
    document=tuple[BackupRow, ...],
    lines=_list_lines,
    names=lambda rows: [each.backup_id for each in rows],
    items=lambda rows: rows,
    nothing="no backups: the first is taken at activation",
)
SHOW: View[BackupRow] = View(
    schema="backup.show@1", document=BackupRow, lines=_show_lines, names=lambda backup: [backup.backup_id]
)
INSPECT: View[BackupInspected] = View(
    schema="backup.inspect@1",
    document=BackupInspected,
    lines=_inspect_lines,
    names=lambda found: [found.backup.backup_id],
)
CHECK: View[tuple[FreshnessRow, ...]] = View(
    schema="backup.check@1",
    document=tuple[FreshnessRow, ...],
    lines=_check_lines,
    names=lambda rows: [each.cluster_id for each in rows],
    items=lambda rows: rows,
    nothing="no clusters here",
    check=_check,
)
