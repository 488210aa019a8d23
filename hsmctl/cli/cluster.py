"""`cluster`: what clusters there are, and one of them whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import click

from hsmctl.cli import hsm_view
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, details, table
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.cluster import Cluster, ClusterState
from hsmctl.mark import Mark
from hsmctl.words import age, instant

_MARKS: Mapping[str, Mark] = {
    ClusterState.ACTIVE: Mark.REPORTED,
    ClusterState.DEGRADED: Mark.PARTIAL,
    ClusterState.UNINITIALIZED: Mark.ATTENTION,
    ClusterState.INITIALIZED: Mark.ATTENTION,
    ClusterState.DELETED: Mark.BAD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRow:
    """One cluster of a list."""

    cluster_id: str
    name: str | None
    """Its Name tag."""
    state: str
    region: str
    hsm_type: str
    mode: str
    hsms_active: int
    hsms_total: int
    zones: Mapping[str, int]
    """HSMs in each Availability Zone, whatever their state."""
    created: datetime | None
    message: str | None
    """What the service says about the state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterDetails:
    """One cluster with its HSMs."""

    cluster_id: str
    name: str | None
    state: str
    message: str | None
    region: str
    hsm_type: str
    mode: str
    network_type: str
    vpc_id: str
    security_group: str
    subnets: Mapping[str, str]
    """Availability Zone to subnet id."""
    hsms: tuple[hsm_view.HsmRow, ...]
    created: datetime | None
    backup_retention_days: int | None
    source_backup_id: str | None
    has_csr: bool
    """Whether its certificate signing request can be had."""
    tags: Mapping[str, str]


@verb("list", "hsmctl cluster list", "hsmctl -c prod cluster list -o json --query '[].cluster_id'")
def list_clusters(session: Session) -> int:
    """List the clusters of the region, those that need attention first."""
    rows = [_row(cluster) for cluster in session.hsmctl.cluster.list()]
    rows.sort(key=lambda row: (list(Mark).index(_mark(row)), row.cluster_id))
    return session.show(LIST, tuple(rows), region=session.hsmctl.aws.plane.region)


@verb("show", "hsmctl cluster show", "hsmctl cluster show cluster-a2b3c4d5e6f -o json")
@click.argument("cluster", required=False)
def show_cluster(session: Session, cluster: str | None) -> int:
    """Show a cluster and its HSMs; the only one there is if none is named."""
    found = session.hsmctl.cluster.only(cluster)
    return session.show(SHOW, _details(found), region=found.region)


noun = Noun(
    "cluster",
    "Clusters: what there is, and changing it.",
    list_clusters,
    show_cluster,
    later={
        **dict.fromkeys(("create", "delete", "wait", "tag", "untag", "modify"), "hsmctl.cli.cluster_change"),
        "scale": "hsmctl.cli.cluster_scale",
        "init": "hsmctl.cli.cluster_init",
    },
)


def _row(cluster: Cluster) -> ClusterRow:
    return ClusterRow(
        cluster_id=cluster.cluster_id,
        name=cluster.tags.get("Name"),
        state=cluster.state,
        region=cluster.region,
        hsm_type=cluster.hsm_type,
        mode=cluster.mode,
        hsms_active=len(cluster.active_hsms),
        hsms_total=len(cluster.hsms),
        zones={zone: len(hsms) for zone, hsms in cluster.hsms_by_zone().items()},
        created=cluster.created,
        message=cluster.message or None,
    )


def _details(cluster: Cluster) -> ClusterDetails:
    return ClusterDetails(
        cluster_id=cluster.cluster_id,
        name=cluster.tags.get("Name"),
        state=cluster.state,
        message=cluster.message or None,
        region=cluster.region,
        hsm_type=cluster.hsm_type,
        mode=cluster.mode,
        network_type=cluster.network_type,
        vpc_id=cluster.vpc_id,
        security_group=cluster.security_group,
        subnets=cluster.subnets,
        hsms=hsm_view.rows(cluster),
        created=cluster.created,
        backup_retention_days=cluster.backup_retention_days,
        source_backup_id=cluster.source_backup_id,
        has_csr=cluster.certificates.csr is not None,
        tags=cluster.tags,
    )


def _mark(row: ClusterRow) -> Mark:
    """The sign of a cluster's state; ACTIVE with an HSM that is not is no longer whole."""
    if row.state == ClusterState.ACTIVE and row.hsms_active < row.hsms_total:
        return Mark.PARTIAL
    return _MARKS.get(row.state, Mark.PENDING)


def _list_lines(rows: tuple[ClusterRow, ...], page: Page) -> list[str]:
    columns: tuple[Column[ClusterRow], ...] = (
        Column(title="", cell=lambda row: _mark(row).glyph),
        Column(title="CLUSTER", cell=lambda row: row.cluster_id, shrinks=True),
        Column(title="NAME", cell=lambda row: row.name or ""),
        Column(title="REGION", cell=lambda row: row.region, wide=True),
        Column(title="STATE", cell=lambda row: row.state.upper()),
        Column(title="HSMS", cell=lambda row: f"{row.hsms_active}/{row.hsms_total}", right=True),
        Column(title="ZONES", cell=lambda row: _zones(row.zones)),
        Column(title="TYPE", cell=lambda row: row.hsm_type),
        Column(title="MODE", cell=lambda row: row.mode),
        Column(title="AGE", cell=lambda row: age(page.now, row.created), right=True),
        Column(title="WHY", cell=lambda row: row.message or "", wide=True),
    )
    return table(columns, rows, wide=page.wide, width=page.width)


def _zones(zones: Mapping[str, int]) -> str:
    """HSMs by zone, the zones by what tells them apart: `a:1 b:1 c:1`."""
    return " ".join(f"{zone[-1:]}:{count}" for zone, count in zones.items())


def _show_lines(cluster: ClusterDetails, page: Page) -> list[str]:
    told = details(
        [
            ("cluster", cluster.cluster_id),
            ("name", cluster.name or ""),
            ("state", cluster.state.upper()),
            ("why", cluster.message or ""),
            ("region", cluster.region),
            ("type", f"{cluster.hsm_type} {cluster.mode}".strip()),
            ("network", f"{cluster.network_type} {cluster.vpc_id} {cluster.security_group}".strip()),
            ("subnets", " ".join(f"{zone}={subnet}" for zone, subnet in cluster.subnets.items())),
            ("created", f"{instant(cluster.created)} ({age(page.now, cluster.created)})" if cluster.created else ""),
            ("backups", f"kept {cluster.backup_retention_days} days" if cluster.backup_retention_days else ""),
            ("made from", cluster.source_backup_id or ""),
            ("tags", " ".join(f"{name}={value}" for name, value in cluster.tags.items())),
        ]
    )
    return [*told, *(["", *hsm_view.lines(cluster.hsms, page)] if cluster.hsms else [])]


LIST: View[tuple[ClusterRow, ...]] = View(
    schema="cluster.list@1",
    document=tuple[ClusterRow, ...],
    lines=_list_lines,
    names=lambda rows: [row.cluster_id for row in rows],
    items=lambda rows: rows,
    nothing="no clusters here: hsmctl lab up makes one to try things on",
)
SHOW: View[ClusterDetails] = View(
    schema="cluster.show@1",
    document=ClusterDetails,
    lines=_show_lines,
    names=lambda cluster: [cluster.cluster_id],
)
