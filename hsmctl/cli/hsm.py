"""`hsm`: the HSMs of one cluster or of all, as the control plane describes them."""

from __future__ import annotations

import click

from hsmctl.cli.hsm_view import HsmRow, lines, rows
from hsmctl.cli.plan import Wish, carry_out, changes
from hsmctl.cli.session import Session
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import View
from hsmctl.domain.plan import Plan
from hsmctl.domain.scale import emptiest_zones
from hsmctl.errors import UsageError


@verb("list", "hsmctl hsm list", "hsmctl hsm list cluster-a2b3c4d5e6f -o wide", "hsmctl hsm list -o name")
@click.argument("cluster", required=False)
def list_hsms(session: Session, cluster: str | None) -> int:
    """List the HSMs of a cluster, or of every cluster of the region."""
    service = session.hsmctl.cluster
    clusters = [service.show(cluster)] if cluster else service.list()
    found = tuple(row for each in clusters for row in rows(each))
    return session.show(LIST, found, region=session.hsmctl.aws.plane.region)


@verb("add", "hsmctl hsm add", "hsmctl hsm add cluster-a2b3c4d5e6f --zone eu-central-1b --zone eu-central-1c")
@click.argument("cluster", required=False)
@click.option("--zone", "zones", metavar="ZONE", multiple=True, help="Where; may be repeated. Otherwise the emptiest.")
@click.option("--count", type=click.IntRange(1), help="How many, where no zone is named.")
@changes
def add_hsms(session: Session, cluster: str | None, zones: tuple[str, ...], count: int | None, wish: Wish) -> int:
    """Add HSMs to a cluster, one after the other, and wait until they are ACTIVE."""
    if zones and count:
        raise UsageError("hsm add", "both --zone and --count", "name the zones, or how many")

    def plan() -> Plan:
        service = session.hsmctl.cluster
        found = service.only(cluster)
        return service.plan_add_hsms(found, zones or emptiest_zones(found, count or 1))

    return carry_out(session, wish, plan)


noun = Noun("hsm", "The HSMs of clusters.", list_hsms, add_hsms)


LIST: View[tuple[HsmRow, ...]] = View(
    schema="hsm.list@1",
    document=tuple[HsmRow, ...],
    lines=lines,
    names=lambda found: [row.hsm_id for row in found],
    items=lambda found: found,
    nothing="no HSMs: an uninitialized cluster begins without any",
)
