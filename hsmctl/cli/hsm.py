"""`hsm`: the HSMs of one cluster or of all, as the control plane describes them."""

from __future__ import annotations

import click

from hsmctl.cli.hsm_view import HsmRow, lines, rows
from hsmctl.cli.plan import Wish, carry_out, changes, waited
from hsmctl.cli.session import Session
from hsmctl.cli.verb import Noun, Seconds, verb
from hsmctl.cli.view import View
from hsmctl.cli.waiver import waives
from hsmctl.domain.plan import Plan
from hsmctl.domain.scale import emptiest_zones
from hsmctl.errors import UsageError
from hsmctl.services.cluster import settled
from hsmctl.services.interlock import Waivers


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
@waives("--allow-degraded")
@changes
def add_hsms(
    session: Session,
    cluster: str | None,
    zones: tuple[str, ...],
    count: int | None,
    waivers: Waivers,
    wish: Wish,
) -> int:
    """Add HSMs to a cluster, one after the other, and wait until they are ACTIVE."""
    if zones and count:
        raise UsageError("hsm add", "both --zone and --count", "name the zones, or how many")

    def plan() -> Plan:
        found = session.hsmctl.cluster.only(cluster)
        return session.hsmctl.hsm.plan_add(found, zones or emptiest_zones(found, count or 1), waivers)

    return carry_out(session, wish, plan)


@verb(
    "remove",
    "hsmctl hsm remove hsm-aaaaaaaaaaa --confirm 3d4e5f",
    'hsmctl hsm remove 10.0.3.17 --cluster cluster-a2b3c4d5e6f --allow-outage "maintenance 4711" --dry-run',
)
@click.argument("hsms", nargs=-1, required=True)
@click.option("--cluster", metavar="ID", help="The cluster, by id or name; the only one there is if none is named.")
@waives("--allow-outage", "--allow-single-az", "--allow-unequal", "--allow-old-backup")
@changes
def remove_hsms(session: Session, hsms: tuple[str, ...], cluster: str | None, waivers: Waivers, wish: Wish) -> int:
    """Delete HSMs, named by id or address, one after the other, behind their interlocks."""
    return carry_out(
        session,
        wish,
        lambda: session.hsmctl.hsm.plan_remove(session.hsmctl.cluster.only(cluster), hsms, waivers),
    )


@verb(
    "replace",
    "hsmctl hsm replace hsm-aaaaaaaaaaa --confirm 3d4e5f",
    "hsmctl hsm replace hsm-aaaaaaaaaaa --keep-ip --dry-run",
)
@click.argument("hsm")
@click.option("--cluster", metavar="ID", help="The cluster, by id or name; the only one there is if none is named.")
@click.option("--keep-ip", is_flag=True, help="Delete it first and give the new one its address; three must remain.")
@waives("--allow-outage", "--allow-single-az", "--allow-unequal", "--allow-degraded")
@changes
def replace_hsm(session: Session, hsm: str, cluster: str | None, waivers: Waivers, wish: Wish, *, keep_ip: bool) -> int:
    """Put a new HSM in the place of one: add, wait, compare the counts of keys, then delete the old one."""

    def plan() -> Plan:
        found = session.hsmctl.cluster.only(cluster)
        return session.hsmctl.hsm.plan_replace(found, hsm, waivers, keep_ip=keep_ip)

    return carry_out(session, wish, plan)


@verb("wait", "hsmctl hsm wait", "hsmctl hsm wait cluster-a2b3c4d5e6f --deadline 20m")
@click.argument("cluster", required=False)
@click.option("--deadline", type=Seconds(), default="60m", show_default=True, help="Give up after this time.")
def wait_hsms(session: Session, cluster: str | None, deadline: float) -> int:
    """Wait until every HSM of a cluster is ACTIVE and none is joining or leaving; changes nothing."""
    service = session.hsmctl.cluster
    found = waited(session, service.waiting(service.only(cluster).cluster_id, settled, deadline))
    return session.show(LIST, rows(found), region=found.region)


noun = Noun("hsm", "The HSMs of clusters.", list_hsms, add_hsms, remove_hsms, replace_hsm, wait_hsms)
for _alias, _verb in (("create", add_hsms), ("delete", remove_hsms)):
    noun.alias(_alias, _verb)


LIST: View[tuple[HsmRow, ...]] = View(
    schema="hsm.list@1",
    document=tuple[HsmRow, ...],
    lines=lines,
    names=lambda found: [row.hsm_id for row in found],
    items=lambda found: found,
    nothing="no HSMs: an uninitialized cluster begins without any",
)
