"""What `cluster show` gathers beside DescribeClusters: certificates read, backups counted, ceremony and operations."""

from __future__ import annotations

from hsmctl.cli import hsm_view
from hsmctl.cli.cluster_view import CertificateRow, ClusterDetails
from hsmctl.cli.session import Session
from hsmctl.domain.cluster import Backup, BackupState, Cluster
from hsmctl.domain.interlock import newest_ready
from hsmctl.domain.operation import OperationState
from hsmctl.errors import HsmctlError

_PAPERS = {
    "cluster": "cluster",
    "hsm": "hsm",
    "aws_hardware": "aws hardware",
    "manufacturer_hardware": "manufacturer hardware",
}


def collected(session: Session, cluster: Cluster) -> tuple[ClusterDetails, tuple[str, ...]]:
    """Everything that is known of a cluster, and what could not be read."""
    facade, warnings = session.hsmctl, []
    backups: tuple[Backup, ...] | None = None
    try:
        backups = facade.backup.list(cluster.cluster_id)
    except HsmctlError as error:
        warnings.append(f"backups not read: {error}")
    certificates, unread = _certificates(session, cluster)
    ceremony = facade.ceremony.ceremonies.load(cluster.cluster_id)
    verified = "verified" if ceremony.statements else "unknown"
    newest = newest_ready(backups or (), cluster.cluster_id)
    document = ClusterDetails(
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
        rollback_until=cluster.rollback_until,
        identity="UNVERIFIED" if ceremony.unverified else verified,
        unverified_reason=ceremony.unverified or None,
        certificates=certificates,
        backups=None if backups is None else sum(each.state is BackupState.READY for each in backups),
        newest_backup=newest.backup_id if newest else None,
        newest_backup_at=newest.created if newest else None,
        operations=_open_operations(session, cluster),
    )
    return document, (*warnings, *unread)


def _certificates(session: Session, cluster: Cluster) -> tuple[tuple[CertificateRow, ...], tuple[str, ...]]:
    """The certificates that the cluster shows, and which of them could not be read."""
    papers, rows, unread = session.hsmctl.ceremony.papers, [], []
    for field, what in _PAPERS.items():
        text = getattr(cluster.certificates, field)
        if not text:
            continue
        try:
            told = papers.describe(text)
        except HsmctlError as error:
            unread.append(f"{what} certificate not read: {error}")
            continue
        row = CertificateRow(
            what=what, subject=told.subject, issuer=told.issuer, sha256=told.sha256, expires=told.expires
        )
        rows.append(row)
    return tuple(rows), tuple(unread)


def _open_operations(session: Session, cluster: Cluster) -> tuple[str, ...]:
    every = session.hsmctl.operations.all()
    return tuple(
        each.operation_id for each in every if each.state is OperationState.OPEN and each.target == cluster.cluster_id
    )
