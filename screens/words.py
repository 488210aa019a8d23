"""How the screens say times, counts and names; short in tables, whole in details."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from hsmctl.domain.cluster import Cluster

_AGES = ((86_400, "d"), (3_600, "h"), (60, "min"))


def age(now: datetime, then: datetime | None) -> str:
    """How long ago: `12 s`, `5 min`, `4 h`, `3 d`; a dash where it never was."""
    if then is None:
        return "–"
    seconds = max(0, int((now - then).total_seconds()))
    return next((f"{seconds // size} {unit}" for size, unit in _AGES if seconds >= size), f"{seconds} s")


def instant(moment: datetime | None) -> str:
    """A point in time in UTC, to the second."""
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def counted(number: int, noun: str) -> str:
    """The number and its noun: `1 key`, `1,204 keys`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shortened(name: str, width: int) -> str:
    """The name in at most `width` characters, cut in the middle: both ends tell ids apart."""
    if len(name) <= width:
        return name
    head = (width - 1) // 2
    return f"{name[:head]}…{name[len(name) - (width - 1 - head) :]}"


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


def zone_names(zones: Iterable[str]) -> dict[str, str]:
    """Short names of zones: what is left without the beginning they share, such as `a` and `b`."""
    ordered = sorted(set(zones))
    if len(ordered) < 2:
        return {zone: zone[-1:] or "–" for zone in ordered}
    shared = 0
    while all(zone[shared : shared + 1] == ordered[0][shared : shared + 1] != "" for zone in ordered):
        shared += 1
    return {zone: zone[shared:] or "–" for zone in ordered}
