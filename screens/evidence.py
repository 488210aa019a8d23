"""What each replica holds of one key, side by side, the odd ones first, how that is known, and what is safe to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from textwrap import wrap

from hsmctl.domain.evidence import Ok
from hsmctl.domain.key import Identity, Key
from hsmctl.domain.sync import Cell, Report, Row

from .detail import noted
from .estate import Check
from .glyph import CELLS, Role, Spans

_SAFE = "safe now: wait for the service, check again, compare counts; keep every copy, never delete the odd one"

_FEW = 4
"""Replicas that are named; more are counted."""
_WORD = 11
_PRINT = 8

Held = tuple[Key, ...]


def title_of(row: Row) -> str:
    """The key in one line: name, class, type, id."""
    identity = row.identity
    return f"{identity}  {identity.object_class} {row.algorithm}  id {identity.key_id.hex() or 'none'}"


def evidence(row: Row, check: Check, width: int, *, whole: bool = False) -> list[Spans]:
    """A line for each group of replicas that hold the same, worst first; then what is safe to do.

    Large groups are told by their numbers, `whole` names every replica.
    """
    report = check.report
    if report is None:
        return []
    held = row.holdings or _agreed(row, report)
    usual = frozenset.intersection(*(key.attributes for keys in held for key in keys))
    numbers = {replica.name: number for number, replica in enumerate(check.replicas, 1)}
    seen = [
        (cell, held[place], numbers[reading.replica.name])
        for place, (cell, reading) in enumerate(zip(row.cells, report.readings, strict=True))
    ]
    lines: list[Spans] = []
    for (cell, keys), members in groupby(sorted(seen, key=_order), key=lambda one: one[:2]):
        group = [number for *_, number in members]
        who = _named(group, check) if whole or len(group) <= _FEW else _numbered(group)
        lines += _lines(cell, keys, usual, who, width)
    return lines if row.agrees else [*lines, (), *noted(("▸", Role.ACCENT), _SAFE, width)]


def _named(group: Sequence[int], check: Check) -> str:
    """The replicas by number and name."""
    return ", ".join(f"{number:02} {check.replicas[number - 1].name}" for number in group)


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


def _agreed(row: Row, report: Report) -> Sequence[Held]:
    """What the replicas hold of a key that agrees: the report keeps only differences, so the first reading tells."""
    keys = _of_identity(row.identity, report)
    return [() if cell is Cell.UNREADABLE else keys for cell in row.cells]


def _of_identity(identity: Identity, report: Report) -> Held:
    inventories = (reading.outcome.value for reading in report.readings if isinstance(reading.outcome, Ok))
    first = next(inventories, None)
    return tuple(key for key in first.keys if key.identity == identity) if first else ()


def _order(seen: tuple[Cell, Held, int]) -> tuple[int, str, int]:
    cell, held, number = seen
    return CELLS[cell].rank, repr(held), number


def _lines(cell: Cell, held: Held, usual: frozenset[str], replicas: str, width: int) -> Iterable[Spans]:
    """Sign and word, fingerprint, what it was computed from, who has it."""
    mark = CELLS[cell]
    word = f" {cell:<{_WORD}}"
    prints = f"{_fingerprint(held):<{_PRINT}} {_origin(held)}{_odd(held, usual)}  " if held else ""
    first, *more = wrap(replicas, max(20, width - 3 - len(word) - len(prints)), break_on_hyphens=False) or [""]
    yield (" ", Role.PLAIN), mark.span, (word, mark.role), (prints, Role.MUTED), (first, Role.PLAIN)
    margin = " " * (2 + len(word) + len(prints))
    yield from (((margin + line, Role.PLAIN),) for line in more)


def _fingerprint(held: Held) -> str:
    return "+".join(key.material.digest[:8].hex() if key.material else "none" for key in held)


def _origin(held: Held) -> str:
    """What the fingerprints were computed from."""
    return "+".join(dict.fromkeys(key.material.kind if key.material else "no fingerprint" for key in held))


def _odd(held: Held, usual: frozenset[str]) -> str:
    """The attributes that not every replica has."""
    odd = sorted({name for key in held for name in key.attributes} - usual)
    return "".join(f" +{name}" for name in odd)
