"""Proves the filter grammar: text, absence, likeness, columns, words together, letters in order; all must hold."""

from __future__ import annotations

import pytest

from hsmctl.domain.filter import Filter, searchable

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
        ("db-*", ("db-kek", "AES-256"), True),
        ("kek*", ("db-kek", "AES-256"), False),  # a likeness is one of the whole column
        ("type:aes-???", ("db-kek", "AES-256"), True),
        ("type:aes-??", ("db-kek", "AES-256"), False),
        ("!key:db*", ("db-kek", "AES-256"), False),
        ("b*6", ("db", "k6"), False),
        ("?", ("db-kek", "? unproven"), True),  # the sign, not any letter
        ("?", ("db-kek", "AES-256"), False),
        ("*", ("db-kek", "AES-256"), False),
        ("[k", ("db[kek", "AES-256"), True),
        ('"two words"', ("a two words b", ""), True),
        ('"words two"', ("a two words b", ""), False),
        ('key:"two wo', ("a two words b", ""), True),  # half typed
        ('!"two words"', ("a two words b", ""), False),
        ("-f dkk", ("db-kek", "AES-256"), True),
        ("-f kkd", ("db-kek", "AES-256"), False),
        ("dkk -f", ("db-kek", "AES-256"), True),
        ("-f ka", ("db-kek", "AES-256"), False),  # never over two columns
        ("-f", ("db-kek", "AES-256"), True),
    ],
)
def test_what_a_query_keeps(query: str, row: tuple[str, ...], *, kept: bool) -> None:
    assert Filter.parse(query, COLUMNS).keeps(searchable(row)) is kept
