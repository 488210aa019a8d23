"""Proves the filter grammar: text, absence, columns, and that all terms must hold."""

from __future__ import annotations

import pytest
from hsmctl.screens.filter import Filter, searchable

COLUMNS = ("KEY", "TYPE")


@pytest.mark.parametrize(
    ("query", "row", "kept"),
    [
        ("", ("db-kek", "AES-256"), True),
        ("KEK", ("db-kek", "AES-256"), True),
        ("kek rsa", ("db-kek", "AES-256"), False),
        ("kek aes", ("db-kek", "AES-256"), True),
        ("!kek", ("db-kek", "AES-256"), False),
        ("!rsa", ("db-kek", "AES-256"), True),
        ("type:aes", ("db-kek", "AES-256"), True),
        ("key:aes", ("db-kek", "AES-256"), False),
        ("!type:aes", ("db-kek", "AES-256"), False),
        ("id:00ff", ("id:00ff", "AES-256"), True),  # no such column: the colon is part of the text
        ("!", ("db-kek", "AES-256"), True),  # half typed
        ("type:", ("db-kek", "AES-256"), True),
        ("kaes", ("k", "aes"), False),  # a text never spans two columns
    ],
)
def test_what_a_query_keeps(query: str, row: tuple[str, ...], *, kept: bool) -> None:
    assert Filter.parse(query, COLUMNS).keeps(searchable(row)) is kept
