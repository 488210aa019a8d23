"""Keys that are missing here and there because they go by other names: left-overs of equal material, paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from hsmctl.domain.key import Identity, Material, ObjectClass
from hsmctl.domain.sync_row import Cell, Row


def with_renamed(rows: Sequence[Row]) -> list[Row]:
    """The rows, with left-overs of equal material paired: each is missing exactly where the other is."""
    left_over: dict[_LeftOver, list[Identity]] = {}
    for row in rows:
        if found := _left_over(row):
            left_over.setdefault(found, []).append(row.identity)
    pairs = {
        one[0]: other[0]
        for found, one in left_over.items()
        if len(one) == len(other := left_over.get(found.mirrored, [])) == 1
    }
    return [replace(row, renamed=pairs[row.identity]) if row.identity in pairs else row for row in rows]


class _LeftOver(NamedTuple):
    """A key some replicas miss: what it is made of, who has it and who does not."""

    made_of: tuple[ObjectClass, str, Material]
    there: frozenset[int]
    missing: frozenset[int]

    @property
    def mirrored(self) -> _LeftOver:
        """The same material, the other way round."""
        return self._replace(there=self.missing, missing=self.there)


def _left_over(row: Row) -> _LeftOver | None:
    """The row as a left-over; None where nobody misses it, or where it is not one key with one fingerprint."""
    if row.worst is not Cell.MISSING or row.shared > 1:
        return None
    keys = {key.material: key for held in row.holdings for key in held}
    material = next(iter(keys))
    if len(keys) > 1 or material is None:
        return None
    there = frozenset(place for place, held in enumerate(row.holdings) if held)
    missing = frozenset(place for place, cell in enumerate(row.cells) if cell is Cell.MISSING)
    return _LeftOver((row.identity.object_class, keys[material].algorithm, material), there, missing)
