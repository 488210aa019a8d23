"""What two clusters have alike beside their keys: AWS and their client hosts are asked, both clusters at once."""

from __future__ import annotations

from collections.abc import Callable

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.coverage import Evidence
from hsmctl.domain.evidence import Failed
from hsmctl.domain.sync_parity import Fact, Side, parity, seen
from hsmctl.ports import Clock
from hsmctl.services.fanout import each


def compared(
    ids: tuple[str, str],
    show: Callable[[str], Cluster],
    policies: Callable[[Cluster], Evidence],
    *,
    clock: Clock,
    seconds: float,
) -> tuple[tuple[Fact, ...], tuple[str, ...]]:
    """The facts about two clusters, and why some are unknown; after `seconds` all that was not told is."""
    sides: dict[str, Side] = {each_id: {} for each_id in ids}
    warnings: list[str] = []

    def ask(cluster_id: str) -> tuple[Side, tuple[str, ...]]:
        cluster = show(cluster_id)
        told = policies(cluster)
        return seen(cluster, told), tuple(told.failures.values())

    for cluster_id, outcome in each(tuple(sides), ask, clock=clock, deadline=clock.monotonic() + seconds):
        if isinstance(outcome, Failed):
            warnings.append(f"{cluster_id}: {outcome.error}")
        else:
            sides[cluster_id], why = outcome.value
            warnings += [f"{cluster_id}: {reason}" for reason in why]
    return parity(sides[ids[0]], sides[ids[1]]), tuple(warnings)
