"""How the answer of `sync check` reads: its tables and its monitoring line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hsmctl.cli.sync_document import (
    BaselineRow,
    DifferenceRow,
    ReplicaRow,
    ScarceRow,
    SyncReport,
    UnprovenRow,
    replica_row,
)
from hsmctl.cli.table import Column, table
from hsmctl.cli.view import Case, Check, Level, Page, View
from hsmctl.domain.sync import Cell, Reading, Verdict
from hsmctl.mark import CELLS, VERDICTS, Mark
from hsmctl.words import brief, counted, instant, whoever

_LEVELS: Mapping[str, Level] = {
    Verdict.NOT_IN_SYNC: Level.CRITICAL,
    Verdict.ATTRIBUTES_DIFFER: Level.WARNING,
    Verdict.INCOMPLETE: Level.WARNING,
    Verdict.UNKNOWN: Level.UNKNOWN,
    Verdict.NO_DIFFERENCE_SEEN: Level.OK,
    Verdict.IN_SYNC: Level.OK,
}
_NAMED = 3
"""Keys a monitoring line names."""


def progress(reading: Reading) -> str:
    """What became of asking one replica, for whoever watches."""
    row = replica_row(reading)
    return f"{_replica_mark(row).glyph} {row.name} {row.error or counted(row.keys or 0, 'key')}"


def _lines(report: SyncReport, page: Page) -> Iterator[str]:
    yield f"{VERDICTS[Verdict(report.verdict)].glyph} {report.says}"
    yield f"  {_scope(report)}"
    yield from (f"  {count:,} unproven: {reason}" for reason, count in report.reasons.items())
    yield ""
    yield from _replica_table(report.replicas, page)
    yield f"  {_cost(report)}"
    if found := (*report.differences, *report.unsettled):
        yield ""
        yield from _difference_table(found, page)
    if report.scarce:
        yield ""
        yield from _scarce_table(report.scarce, page)
    if report.baseline:
        yield ""
        yield from _baseline_lines(report.baseline)
    if report.unproven_keys and page.wide:
        yield ""
        yield from _unproven_table(report.unproven_keys, page)


def _scope(report: SyncReport) -> str:
    """About how much the verdict speaks, in words."""
    scope = report.scope
    of = "" if scope.total is None else f" of {scope.total:,}"
    seen = f"{scope.visible:,}{of} objects seen as {whoever(scope.users)}"
    # The sentence of this verdict has the figures already.
    told = report.verdict == Verdict.NO_DIFFERENCE_SEEN
    return seen if told else f"{seen}; {report.proved:,} proved, {report.unproven:,} unproven"


def _cost(report: SyncReport) -> str:
    """What the check took from others, and how much it may take."""
    used = [f"{counted(report.uses, 'key')} used"] if report.uses else []
    logins = f"{counted(report.reads, 'login')} (at most {report.reads_limit:,})"
    return ", ".join([logins, *used, counted(report.aws_requests, "AWS request")])


def _replica_table(replicas: Sequence[ReplicaRow], page: Page) -> list[str]:
    columns: tuple[Column[ReplicaRow], ...] = (
        Column(title="", cell=lambda row: _replica_mark(row).glyph),
        Column(title="REPLICA", cell=lambda row: row.name, shrinks=True),
        Column(title="ZONE", cell=lambda row: row.group or "–"),
        Column(title="KEYS", cell=lambda row: "–" if row.keys is None else f"{row.keys:,}", right=True),
        Column(title="ADDRESS", cell=lambda row: row.address or "–", wide=True),
        Column(title="WHY", cell=lambda row: row.error or ""),
    )
    return table(columns, replicas, wide=page.wide, width=page.width)


def _replica_mark(row: ReplicaRow) -> Mark:
    return Mark.UNREADABLE if row.keys is None else Mark.REPORTED


def _difference_table(differences: Sequence[DifferenceRow], page: Page) -> list[str]:
    columns: tuple[Column[DifferenceRow], ...] = (
        Column(title="", cell=lambda row: CELLS[Cell(row.worst)].glyph),
        Column(title="KEY", cell=_name, shrinks=True),
        Column(title="TYPE", cell=lambda row: row.algorithm or "–"),
        Column(title="CLASS", cell=lambda row: row.object_class),
        Column(title="ID", cell=lambda row: row.key_id.hex() or "–", wide=True),
        Column(title="FOUND", cell=lambda row: "; ".join(_found(row))),
    )
    return table(columns, differences, wide=page.wide, width=page.width)


def _scarce_table(scarce: Sequence[ScarceRow], page: Page) -> list[str]:
    columns: tuple[Column[ScarceRow], ...] = (
        Column(title="", cell=lambda _: Mark.ATTENTION.glyph),
        Column(title="KEY", cell=_name, shrinks=True),
        Column(title="CLASS", cell=lambda row: row.object_class),
        Column(title="ID", cell=lambda row: row.key_id.hex() or "–", wide=True),
        Column(title="COPIES", cell=lambda row: f"{row.copies:,}", right=True),
    )
    return table(columns, scarce, wide=page.wide, width=page.width)


def _baseline_lines(found: BaselineRow) -> Iterator[str]:
    """What became of the keys of a baseline."""
    counts = f"{len(found.gone):,} gone, {len(found.changed):,} changed, {found.new:,} new"
    yield f"since the baseline of {instant(found.taken_at)}: {counts}"
    yield from (f"{Mark.BAD.glyph} {brief(name)} is gone" for name in found.gone)
    yield from (f"{Mark.DIFFERENT.glyph} {brief(name)} has other material" for name in found.changed)


def _unproven_table(unproven: Sequence[UnprovenRow], page: Page) -> list[str]:
    columns: tuple[Column[UnprovenRow], ...] = (
        Column(title="", cell=lambda _: CELLS[Cell.UNPROVEN].glyph),
        Column(title="KEY", cell=_name, shrinks=True),
        Column(title="TYPE", cell=lambda row: row.algorithm or "–"),
        Column(title="CLASS", cell=lambda row: row.object_class),
        Column(title="ID", cell=lambda row: row.key_id.hex() or "–"),
        Column(title="UNPROVEN BECAUSE", cell=lambda row: "; ".join(row.reasons)),
    )
    return table(columns, unproven, wide=page.wide, width=page.width)


def _name(row: DifferenceRow | UnprovenRow | ScarceRow) -> str:
    return brief(row.label) or f"id:{row.key_id.hex()}"


def _found(row: DifferenceRow) -> Iterator[str]:
    """What is wrong and where, worst first: `missing on hsm-a, hsm-b`."""
    wrong = (Cell.MISSING, Cell.DIFFERENT, Cell.ATTRIBUTES, Cell.CHANGING, Cell.HEALING, Cell.UNREADABLE)
    for cell in wrong:
        names = [name for name, found in row.cells.items() if found == cell]
        if names:
            yield f"{_word(cell, row)} on {', '.join(names)}{_instead(cell, row)}"


def _word(cell: Cell, row: DifferenceRow) -> str:
    return f"other {' '.join(row.drift) or 'attributes'}" if cell is Cell.ATTRIBUTES else cell


def _instead(cell: Cell, row: DifferenceRow) -> str:
    """The name under which a key that misses is there."""
    return f", which call it {brief(row.renamed)}" if cell is Cell.MISSING and row.renamed else ""


def _check(report: SyncReport) -> Check:
    demanded = {1: Level.CRITICAL, 6: Level.WARNING}.get(report.exit, Level.OK)
    failed = report.scarce or (report.baseline and (report.baseline.gone or report.baseline.changed))
    level = max(_LEVELS[report.verdict], demanded) if failed else _LEVELS[report.verdict] or demanded
    named = [f"{_name(row)} {'; '.join(_found(row))}" for row in report.differences[:_NAMED]]
    more = [f"{len(report.differences) - _NAMED} more"] if len(report.differences) > _NAMED else []
    unreadable = sum(row.keys is None for row in report.replicas)
    figures = {"keys": report.keys, "replicas": len(report.replicas), "unreadable": unreadable}
    says = ": ".join([report.says, ", ".join([*named, *more])]).rstrip(": ")
    return Check(level=level, says=says, figures=figures, cases=[*_cases(report)])


def _cases(report: SyncReport) -> Iterator[Case]:
    """Each replica, and each key that is not the same everywhere."""
    for replica in report.replicas:
        level = Level.UNKNOWN if replica.keys is None else Level.OK
        yield Case(labels={"replica": replica.name}, level=level, says=replica.error or "")
    for row in report.differences:
        only = row.worst == Cell.ATTRIBUTES
        labels = {"key": _name(row), "class": row.object_class, "id": row.key_id.hex()}
        yield Case(labels=labels, level=Level.WARNING if only else Level.CRITICAL, says="; ".join(_found(row)))


CHECK: View[SyncReport] = View(
    schema="sync.check@1",
    document=SyncReport,
    lines=_lines,
    names=lambda report: [_name(row) for row in report.differences],
    items=lambda report: report.differences,
    check=_check,
)
