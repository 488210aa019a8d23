"""A way from a client to an HSM, drawn: there and back hop by hop, what is broken marked, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hsmctl.cli.table import display_width
from hsmctl.domain.net_code import Severity
from hsmctl.domain.net_finding import Finding, Hop, Pair
from hsmctl.mark import REACHES

_INDENT = 7
_WIDTH = 100
"""Columns of a line where no terminal says how many there are."""
_DECIDING = (Severity.BLOCK, Severity.UNKNOWN, Severity.DEGRADED)


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


def drawn(row: PairRow, width: int | None) -> Iterator[str]:
    """The pair with its path and everything that was found, what decided it first."""
    columns = width or _WIDTH
    title = f"{row.called} → {row.hsm}   tcp/{row.port}  IPv{row.family}"
    verdict = f"{REACHES[row.verdict].glyph} {row.verdict.upper()}"
    yield f"{title}{' ' * max(3, columns - display_width(title) - display_width(verdict))}{verdict}"
    yield from _path("there", row.there, columns)
    yield from _path("back", row.back, columns)
    deciding = row.deciding
    for found in (*deciding, *(found for found in row.findings if found not in deciding)):
        yield from _finding(found, columns)


def _path(word: str, hops: Sequence[HopRow], columns: int) -> Iterator[str]:
    """One direction; without stations between its ends nothing is known of it."""
    words = [_hop(hop) for hop in hops]
    joined = [f"{hop} ─" for hop in words[:-1]] + words[-1:]
    yield from _wrapped(f" {word}", joined, columns)


def _hop(hop: HopRow) -> str:
    leads = f" →{hop.leads_to}" if hop.leads_to else ""
    return " ".join([f"{REACHES[hop.verdict].glyph} {hop.id}{leads}", *hop.codes])


def _finding(found: FindingRow, columns: int) -> Iterator[str]:
    cause = f" (this is why {found.cause_of})" if found.cause_of else ""
    ranges = f" for {', '.join(found.ranges)}" if found.ranges else ""
    yield from _wrapped("", f" {found.code}{cause}{ranges}: {found.sentence}".split(" "), columns, indent=3)
    if found.severity in _DECIDING:
        yield f"   fix  {found.fix}"


def _wrapped(first: str, words: Iterable[str], columns: int, indent: int = _INDENT) -> Iterator[str]:
    """The words in lines; a command is left whole, to be copied, so it never comes here."""
    line, empty = first.ljust(indent) if first else "", True
    for word in words:
        if not empty and display_width(line) + 1 + display_width(word) > columns:
            yield line
            line, empty = " " * indent, True
        line = f"{line}{word}" if empty else f"{line} {word}"
        empty = False
    yield line


def _hop_row(hop: Hop) -> HopRow:
    return HopRow(
        kind=hop.kind.value,
        id=hop.id,
        leads_to=hop.leads_to or None,
        verdict=hop.verdict.value,
        codes=tuple(code.value for code in hop.codes),
    )
