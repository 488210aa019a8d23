"""What the signs on a screen mean, in a line or two, where there is room for it."""

from __future__ import annotations

from collections.abc import Iterable

from hsmctl.mark import Mark

from .glyph import Role, Span, Spans, sign

_SHORT = {
    Mark.BAD: "missing or broken",
    Mark.DIFFERENT: "other material",
    Mark.UNREADABLE: "unreadable",
    Mark.ATTRIBUTES: "attributes differ",
    Mark.ATTENTION: "attention",
    Mark.PARTIAL: "healing",
    Mark.PENDING: "in progress",
    Mark.UNPROVEN: "unproven",
    Mark.INFERRED: "inferred",
    Mark.REPORTED: "reported",
    Mark.PROVED: "proved",
}


def legend(width: int, marks: Iterable[Mark] = Mark) -> list[Spans]:
    """The signs with their words, as many on a line as fit."""
    lines: list[list[Span]] = [[]]
    used = 1
    for mark in marks:
        word = f" {_SHORT[mark]}"
        if used + len(word) + 3 > width and lines[-1]:
            lines.append([])
            used = 1
        lines[-1] += [("  " if lines[-1] else " ", Role.PLAIN), sign(mark), (word, Role.MUTED)]
        used += len(word) + 3
    return [tuple(line) for line in lines]


def with_legend(lines: list[Spans], width: int, height: int, marks: Iterable[Mark] = Mark) -> list[Spans]:
    """The lines, and at the bottom of what is left below them the legend."""
    told = legend(width, marks)
    spare = height - len(lines) - len(told)
    return [*lines, *([()] * spare), *told] if spare > 0 else lines
