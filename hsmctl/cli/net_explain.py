"""`net explain`: which client can reach which HSM, and for every way that is broken where, why and what mends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from hsmctl.cli import net_question as ask
from hsmctl.cli.net_matrix import matrix, worst
from hsmctl.cli.net_path import PairRow, drawn, likeness, pair_row, remarks
from hsmctl.cli.session import Session
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Case, Check, Level, Page, View
from hsmctl.domain.net_finding import Verdict, summary
from hsmctl.mark import REACHES
from hsmctl.services.net import NetReport
from hsmctl.services.net import explain as explained
from hsmctl.words import counted

LEVELS: Mapping[str, Level] = {
    Verdict.BLOCKED: Level.CRITICAL,
    Verdict.DEGRADED: Level.WARNING,
    Verdict.UNKNOWN: Level.UNKNOWN,
    Verdict.REACHABLE: Level.OK,
}
"""Worst first, as exit codes have it."""
_DRAWN = 10
"""Kinds of broken ways a table draws; the rest is counted."""
_NAMED = 3
"""Pairs a monitoring line names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetExplained:
    """Every client with every HSM, port and address family that was asked about."""

    verdict: str
    """The worst of all."""
    says: str
    exit: int
    pairs: tuple[PairRow, ...]
    asked: PairRow | None
    """The one the snapshot, or --hsm, singles out."""


@verb(
    "explain",
    "hsmctl -c prod net explain --client i-0a1b2c3d4e5f60718",
    "hsmctl -c prod net explain cluster-a2b3c4d5e6f --client 192.168.0.0/16 --port 2223-2225 --family both",
    "hsmctl net explain --from-snapshot net.json -o json --query 'pairs[].findings[].code'",
    checks=True,
)
@click.argument("cluster", required=False)
@ask.client_option
@click.option("--hsm", metavar="ID", help="Ask about this HSM only.")
@ask.port_option
@ask.family_option
@ask.snapshot_option
@ask.fresh_option
def explain(
    session: Session,
    *,
    cluster: str | None,
    words: tuple[str, ...],
    hsm: str | None,
    ports: tuple[int, ...] | None,
    family: str | None,
    from_snapshot: Path | None,
    fresh: bool,
) -> int:
    """Say which clients reach which HSMs, there and back, and why the others do not."""
    question = ask.Question(
        cluster=cluster, words=words, hsm=hsm, ports=ports, family=family, file=from_snapshot, fresh=fresh
    )
    found = ask.asked(session, question)
    report = explained(found.inquiry)
    return found.show(session, EXPLAIN, document(report, found.names), report.exit_code)


def document(report: NetReport, names: Mapping[str, str]) -> NetExplained:
    """The report as it is written."""
    verdicts = [pair.verdict for pair in (*report.pairs, *([report.asked] if report.asked else []))]
    return NetExplained(
        verdict=worst(verdicts),
        says=summary([pair.verdict for pair in report.pairs]),
        exit=report.exit_code,
        pairs=tuple(pair_row(pair, names.get(pair.client)) for pair in report.pairs),
        asked=pair_row(report.asked, names.get(report.asked.client)) if report.asked else None,
    )


def _lines(document: NetExplained, page: Page) -> Iterator[str]:
    yield f"{REACHES[document.verdict].glyph} {document.says}"
    yield ""
    yield from matrix(document.pairs, page)
    groups = [[row] for row in document.pairs] if page.wide else _alike(_broken(document.pairs))
    for group in groups[: None if page.wide else _DRAWN]:
        yield ""
        yield from drawn(group, page.width, wide=page.wide)
    if hidden := [] if page.wide else groups[_DRAWN:]:
        yield ""
        yield f"{counted(sum(map(len, hidden)), 'more pair')} not reachable: -o wide draws every way"
    if told := [] if page.wide else list(remarks(document.pairs, page.width)):
        yield ""
        yield from told


def _alike(rows: Sequence[PairRow]) -> list[list[PairRow]]:
    """The rows, those that one fix mends together."""
    groups: dict[object, list[PairRow]] = {}
    for row in rows:
        groups.setdefault(likeness(row), []).append(row)
    return list(groups.values())


def _broken(rows: Sequence[PairRow]) -> list[PairRow]:
    """The pairs that are not reachable, worst first."""
    order = list(LEVELS)
    found = [row for row in rows if row.verdict != Verdict.REACHABLE]
    return sorted(found, key=lambda row: order.index(Verdict(row.verdict)))


def _name(row: PairRow) -> str:
    return f"{row.called} {row.hsm} {row.port}"


def _check(document: NetExplained) -> Check:
    broken = _broken(document.pairs)
    named = [f"{row.called} to {row.hsm} tcp/{row.port} {_codes(row)}" for row in broken[:_NAMED]]
    more = [f"{len(broken) - _NAMED} more"] if len(broken) > _NAMED else []
    counts = Counter(row.verdict for row in document.pairs)
    return Check(
        level=LEVELS[document.verdict],
        says=": ".join([document.says, ", ".join([*named, *more])]).rstrip(": "),
        figures={"pairs": len(document.pairs), **{str(verdict): counts[verdict] for verdict in LEVELS}},
        cases=[_case(row) for row in document.pairs],
    )


def _codes(row: PairRow) -> str:
    return "+".join(dict.fromkeys(found.code for found in row.deciding))


def _case(row: PairRow) -> Case:
    told = [line for found in row.deciding for line in (f"{found.code}: {found.sentence}", f"fix: {found.fix}")]
    labels = {"client": row.called, "hsm": row.hsm, "port": str(row.port), "family": f"ipv{row.family}"}
    return Case(labels=labels, level=LEVELS[row.verdict], says="\n".join(told))


EXPLAIN: View[NetExplained] = View(
    schema="net.explain@1",
    document=NetExplained,
    lines=_lines,
    names=lambda document: dict.fromkeys(map(_name, _broken(document.pairs))),
    items=lambda document: document.pairs,
    check=_check,
)
