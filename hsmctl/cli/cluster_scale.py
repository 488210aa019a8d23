"""`cluster scale`: as many HSMs as wanted, zone by zone."""

from __future__ import annotations

import click

from hsmctl.cli.plan import Wish, carry_out, changes
from hsmctl.cli.session import Session
from hsmctl.cli.verb import verb
from hsmctl.cli.waiver import waives
from hsmctl.domain.plan import Plan
from hsmctl.services.hsm import wanted_counts
from hsmctl.services.interlock import Waivers


@verb(
    "scale",
    "hsmctl cluster scale --to 4",
    "hsmctl cluster scale cluster-a2b3c4d5e6f --per-az 2 --dry-run",
    'hsmctl cluster scale --to 0 --allow-outage "closed over the holidays" --confirm 3d4e5f',
)
@click.argument("cluster", required=False)
@click.option("--to", "total", type=click.IntRange(0), help="How many HSMs in all, spread over its zones.")
@click.option("--per-az", "each", type=click.IntRange(0), help="How many HSMs in each of its zones.")
@waives("--allow-outage", "--allow-single-az", "--allow-unequal", "--allow-degraded", "--allow-old-backup")
@changes
def scale(
    session: Session, cluster: str | None, total: int | None, each: int | None, waivers: Waivers, wish: Wish
) -> int:
    """Bring a cluster to a number of HSMs: add what is missing one after the other, then remove what is too much."""

    def plan() -> Plan:
        found = session.hsmctl.cluster.only(cluster)
        return session.hsmctl.hsm.plan_scale(found, wanted_counts(found, total, each), waivers)

    return carry_out(session, wish, plan)


verbs = (scale,)
