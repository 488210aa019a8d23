"""What a real cluster says about its own agreement: AWS's counts HSM by HSM, coverage as cloudhsm-cli reports it.

A cluster is one replica to its clients, so no cell names an HSM that lacks a key; only counts are known by HSM.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.coverage import KEY_METRIC, USER_METRIC, CoverageFinding, Severity
from hsmctl.domain.coverage_verdict import CoverageReport, words
from hsmctl.domain.evidence import Grade
from hsmctl.mark import VERDICTS, Mark
from hsmctl.words import shortened

from . import hold
from .check import Check
from .column import Column
from .command import CHECK, COPY, DESCRIBE, FILTER, HELP, HOLD, LINE, RELEASE, USER, Command, bindings
from .covering import MARKS
from .detail import Detail, cut, facts, noted
from .glyph import Role, Span, Spans, role, sign
from .lines import Lines
from .place import Description, Place
from .survey import Survey
from .words import cluster_name

_METRICS = {KEY_METRIC: "token keys", USER_METRIC: "user places"}
_OWN = (CHECK, HOLD, RELEASE)
_CELL = 9
"""Cells of an HSM's column."""
_REPAIR = {
    Severity.NOTE: "nothing to mend: look again in a minute",
    Severity.UNSEEN: "what was not seen is not known to agree",
}


class CoverageScreen(Place):
    """The findings."""

    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, *_OWN)
    BINDINGS = bindings(_OWN)
    offered: ClassVar[tuple[Command, ...]] = (CHECK, DESCRIBE, USER, COPY, FILTER, LINE, HELP)

    def __init__(self, survey: Survey, cluster: Cluster) -> None:
        self._cluster = cluster
        self.findings: Lines[CoverageFinding] = Lines(
            _COLUMNS, lambda finding: (finding.kind, finding.name, finding.says), id="findings"
        )
        self.verdict = Detail(id="verdict")
        super().__init__(survey, ("fleet", cluster_name(cluster), "sync"), self.findings)

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.survey.estate.cluster(self._cluster.cluster_id) or self._cluster

    @property
    def check(self) -> Check:
        """The cluster's check."""
        return self.survey.estate.check(self._cluster)

    @property
    def aged(self) -> datetime | None:
        """When it was asked."""
        return self.check.at

    @property
    def subject(self) -> str | None:
        """The name of what was found."""
        return self.findings.current.name if self.findings.current else None

    def body(self) -> ComposeResult:
        """The verdict and its scope, the findings, the counts."""
        yield self.verdict
        yield self.findings
        yield self.detail

    def show(self) -> None:
        """Show the check."""
        check = self.check
        self.verdict.draw(lambda room: list(self._verdict(room.width)))
        self.findings.teach(_empty(check))
        self.findings.show(check.coverage.findings if check.coverage else ())
        self.detail.draw(self._detail)

    def describe(self, width: int) -> Description | None:
        """The finding under the cursor, whole."""
        finding = self.findings.current
        if finding is None:
            return None
        told = (
            ("what", str(finding.kind)),
            ("found", finding.says),
            ("severity", str(finding.severity)),
            ("said by", str(finding.source)),
            ("grade", str(finding.grade)),
            ("repair", finding.repair or _REPAIR.get(finding.severity, "")),
        )
        return finding.name, facts(told, width)

    async def action_hold(self, reason: str = "") -> None:
        """Have nothing removed from the cluster."""
        await hold.hold(self, reason)

    async def action_release(self, reason: str = "") -> None:
        """Have the cluster changed again."""
        await hold.release(self, reason)

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)

    def _verdict(self, width: int) -> Iterator[Spans]:
        check, report = self.check, self.check.coverage
        if report is not None:
            mark = VERDICTS[report.verdict]
            said = words(report.verdict, [each.severity for each in report.findings], partial=report.partial)
            yield (" ", Role.PLAIN), sign(mark), (f" {said}", role(mark))
            for line in noted((" ", Role.PLAIN), f"scope: {report.scope}", width):
                yield tuple((text, Role.MUTED) for text, _ in line)
        elif check.error is not None:
            yield (" ", Role.PLAIN), sign(Mark.UNREADABLE), (f" {check.error}", Role.PLAIN)
        held = self.survey.estate.holds.get(self._cluster.cluster_id)
        if held is not None:
            yield from noted(sign(Mark.ATTENTION), f"held by {held.set_by}: {held.reason}", width)

    def _detail(self, room: Size) -> list[Spans]:
        """What mends the finding under the cursor, and what AWS counts on each HSM."""
        finding, report = self.findings.current, self.check.coverage
        lines: list[Spans] = []
        if finding is not None:
            lines += noted(sign(MARKS[finding.severity]), finding.sentence, room.width)
            lines.append(((f"   {finding.grade}, told by {finding.source}", Role.MUTED),))
            mending = finding.repair or _REPAIR.get(finding.severity, "")
            if mending:
                lines += noted(("▸", Role.ACCENT), mending, room.width)
            lines.append(())
        return cut([*lines, *(_counts(report, room.width) if report else ())], room.height)


