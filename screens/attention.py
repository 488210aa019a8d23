"""What about a cluster deserves an operator's attention, in words that name the thing and its cause, worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from hsmctl.domain.cluster import Cluster, ClusterState, Hsm, HsmState
from hsmctl.domain.evidence import Failed, Ok
from hsmctl.domain.key import Identity, Key
from hsmctl.domain.sync import Cell, Reading, Report, Row, Verdict, compare
from hsmctl.mark import CELLS, VERDICTS, Mark

from .estate import CHECKABLE, Agreement, Check, Estate, Judgement, Problem
from .glyph import rank, troubled
from .words import listed

_WORDS = {
    Cell.MISSING: ("lacks", "lack"),
    Cell.DIFFERENT: ("holds other material for", "differ on"),
    Cell.ATTRIBUTES: ("has other attributes for", "have other attributes for"),
}
"""What one replica, or several, do that the others do not."""


def attention(estate: Estate) -> tuple[Problem, ...]:
    """Every problem of the estate, worst first."""
    found = [problem for cluster in estate.clusters or () for problem in problems(cluster, estate.check(cluster))]
    if estate.error:
        found.append(Problem(mark=Mark.UNREADABLE, brief="", text=str(estate.error), error=estate.error))
    return tuple(sorted(found, key=lambda problem: rank(problem.mark)))


def problems(cluster: Cluster, check: Check) -> tuple[Problem, ...]:
    """The problems of one cluster, worst first."""
    found = [*_of_state(cluster), *_of_hsms(cluster), *_of_check(cluster, check)]
    return tuple(sorted(found, key=lambda problem: rank(problem.mark)))


def standing(cluster: Cluster, check: Check) -> Mark:
    """The one sign of a cluster: its worst problem, or how well it is known to be in order."""
    found = problems(cluster, check)
    return found[0].mark if found else verdict(check)


def verdict(check: Check) -> Mark:
    """The sign of a check: a partial one is in progress however good it looks so far, and bad as soon as it is."""
    if check.report is None:
        return Mark.PENDING if check.running else Mark.UNREADABLE if check.error else Mark.UNPROVEN
    seen = VERDICTS[check.report.verdict]
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
        return Mark.UNREADABLE
    worst = CELLS[check.judgement.worst.get(name, Cell.PROVED)]
    if troubled(worst):
        return worst
    return Mark.PROVED if check.judgement.report.verdict is Verdict.IN_SYNC else Mark.REPORTED


def judge(readings: Sequence[Reading]) -> Judgement:
    """The comparison of these readings and what it amounts to; work for a thread, it grows with keys × replicas."""
    report = compare(readings)
    different = report.differences
    kinds = Counter(row.cells for row in report.rows)
    names = [reading.replica.name for reading in report.readings]
    return Judgement(
        report=report,
        words=report.words,
        different=different,
        agreements=tuple(_agreements(report.rows[len(different) :])),
        worst=dict(zip(names, _weakest(kinds), strict=True)) if kinds else {},
        problems=tuple(_findings(report, different)),
        listed=_listed(report),
    )


def _agreements(rows: Sequence[Row]) -> Iterator[Agreement]:
    """Rows that agree, a group for each worst cell; the rows come in that order."""
    for worst, group in groupby(rows, key=lambda row: row.worst):
        kinds = Counter(row.cells for row in group)
        yield Agreement(worst=worst, count=kinds.total(), cells=_weakest(kinds))


def _weakest(kinds: Iterable[tuple[Cell, ...]]) -> tuple[Cell, ...]:
    """By replica, the weakest cell of rows of these kinds."""
    return tuple(min(column, key=lambda cell: rank(CELLS[cell])) for column in zip(*kinds, strict=True))


def _listed(report: Report) -> Mapping[Identity, tuple[Key, ...]]:
    first = next((reading.outcome.value for reading in report.readings if isinstance(reading.outcome, Ok)), None)
    listed: dict[Identity, tuple[Key, ...]] = {}
    for key in first.keys if first else ():
        listed[key.identity] = (*listed.get(key.identity, ()), key)
    return listed


def _findings(report: Report, different: Sequence[Row]) -> Iterator[Problem]:
    """The differences and the unreadable replicas, a sentence for each kind."""
    names = [reading.replica.name for reading in report.readings]
    by_cell: dict[Cell, list[Row]] = {}
    for row in different:
        by_cell.setdefault(row.worst, []).append(row)
    yield from (_difference(cell, rows, names) for cell, rows in by_cell.items())
    yield from _unreadable(report)


def _of_state(cluster: Cluster) -> Iterator[Problem]:
    state = cluster.state
    why = f": {cluster.message}" if cluster.message else ""
    if state is ClusterState.INITIALIZED:
        text = "initialized but not activated: whoever reaches an HSM can claim it"
        yield Problem(mark=Mark.BAD, brief="not activated", text=text, cluster=cluster)
    elif state is ClusterState.DEGRADED:
        yield Problem(mark=Mark.BAD, brief="degraded", text=f"the cluster is degraded{why}", cluster=cluster)
    elif state is not ClusterState.ACTIVE:
        words = state.replace("_", " ")
        yield Problem(mark=Mark.PENDING, brief=words, text=f"the cluster is {words}{why}", cluster=cluster)


def _of_hsms(cluster: Cluster) -> Iterator[Problem]:
    for hsm in cluster.hsms:
        why = f": {hsm.message}" if hsm.message else ""
        if hsm.state is HsmState.DEGRADED:
            text = f"{hsm.hsm_id} is degraded{why}"
            yield Problem(mark=Mark.BAD, brief="HSM degraded", text=text, cluster=cluster)
        elif hsm.state is not HsmState.ACTIVE:
            words = hsm.state.replace("_", " ")
            yield Problem(mark=Mark.PENDING, brief=words, text=f"{hsm.hsm_id}: {words}{why}", cluster=cluster)
    if cluster.state not in CHECKABLE:
        return
    if not cluster.active_hsms:
        text = "no HSM is active: nothing can be signed or decrypted"
        yield Problem(mark=Mark.BAD, brief="no active HSM", text=text, cluster=cluster)
    elif len(cluster.active_hsms) == 1:
        text = f"only {cluster.active_hsms[0].hsm_id} is active: one failure from standing still"
        yield Problem(mark=Mark.ATTENTION, brief="one HSM only", text=text, cluster=cluster)


def _of_check(cluster: Cluster, check: Check) -> Iterator[Problem]:
    for problem in check.judgement.problems if check.judgement else ():
        yield replace(problem, cluster=cluster)
    if check.error:
        text = f"keys not checked: {check.error}"
        yield Problem(mark=Mark.UNREADABLE, brief="not checked", text=text, cluster=cluster, error=check.error)


def _difference(cell: Cell, rows: list[Row], names: list[str]) -> Problem:
    """`hsm-b lacks key db-kek`: the HSM first, because that is what one goes and looks at."""
    replicas = sorted({names[place] for row in rows for place, seen in enumerate(row.cells) if seen is cell})
    one, many = _WORDS[cell]
    keys = listed([str(row.identity) for row in rows], 2)
    does, noun = one if len(replicas) == 1 else many, "key" if len(rows) == 1 else "keys"
    text = f"{listed(replicas, 2)} {does} {noun} {keys}"
    return Problem(mark=CELLS[cell], brief=f"{len(rows):,} {cell}", text=text, noun="sync")


def _unreadable(report: Report) -> Iterator[Problem]:
    failed = [
        (reading.replica.name, reading.outcome.error)
        for reading in report.unreadable
        if isinstance(reading.outcome, Failed)
    ]
    if failed:
        name, error = failed[0]
        brief = f"{len(failed)} unreadable"
        text = (
            f"{name} is unreadable: {error.why or error.what}" if len(failed) == 1 else f"{brief}; {name}: {error.why}"
        )
        yield Problem(mark=Mark.UNREADABLE, brief=brief, noun="sync", text=text, error=error)
