"""What the fleet's tables show: a line for each cluster and for each problem; loaded with the first answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.evidence import Grade
from hsmctl.domain.status_cluster import RUNNING
from hsmctl.domain.status_finding import Finding, Severity, Topic
from hsmctl.mark import GRADES, Mark
from hsmctl.words import counted

from .attention import MARKS, problems, standing
from .check import Check
from .column import Column
from .estate import Estate
from .glyph import Role, Spans, rank, role, sign
from .problem import Problem
from .several import Several
from .verdict import few_words, short, since
from .words import cluster_name, region_word, state_word


def worst_first(clusters: Iterable[Cluster], estate: Estate) -> list[Cluster]:
    """The clusters, those in trouble on top."""
    return sorted(clusters, key=lambda cluster: (rank(standing(cluster, estate)), cluster_name(cluster)))


def cluster_columns(several: Several) -> tuple[Column[Cluster], ...]:
    """The columns, which ask the surveys so that they always show the newest check."""

    def now() -> datetime:
        return several.surveys[0].hsmctl.clock.now()

    def check(cluster: Cluster) -> Check:
        return several.estate.check(cluster)

    def mark(cluster: Cluster) -> Spans:
        return sign(standing(cluster, several.estate)), (f" {cluster_name(cluster)}", Role.STRONG)

    def why(cluster: Cluster) -> str:
        return next((problem.brief for problem in problems(cluster, several.estate)), "")

    def sync(cluster: Cluster) -> Spans:
        return short(check(cluster), now()) if cluster.state in RUNNING else (("–", Role.MUTED),)

    return (
        Column(heads=("CLUSTER",), text=cluster_name, draw=mark, width=10, grows=True),
        *_whereabouts(several),
        Column(heads=("STATE",), text=lambda cluster: state_word(cluster.state), width=6, grows=True),
        Column(heads=("HSMS",), text=_hsms, draw=_hsms_drawn, width=5, right=True),
        Column(heads=("SYNC",), text=lambda cluster: few_words(check(cluster)), draw=sync, width=14, grows=True),
        Column(
            heads=("AGE",),
            text=lambda cluster: since(check(cluster), now()),
            role=Role.MUTED,
            width=6,
            right=True,
            room=100,
        ),
        _topic(several, "USERS", Topic.USERS, 5),
        _topic(several, "KMS", Topic.KMS, 3),
        _topic(several, "REACH", Topic.REACH, 5),
        _topic(several, "BACKUP", Topic.BACKUP, 7),
        Column(heads=("WHY",), text=why, width=12, grows=True, room=110),
    )


def problem_columns(found: Sequence[Problem]) -> tuple[Column[Problem], ...]:
    """Whose problem it is, quietly where the line above says so already, and the problem."""
    again = {one.identity for above, one in pairwise(found) if _whose(above) == _whose(one)}

    def origin(problem: Problem) -> Spans:
        said = Role.MUTED if problem.identity in again else Role.STRONG
        return sign(problem.mark), (f" {_whose(problem)}", said)

    return (
        Column(heads=(f"ATTENTION {len(found)}",), text=_whose, draw=origin, width=11, grows=True),
        Column(heads=("",), text=lambda problem: problem.text, width=20, grows=True),
    )


def calm(estate: Estate) -> Spans:
    """What may be said when there is no problem: only what was looked at."""
    clusters = estate.clusters
    if not clusters:
        return ()
    unchecked = [cluster for cluster in clusters if not estate.check(cluster).whole]
    if not unchecked:
        return sign(Mark.REPORTED), (f" nothing needs attention in {counted(len(clusters), 'cluster')}", Role.GOOD)
    if any(estate.check(cluster).running for cluster in unchecked):
        return sign(Mark.PENDING), (f" checking {counted(len(unchecked), 'cluster')}", Role.ACCENT)
    words = f" {counted(len(unchecked), 'cluster')} of {len(clusters)} not checked: c compares its keys"
    return sign(Mark.UNPROVEN), (words, Role.MUTED)


def _whereabouts(several: Several) -> Sequence[Column[Cluster]]:
    """Columns that tell places apart, where there are several."""

    def context(cluster: Cluster) -> str:
        survey = several.of(cluster)
        return survey.hsmctl.context.name if survey else ""

    def region(cluster: Cluster) -> str:
        return region_word(cluster.region)

    wheres = Column(heads=("CONTEXT",), text=context, width=8), Column(heads=("REGION",), text=region, width=6)
    return wheres[0 if several.contexts > 1 else 1 :] if several.many else ()


def _topic(several: Several, head: str, topic: Topic, width: int) -> Column[Cluster]:
    """A column of what `hsmctl status` finds about a topic, at its worst; a dash where nothing is known."""

    def found(cluster: Cluster) -> Finding | None:
        told = several.estate.standings.get(cluster.cluster_id)
        return told.on(topic) if told else None

    def text(cluster: Cluster) -> str:
        finding = found(cluster)
        return finding.brief if finding and finding.brief != "none" else "–"

    def draw(cluster: Cluster) -> Spans:
        finding = found(cluster)
        if finding is None or finding.brief == "none":
            return (("–", Role.MUTED),)
        bad = finding.severity is not Severity.OK
        mark = MARKS[finding.severity] if bad else GRADES[finding.grade or Grade.REPORTED]
        brief = finding.brief if len(finding.brief) <= width - 2 else ""
        return sign(mark), (f" {brief}", role(mark) if bad and mark is not Mark.UNREADABLE else Role.PLAIN)

    return Column(heads=(head,), text=text, draw=draw, width=width, room=100 if several.many else 78)


def _whose(problem: Problem) -> str:
    return cluster_name(problem.cluster) if problem.cluster else problem.where or "AWS"


def _hsms(cluster: Cluster) -> str:
    """Active and all."""
    return f"{len(cluster.active_hsms)}/{len(cluster.hsms)}"


def _hsms_drawn(cluster: Cluster) -> Spans:
    whole = len(cluster.active_hsms) == len(cluster.hsms)
    return ((_hsms(cluster), Role.PLAIN if whole else Role.WARN),)
