"""How a cluster stands by its own evidence of keys and users: what differs, what agrees, what is not known."""

from __future__ import annotations

from collections.abc import Iterator

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.coverage import KEY_METRIC, USER_METRIC, Evidence
from hsmctl.domain.coverage import Severity as Coverage
from hsmctl.domain.coverage_verdict import CoverageReport
from hsmctl.domain.evidence import Grade
from hsmctl.domain.limit import limits
from hsmctl.domain.status_finding import Finding, Severity, Topic


def of_coverage(cluster: Cluster, report: CoverageReport) -> Iterator[Finding]:
    """What a cluster's own evidence says of keys and users; equal counts let agreement be inferred, no more."""
    severities = {
        Coverage.DRIFT: Severity.CRITICAL,
        Coverage.ATTRIBUTES: Severity.WARNING,
        Coverage.UNSEEN: Severity.UNKNOWN,
        Coverage.NOTE: Severity.WARNING,
    }
    of_users = {"user", "quorum", "trust anchor"}
    moving = set(report.evidence.moving)
    for each in report.findings:
        if each.name in moving:
            continue  # its state says so already
        topic = Topic.USERS if each.kind in of_users or each.name == USER_METRIC else Topic.KEYS
        yield Finding(
            topic=topic,
            severity=severities[each.severity],
            brief=f"{topic} differ" if each.severity is Coverage.DRIFT else str(each.kind),
            says=each.sentence,
            about=each.name,
            grade=each.grade,
            way_out=each.repair,
        )
    yield from _counted(cluster, report.evidence)


def _counted(cluster: Cluster, evidence: Evidence) -> Iterator[Finding]:
    """What equal counts say, and which HSM has published none."""
    if not evidence.active or evidence.failures:
        return
    nouns = {KEY_METRIC: (Topic.KEYS, "token keys"), USER_METRIC: (Topic.USERS, "users")}
    for metric, (topic, noun) in nouns.items():
        counts = evidence.counts.get(metric, {})
        silent = sorted(set(evidence.active) - set(counts))
        if silent:
            says = f"{', '.join(silent)} published no {metric} lately: its {noun} are not known"
            yield Finding(
                topic=topic, severity=Severity.UNKNOWN, brief="no metric", says=says, about=metric, grade=None
            )
        elif len(set(counts.values())) == 1:
            number = next(iter(counts.values()))
            held = limits(cluster.hsm_type).users - number if metric == USER_METRIC else number
            says = f"{held:,} {noun} on each of {len(counts)} HSMs"
            yield Finding(
                topic=topic,
                severity=Severity.OK,
                brief=f"{held:,}",
                says=says,
                about=metric,
                grade=Grade.INFERRED,
                figure=held,
            )
