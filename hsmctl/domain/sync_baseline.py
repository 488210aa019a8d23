"""What replicas hold now against what they held once: keys that are gone everywhere, which comparing them cannot show.

A key counts as changed only where none of its fingerprints now is one it had, and some came about in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hsmctl.domain.evidence import Ok
from hsmctl.domain.key import Identity, Material
from hsmctl.domain.sync import Reading

Materials = frozenset[Material]
"""The fingerprints seen under one identity, on any replica."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The keys there were at one moment."""

    taken_at: datetime
    keys: Mapping[Identity, Materials]


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """What became of a baseline's keys."""

    taken_at: datetime
    gone: tuple[Identity, ...]
    """No replica that was read holds them; by label."""
    changed: tuple[Identity, ...]
    """Other material has their names now; by label."""
    new: int
    """Keys that were not there then."""

    @property
    def kept(self) -> bool:
        """Whether everything that was there still is."""
        return not self.gone and not self.changed


def baseline(readings: Sequence[Reading], taken_at: datetime) -> Baseline:
    """The keys of these readings, for comparison with later ones."""
    return Baseline(taken_at=taken_at, keys=_materials(readings))


def since(then: Baseline, readings: Sequence[Reading]) -> Since:
    """What became of the baseline's keys."""
    now = _materials(readings)
    changed = (name for name in then.keys.keys() & now.keys() if _other(then.keys[name], now[name]))
    return Since(
        taken_at=then.taken_at,
        gone=tuple(sorted(then.keys.keys() - now.keys(), key=_by_label)),
        changed=tuple(sorted(changed, key=_by_label)),
        new=len(now.keys() - then.keys.keys()),
    )


def _materials(readings: Sequence[Reading]) -> Mapping[Identity, Materials]:
    found: dict[Identity, set[Material]] = {}
    for reading in readings:
        for key in reading.outcome.value.keys if isinstance(reading.outcome, Ok) else ():
            if not key.session:
                found.setdefault(key.identity, set()).update([key.material] if key.material else [])
    return {name: frozenset(materials) for name, materials in found.items()}


def _other(then: Materials, now: Materials) -> bool:
    """Whether the fingerprints can be compared, and none is the same."""
    ways = {(one.kind, one.by) for one in then} & {(one.kind, one.by) for one in now}
    return bool(ways) and then.isdisjoint(now)


def _by_label(identity: Identity) -> tuple[bytes, str, bytes]:
    return identity.label, identity.object_class, identity.key_id
