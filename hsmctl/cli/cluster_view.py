"""Clusters as they are written: rows of a list, and one of them whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hsmctl.cli import hsm_view
from hsmctl.cli.table import Column, details, table
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
    context: str | None = None
    """The context that was asked, where several were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """One certificate of a cluster."""

    what: str
    """cluster, hsm, aws hardware or manufacturer hardware."""
    subject: str
    issuer: str
    sha256: str
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterDetails:
    """One cluster whole: HSMs, certificates, backups, who verified it and what is under way."""

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
    rollback_until: datetime | None
    """Until when a change of the HSM type can be taken back."""
    identity: str
    """verified or UNVERIFIED on this machine, or unknown."""
    unverified_reason: str | None
    certificates: tuple[CertificateRow, ...]
    backups: int | None
    """READY ones, or null where they could not be read."""
    newest_backup: str | None
    newest_backup_at: datetime | None
    operations: tuple[str, ...]
    """The ids of open operations on it."""


def row(cluster: Cluster, context: str | None = None) -> ClusterRow:
    """A cluster of a list, as it is written."""
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
        context=context,
    )


def worst_first(rows: Iterable[ClusterRow]) -> tuple[ClusterRow, ...]:
    """The clusters, those that need attention first."""
    return tuple(sorted(rows, key=lambda each: (list(Mark).index(_mark(each)), each.cluster_id)))


def _mark(row: ClusterRow) -> Mark:
    """The sign of a cluster's state; with no active HSM nothing works, with one that is not active it is not whole."""
    if row.state in (ClusterState.ACTIVE, ClusterState.DEGRADED) and not row.hsms_active:
        return Mark.BAD
    if row.state == ClusterState.ACTIVE and row.hsms_active < row.hsms_total:
        return Mark.PARTIAL
    return _MARKS.get(row.state, Mark.PENDING)


def _list_lines(rows: tuple[ClusterRow, ...], page: Page) -> list[str]:
    one_region = len({row.region for row in rows}) < 2
    columns: tuple[Column[ClusterRow], ...] = (
        Column(title="", cell=lambda row: _mark(row).glyph),
        Column(title="CLUSTER", cell=lambda row: row.cluster_id, shrinks=True),
        Column(title="NAME", cell=lambda row: row.name or ""),
        Column(title="CONTEXT", cell=lambda row: row.context or ""),
        Column(title="REGION", cell=lambda row: row.region, wide=one_region),
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
            ("backups", _backup_words(cluster, page)),
            ("identity", " ".join(part for part in (cluster.identity, cluster.unverified_reason) if part)),
            (
                "type change",
                f"can be taken back until {instant(cluster.rollback_until)}" if cluster.rollback_until else "",
            ),
            ("under way", " ".join(cluster.operations)),
            ("made from", cluster.source_backup_id or ""),
            ("tags", " ".join(f"{name}={value}" for name, value in cluster.tags.items())),
        ]
    )
    hsms = ["", *hsm_view.lines(cluster.hsms, page)] if cluster.hsms else []
    papers = ["", *_certificate_table(cluster.certificates, page)] if cluster.certificates else []
    return [*told, *hsms, *papers]


def _backup_words(cluster: ClusterDetails, page: Page) -> str:
    """How many backups there are, how old the newest is and how long they are kept."""
    count = "" if cluster.backups is None else f"{cluster.backups} READY"
    newest = f"newest {age(page.now, cluster.newest_backup_at)} old" if cluster.newest_backup_at else ""
    kept = f"kept {cluster.backup_retention_days} days" if cluster.backup_retention_days else ""
    return ", ".join(part for part in (count, newest, kept) if part)


def _certificate_table(rows: tuple[CertificateRow, ...], page: Page) -> list[str]:
    columns: tuple[Column[CertificateRow], ...] = (
        Column(title="CERTIFICATE", cell=lambda row: row.what),
        Column(title="EXPIRES", cell=lambda row: f"{row.expires:%Y-%m-%d}"),
        Column(title="SHA-256", cell=lambda row: row.sha256, shrinks=True),
        Column(title="SUBJECT", cell=lambda row: row.subject, wide=True),
        Column(title="ISSUER", cell=lambda row: row.issuer, wide=True),
    )
    return table(columns, rows, wide=page.wide, width=page.width)


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
