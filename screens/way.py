"""Ways from a client to HSMs, drawn: there and back hop by hop, what is broken marked, what mends it, what is alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from rich.cells import cell_len
from textual.geometry import Size

from hsmctl.domain.net_code import Severity
from hsmctl.domain.net_finding import Finding, Hop, HopKind, Pair, Path, Verdict
from hsmctl.errors import HsmctlError
from hsmctl.mark import REACHES, Mark
from hsmctl.words import counted, shortened

from .glyph import Role, Span, Spans, rank, role, sign
from .reach import Known, Ways

_INDENT = 7
_SHORT = 15
"""Cells of an id where its station has nothing to say: `tgw-000…d583c34`, as on the command line."""
_WHOLE = 100
_DECIDING = (Severity.BLOCK, Severity.UNKNOWN, Severity.DEGRADED)


def told(known: Known, ways: Ways, chosen: Pair, room: Size) -> list[Spans]:
    """The chosen way; below it the client's other ways, those that are alike as one, the worst first.

    They are drawn as far as there is room, and named where there is none.
    """
    kinds: dict[object, list[Pair]] = {_likeness(known, chosen): [chosen]}
    rest = (pair for pair in ways.pairs.values() if pair is not chosen)
    for pair in sorted(rest, key=lambda pair: rank(known.mark(pair))):
        kinds.setdefault(_likeness(known, pair), []).append(pair)
    (_, *same), *other = kinds.values()
    lines = [*drawn(known, chosen, room.width), *_named("also", same, room.width)]
    if len(lines) > room.height:
        lines = [*drawn(known, chosen, room.width, folded=True), *_named("also", same, room.width)]
    short = [list(_in_short(known, pairs, room.width)) for pairs in other]
    spare = room.height - len(lines) - 1 - sum(map(len, short))
    named: list[Spans] = []
    for pairs, words in zip(other, short, strict=True):
        whole = [(), *drawn(known, pairs[0], room.width), *_named("also", pairs[1:], room.width)]
        if len(whole) - len(words) <= spare and not named:
            spare -= len(whole) - len(words)
            lines += whole
        else:
            named += words
    lines += [(), *named] if named else []
    return lines[: room.height]


def drawn(known: Known, pair: Pair, width: int, *, whole: bool = False, folded: bool = False) -> Iterator[Spans]:
    """The pair, what a probe met, both paths and everything that was found, what decided it first.

    Ids of stations that are in order are shortened unless `whole`; `folded` counts the stations of a direction in
    which nothing is amiss.
    """
    name, length = known.called(pair), _WHOLE if whole else _SHORT
    verdict = REACHES[pair.verdict]
    title = f" {name} → {pair.hsm}   tcp/{pair.port}  IPv{pair.family}"
    word = f" {pair.verdict.upper()} "
    gap = " " * max(2, width - cell_len(title) - cell_len(word) - 2)
    yield (title, Role.STRONG), (gap, Role.PLAIN), sign(verdict), (word, role(verdict))
    yield from _probed(known, pair, width)
    for word, path in (("there", pair.forward), ("back", pair.reply)):
        sound = all(hop.verdict is Verdict.REACHABLE for hop in path.hops)
        yield from _ends(word, path, name) if folded and sound else _path(word, path, name, length, width)
    deciding = [finding for finding in pair.findings if finding.severity in _DECIDING]
    for finding in (*deciding, *(finding for finding in pair.findings if finding not in deciding)):
        yield from _finding(finding, width)


def fix(pair: Pair) -> str:
    """The command that mends what is to be named first."""
    return pair.primary.fix if pair.primary else ""


def _likeness(known: Known, pair: Pair) -> object:
    """What ways that one fix mends have in common."""
    deciding = tuple((found.code, found.fix) for found in pair.findings if found.severity in _DECIDING)
    return pair.verdict, known.mark(pair), deciding


def _in_short(known: Known, pairs: Sequence[Pair], width: int) -> Iterator[Spans]:
    """Ways that are alike, without their stations."""
    first, mark = pairs[0], known.mark(pairs[0])
    code = f" {first.primary.code.value}" if first.primary else ""
    head = f" {first.verdict.upper()}{code} "
    names = ", ".join(pair.hsm for pair in pairs)
    lines = wrap(names, max(20, width - len(head) - 4), break_on_hyphens=False)
    yield (" ", Role.PLAIN), sign(mark), (head, role(mark)), (f" {lines[0]}", Role.PLAIN)
    yield from (((" " * (len(head) + 3), Role.PLAIN), (line, Role.PLAIN)) for line in lines[1:])


def _named(word: str, pairs: Sequence[Pair], width: int) -> Iterator[Spans]:
    """The HSMs of these ways after a word; nothing of none."""
    lines = wrap(", ".join(pair.hsm for pair in pairs), max(20, width - _INDENT - 1), break_on_hyphens=False)
    for place, line in enumerate(lines):
        yield (f" {word if place == 0 else '':<{_INDENT - 1}}", Role.MUTED), (line, Role.PLAIN)


def _probed(known: Known, pair: Pair, width: int) -> Iterator[Spans]:
    """What a client host met on this way, and what follows from both."""
    answer, both = known.answer(pair), known.together(pair)
    if answer is None:
        return
    if isinstance(answer, HsmctlError) or both is None:
        mark, words = Mark.UNREADABLE, str(answer)
    else:
        took = f", {answer.p50 * 1000:.1f} ms" if answer.p50 else ""
        met = answer.answer.replace("_", " ").replace("tls", "TLS")
        mark, words = known.mark(pair), f"{met}{took}: {both.sentence}"
    first, *more = wrap(words, max(20, width - _INDENT - 3), break_on_hyphens=False)
    yield (f" {'probe':<{_INDENT - 1}}", Role.MUTED), sign(mark), (f" {first}", Role.PLAIN)
    yield from (((f"{' ' * _INDENT}  {line}", Role.PLAIN),) for line in more)


def _ends(word: str, path: Path, client: str) -> Iterator[Spans]:
    """A direction in which nothing is amiss: its ends, and how many stations are between them."""
    first, *between, last = path.hops
    amid = (sign(Mark.REPORTED), (f" {counted(len(between), 'station')} in order", Role.MUTED), (" ─ ", Role.MUTED))
    lead = (f" {word:<{_INDENT - 1}}", Role.MUTED)
    yield lead, *_hop(first, client, _SHORT, last=False), *amid, *_hop(last, client, _SHORT, last=True)


def _path(word: str, path: Path, client: str, length: int, width: int) -> Iterator[Spans]:
    """One direction, in as many lines as it takes; its ids at most so long."""
    line: list[Span] = [(f" {word:<{_INDENT - 1}}", Role.MUTED)]
    used = _INDENT
    for place, hop in enumerate(path.hops):
        spans = _hop(hop, client, length, last=place == len(path.hops) - 1)
        size = sum(cell_len(text) for text, _ in spans)
        if used + size > width and used > _INDENT:
            yield tuple(line)
            line, used = [(" " * _INDENT, Role.PLAIN)], _INDENT
        line += spans
        used += size
    yield tuple(line)


def _hop(hop: Hop, client: str, length: int, *, last: bool) -> Sequence[Span]:
    """A station: the client by its name, what is amiss with its whole id."""
    broken = hop.verdict is not Verdict.REACHABLE
    room = _WHOLE if broken else length
    name = client if hop.kind is HopKind.CLIENT else shortened(hop.id, room)
    leads = f" →{shortened(hop.leads_to, room)}" if hop.leads_to else ""
    codes = " ".join(("", *(code.value for code in hop.codes))) if broken else ""
    mark = REACHES[hop.verdict]
    return sign(mark), (f" {name}{leads}{codes}", role(mark) if broken else Role.PLAIN), (_gap(last=last), Role.MUTED)


def _gap(*, last: bool) -> str:
    return "" if last else " ─ "


def _finding(finding: Finding, width: int) -> Iterator[Spans]:
    cause = f" (this is why {finding.cause_of.value})" if finding.cause_of else ""
    ranges = f" for {', '.join(finding.ranges)}" if finding.ranges else ""
    head = f"{finding.code.value}{cause}{ranges}: "
    first, *more = wrap(head + finding.sentence, max(20, width - 4), break_on_hyphens=False)
    deciding = finding.severity in _DECIDING
    yield (
        (" ", Role.PLAIN),
        (first[: len(head)], Role.STRONG if deciding else Role.MUTED),
        (first[len(head) :], Role.PLAIN),
    )
    yield from (((f"   {line}", Role.PLAIN),) for line in more)
    if deciding:
        for place, line in enumerate(wrap(finding.fix, max(20, width - 8), break_on_hyphens=False)):
            yield (" fix   " if place == 0 else " " * 7, Role.MUTED), (line, Role.ACCENT)
