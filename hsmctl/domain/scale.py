"""How many HSMs a cluster should have in which zone, and what has to be added or removed for that."""

from __future__ import annotations

from hsmctl.domain.cluster import Cluster


def emptiest_zones(cluster: Cluster, count: int) -> tuple[str, ...]:
    """Where `count` more HSMs go so that the zones stay balanced, the emptiest first."""
    filled = {zone: len(hsms) for zone, hsms in cluster.hsms_by_zone().items() if zone in cluster.subnets}
    chosen = []
    for _ in range(count if filled else 0):
        zone = min(filled, key=lambda name: (filled[name], name))
        filled[zone] += 1
        chosen.append(zone)
    return tuple(chosen)
