"""`cluster`: what clusters there are, and one of them whole."""

from __future__ import annotations

import click

from hsmctl.cli.cluster_view import LIST, SHOW, row, worst_first
from hsmctl.cli.session import Session
from hsmctl.cli.verb import Noun, Seconds, verb


@verb(
    "list",
    "hsmctl cluster list",
    "hsmctl -c prod cluster list -o json --query '[].cluster_id'",
    "hsmctl -c prod cluster list --regions eu-central-1,eu-west-1 --deadline 10s",
)
@click.option("--regions", metavar="R1,R2|all", help="Ask these regions at once, or all there are.")
@click.option("--contexts", metavar="C1,C2", help="Ask these contexts at once.")
@click.option("--deadline", type=Seconds(), default="20s", show_default=True, help="With these: give a place up after.")
def list_clusters(session: Session, regions: str | None, contexts: str | None, deadline: float) -> int:
    """List the clusters of the region, or of many at once, those that need attention first."""
    if regions or contexts:
        from hsmctl.cli.cluster_estate import list_estate

        return list_estate(session, regions, contexts, deadline)
    rows = worst_first(map(row, session.hsmctl.cluster.list()))
    return session.show(LIST, rows, region=session.hsmctl.aws.plane.region)


@verb("show", "hsmctl cluster show", "hsmctl cluster show cluster-a2b3c4d5e6f -o json")
@click.argument("cluster", required=False)
def show_cluster(session: Session, cluster: str | None) -> int:
    """Show a cluster and its HSMs, certificates, backups; the only one there is if none is named."""
    from hsmctl.cli.cluster_show import collected

    found = session.hsmctl.cluster.only(cluster)
    document, warnings = collected(session, found)
    return session.show(SHOW, document, region=found.region, warnings=warnings)


noun = Noun(
    "cluster",
    "Clusters: what there is, and changing it.",
    list_clusters,
    show_cluster,
    later={
        **dict.fromkeys(("create", "delete", "wait", "tag", "untag", "modify"), "hsmctl.cli.cluster_change"),
        "scale": "hsmctl.cli.cluster_scale",
        "init": "hsmctl.cli.cluster_init",
        "activate": "hsmctl.cli.cluster_activate",
    },
)
