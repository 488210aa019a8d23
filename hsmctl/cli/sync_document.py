"""The document of `sync check`: what is known of every replica and of each key that deserves a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from hsmctl.domain.evidence import Failed
from hsmctl.domain.key import Identity, text
from hsmctl.domain.sync import Reading, Report, Row
from hsmctl.domain.sync_baseline import Since
from hsmctl.domain.sync_remark import remarks, scarce
from hsmctl.errors import ExitCode
from hsmctl.services.sync_check import LISTINGS
from hsmctl.words import counted, whoever

_NAMED = 3
"""Keys a warning names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a check is to find beyond agreement."""

    proved: bool = False
    full_scope: bool = False
    copies: int = 0
    """Of every key, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeRow:
    """About how much the verdict speaks."""

    users: tuple[str, ...]
    visible: int
    total: int | None
    """Token objects there whoever owns them, or null where some replica could not say."""
    full: bool
    uneven: bool
    """Whether the replicas hold different numbers of objects that were not shown."""


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
    """What was found on each replica: missing, different, attributes, changing, healing, unreadable, unproven,
    reported, proved."""
    drift: tuple[str, ...]
    """The attributes in which the copies differ."""
    renamed: str | None
    """What the replicas that miss it call a key of the same material."""


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
class ScarceRow:
    """One key that too few replicas hold."""

    object_class: str
    label: str
    label_bytes: bytes
    key_id: bytes
    copies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRow:
    """What became of a baseline's keys."""

    taken_at: datetime
    gone: tuple[str, ...]
    """Keys that no replica holds any more."""
    changed: tuple[str, ...]
    """Keys whose name other material has now."""
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemarkRow:
    """One thing worth knowing that changes no verdict."""

    kind: str
    says: str
    keys: tuple[str, ...]


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
    unsettled: tuple[DifferenceRow, ...]
    """Keys in which nothing is known to be wrong and something is on its way: changing or healing."""
    scarce: tuple[ScarceRow, ...]
    """Keys that fewer replicas hold than were asked for; empty where no number was."""
    baseline: BaselineRow | None
    """What became of the baseline's keys; null where none was given."""
    remarks: tuple[RemarkRow, ...]
    reads: int
    """How often a replica was asked: each time one connection and one login at most."""
    reads_limit: int
    """How often that may be in one check."""
    uses: int
    """How often a key was used, on whichever replica."""
    aws_requests: int
    """Requests sent to AWS, retries counted."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the verdict does not speak of."""
        return (*_hidden(self.scope), *map(_remark, self.remarks))


def document(
    report: Report, demand: Demand | None = None, drift: Since | None = None, aws_requests: int = 0
) -> SyncReport:
    """The report as it is written, with the exit code that what was demanded makes of it."""
    wanted = demand or Demand()
    names = [reading.replica.name for reading in report.readings]
    rare = scarce(report, wanted.copies)
    return SyncReport(
        verdict=report.verdict,
        says=_says(report, rare, wanted, drift),
        exit=_exit(report, rare, wanted, drift),
        scope=ScopeRow(**{each.name: getattr(report.scope, each.name) for each in fields(report.scope)}),
        keys=len(report.rows),
        proved=report.proved,
        unproven=report.unproven,
        replicas=tuple(map(replica_row, report.readings)),
        differences=tuple(_difference(row, names) for row in report.differences),
        reasons=report.reasons,
        unproven_keys=tuple(_unproven(row) for row in report.rows if row.reasons),
        unsettled=tuple(_difference(row, names) for row in report.unsettled),
        scarce=tuple(map(_scarce, rare)),
        baseline=_baseline(drift) if drift else None,
        remarks=tuple(
            RemarkRow(kind=each.kind, says=each.says, keys=tuple(map(str, each.keys))) for each in remarks(report)
        ),
        reads=report.reads,
        reads_limit=LISTINGS * sum(not reading.replica.absent for reading in report.readings),
        uses=report.uses,
        aws_requests=aws_requests,
    )


def _exit(report: Report, rare: Sequence[Row], wanted: Demand, drift: Since | None) -> ExitCode:
    """The verdict's exit code, unless something that was demanded is worse."""
    failed = bool(rare) or bool(drift and not drift.kept)
    if failed and report.exit_code in (ExitCode.OK, ExitCode.PARTIAL):
        # What is missing may be on a replica that could not be read.
        return ExitCode.PARTIAL if report.unreadable else ExitCode.NO
    lacking = (wanted.proved and report.unproven) or (wanted.full_scope and not report.scope.full)
    return ExitCode.PARTIAL if lacking and report.exit_code is ExitCode.OK else report.exit_code


def _says(report: Report, rare: Sequence[Row], wanted: Demand, drift: Since | None) -> str:
    """The verdict as a sentence, with what was demanded and is not so."""
    says = [report.words]
    if rare:
        says.append(f"{counted(len(rare), 'key')} on fewer than {counted(wanted.copies, 'replica')}")
    if drift and not drift.kept:
        says.append(f"since the baseline {len(drift.gone):,} gone, {len(drift.changed):,} changed")
    return "; ".join(says)


def _scarce(row: Row) -> ScarceRow:
    name = row.identity
    return ScarceRow(
        object_class=name.object_class,
        label=text(name.label),
        label_bytes=name.label,
        key_id=name.key_id,
        copies=row.copies,
    )


def _baseline(drift: Since) -> BaselineRow:
    gone, changed = (tuple(map(_titled, names)) for names in (drift.gone, drift.changed))
    return BaselineRow(taken_at=drift.taken_at, gone=gone, changed=changed, new=drift.new)


def _titled(name: Identity) -> str:
    return f"{name} ({name.object_class})"


def _hidden(scope: ScopeRow) -> tuple[str, ...]:
    """The objects that nobody showed."""
    if scope.total is None or scope.total <= scope.visible:
        return ()
    return (f"{counted(scope.total - scope.visible, 'object')} not visible to {whoever(scope.users)}: unproven",)


def _remark(row: RemarkRow) -> str:
    """A remark in one line, its first keys named."""
    more = f" and {len(row.keys) - _NAMED} more" if len(row.keys) > _NAMED else ""
    named = f"{', '.join(row.keys[:_NAMED])}{more}: " if row.keys else ""
    return f"{named}{row.says}"


def replica_row(reading: Reading) -> ReplicaRow:
    """One replica as it is written."""
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
        drift=row.drift,
        renamed=str(row.renamed) if row.renamed else None,
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