def _counts(report: CoverageReport, width: int) -> Iterator[Spans]:
    """CloudWatch's counts, a column for each HSM; who is not the usual number stands out."""
    evidence = report.evidence
    if not evidence.counts:
        return
    each_line = max(1, (width - 16) // (_CELL + 1))
    yield ((" PER HSM", Role.STRONG), (" inferred: CloudWatch's counts, minutes old", Role.MUTED))
    for start in range(0, len(evidence.active), each_line):
        hsms = evidence.active[start : start + each_line]
        heads = "".join(f" {shortened(name, _CELL):>{_CELL}}" for name in hsms)
        yield ((f"   {'':<13}{heads}", Role.MUTED),)
        for metric, name in _METRICS.items():
            counts = evidence.counts.get(metric, {})
            usual = max(counts.values(), default=0)
            cells: list[Span] = [(f"   {name:<13}", Role.MUTED)]
            for hsm_id in hsms:
                count = counts.get(hsm_id)
                shown = f" {Mark.UNREADABLE.glyph if count is None else f'{count:,}':>{_CELL}}"
                cells.append((shown, Role.PLAIN if count == usual else Role.LOUD if count is None else Role.WARN))
            yield tuple(cells)


def _empty(check: Check) -> tuple[Spans, ...]:
    """What is said where there is no finding."""
    if check.running and check.coverage is None:
        return (((f"{Mark.PENDING.glyph} asking CloudWatch and cloudhsm-cli on a client host", Role.ACCENT),),)
    if check.coverage is not None:
        return (((f"{Mark.REPORTED.glyph} nothing that was seen differs", Role.GOOD),),)
    if check.error is not None:
        return (((check.error.hint, Role.ACCENT),),)
    return (
        (("This cluster was not asked yet.", Role.STRONG),),
        (("Users, trust anchors and quorum by cloudhsm-cli's word, counts by CloudWatch's.", Role.MUTED),),
        ((CHECK.key, Role.ACCENT), ("  asks now; it logs in as the crypto user, and uses no key", Role.MUTED)),
    )


def _name(finding: CoverageFinding) -> Spans:
    return sign(MARKS[finding.severity]), (f" {finding.name}", Role.STRONG)


def _graded(finding: CoverageFinding) -> Spans:
    mark = Mark.INFERRED if finding.grade is Grade.INFERRED else Mark.REPORTED
    return (f"{mark.glyph} {finding.grade}", Role.MUTED),  # fmt: skip


_COLUMNS: tuple[Column[CoverageFinding], ...] = (
    Column(heads=("FINDING",), text=lambda finding: finding.name, draw=_name, width=22),
    Column(heads=("WHAT",), text=lambda finding: str(finding.kind), role=Role.MUTED, width=12),
    Column(heads=("SAYS",), text=lambda finding: finding.says, width=24, grows=True),
    Column(heads=("BY",), text=lambda finding: str(finding.source), role=Role.MUTED, width=8, room=90),
    Column(heads=("GRADE",), text=lambda finding: str(finding.grade), draw=_graded, width=11),
)
