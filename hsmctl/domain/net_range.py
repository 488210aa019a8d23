"""A range of clients outside AWS: the answers for its parts, which may be treated differently, merged into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hsmctl.domain.net_cidr import Cidr, collapse
from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Direction, Finding, Pair, Verdict, make


def merge(name: str, parts: Mapping[Cidr, Pair]) -> Pair:
    """The answer for the range: verdict and paths of its worst part, and every finding with the parts it holds for."""
    order = list(Verdict)
    worst = max(parts.values(), key=lambda pair: order.index(pair.verdict))
    findings: dict[tuple[object, ...], Finding] = {}
    where: dict[tuple[object, ...], list[Cidr]] = {}
    for cidr, pair in parts.items():
        for finding in pair.findings:
            findings.setdefault(_same(finding), finding)
            where.setdefault(_same(finding), []).append(cidr)
    merged = tuple(replace(finding, ranges=_words(where[key])) for key, finding in findings.items())
    return replace(worst, client=name, findings=merged)


def too_fragmented(name: str) -> Finding:
    """The finding that a range falls into more parts than are judged."""
    return make(
        Code.CIDR_TOO_FRAGMENTED,
        Direction.BOTH,
        f"{name} falls into more parts that may be treated differently than are judged: ask about smaller ranges.",
        evidence=(name,),
        fix="hsmctl net explain --client CIDR",
    )


def _same(finding: Finding) -> tuple[object, ...]:
    """What two parts' findings must share to be one: all but the addresses in them."""
    resources = tuple(word for word in finding.evidence if "/" not in word)
    return (finding.code, finding.severity, finding.direction, resources)


def _words(cidrs: Sequence[Cidr]) -> tuple[str, ...]:
    return tuple(str(cidr) for cidr in collapse(cidrs))
