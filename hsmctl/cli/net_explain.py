"""`net explain`: which client can reach which HSM, and for every way that is broken where, why and what mends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from hsmctl.cli import net_question as ask
from hsmctl.cli.net_path import PairRow, drawn, pair_row
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Case, Check, Level, Page, View
from hsmctl.domain.net_finding import Verdict
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
_APART = 12
"""HSMs that have a column of their own each."""
_DRAWN = 10
"""Ways a table draws; the rest is counted."""
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
    file: Path | None,
    fresh: bool,
) -> int:
    """Say which clients reach which HSMs, there and back, and why the others do not."""
    question = ask.Question(cluster=cluster, words=words, hsm=hsm, ports=ports, family=family, file=file, fresh=fresh)
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


def worst(verdicts: Sequence[str]) -> str:
    """The verdict that decides the exit code."""
    return next(str(verdict) for verdict in LEVELS if verdict in verdicts)


def summary(verdicts: Sequence[str]) -> str:
    """`1 of 3 pairs blocked, 2 reachable`."""
    counts = Counter(map(str, verdicts))
    told = [f"{counts[verdict]:,} {verdict}" for verdict in map(str, LEVELS) if counts[verdict]]
    first, _, rest = told[0].partition(" ")
    return ", ".join([f"{first} of {counted(len(verdicts), 'pair')} {rest}", *told[1:]])


def matrix(rows: Sequence[PairRow], page: Page) -> Iterator[str]:
    """Clients against HSMs, which are numbered; below who the numbers are."""
    hsms = list(dict.fromkeys(row.hsm for row in rows))
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        line = cells.setdefault((row.called, f"tcp/{row.port} IPv{row.family}"), {})
        line[row.hsm] = worst([row.verdict, *([line[row.hsm]] if row.hsm in line else [])])
    columns: list[Column[tuple[tuple[str, str], dict[str, str]]]] = [
        Column(title="CLIENT \\ HSM", cell=lambda each: each[0][0], shrinks=True),
        Column(title="PORT", cell=lambda each: each[0][1]),
    ]
    columns += (
        [_column(number, hsm) for number, hsm in enumerate(hsms, 1)] if len(hsms) <= _APART else [_together(hsms)]
    )
    yield from table(columns, list(cells.items()), wide=page.wide, width=page.width)
    yield ""
    yield from (f"{number:>4}  {hsm}" for number, hsm in enumerate(hsms, 1))


def _together(hsms: Sequence[str]) -> Column[tuple[tuple[str, str], dict[str, str]]]:
    """One character for each of many HSMs, in groups of eight."""

    def cell(each: tuple[tuple[str, str], dict[str, str]]) -> str:
        signs = [REACHES[each[1][hsm]].glyph if hsm in each[1] else " " for hsm in hsms]
        return " ".join("".join(signs[start : start + 8]) for start in range(0, len(signs), 8))

    return Column(title=f"1 TO {len(hsms)}", cell=cell)


def _column(number: int, hsm: str) -> Column[tuple[tuple[str, str], dict[str, str]]]:
    def cell(each: tuple[tuple[str, str], dict[str, str]]) -> str:
        return REACHES[each[1][hsm]].glyph if hsm in each[1] else ""

    return Column(title=str(number), cell=cell)


def _lines(document: NetExplained, page: Page) -> Iterator[str]:
    yield f"{REACHES[document.verdict].glyph} {document.says}"
    yield ""
    yield from matrix(document.pairs, page)
    told = list(document.pairs) if page.wide else _broken(document.pairs)
    shown = told if page.wide else told[:_DRAWN]
    for row in shown:
        yield ""
        yield from drawn(row, page.width)
    if len(told) > len(shown):
        yield ""
        yield f"{counted(len(told) - len(shown), 'more pair')} not reachable: -o wide draws every way"


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
