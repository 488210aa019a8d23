"""What the fleet tells of the cluster under the cursor, and of the HSMs of all; loaded when there is one."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.status_cluster import RUNNING

from .attention import problems
from .detail import facts, noted, tiles
from .estate import Estate
from .facts import of_cluster
from .glyph import Role, Spans, sign
from .verdict import hsm_tiles, long, next_step
from .words import cluster_name

_TIGHT = 7
"""Lines up to which nothing is left blank."""
_ROOMY = 16
"""Lines from which on it tells the facts, and the problems that the attention block has no room for."""


def told(cluster: Cluster, estate: Estate, room: Size, *, crowded: bool) -> Sequence[Spans]:
    """What is wrong with it, how that is known, its HSMs, its facts.

    `crowded` says that there are more problems than are shown elsewhere.
    """
    name = (f" {cluster_name(cluster)}", Role.STRONG)
    more = dict.fromkeys((cluster_name(cluster), cluster.cluster_id, f"{cluster.hsm_type} {cluster.mode}"))
    lines: list[Spans] = [(name, ("".join(f"  {each}" for each in list(more)[1:]), Role.MUTED))]
    lines += long(estate.check(cluster), room.width) if cluster.state in RUNNING else next_step(cluster, room.width)
    if room.height > _ROOMY and crowded:
        for problem in problems(cluster, estate):
            lines += noted(sign(problem.mark), problem.text, room.width)
    if room.height > _TIGHT:
        lines.append(())
    lines += tiles(hsm_tiles(cluster, estate), Size(room.width, room.height - len(lines)))
    if room.height > _ROOMY:
        lines += [(), *facts(of_cluster(cluster), room.width)]
    return lines
