"""What each replica holds of one key, side by side, the odd ones first, how that is known, and what is safe to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from textwrap import wrap

from hsmctl.domain.key import Key
from hsmctl.domain.sync import Cell, Row
from hsmctl.mark import CELLS

from .check import Check
from .detail import noted
from .glyph import Role, Spans, rank, role, sign
from .judgement import Judgement

_SAFE = "safe now: wait for the service, check again, compare counts; keep every copy, never delete the odd one"

_FEW = 4
"""Replicas that are named; more are counted."""
_WORD = 11
_TIE = "\N{NO-BREAK SPACE}"
"""Stands between a number and its name, so that both are on one line."""

Held = tuple[Key, ...]


def title_of(row: Row) -> str:
    """The key in one line: name, class, type, id."""
    identity = row.identity
    return f"{identity}  {identity.object_class} {row.algorithm}  id {identity.key_id.hex() or 'none'}"


def evidence(row: Row, check: Check, width: int, *, whole: bool = False) -> list[Spans]:
    """A line for each group of replicas that hold the same, worst first; then what is safe to do.

    Large groups are told by their numbers, `whole` names every replica.
    """
    judgement = check.judgement
    if judgement is None:
        return []
    held = _held(row, judgement)
    usual = frozenset.intersection(*(key.attributes for keys in held for key in keys))
    numbers = {replica.name: number for number, replica in enumerate(check.replicas, 1)}
    seen = [
        (cell, held[place], numbers[reading.replica.name])
        for place, (cell, reading) in enumerate(zip(row.cells, judgement.report.readings, strict=True))
    ]
    groups = [
        (cell, _print(keys, usual), [number for *_, number in members])
        for (cell, keys), members in groupby(sorted(seen, key=_order), key=lambda one: one[:2])
    ]
    margin = max(len(shown) for _, shown, _ in groups) + 2
    lines = [
        line
        for cell, shown, group in groups
        for line in _lines(cell, shown.ljust(margin), _who(group, check, whole=whole), width)
    ]
    return lines if row.agrees else [*lines, (), *noted(("▸", Role.ACCENT), _SAFE, width)]


def _who(group: Sequence[int], check: Check, *, whole: bool) -> str:
    return _named(group, check) if whole or len(group) <= _FEW else _numbered(group)


def _named(group: Sequence[int], check: Check) -> str:
    """The replicas by number and name."""
    return ", ".join(f"{number:02}{_TIE}{check.replicas[number - 1].name}" for number in group)


def _numbered(group: Sequence[int]) -> str:
    """How many replicas, and their numbers as ranges."""
    runs: list[list[int]] = []
    for number in group:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    ranges = (f"{run[0]:02}" if len(run) == 1 else f"{run[0]:02}–{run[-1]:02}" for run in runs)
    return f"{len(group)} replicas: {', '.join(ranges)}"


def _held(row: Row, judgement: Judgement) -> Sequence[Held]:
    """By replica what it holds; of rows that agree the report keeps nothing, so the first listing speaks for all."""
    if row.holdings:
        return row.holdings
    keys = judgement.listed.get(row.identity, ())
    return [() if cell is Cell.UNREADABLE else keys for cell in row.cells]


def _order(seen: tuple[Cell, Held, int]) -> tuple[int, str, int]:
    cell, held, number = seen
    return rank(CELLS[cell]), repr(held), number


def _lines(cell: Cell, shown: str, replicas: str, width: int) -> Iterable[Spans]:
    """Sign and word, fingerprint, who has it."""
    mark = CELLS[cell]
    word = f" {cell:<{_WORD}}"
    room = max(20, width - 3 - len(word) - len(shown))
    first, *more = (line.replace(_TIE, " ") for line in wrap(replicas, room, break_on_hyphens=False) or [""])
    yield (" ", Role.PLAIN), sign(mark), (word, role(mark)), (shown, Role.MUTED), (first, Role.PLAIN)
    margin = " " * (2 + len(word) + len(shown))
    yield from (((margin + line, Role.PLAIN),) for line in more)


def _print(held: Held, usual: frozenset[str]) -> str:
    """The fingerprint, what it was computed from, and the attributes that not every replica has."""
    if not held:
        return ""
    prints = "+".join(key.material.digest[:8].hex() if key.material else "–" for key in held)
    origins = "+".join(dict.fromkeys(key.material.kind if key.material else "no fingerprint" for key in held))
    odd = sorted({name for key in held for name in key.attributes} - usual)
    return " ".join((prints, origins, *(f"+{name}" for name in odd)))
