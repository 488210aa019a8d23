"""The filter grammar of every table: `text`, `!text`, `column:value`, `!column:value`; all terms must hold.

It compares lower-case text with lower-case text and knows nothing of what the rows are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GRAMMAR = (
    ("text", "rows with this text in any column"),
    ("!text", "rows without it"),
    ("column:value", "rows with this value in that column"),
    ("two terms", "rows for which both hold"),
)
"""The forms and what they keep, for the help."""


@dataclass(frozen=True, slots=True)
class _Term:
    needle: str
    column: int | None
    """Where it is looked for; None is anywhere."""
    wanted: bool

    def keeps(self, cells: Sequence[str]) -> bool:
        within = cells if self.column is None else (cells[self.column],)
        return any(self.needle in cell for cell in within) is self.wanted


@dataclass(frozen=True, slots=True)
class Filter:
    """What is kept; the empty filter keeps everything."""

    terms: tuple[_Term, ...] = ()

    @classmethod
    def parse(cls, query: str, columns: Sequence[str]) -> Filter:
        """The filter a query means; a word before a colon that names no column is text like any other."""
        names = [column.lower() for column in columns]
        return cls(tuple(term for word in query.lower().split() if (term := _term(word, names)).needle))

    def keeps(self, cells: Sequence[str]) -> bool:
        """Whether a row stays; `cells` are its columns' texts in lower case."""
        return all(term.keeps(cells) for term in self.terms)

    def __bool__(self) -> bool:
        return bool(self.terms)


def _term(word: str, columns: Sequence[str]) -> _Term:
    wanted = not word.startswith("!")
    word = word.removeprefix("!")
    column, colon, value = word.partition(":")
    if colon and column in columns:
        return _Term(value, columns.index(column), wanted)
    return _Term(word, None, wanted)
