"""A way from a client to an HSM, drawn: there and back hop by hop, what is broken marked, and what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from rich.cells import cell_len

from hsmctl.domain.net_code import Severity
from hsmctl.domain.net_finding import Finding, Hop, Pair, Path, Verdict
from hsmctl.mark import REACHES
from hsmctl.words import shortened

from .glyph import Role, Span, Spans, role, sign

_INDENT = 7
_SHORT = 24
"""Cells of the longest id of a hop that is in order."""
_DECIDING = (Severity.BLOCK, Severity.UNKNOWN, Severity.DEGRADED)


def drawn(pair: Pair, name: str, width: int) -> Iterator[Spans]:
    """The pair with both its paths and everything that was found, what decided it first."""
    mark = REACHES[pair.verdict]
    title = f" {name} → {pair.hsm}   tcp/{pair.port}  IPv{pair.family}"
    word = f" {pair.verdict.upper()} "
    gap = " " * max(2, width - cell_len(title) - cell_len(word) - 2)
    yield (title, Role.STRONG), (gap, Role.PLAIN), sign(mark), (word, role(mark))
    yield from _path("there", pair.forward, width)
    yield from _path("back", pair.reply, width)
    deciding = [finding for finding in pair.findings if finding.severity in _DECIDING]
    for finding in (*deciding, *(finding for finding in pair.findings if finding not in deciding)):
        yield from _finding(finding, width)


def why(pair: Pair) -> str:
    """The code that is to be named first, or nothing where the HSM is reachable."""
    return pair.primary.code.value if pair.primary else ""


def fix(pair: Pair) -> str:
    """The command that mends what is to be named first."""
    return pair.primary.fix if pair.primary else ""


def _path(word: str, path: Path, width: int) -> Iterator[Spans]:
    """One direction, in as many lines as it takes."""
    line: list[Span] = [(f" {word:<{_INDENT - 1}}", Role.MUTED)]
    used = _INDENT
    for place, hop in enumerate(path.hops):
        spans = _hop(hop, last=place == len(path.hops) - 1)
        size = sum(cell_len(text) for text, _ in spans)
        if used + size > width and used > _INDENT:
            yield tuple(line)
            line, used = [(" " * _INDENT, Role.PLAIN)], _INDENT
        line += spans
        used += size
    yield tuple(line)


def _hop(hop: Hop, *, last: bool) -> Sequence[Span]:
    broken = hop.verdict is not Verdict.REACHABLE
    name = hop.id if broken else shortened(hop.id, _SHORT)
    leads = f" →{shortened(hop.leads_to, _SHORT)}" if hop.leads_to else ""
    codes = " ".join(("", *(code.value for code in hop.codes))) if broken else ""
    mark = REACHES[hop.verdict]
    text = f" {name}{leads}{codes}"
    return sign(mark), (text, role(mark) if broken else Role.PLAIN), ("" if last else " ─ ", Role.MUTED)


def _finding(finding: Finding, width: int) -> Iterator[Spans]:
    cause = f" (this is why {finding.cause_of.value})" if finding.cause_of else ""
    ranges = f" for {', '.join(finding.ranges)}" if finding.ranges else ""
    head = f"{finding.code.value}{cause}{ranges}: "
    first, *more = wrap(head + finding.sentence, max(20, width - 4), break_on_hyphens=False)
    yield (" ", Role.PLAIN), (first[: len(head)], Role.STRONG), (first[len(head) :], Role.PLAIN)
    yield from (((f"   {line}", Role.PLAIN),) for line in more)
    if finding.severity in _DECIDING:
        for place, line in enumerate(wrap(finding.fix, max(20, width - 7), break_on_hyphens=False)):
            yield (" fix   " if place == 0 else " " * 7, Role.MUTED), (line, Role.ACCENT)
