"""HSMs as rows of a document and lines of a table, for the listings of clusters too."""

from __future__ import annotations

from dataclasses import dataclass

from hsmctl.cli.table import Column, table
from hsmctl.cli.view import Page
from hsmctl.domain.cluster import Cluster, HsmState
from hsmctl.mark import Mark

_MARKS = {
    HsmState.ACTIVE.value: Mark.REPORTED,
    HsmState.DEGRADED.value: Mark.PARTIAL,
    HsmState.DELETED.value: Mark.BAD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HsmRow:
    """One HSM."""

    hsm_id: str
    cluster_id: str
    state: str
    zone: str
    address: str | None
    """Its ENI's IPv4 address, where clients reach it."""
    address6: str | None
    eni_id: str | None
    subnet_id: str | None
    hsm_type: str
    message: str | None
    """What the service says about the state."""


def rows(cluster: Cluster) -> tuple[HsmRow, ...]:
    """The cluster's HSMs by zone."""
    return tuple(
        HsmRow(
            hsm_id=hsm.hsm_id,
            cluster_id=cluster.cluster_id,
            state=hsm.state,
            zone=hsm.zone,
            address=hsm.address,
            address6=hsm.address6,
            eni_id=hsm.eni_id or None,
            subnet_id=hsm.subnet_id or None,
            hsm_type=hsm.hsm_type or cluster.hsm_type,
            message=hsm.message or None,
        )
        for hsm in sorted(cluster.hsms, key=lambda hsm: (hsm.zone, hsm.hsm_id))
    )


def lines(hsms: tuple[HsmRow, ...], page: Page) -> list[str]:
    """HSMs as a table."""
    columns: tuple[Column[HsmRow], ...] = (
        Column(title="", cell=lambda row: _MARKS.get(row.state, Mark.PENDING).glyph),
        Column(title="HSM", cell=lambda row: row.hsm_id, shrinks=True),
        Column(title="STATE", cell=lambda row: row.state.upper()),
        Column(title="ZONE", cell=lambda row: row.zone),
        Column(title="ADDRESS", cell=lambda row: row.address or row.address6 or "–"),
        Column(title="ENI", cell=lambda row: row.eni_id or "–", shrinks=True),
        Column(title="CLUSTER", cell=lambda row: row.cluster_id, wide=True),
        Column(title="SUBNET", cell=lambda row: row.subnet_id or "–", wide=True),
        Column(title="TYPE", cell=lambda row: row.hsm_type, wide=True),
        Column(title="WHY", cell=lambda row: row.message or "", wide=True),
    )
    return table(columns, hsms, wide=page.wide, width=page.width)
