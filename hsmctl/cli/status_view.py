"""How clusters stand, as a document, as tables for people and as a verdict for monitoring."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hsmctl.cli.table import Column, table
from hsmctl.cli.view import Case, Check, Level, Page, View
from hsmctl.domain.evidence import Grade, Ok
from hsmctl.domain.status import Standing, exit_code
from hsmctl.domain.status_finding import Finding, Severity, Topic
from hsmctl.mark import GRADES, Mark
from hsmctl.services.status import Region, Surveyed
from hsmctl.words import age, counted

_LEVELS: Mapping[str, Level] = {
    Severity.CRITICAL: Level.CRITICAL,
    Severity.UNKNOWN: Level.UNKNOWN,
    Severity.WARNING: Level.WARNING,
    Severity.PENDING: Level.OK,
    Severity.OK: Level.OK,
}
_MARKS: Mapping[str, Mark] = {
    Severity.CRITICAL: Mark.BAD,
    Severity.UNKNOWN: Mark.UNREADABLE,
    Severity.WARNING: Mark.ATTENTION,
    Severity.PENDING: Mark.PENDING,
}
_NAMED = 5
"""Problems a monitoring line names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """One statement about a cluster."""

    topic: str
    """state, hsm, zones, keys, users, kms, backup, reach, certificate, capacity, type, hold or operation."""
    about: str | None
    """The HSM, key store, certificate or limit it is about; null where it is the cluster."""
    severity: str
    """critical, unknown, warning, pending or ok."""
    brief: str
    says: str
    grade: str | None
    """How it is known; null where it is that something is not."""
    at: datetime | None
    """Since when it is known, where that is not now."""
    way_out: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingRow:
    """How one cluster stands."""

    cluster_id: str
    name: str | None
    context: str | None
    region: str
    state: str
    hsms_active: int
    hsms_total: int
    zones: Mapping[str, int]
    """ACTIVE HSMs by zone."""
    severity: str
    """The worst of its findings."""
    why: str
    """The sentence of the worst of them."""
    findings: tuple[FindingRow, ...]
    """Worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRow:
    """A region of which nothing is known."""

    place: str
    why: str
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusShown:
    """How clusters stand, worst first."""

    severity: str
    says: str
    exit: int
    counts: Mapping[str, int]
    """Findings by severity."""
    clusters: tuple[StandingRow, ...]
    unread: tuple[PlaceRow, ...]
    """Regions that could not be listed."""


def document(surveyed: Sequence[Surveyed]) -> StatusShown:
    """What the regions answered, as it is written."""
    rows = [(each.region, one) for each in surveyed if isinstance(each.outcome, Ok) for one in each.outcome.value]
    order = list(Severity)
    rows.sort(key=lambda row: order.index(row[1].severity))
    unread = tuple(
        PlaceRow(place=str(each.region), why=str(each.error), hint=each.error.hint or None)
        for each in surveyed
        if each.error
    )
    findings = [finding for _, one in rows for finding in one.findings]
    counts = {str(severity): sum(each.severity is severity for each in findings) for severity in Severity}
    worst = min((one.severity for _, one in rows), key=order.index, default=Severity.UNKNOWN)
    if unread and worst not in (Severity.CRITICAL, Severity.UNKNOWN):
        worst = Severity.UNKNOWN
    errors = [each.error for each in surveyed if each.error]
    return StatusShown(
        severity=worst if rows or unread else Severity.OK,
        says=_summary(counts, len(rows), len(unread)),
        exit=exit_code([one for _, one in rows], errors),
        counts=counts,
        clusters=tuple(_row(region, one) for region, one in rows),
        unread=unread,
    )


def _summary(counts: Mapping[str, int], clusters: int, unread: int) -> str:
    """`1 critical, 2 unknown on 3 clusters`, or that nothing is."""
    bad = (Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN, Severity.PENDING)
    told = [f"{counts[severity]} {severity}" for severity in bad if counts[severity]]
    told += [f"{counted(unread, 'place')} not read"] if unread else []
    return f"{', '.join(told) or 'nothing is the matter'} on {counted(clusters, 'cluster')}"


def _row(region: Region, standing: Standing) -> StandingRow:
    cluster = standing.cluster
    return StandingRow(
        cluster_id=cluster.cluster_id,
        name=cluster.tags.get("Name"),
        context=region.context or None,
        region=cluster.region,
        state=cluster.state,
        hsms_active=len(cluster.active_hsms),
        hsms_total=len(cluster.hsms),
        zones={zone: sum(hsm in cluster.active_hsms for hsm in hsms) for zone, hsms in cluster.hsms_by_zone().items()},
        severity=standing.severity,
        why=standing.findings[0].says,
        findings=tuple(map(_finding, standing.findings)),
    )


def _finding(each: Finding) -> FindingRow:
    return FindingRow(
        topic=each.topic,
        about=each.about or None,
        severity=each.severity,
        brief=each.brief,
        says=each.says,
        grade=each.grade,
        at=each.at,
        way_out=each.way_out or None,
    )


def _mark(row: FindingRow) -> Mark:
    """What is well is no better than how it is known."""
    return _MARKS.get(row.severity) or GRADES[row.grade or Grade.INFERRED]


def _lines(shown: StatusShown, page: Page) -> Iterator[str]:
    sign = _MARKS.get(shown.severity, Mark.REPORTED)
    yield f"{sign.glyph} {shown.says}"
    if shown.clusters:
        yield ""
        yield from _clusters(shown.clusters, page)
    told = [(row, each) for row in shown.clusters for each in row.findings if page.wide or each.severity != Severity.OK]
    if told:
        yield ""
        yield from _findings(told, page, alone=len(shown.clusters) == 1)
    for place in shown.unread:
        yield f"{Mark.UNREADABLE.glyph} UNKNOWN: {place.place}: {place.why}"
    yield from dict.fromkeys(f"next: {each.way_out}" for _, each in told if each.way_out)


def _clusters(rows: Sequence[StandingRow], page: Page) -> list[str]:
    columns: tuple[Column[StandingRow], ...] = (
        Column(title="", cell=lambda row: _sign(row).glyph),
        Column(title="CLUSTER", cell=lambda row: row.cluster_id, shrinks=True),
        Column(title="NAME", cell=lambda row: row.name or ""),
        Column(title="CONTEXT", cell=lambda row: row.context or ""),
        Column(title="REGION", cell=lambda row: row.region, wide=len({row.region for row in rows}) < 2),
        Column(title="STATE", cell=lambda row: row.state.upper()),
        Column(title="HSMS", cell=_hsms),
        *(Column(title=topic.upper(), cell=_cell(topic)) for topic in _COLUMNS),
    )
    return table(columns, rows, wide=page.wide, width=page.width)


_COLUMNS = (Topic.KEYS, Topic.USERS, Topic.KMS, Topic.REACH, Topic.BACKUP)


def _hsms(row: StandingRow) -> str:
    """How many are active, and in which zones, these by what tells them apart: `3/3 a1 b1 c1`."""
    zones = [f"{zone[-1:]}{count}" for zone, count in row.zones.items()]
    return " ".join([f"{row.hsms_active}/{row.hsms_total}", *zones])


def _cell(topic: Topic) -> Callable[[StandingRow], str]:
    """The worst that is said about a topic, with what can be said in a word."""

    def cell(row: StandingRow) -> str:
        found = next((each for each in row.findings if each.topic == topic), None)
        if found is None:
            return "–"
        if topic in (Topic.REACH, Topic.KMS) and found.severity == Severity.OK:
            return _mark(found).glyph
        return f"{_mark(found).glyph} {found.brief}"

    return cell


def _sign(row: StandingRow) -> Mark:
    return _MARKS.get(row.severity, Mark.REPORTED)


def _findings(told: Sequence[tuple[StandingRow, FindingRow]], page: Page, *, alone: bool) -> list[str]:
    columns: tuple[Column[tuple[StandingRow, FindingRow]], ...] = (
        Column(title="", cell=lambda pair: _mark(pair[1]).glyph),
        Column(title="CLUSTER", cell=lambda pair: "" if alone else pair[0].cluster_id, shrinks=True),
        Column(title="ABOUT", cell=lambda pair: pair[1].topic),
        Column(title="GRADE", cell=lambda pair: pair[1].grade or "–"),
        Column(title="AGE", cell=lambda pair: age(page.now, pair[1].at) if pair[1].at else "", right=True),
        Column(title="WHY", cell=lambda pair: pair[1].says),
    )
    return table(columns, told, wide=page.wide, width=page.width)


def check(shown: StatusShown) -> Check:
    """The verdict for monitoring: unknown yields to critical alone."""
    problems = [
        f"{row.name or row.cluster_id}: {each.says}"
        for row in shown.clusters
        for each in row.findings
        if each.severity not in (Severity.OK, Severity.PENDING)
    ]
    problems += [f"{place.place}: {place.why}" for place in shown.unread]
    more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
    figures = {
        "clusters": len(shown.clusters),
        "hsms_active": sum(row.hsms_active for row in shown.clusters),
        "hsms": sum(row.hsms_total for row in shown.clusters),
        **{severity: shown.counts[severity] for severity in ("critical", "warning", "unknown")},
    }
    return Check(
        level=_LEVELS[shown.severity],
        says=": ".join([shown.says, *(["; ".join(problems[:_NAMED]) + more] if problems else [])]),
        figures=figures,
        cases=[_case(row, each) for row in shown.clusters for each in row.findings]
        + [Case(labels={"place": each.place}, level=Level.UNKNOWN, says=each.why) for each in shown.unread],
    )


def _case(row: StandingRow, each: FindingRow) -> Case:
    labels = {"cluster": row.cluster_id, "region": row.region, "topic": each.topic, "about": each.about or ""}
    labels |= {"context": row.context} if row.context else {}
    return Case(labels=labels, level=_LEVELS[each.severity], says=each.says)


VIEW: View[StatusShown] = View(
    schema="status@1",
    document=StatusShown,
    lines=_lines,
    names=lambda shown: [row.cluster_id for row in shown.clusters if row.severity != Severity.OK],
    items=lambda shown: shown.clusters,
    check=check,
)
