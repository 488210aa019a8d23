"""How a check is shown: a sign and words as long as there is room, its age, and a tile for each HSM or replica."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hsmctl.domain.cluster import Cluster, ClusterState
from hsmctl.domain.evidence import Ok
from hsmctl.domain.status_cluster import UNCLAIMED
from hsmctl.mark import Mark
from hsmctl.words import age, counted

from .attention import hsm_mark, replica_mark, verdict
from .check import Check
from .command import CEREMONY
from .detail import Tile, noted
from .estate import Estate
from .glyph import Role, Spans, role, sign
from .reason import reason

if TYPE_CHECKING:
    from hsmctl.domain.sync import Report

_NO_DIFFERENCE = "no difference seen"
"""A word of `domain.sync.Verdict`, which the first frame need not load."""
STALE = timedelta(minutes=5)
"""From this age on a verdict is shown dim."""


def short(check: Check, now: datetime) -> Spans:
    """The verdict in a cell of a table."""
    mark = verdict(check)
    stale = check.at is not None and now - check.at >= STALE
    return sign(mark), (f" {few_words(check)}", Role.MUTED if stale else Role.PLAIN)


def long(check: Check, width: int) -> list[Spans]:
    """The verdict: what, about how much, how many answered; on two lines where one is too narrow."""
    mark, judgement = verdict(check), check.judgement
    if judgement is None:
        words, facts = few_words(check), check.coverage.scope if check.coverage else _next_step(check)
    else:
        words = judgement.words if check.whole else f"so far {judgement.words}"
        facts = " · ".join(
            filter(None, (_grade(judgement.report), _scope(judgement.report), _answered(judgement.report, check)))
        )
    what: Spans = ((" ", Role.PLAIN), sign(mark), (f" {words}", role(mark)))
    if len(words) + len(facts) + 6 > width:
        return [what, ((f"   {facts}", Role.MUTED),)]
    return [(*what, (f"   {facts}", Role.MUTED))]


def next_step(cluster: Cluster, width: int) -> list[Spans]:
    """What is to be done with a cluster that nobody can use yet."""
    if cluster.state not in UNCLAIMED:
        return []
    initialized = cluster.state is ClusterState.INITIALIZED
    what = "sets the first admins' passwords" if initialized else "claims it step by step"
    return noted((f"▸ {CEREMONY.key}", Role.ACCENT), f"{what}; until then it holds no key and nobody can use it", width)


def since(check: Check, now: datetime) -> str:
    """How old the verdict is, or that a new one is coming."""
    return Mark.PENDING.glyph if check.running else age(now, check.at)


def few_words(check: Check) -> str:
    """The verdict in two or three words."""
    if check.coverage is not None and check.judgement is None:
        return str(check.coverage.verdict)
    if check.judgement is None:
        answered = len(check.replicas) - len(check.awaited)
        if check.running:
            return f"{answered} of {len(check.replicas)} read" if check.replicas else "asking"
        return "could not check" if check.error else "not checked"
    report = check.judgement.report
    wrong = check.judgement.wrong
    if wrong:
        return f"{counted(wrong, 'key')} {'differs' if wrong == 1 else 'differ'}"
    if check.judgement.different:
        return f"{counted(len(check.judgement.different), 'key')} not settled"
    if report.unreadable:
        return f"{len(report.readings) - len(report.unreadable)} of {len(check.replicas)} readable"
    if not check.whole:
        return f"{len(report.readings)} of {len(check.replicas)} read"
    if report.verdict == _NO_DIFFERENCE:
        return "no difference seen" if report.scope.full else "visible keys agree"
    return str(report.verdict)


def hsm_tiles(cluster: Cluster, estate: Estate) -> list[Tile]:
    """A tile for each HSM of the cluster."""
    check = estate.check(cluster)
    return [
        Tile(
            mark=hsm_mark(hsm, check),
            name=hsm.hsm_id,
            group=hsm.zone,
            note=_note(check, hsm.hsm_id),
            why=reason(cluster, hsm.hsm_id, estate),
        )
        for hsm in sorted(cluster.hsms, key=lambda hsm: (hsm.zone, hsm.hsm_id))
    ]


def replica_tiles(check: Check) -> list[Tile]:
    """A tile for each replica of a check."""
    replicas = ((replica.name, replica.group) for replica in check.replicas)
    reasons = check.judgement.reasons if check.judgement else {}
    return [
        Tile(mark=replica_mark(name, check), name=name, group=group, note=_note(check, name), why=reasons.get(name, ""))
        for name, group in replicas
    ]


def held(check: Check, name: str) -> str:
    """How many keys a replica showed."""
    reading = check.reading(name)
    if reading is None:
        return ""
    return f"{len(reading.outcome.value.keys):,}" if isinstance(reading.outcome, Ok) else "unreadable"


def _note(check: Check, name: str) -> str:
    shown = held(check, name)
    return f"{shown} keys" if shown[:1].isdigit() else shown


def _next_step(check: Check) -> str:
    if check.error:
        return f"{check.error} · {check.error.hint}" if check.error.hint else str(check.error)
    return "" if check.running else "c compares the keys on every replica"


def _scope(report: Report) -> str:
    """About how much the verdict speaks."""
    scope = report.scope
    if not scope.users:
        return ""
    seen = f"{scope.visible:,}/{scope.total:,}" if scope.total is not None else f"{scope.visible:,} visible"
    part = "" if scope.full else " (not every key is visible)" if scope.total is not None else ""
    return f"{seen} keys as {', '.join(scope.users)}{part}"


def _answered(report: Report, check: Check) -> str:
    answered = f"{len(report.readings) - len(report.unreadable)}/{len(check.replicas)} replicas"
    return f"{answered} · {counted(report.reads, 'read')}" if report.reads else answered


def _grade(report: Report) -> str:
    """How well what agrees is known."""
    if report.proved == len(report.rows):
        return "proved" if report.rows else ""
    return f"{report.proved:,} proved, {report.unproven:,} not" if report.proved else "reported by the HSMs"
