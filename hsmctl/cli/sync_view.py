"""How the answer of `sync check` is written: its document, its tables and its monitoring line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hsmctl.cli.table import Column, table
from hsmctl.cli.view import Case, Check, Level, Page, View
from hsmctl.domain.evidence import Failed
from hsmctl.domain.key import text
from hsmctl.domain.sync import Cell, Reading, Report, Row, Verdict
from hsmctl.errors import ExitCode
from hsmctl.mark import CELLS, VERDICTS, Mark
from hsmctl.words import counted

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeRow:
    """About how much the verdict speaks."""

    users: tuple[str, ...]
    visible: int
    total: int | None
    """Token objects there whoever owns them, or null where some replica could not say."""
    full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRow:
    """One replica and what became of asking it."""

    name: str
    group: str | None
    """Its Availability Zone or site."""
    address: str | None
    keys: int | None
    """Objects it showed, or null if it could not be read."""
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceRow:
    """One key that is not the same everywhere."""

    object_class: str
    label: str
    """As text; bytes that are not printable are escaped."""
    label_bytes: bytes
    key_id: bytes
    algorithm: str
    worst: str
    cells: Mapping[str, str]
    """What was found on each replica: missing, different, attributes, unreadable, unproven, reported, proved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnprovenRow:
    """One key that agrees and did not prove itself."""

    object_class: str
    label: str
    """As text; bytes that are not printable are escaped."""
    label_bytes: bytes
    key_id: bytes
    algorithm: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """A verdict and what it rests on."""

    verdict: str
    says: str
    """The verdict as a sentence with its figures."""
    exit: int
    scope: ScopeRow
    keys: int
    """Keys compared."""
    proved: int
    unproven: int
    reasons: Mapping[str, int]
    """Why keys that agree are not proved, and how many those are; empty unless the check was deep."""
    replicas: tuple[ReplicaRow, ...]
    differences: tuple[DifferenceRow, ...]
    """Worst first; keys that agree are only counted."""
    unproven_keys: tuple[UnprovenRow, ...]
    """Those for which there is a reason."""


def document(report: Report, code: ExitCode) -> SyncReport:
    """The report as it is written."""
    names = [reading.replica.name for reading in report.readings]
    return SyncReport(
        verdict=report.verdict,
        says=report.words,
        exit=code,
        scope=ScopeRow(
            users=report.scope.users, visible=report.scope.visible, total=report.scope.total, full=report.scope.full
        ),
        keys=len(report.rows),
        proved=report.proved,
        unproven=report.unproven,
        replicas=tuple(map(_replica, report.readings)),
        differences=tuple(_difference(row, names) for row in report.differences),
        reasons=report.reasons,
        unproven_keys=tuple(_unproven(row) for row in report.rows if row.reasons),
    )


def progress(reading: Reading) -> str:
    """What became of asking one replica, for whoever watches."""
    row = _replica(reading)
    return f"{_replica_mark(row).glyph} {row.name} {row.error or counted(row.keys or 0, 'key')}"


def _replica(reading: Reading) -> ReplicaRow:
    replica, outcome = reading.replica, reading.outcome
    keys, error = None, None
    if isinstance(outcome, Failed):
        error = str(outcome.error).removeprefix(f"{replica.name}: ")
    else:
        keys = len(outcome.value.keys)
    return ReplicaRow(
        name=replica.name, group=replica.group or None, address=replica.address or None, keys=keys, error=error
    )


def _difference(row: Row, names: Sequence[str]) -> DifferenceRow:
    return DifferenceRow(
        object_class=row.identity.object_class,
        label=text(row.identity.label),
        label_bytes=row.identity.label,
        key_id=row.identity.key_id,
        algorithm=row.algorithm,
        worst=row.worst,
        cells=dict(zip(names, row.cells, strict=True)),
    )


def _unproven(row: Row) -> UnprovenRow:
    return UnprovenRow(
        object_class=row.identity.object_class,
        label=text(row.identity.label),
        label_bytes=row.identity.label,
        key_id=row.identity.key_id,
        algorithm=row.algorithm,
        reasons=row.reasons,
    )


def _lines(report: SyncReport, page: Page) -> Iterator[str]:
    yield f"{VERDICTS[Verdict(report.verdict)].glyph} {report.says}"
    yield f"  {_scope(report)}"
    yield from (f"  {count:,} unproven: {reason}" for reason, count in report.reasons.items())
    yield ""
    yield from _replica_table(report.replicas, page)
    if report.differences:
        yield ""
        yield from _difference_table(report.differences, page)
    if report.unproven_keys and page.wide:
        yield ""
        yield from _unproven_table(report.unproven_keys, page)


def _scope(report: SyncReport) -> str:
    """About how much the verdict speaks, in words."""
    scope = report.scope
    of = "" if scope.total is None else f" of {scope.total:,}"
    seen = f"{scope.visible:,}{of} objects seen as {' and '.join(scope.users) or 'nobody'}"
    # The sentence of this verdict has the figures already.
    told = report.verdict == Verdict.NO_DIFFERENCE_SEEN
    return seen if told else f"{seen}; {report.proved:,} proved, {report.unproven:,} unproven"


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
        Column(title="KEY", cell=_name),
        Column(title="TYPE", cell=lambda row: row.algorithm or "–"),
        Column(title="CLASS", cell=lambda row: row.object_class),
        Column(title="ID", cell=lambda row: row.key_id.hex() or "–", wide=True),
        Column(title="FOUND", cell=lambda row: "; ".join(_found(row))),
    )
    return table(columns, differences, wide=page.wide, width=page.width)


def _unproven_table(unproven: Sequence[UnprovenRow], page: Page) -> list[str]:
    columns: tuple[Column[UnprovenRow], ...] = (
        Column(title="", cell=lambda _: CELLS[Cell.UNPROVEN].glyph),
        Column(title="KEY", cell=_name),
        Column(title="TYPE", cell=lambda row: row.algorithm or "–"),
        Column(title="CLASS", cell=lambda row: row.object_class),
        Column(title="ID", cell=lambda row: row.key_id.hex() or "–"),
        Column(title="UNPROVEN BECAUSE", cell=lambda row: "; ".join(row.reasons)),
    )
    return table(columns, unproven, wide=page.wide, width=page.width)


def _name(row: DifferenceRow | UnprovenRow) -> str:
    return row.label or f"id:{row.key_id.hex()}"


def _found(row: DifferenceRow) -> Iterator[str]:
    """What is wrong and where, worst first: `missing on hsm-a, hsm-b`."""
    wrong = (Cell.MISSING, Cell.DIFFERENT, Cell.ATTRIBUTES, Cell.UNREADABLE)
    for cell in wrong:
        names = [name for name, found in row.cells.items() if found == cell]
        if names:
            yield f"{'other attributes' if cell is Cell.ATTRIBUTES else cell} on {', '.join(names)}"


def _check(report: SyncReport) -> Check:
    level = _LEVELS[report.verdict] or (Level.WARNING if report.exit else Level.OK)
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
