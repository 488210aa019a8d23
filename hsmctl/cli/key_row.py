"""One object of a token as a row of documents and tables, whoever lists it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hsmctl.cli.table import Column, table
from hsmctl.cli.view import Page
from hsmctl.domain.key import Key, text
from hsmctl.domain.uri import uri_of
from hsmctl.words import brief


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One object of a token."""

    object_class: str
    label: str
    """As text; bytes that are not printable are escaped."""
    label_bytes: bytes
    key_id: bytes
    algorithm: str
    key_type: str
    bits: int | None
    curve: str | None
    attributes: tuple[str, ...]
    """The boolean attributes that are true, sorted."""
    fingerprint_kind: str | None
    fingerprint: bytes | None
    uri: str
    """RFC 7512, by what the object itself says."""


def row(key: Key, token: str = "") -> KeyRow:
    """The row of a key; `token` is its token's label, for the URI."""
    return KeyRow(
        object_class=key.identity.object_class,
        label=text(key.identity.label),
        label_bytes=key.identity.label,
        key_id=key.identity.key_id,
        algorithm=key.algorithm,
        key_type=key.key_type,
        bits=key.bits,
        curve=key.curve,
        attributes=tuple(sorted(key.attributes)),
        fingerprint_kind=key.material.kind if key.material else None,
        fingerprint=key.material.digest if key.material else None,
        uri=uri_of(key.identity, token),
    )


def cells(shown: KeyRow) -> tuple[str, ...]:
    """What a filter looks into, in the order of `COLUMNS`."""
    names = shown.label, shown.algorithm, shown.object_class, shown.key_id.hex()
    return (*names, fingerprint(shown), " ".join(shown.attributes))


COLUMNS = ("label", "type", "class", "id", "fingerprint", "attributes")
"""What a filter calls them."""


def rows_table(keys: Sequence[KeyRow], page: Page) -> list[str]:
    """The rows as lines."""
    columns: tuple[Column[KeyRow], ...] = (
        Column(title="LABEL", cell=lambda shown: brief(shown.label) or "–", shrinks=True),
        Column(title="TYPE", cell=lambda shown: shown.algorithm or "–"),
        Column(title="CLASS", cell=lambda shown: shown.object_class),
        Column(title="ID", cell=lambda shown: shown.key_id.hex() or "–", shrinks=True),
        Column(title="FINGERPRINT", cell=fingerprint, wide=True),
        Column(title="ATTRIBUTES", cell=lambda shown: " ".join(shown.attributes), wide=True),
    )
    return table(columns, keys, wide=page.wide, width=page.width)


def fingerprint(shown: KeyRow) -> str:
    """The kind and digest of the material, or a dash."""
    return f"{shown.fingerprint_kind} {shown.fingerprint.hex()}" if shown.fingerprint else "–"
