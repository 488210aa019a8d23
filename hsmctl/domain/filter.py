"""The filter grammar: `text`, `!text`, `te*t`, `column:value`, `"two words"`, `-f fuzzy`; all terms must hold.

It compares lower-case text with lower-case text and knows nothing of what the rows are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

GRAMMAR = (
    ("text", "rows with this text in any column"),
    ("!text", "rows without it"),
    ("te*t  te?t", "rows with a column that is like this from end to end"),
    ("column:value", "rows with this value in that column"),
    ('"two words"', "rows with these words next to each other"),
    ("-f txt", "rows with these letters in this order"),
    ("two terms", "rows for which both hold"),
)
"""The forms and what they keep, for the help."""

_WORD = re.compile(r'(?P<not>!?)(?:(?P<column>[^\s":]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<bare>\S*))(?:\s+|$)')
_FUZZY = "-f"


@dataclass(frozen=True, slots=True)
class _Term:
    needle: str
    column: int | None
    """Where it is looked for; None is anywhere."""
    wanted: bool
    pattern: re.Pattern[str] | None = None
    """What a cell must be like, where text alone does not say it."""

    def keeps(self, row: str) -> bool:
        within = row if self.column is None else row.split("\n")[self.column]
        if self.pattern is not None:
            return (self.pattern.search(within) is not None) is self.wanted
        return (self.needle in within) is self.wanted


@dataclass(frozen=True, slots=True)
class Filter:
    """What is kept; the empty filter keeps everything."""

    terms: tuple[_Term, ...] = ()

    @classmethod
    def parse(cls, query: str, columns: Sequence[str]) -> Filter:
        """The filter a query means; a word before a colon that names no column is text like any other."""
        names = [column.lower() for column in columns]
        words = list(_WORD.finditer(query.lower().strip()))
        fuzzy = any(word[0].strip() == _FUZZY for word in words)
        terms = (_term(word, names, fuzzy=fuzzy) for word in words if word[0].strip() != _FUZZY)
        return cls(tuple(term for term in terms if term.needle))

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


def _term(word: re.Match[str], columns: Sequence[str], *, fuzzy: bool) -> _Term:
    """One term; a half-typed one has no needle, and no effect yet."""
    column, quoted = word["column"], word["quoted"]
    needle = word["bare"] if quoted is None else quoted
    if column is not None and column not in columns:
        column, needle = None, f"{column}:{needle}"
    place = None if column is None else columns.index(column)
    return _Term(needle, place, not word["not"], _pattern(needle, quoted=quoted is not None, fuzzy=fuzzy))


def _pattern(needle: str, *, quoted: bool, fuzzy: bool) -> re.Pattern[str] | None:
    """What a cell must be like; None where the needle is plain text, as a lone `?` or `*` is."""
    if fuzzy and needle:
        return re.compile("[^\n]*?".join(map(re.escape, needle)))
    if quoted or not needle.strip("*?") or not set("*?") & set(needle):
        return None
    like = re.escape(needle).replace(r"\*", "[^\n]*").replace(r"\?", "[^\n]")
    return re.compile(f"^{like}$", re.MULTILINE)
