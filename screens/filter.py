"""The filter grammar of every table: `text`, `!text`, `column:value`, `!column:value`; all terms must hold.

It compares lower-case text with lower-case text and knows nothing of what the rows are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

    def keeps(self, row: str) -> bool:
        within = row if self.column is None else row.split("\n")[self.column]
        return (self.needle in within) is self.wanted


@dataclass(frozen=True, slots=True)
class Filter:
    """What is kept; the empty filter keeps everything."""

    terms: tuple[_Term, ...] = ()

    @classmethod
    def parse(cls, query: str, columns: Sequence[str]) -> Filter:
        """The filter a query means; a word before a colon that names no column is text like any other."""
        names = [column.lower() for column in columns]
        return cls(tuple(term for word in query.lower().split() if (term := _term(word, names)).needle))

    def keeps(self, row: str) -> bool:
        """Whether a row stays; it is given as `searchable` makes it."""
        for term in self.terms:  # noqa: SIM110 - a loop, because this runs for every one of 16,666 rows at each key
            if not term.keeps(row):
                return False
        return True

    def __bool__(self) -> bool:
        return bool(self.terms)


def searchable(cells: Iterable[str]) -> str:
    """A row's texts as one string to look into: lower case, a line for each column."""
    return "\n".join(cells).lower()


def _term(word: str, columns: Sequence[str]) -> _Term:
    wanted = not word.startswith("!")
    word = word.removeprefix("!")
    column, colon, value = word.partition(":")
    if colon and column in columns:
        return _Term(value, columns.index(column), wanted)
    return _Term(word, None, wanted)
