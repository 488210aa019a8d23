"""How the screens name clusters, zones and states in little room."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsmctl.domain.cluster import Cluster


def state_word(state: str) -> str:
    """AWS's word for a state, short enough for a table: `ACTIVE`, `CREATE…`."""
    return state.upper().replace("_IN_PROGRESS", "…")


def listed(names: Sequence[str], most: int) -> str:
    """The names, the first `most` of them if there are more."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def cluster_name(cluster: Cluster) -> str:
    """What people call the cluster: its Name tag, or its id."""
    return cluster.tags.get("Name") or cluster.cluster_id


def region_word(region: str) -> str:
    """A region as the ids of its zones begin, such as `euc1`; whatever is written otherwise stays."""
    *parts, number = region.split("-")
    if len(parts) < 2 or not number.isdigit():
        return region
    compass = re.findall("north|south|east|west|central", parts[-1])
    return "".join((*parts[:-1], *(word[0] for word in compass), number)) if compass else region


def zone_names(zones: Iterable[str]) -> dict[str, str]:
    """Short names of zones: what is left without the beginning they share, such as `a` and `b`."""
    ordered = sorted(set(zones))
    if len(ordered) < 2:
        return {zone: zone[-1:] or "–" for zone in ordered}
    shared = 0
    while all(zone[shared : shared + 1] == ordered[0][shared : shared + 1] != "" for zone in ordered):
        shared += 1
    return {zone: zone[shared:] or "–" for zone in ordered}
