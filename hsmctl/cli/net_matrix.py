"""Clients against HSMs in signs: the worst first, what is well counted where there is much of it, ports together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hsmctl.cli.net_path import PairRow
from hsmctl.cli.table import Column, table
from hsmctl.cli.view import Page
from hsmctl.domain.net_acl import union, words
from hsmctl.domain.net_finding import WORST_FIRST, Verdict
from hsmctl.mark import REACHES
from hsmctl.words import counted

_APART = 12
"""HSMs that have a column of their own each."""
_WELL = 12
"""Lines without a fault that a table shows."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A client on ports that make no difference, with what is said of each HSM."""

    client: str
    ports: tuple[int, ...]
    family: int
    cells: Mapping[str, str]

    @property
    def verdict(self) -> str:
        return worst(list(self.cells.values()))

    @property
    def port(self) -> str:
        return f"tcp/{words(union((port, port) for port in self.ports))} IPv{self.family}"


def worst(verdicts: Sequence[str]) -> str:
    """The verdict that decides."""
    return next(str(verdict) for verdict in WORST_FIRST if verdict in verdicts)


def matrix(rows: Sequence[PairRow], page: Page) -> Iterator[str]:
    """A line for each client, HSMs by number; below who the numbers are."""
    hsms = list(dict.fromkeys(row.hsm for row in rows))
    lines = sorted(_lines(rows), key=lambda line: WORST_FIRST.index(Verdict(line.verdict)))
    broken = sum(line.verdict != Verdict.REACHABLE for line in lines)
    shown = lines if page.wide else lines[: max(broken, _WELL)]
    columns: list[Column[_Line]] = [
        Column(title="CLIENT \\ HSM", cell=lambda line: line.client, shrinks=True),
        Column(title="PORT", cell=lambda line: line.port),
    ]
    apart = len(hsms) <= _APART
    columns += [_column(number, hsm) for number, hsm in enumerate(hsms, 1)] if apart else [_together(hsms)]
    yield from table(columns, shown, wide=page.wide, width=page.width)
    if len(lines) > len(shown):
        yield f"and {counted(len(lines) - len(shown), 'more line')} without a fault: -o wide shows all"
    yield ""
    yield from _legend(hsms, rows, whole=apart or page.wide)


def _lines(rows: Sequence[PairRow]) -> list[_Line]:
    """The lines in the order of the clients."""
    cells: dict[tuple[str, int, int], dict[str, str]] = {}
    for row in rows:
        line = cells.setdefault((row.called, row.family, row.port), {})
        line[row.hsm] = worst([row.verdict, *([line[row.hsm]] if row.hsm in line else [])])
    ports: dict[tuple[str, int, tuple[tuple[str, str], ...]], list[int]] = {}
    for (client, family, port), line in cells.items():
        ports.setdefault((client, family, tuple(line.items())), []).append(port)
    return [_Line(client, tuple(found), family, dict(line)) for (client, family, line), found in ports.items()]


def _column(number: int, hsm: str) -> Column[_Line]:
    return Column(title=str(number), cell=lambda line: _sign(line, hsm))


def _together(hsms: Sequence[str]) -> Column[_Line]:
    """One character for each of many HSMs, in groups of eight."""

    def cell(line: _Line) -> str:
        signs = [_sign(line, hsm) or " " for hsm in hsms]
        return " ".join("".join(signs[start : start + 8]) for start in range(0, len(signs), 8))

    return Column(title=f"1 TO {len(hsms)}", cell=cell)


def _sign(line: _Line, hsm: str) -> str:
    return REACHES[line.cells[hsm]].glyph if hsm in line.cells else ""


def _legend(hsms: Sequence[str], rows: Sequence[PairRow], *, whole: bool) -> Iterator[str]:
    """The numbers of the HSMs; of many only those that somebody does not reach."""
    amiss = {row.hsm for row in rows if row.verdict != Verdict.REACHABLE}
    named = [(number, hsm) for number, hsm in enumerate(hsms, 1) if whole or hsm in amiss]
    yield from (f"{number:>4}  {hsm}" for number, hsm in named)
    if len(named) < len(hsms):
        others = f"the other {len(hsms) - len(named)}" if named else f"all {len(hsms)}"
        yield f"everybody reaches {others}: -o wide names them"
