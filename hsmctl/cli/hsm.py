"""`hsm`: the HSMs of one cluster or of all, as the control plane describes them."""

from __future__ import annotations

from dataclasses import dataclass

import click

from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
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


@verb("list", "hsmctl hsm list", "hsmctl hsm list cluster-a2b3c4d5e6f -o wide", "hsmctl hsm list -o name")
@click.argument("cluster", required=False)
def list_hsms(session: Session, cluster: str | None) -> int:
    """List the HSMs of a cluster, or of every cluster of the region."""
    service = session.hsmctl.cluster
    clusters = [service.show(cluster)] if cluster else service.list()
    found = tuple(row for each in clusters for row in rows(each))
    return session.show(LIST, found, region=session.hsmctl.aws.plane.region)


noun = Noun("hsm", "The HSMs of clusters.", list_hsms)


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


LIST: View[tuple[HsmRow, ...]] = View(
    schema="hsm.list@1",
    document=tuple[HsmRow, ...],
    lines=lines,
    names=lambda found: [row.hsm_id for row in found],
    items=lambda found: found,
    nothing="no HSMs: an uninitialized cluster begins without any",
)
