"""`status`: how clusters stand, for whoever is on call: worst first, each with the sentence why."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import click

from hsmctl.cli.session import ALL, Session, names_in
from hsmctl.cli.status_view import VIEW, document
from hsmctl.cli.verb import Seconds, verb
from hsmctl.services.status import Region, StatusWish, survey


@verb(
    "status",
    "hsmctl --lab status",
    "hsmctl -c prod status -o nagios",
    "hsmctl -c prod status cluster-a2b3c4d5e6f --max-age 26h --host -o wide",
    "hsmctl -c prod status --regions eu-central-1,us-east-1 --deadline 10s",
    'hsmctl -c prod status -o json --query "clusters[*].[severity,cluster_id,why]"',
    checks=True,
)
@click.argument("clusters", nargs=-1, metavar="[CLUSTER]...")
@click.option("--max-age", type=Seconds(), default="26h", show_default=True, help="How old the newest backup may be.")
@click.option("--host", is_flag=True, help="Ask a client host too: users, quorum and trust anchors as HSMs have them.")
@click.option("--no-reach", is_flag=True, help="Do not read the network's configuration.")
@click.option("--regions", metavar="R1,R2|all", help="Ask these regions at once, or all there are.")
@click.option("--contexts", metavar="C1,C2", help="Ask these contexts at once.")
@click.option("--deadline", type=Seconds(), default="20s", show_default=True, help="What is silent then is unknown.")
def noun(
    session: Session,
    clusters: tuple[str, ...],
    max_age: float,
    regions: str | None,
    contexts: str | None,
    deadline: float,
    *,
    host: bool,
    no_reach: bool,
) -> int:
    """Say how clusters stand, worst first, each with the sentence why.

    State, HSMs and their health, zones, keys, users, KMS key stores, backups, reach, certificates, capacity, the end
    of hsm1 and the clock of a migration, holds, operations that were cut off. No key is used, nobody logs in and nobody
    knocks at an HSM. What could not be read is unknown, never ok. Exit 1 where something is critical or a warning, 6
    where something is unknown, 3 or 4 where everything is.
    """
    wish = StatusWish(
        ids=clusters, oldest_backup=timedelta(seconds=max_age), host=host, reach=not no_reach, seconds=deadline
    )
    surveyed = survey(regions_of(session, regions, contexts, wish), session.unbound.clock, deadline + _GRACE)
    shown = document(surveyed)
    names = dict.fromkeys(each.region.name for each in surveyed)
    return session.show(VIEW, shown, region=",".join(names), code=shown.exit)


_GRACE = 0.5
"""Seconds that the judging of what came in time may take."""


def regions_of(session: Session, regions: str | None, contexts: str | None, wish: StatusWish) -> list[Region]:
    """The places to look at: these regions of these contexts, all there are, or the chosen one's own."""
    facades = {name: session.elsewhere(name) for name in names_in(contexts)} or {"": session.hsmctl}
    wanted = names_in(regions)
    places = []
    for name, facade in facades.items():
        for region in facade.aws.regions() if wanted == [ALL] else wanted or [""]:
            there = session.in_region(facade, region) if region else facade
            service = there.status  # put together here, and not in the thread that asks
            places.append(Region(name, service.plane.region, partial(service.look, wish)))
    return places
