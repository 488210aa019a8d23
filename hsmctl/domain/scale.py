"""How many HSMs a cluster should have in which zone, and what has to be added or removed for that.

Counts are what converges, not ids: an HSM that CloudHSM replaces comes back under a new id, at the same or another
address, and is the same place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from hsmctl.domain.cluster import Cluster, Hsm, HsmState
from hsmctl.domain.interlock import there
from hsmctl.errors import Conflict


@dataclass(frozen=True, slots=True)
class Gap:
    """What lies between a cluster and what it should be."""

    add: tuple[str, ...]
    """The zones of new HSMs, in the order of their creation."""
    remove: tuple[Hsm, ...]
    """The HSMs that leave, in the order of their deletion."""


def emptiest_zones(cluster: Cluster, count: int) -> tuple[str, ...]:
    """Where `count` more HSMs go so that the zones stay balanced, the emptiest first."""
    filled = filled_zones(cluster)
    chosen = []
    for _ in range(count if filled else 0):
        zone = min(filled, key=lambda name: (filled[name], name))
        filled[zone] += 1
        chosen.append(zone)
    return tuple(chosen)


def filled_zones(cluster: Cluster) -> dict[str, int]:
    """By zone of the cluster's subnets, how many HSMs are there or on their way."""
    return {zone: len(there(cluster, zone)) for zone in sorted(cluster.subnets)}


def balanced(cluster: Cluster, total: int) -> dict[str, int]:
    """By zone, how many of `total` HSMs should be there: as equal as can be, with as little moving as can be.

    Raises:
        Conflict: the cluster has no subnets.
    """
    filled = filled_zones(cluster)
    if not filled:
        raise Conflict(f"{cluster.cluster_id} has no subnets", "there is nowhere to put an HSM", "hsmctl cluster show")
    base, more = divmod(total, len(filled))
    fullest = sorted(filled, key=lambda zone: (-filled[zone], zone))
    return {zone: base + (zone in fullest[:more]) for zone in filled}


def gap(cluster: Cluster, wanted: Mapping[str, int], keys: Mapping[str, float] | None = None) -> Gap:
    """What has to be added to reach these counts by zone, and what removed; `keys` counts token keys by HSM."""
    filled = Counter(filled_zones(cluster))
    missing = {zone: wanted.get(zone, 0) - count for zone, count in filled.items()}
    rounds = max(missing.values(), default=0)
    # Zone by zone in turn, so that the zones fill evenly if it stops half-way.
    add = tuple(zone for turn in range(rounds) for zone in sorted(missing) if missing[zone] > turn)
    remove: list[Hsm] = []
    for zone in sorted(missing):
        remove += sorted(there(cluster, zone), key=lambda hsm: _worth(hsm, keys or {}))[: max(0, -missing[zone])]
    return Gap(add=add, remove=tuple(_in_turn(remove)))


def _worth(hsm: Hsm, keys: Mapping[str, float]) -> tuple[bool, float, str]:
    """What is least worth leaves first: what is not ACTIVE, then what holds the fewest keys."""
    return hsm.state is HsmState.ACTIVE, keys.get(hsm.hsm_id, 0.0), hsm.hsm_id


def _in_turn(hsms: list[Hsm]) -> list[Hsm]:
    """The HSMs so that zones take turns: no zone is emptied while another still has many."""
    places: Counter[str] = Counter()
    ordered = []
    for hsm in hsms:
        ordered.append((places[hsm.zone], hsm.zone, hsm))
        places[hsm.zone] += 1
    return [hsm for _, _, hsm in sorted(ordered, key=lambda item: item[:2])]
