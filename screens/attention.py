"""What about a cluster deserves an operator's attention, in words that name the thing and its cause, worst first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from hsmctl.domain.cluster import Cluster, Hsm, HsmState
from hsmctl.domain.evidence import Failed
from hsmctl.domain.status_cluster import of_hsms, of_state
from hsmctl.domain.status_finding import Finding, Severity, Topic
from hsmctl.mark import CELLS, VERDICTS, Mark

from .check import Check
from .estate import Estate
from .glyph import rank, troubled
from .problem import Problem

_PROVED, _IN_SYNC = "proved", "in sync"
"""Words of `domain.sync`, which the first frame need not load."""


MARKS = {
    Severity.CRITICAL: Mark.BAD,
    Severity.UNKNOWN: Mark.UNREADABLE,
    Severity.WARNING: Mark.ATTENTION,
    Severity.PENDING: Mark.PENDING,
}
"""The sign of a finding of `hsmctl status` that is not ok."""
_NOUNS = {Topic.USERS: "user", Topic.REACH: "net", Topic.OPERATION: "operation"}
"""The place that shows more about a topic; else it is the cluster's."""
_LAST_CHECK, _KEY_COUNT = "sync check", "HsmKeysTokenOccupied"
"""What findings about the last check and about the counts of keys are about."""
_SHOWN = (Topic.STATE, Topic.HOLD)
"""Topics that are told from what was looked at just now."""


def attention(estate: Estate) -> tuple[Problem, ...]:
    """Every problem of the estate, worst first."""
    found = [problem for cluster in estate.clusters or () for problem in problems(cluster, estate)]
    errors = filter(None, (estate.error, estate.unheld, None if estate.error else estate.unstanding))
    found += (Problem(mark=Mark.UNREADABLE, brief="", text=str(error), error=error) for error in errors)
    found += estate.unread
    return tuple(sorted(found, key=lambda problem: rank(problem.mark)))


def problems(cluster: Cluster, estate: Estate) -> tuple[Problem, ...]:
    """The problems of one cluster, worst first; what two sources tell alike once."""
    found = [
        *_of_cluster(cluster),
        *_of_check(cluster, estate.check(cluster)),
        *_of_hold(cluster, estate),
        *_of_standing(cluster, estate),
    ]
    known: dict[str, Problem] = {}
    for problem in found:
        known.setdefault(problem.text, problem)
    return tuple(sorted(known.values(), key=lambda problem: rank(problem.mark)))


def standing(cluster: Cluster, estate: Estate) -> Mark:
    """The one sign of a cluster: its worst problem, or how well it is known to be in order."""
    found = problems(cluster, estate)
    return found[0].mark if found else verdict(estate.check(cluster))


def verdict(check: Check) -> Mark:
    """The sign of a check: a partial one is in progress however good it looks so far, and bad as soon as it is."""
    if check.report is None and check.coverage is not None:
        return VERDICTS[check.coverage.verdict]
    if check.report is None:
        return Mark.PENDING if check.running else Mark.UNREADABLE if check.error else Mark.UNPROVEN
    seen = VERDICTS[check.report.verdict]
    if seen is Mark.UNREADABLE and all(reading.replica.absent for reading in check.report.unreadable):
        seen = Mark.PARTIAL
    return seen if check.whole or rank(seen) < rank(Mark.UNREADABLE) else Mark.PENDING


def hsm_mark(hsm: Hsm, check: Check) -> Mark:
    """The sign of one HSM: the service's word about it, and what its keys showed where it could be asked itself."""
    if hsm.state is HsmState.DEGRADED:
        return Mark.BAD
    return replica_mark(hsm.hsm_id, check) if hsm.state is HsmState.ACTIVE else Mark.PENDING


def replica_mark(name: str, check: Check) -> Mark:
    """The sign of one replica: its worst cell if something is wrong there, else that of the whole check."""
    reading = check.reading(name)
    if check.judgement is None or reading is None:
        return Mark.PENDING if name in check.awaited else Mark.REPORTED
    if isinstance(reading.outcome, Failed):
        return Mark.PENDING if reading.replica.absent else Mark.UNREADABLE
    worst = CELLS[check.judgement.worst.get(name, _PROVED)]
    if troubled(worst) or worst in (Mark.PARTIAL, Mark.PENDING):
        return worst
    return Mark.PROVED if check.judgement.report.verdict == _IN_SYNC else Mark.REPORTED


def _of_cluster(cluster: Cluster) -> Iterator[Problem]:
    """What DescribeClusters alone tells, by the rules of `hsmctl status`."""
    for finding in (*of_state(cluster), *of_hsms(cluster)):
        if finding.severity is not Severity.OK:
            yield Problem(mark=MARKS[finding.severity], brief=finding.brief, text=finding.says, cluster=cluster)


def _of_standing(cluster: Cluster, estate: Estate) -> Iterator[Problem]:
    """What the other sources tell, apart from what is known better from DescribeClusters and the check."""
    told = estate.standings.get(cluster.cluster_id)
    newer = {*of_hsms(told.cluster), *of_hsms(cluster)} if told else set()
    better = _seen_better(estate.check(cluster))
    found = told.problems if told else ()
    shown = [each for each in found if not (each.topic in _SHOWN or each in newer or each.about in better)]
    for each, says in _together(shown):
        noun = _NOUNS.get(each.topic, "cluster")
        yield Problem(mark=MARKS[each.severity], brief=each.brief, text=says, noun=noun, cluster=cluster)


def _together(found: Sequence[Finding]) -> Iterator[tuple[Finding, str]]:
    """The findings with what they say; what could not be asked for one and the same reason is one of them."""
    whys = [each.says.removeprefix(f"{each.about}: ") for each in found]
    for number, (each, why) in enumerate(zip(found, whys, strict=True)):
        alike = [other.about for other, its in zip(found, whys, strict=True) if its == why != other.says]
        if why == each.says:
            yield each, each.says
        elif why not in whys[:number]:
            yield each, f"{', '.join(alike)}: {why}"


def _seen_better(check: Check) -> Collection[str]:
    """What a check has seen itself: its own verdict, and where it read every key of every HSM why counts differ.

    A count that differs while the check finds nothing is told: then one of the two is wrong.
    """
    if check.at is None:
        return ()
    judged = check.judgement
    whole = judged is not None and judged.report.scope.full and not judged.report.unreadable
    return (_LAST_CHECK, _KEY_COUNT) if whole and judged and judged.problems else (_LAST_CHECK,)


def _of_hold(cluster: Cluster, estate: Estate) -> Iterator[Problem]:
    hold = estate.holds.get(cluster.cluster_id)
    if hold is not None:
        text = f"held by {hold.set_by}, nothing is removed: {hold.reason}"
        yield Problem(mark=Mark.ATTENTION, brief="held", text=text, cluster=cluster)


def _of_check(cluster: Cluster, check: Check) -> Iterator[Problem]:
    for problem in (*(check.judgement.problems if check.judgement else ()), *check.found):
        yield replace(problem, cluster=cluster)
    if check.error:
        text = f"keys not checked: {check.error}"
        yield Problem(mark=Mark.UNREADABLE, brief="not checked", text=text, cluster=cluster, error=check.error)
