"""`sync check` of a cluster by its own evidence: what AWS counts, a client host reports and a crypto user sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.view import Case, Check, Level, Page, View
from hsmctl.domain.cluster import Cluster
from hsmctl.domain.coverage import CoverageFinding, Severity, Source
from hsmctl.domain.coverage_verdict import CoverageReport, CoverageVerdict, words
from hsmctl.errors import ExitCode, UsageError
from hsmctl.mark import VERDICTS, Mark
from hsmctl.services.fanout import within
from hsmctl.settings import ContextKind
from hsmctl.words import counted

LAB_NODE = "lab-node"
_MARKS = {
    Severity.DRIFT: Mark.BAD,
    Severity.ATTRIBUTES: Mark.ATTRIBUTES,
    Severity.UNSEEN: Mark.UNREADABLE,
    Severity.NOTE: Mark.ATTENTION,
}
_LEVELS = {
    CoverageVerdict.NOT_IN_SYNC: Level.CRITICAL,
    CoverageVerdict.ATTRIBUTES_DIFFER: Level.WARNING,
    CoverageVerdict.INCOMPLETE: Level.WARNING,
    CoverageVerdict.UNKNOWN: Level.UNKNOWN,
    CoverageVerdict.NO_DIFFERENCE_SEEN: Level.OK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRow:
    """One thing that is not as it should be, or was not seen."""

    kind: str
    """connection, user, key, quorum, trust anchor or count."""
    name: str
    says: str
    severity: str
    """drift, attributes, unseen or note."""
    level: str
    """Which level of evidence says so: control, host or login."""
    grade: str
    """reported, or inferred from counts."""
    repair: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """A check of a cluster by its own evidence."""

    cluster_id: str
    verdict: str
    scope: str
    """About how much the verdict speaks."""
    full_scope: bool
    levels: tuple[str, ...]
    """The levels that were asked."""
    host: str | None
    """The client host that spoke."""
    active: int
    connected: int | None
    users: int | None
    keys: int | None
    counts: Mapping[str, Mapping[str, int]]
    """CloudWatch's last numbers by metric and HSM."""
    aws_requests: int
    """Requests sent to AWS, retries counted."""
    findings: tuple[EvidenceRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was typed about a check by evidence."""

    via: str | None = None
    """How far to ask: control, host or login; lab-node asks the lab's HSMs one by one."""
    client: str | None = None
    full_scope: bool = False
    replicas: bool = False
    """Whether an option was typed that only replicas can answer."""


def levels(session: Session, wanted: Wanted) -> frozenset[Source]:
    """The levels to ask; none where replicas are compared one by one.

    A cluster is one replica to its clients, so it is asked by its own evidence unless the context has tokens. The lab
    is looked at as AWS is; what its HSMs say one by one is the oracle that the evidence is held against.

    Raises:
        UsageError: what was typed cannot be had together.
    """
    context = session.hsmctl.context
    if wanted.via == LAB_NODE and context.kind is not ContextKind.LAB:
        raise UsageError("--via lab-node", "only the lab's HSMs can be asked one by one", "--via login")
    if wanted.via in tuple(Source):
        if wanted.replicas:
            why = "a cluster is one replica: its HSMs are not compared one by one"
            raise UsageError(
                f"--via {wanted.via}", why, "leave out --replica, --deep, --require, --baseline and the like"
            )
        return frozenset(list(Source)[: list(Source).index(Source(str(wanted.via))) + 1])
    alone = wanted.via is None and not context.tokens and not wanted.replicas
    return frozenset(Source) if alone and (context.clients or context.clusters) else frozenset()


def check_evidence(
    session: Session, cluster: str | None, asked: frozenset[Source], wanted: Wanted, seconds: float | None
) -> int:
    """Check a cluster by its own evidence and write what was found; the exit code. Without `seconds` it takes its time.

    Raises:
        Unreachable: there was no answer in time.
    """
    facade = session.hsmctl

    def look() -> tuple[Cluster, CoverageReport]:
        session.check_account(cluster)
        found = facade.cluster.only(cluster)
        return found, facade.evidence.check(found, asked, wanted.client)

    if seconds is None:
        found, report = look()
    else:
        until = facade.clock.monotonic() + seconds - session.lived()
        found, report = within(look, "the cluster", clock=facade.clock, deadline=until)
    code = report.exit_code
    if wanted.full_scope and not report.full_scope and code is ExitCode.OK:
        code = ExitCode.PARTIAL
    return session.show(COVERAGE, _document(report, asked, facade.aws.requests), region=found.region, code=code)


def _document(report: CoverageReport, levels: frozenset[Source], requests: int) -> Coverage:
    evidence = report.evidence
    return Coverage(
        cluster_id=evidence.cluster_id,
        verdict=report.verdict,
        scope=report.scope,
        full_scope=report.full_scope,
        levels=tuple(source for source in Source if source in levels),
        host=evidence.host or None,
        active=len(evidence.active),
        connected=evidence.connected,
        users=None if evidence.users is None else len(evidence.users),
        keys=None if evidence.keys is None else len(evidence.keys),
        counts=evidence.counts,
        aws_requests=requests,
        findings=tuple(map(_row, report.findings)),
    )


def _row(finding: CoverageFinding) -> EvidenceRow:
    return EvidenceRow(
        kind=finding.kind,
        name=finding.name,
        says=finding.says,
        severity=finding.severity,
        level=finding.source,
        grade=finding.grade,
        repair=finding.repair or None,
    )


def _lines(found: Coverage, page: Page) -> Iterator[str]:
    yield f"{VERDICTS[found.verdict].glyph} {_says(found)}"
    yield f"  {found.scope}"
    yield f"  {counted(found.aws_requests, 'AWS request')}"
    columns: tuple[Column[EvidenceRow], ...] = (
        Column(title="", cell=lambda row: _MARKS[Severity(row.severity)].glyph),
        Column(title="WHAT", cell=lambda row: row.kind),
        Column(title="NAME", cell=lambda row: row.name, shrinks=True),
        Column(title="FOUND", cell=lambda row: row.says),
        Column(title="BY", cell=lambda row: row.level),
        Column(title="GRADE", cell=lambda row: row.grade),
    )
    if found.findings:
        yield ""
        yield from table(columns, found.findings, wide=page.wide, width=page.width)
        yield from dict.fromkeys(f"repair: {row.repair}" for row in found.findings if row.repair)


def _says(found: Coverage) -> str:
    partial = found.keys is not None and not found.full_scope
    return words(found.verdict, [row.severity for row in found.findings], partial=partial)


def _verdict(found: Coverage) -> Check:
    named = ", ".join(f"{row.kind} {row.name} {row.says}" for row in found.findings[:5])
    severities = {"drift": Level.CRITICAL, "attributes": Level.WARNING, "unseen": Level.UNKNOWN, "note": Level.OK}
    cases = [
        Case(
            labels={"kind": row.kind, "name": row.name, "says": row.says}, level=severities[row.severity], says=row.says
        )
        for row in found.findings
    ]
    figures = {"active": found.active, "findings": len(found.findings)}
    figures |= {} if found.keys is None else {"keys": found.keys}
    says = f"{_says(found)}: {named}" if named else f"{_says(found)}; {found.scope}"
    return Check(level=_LEVELS[CoverageVerdict(found.verdict)], says=says, figures=figures, cases=cases)


COVERAGE: View[Coverage] = View(
    schema="sync.coverage@1",
    document=Coverage,
    lines=_lines,
    names=lambda found: dict.fromkeys(row.name for row in found.findings),
    items=lambda found: found.findings,
    check=_verdict,
)
