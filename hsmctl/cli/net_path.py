"""A way from a client to an HSM, drawn: there and back hop by hop, what is broken marked, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hsmctl.cli.table import USUAL_WIDTH, display_width, wrapped
from hsmctl.domain.net_code import Code, Severity
from hsmctl.domain.net_finding import Finding, Hop, HopKind, Pair, Verdict
from hsmctl.mark import REACHES, Mark
from hsmctl.words import counted, shortened

_INDENT = 7

"""Columns of a line where no terminal says how many there are."""
_SHORT = 15
"""Characters of an id where its station has nothing to say: `tgw-000…d583c34`."""
_NAMED = 12
"""Pairs that are named as alike."""
_DECIDING = (Severity.BLOCK, Severity.UNKNOWN, Severity.DEGRADED)
_REMARKS = (Code.MTU_RISK, Code.ONPREM_UNVERIFIABLE)
"""True of most ways, so a table says them once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HopRow:
    """A station of a path."""

    kind: str
    id: str
    leads_to: str | None
    """Where a route table sends the packet."""
    verdict: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """One thing that is the matter."""

    code: str
    severity: str
    direction: str
    sentence: str
    evidence: tuple[str, ...]
    """Ids of the resources that show it."""
    fix: str
    cause_of: str | None
    """The code of the finding this one explains."""
    action: str | None
    """The IAM action that is missing."""
    ranges: tuple[str, ...]
    """Where the client is a range: the parts of it that this concerns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """The answer for one client, HSM, port and address family."""

    client: str
    name: str | None
    """What the client is registered as."""
    hsm: str
    port: int
    family: int
    verdict: str
    findings: tuple[FindingRow, ...]
    there: tuple[HopRow, ...]
    back: tuple[HopRow, ...]

    @property
    def called(self) -> str:
        """The client as people call it."""
        return self.name or self.client

    @property
    def deciding(self) -> list[FindingRow]:
        """The findings that made the verdict other than reachable."""
        return [found for found in self.findings if found.severity in _DECIDING]


def pair_row(pair: Pair, name: str | None = None) -> PairRow:
    """The pair as it is written."""
    return PairRow(
        client=pair.client,
        name=name,
        hsm=pair.hsm,
        port=pair.port,
        family=pair.family,
        verdict=pair.verdict.value,
        findings=tuple(map(finding_row, pair.findings)),
        there=tuple(map(_hop_row, pair.forward.hops)),
        back=tuple(map(_hop_row, pair.reply.hops)),
    )


def finding_row(finding: Finding) -> FindingRow:
    """The finding as it is written."""
    return FindingRow(
        code=finding.code.value,
        severity=finding.severity.value,
        direction=finding.direction.value,
        sentence=finding.sentence,
        evidence=finding.evidence,
        fix=finding.fix,
        cause_of=finding.cause_of.value if finding.cause_of else None,
        action=finding.action or None,
        ranges=finding.ranges,
    )


def drawn(rows: Sequence[PairRow], width: int | None, *, wide: bool) -> Iterator[str]:
    """The first of these pairs with its path and what was found there, what decided it first, and which are alike.

    Only `wide` has every id whole, and the remarks on the path.
    """
    row, columns = rows[0], width or USUAL_WIDTH
    title = f"{row.called} → {row.hsm}   tcp/{row.port}  IPv{row.family}"
    verdict = f"{REACHES[row.verdict].glyph} {row.verdict.upper()}"
    yield f"{title}{' ' * max(3, columns - display_width(title) - display_width(verdict))}{verdict}"
    yield from _path("there", row, row.there, columns, wide=wide)
    yield from _path("back", row, row.back, columns, wide=wide)
    deciding = row.deciding
    others = [found for found in row.findings if found not in deciding and (wide or found.code not in _REMARKS)]
    for found in (*deciding, *others):
        yield from _finding(found, columns)
    if rows[1:]:
        yield from wrapped("   also", _alike(row, rows[1:]), columns, indent=8)


def likeness(row: PairRow) -> object:
    """What pairs that one fix mends have in common."""
    return row.verdict, row.family, tuple((found.code, found.fix) for found in row.deciding)


def remarks(rows: Iterable[PairRow], width: int | None) -> Iterator[str]:
    """What was found and is drawn nowhere: the first of each code, and of how many pairs it is said."""
    told: dict[str, tuple[FindingRow, int]] = {}
    for row in rows:
        for found in row.findings:
            if row.verdict == Verdict.REACHABLE or found.code in _REMARKS:
                first, number = told.get(found.code, (found, 0))
                told[found.code] = first, number + 1
    for found, number in told.values():
        sign = Mark.ATTENTION.glyph if found.severity == Severity.WARN else " "
        text = f"{sign} {found.code}, {counted(number, 'pair')}: {found.sentence}"
        yield from wrapped("", text.split(" "), width, indent=2)


def _path(word: str, row: PairRow, hops: Sequence[HopRow], columns: int, *, wide: bool) -> Iterator[str]:
    """One direction; without stations between its ends nothing is known of it."""
    words = [_hop(hop, row.called, wide=wide) for hop in hops]
    joined = [f"{hop} ─" for hop in words[:-1]] + words[-1:]
    yield from wrapped(f" {word}", joined, columns, _INDENT)


def _hop(hop: HopRow, client: str, *, wide: bool) -> str:
    """A station: the client by its name, what is amiss with its whole id."""
    length = USUAL_WIDTH if wide or hop.codes else _SHORT
    name = client if hop.kind == HopKind.CLIENT else shortened(hop.id, length)
    leads = f" →{shortened(hop.leads_to, length)}" if hop.leads_to else ""
    return " ".join([f"{REACHES[hop.verdict].glyph} {name}{leads}", *hop.codes])


def _alike(drawn: PairRow, rows: Sequence[PairRow]) -> Iterator[str]:
    """The other pairs, without what they share with the one that is drawn."""
    for row in rows[:_NAMED]:
        client = f"{row.called} → " if row.called != drawn.called else ""
        port = f" tcp/{row.port}" if row.port != drawn.port else ""
        yield f"{client}{row.hsm}{port}{'' if row is rows[-1] else ','}"
    if len(rows) > _NAMED:
        yield f"and {len(rows) - _NAMED:,} more"


def _finding(found: FindingRow, columns: int) -> Iterator[str]:
    cause = f" (this is why {found.cause_of})" if found.cause_of else ""
    ranges = f" for {', '.join(found.ranges)}" if found.ranges else ""
    yield from wrapped("", f" {found.code}{cause}{ranges}: {found.sentence}".split(" "), columns, indent=3)
    if found.severity in _DECIDING:
        yield f"   fix  {found.fix}"


def _hop_row(hop: Hop) -> HopRow:
    return HopRow(
        kind=hop.kind.value,
        id=hop.id,
        leads_to=hop.leads_to or None,
        verdict=hop.verdict.value,
        codes=tuple(code.value for code in hop.codes),
    )
