"""`mtls`: client certificates: the CAs that are trusted, who shows one, and enforcing it in the safe order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import click

from hsmctl.cli.net_exposure import reaching
from hsmctl.cli.plan import Wish, carry_out, changes
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.cli.way import Reach, through
from hsmctl.domain.evidence import Grade
from hsmctl.domain.mtls import Level, MtlsState
from hsmctl.domain.plan import Plan, Precondition
from hsmctl.domain.user import FULL
from hsmctl.errors import ExitCode, HsmctlError
from hsmctl.mark import Mark
from hsmctl.words import instant


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorRow:
    """One trust anchor."""

    reference: str
    coverage: str
    """full: on every HSM the host is connected to."""
    ends: datetime | None
    """Null where its certificate cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowsRow:
    """Whether a client host shows a certificate that an anchor issued and that lasts."""

    host: str
    shows: bool
    why: str | None
    """What stands against it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MtlsStatus:
    """The client certificates of a cluster."""

    cluster_id: str
    host: str
    active: int
    connected: int
    anchors: tuple[AnchorRow, ...]
    hosts: tuple[ShowsRow, ...]


@verb("status", "hsmctl --lab mtls status", "hsmctl -c prod mtls status cluster-a2b3c4d5e6f -o json")
@click.argument("cluster", required=False)
@click.option("--client", metavar="NAME", help="Ask this client host; without it the first that answers.")
def status(session: Session, cluster: str | None, client: str | None) -> int:
    """Show the trust anchors, where they are and how long they last, and which hosts show a certificate.

    Nobody logs in, so whether mTLS is enforced is not told. Exit 1 where some HSM lacks an anchor.
    """
    facade = session.hsmctl
    found = _document(facade.mtls.state(facade.cluster.only(cluster), client))
    code = ExitCode.NO if any(row.coverage != FULL for row in found.anchors) else ExitCode.OK
    return session.show(STATUS, found, region=facade.aws.plane.region, code=code)


@verb("register", "hsmctl -c prod mtls register clients-ca.pem")
@click.argument("file")
@through()
@changes
def register(session: Session, file: str, reach: Reach, wish: Wish) -> int:
    """Trust the CA of a file on every HSM; run again, it mends the HSMs that lack it."""

    def plan() -> Plan:
        cluster, way = reach.found(session)
        return session.hsmctl.mtls.plan_register(cluster, way, file)

    return carry_out(session, wish, plan)


@verb("deregister", "hsmctl -c prod mtls deregister 0x01 --confirm d5e6f7")
@click.argument("reference")
@through()
@changes
def deregister(session: Session, reference: str, reach: Reach, wish: Wish) -> int:
    """Trust a CA no more; who shows its certificates is turned away where mTLS is enforced."""

    def plan() -> Plan:
        cluster, way = reach.found(session)
        return session.hsmctl.mtls.plan_deregister(cluster, way, reference)

    return carry_out(session, wish, plan)


@verb("enforce", "hsmctl -c prod mtls enforce --dry-run", "hsmctl -c prod mtls enforce --confirm d5e6f7")
@click.option("--allow-sources", metavar="REASON", default="", help="Although unknown sources reach the HSMs.")
@through()
@changes
def enforce(session: Session, allow_sources: str, reach: Reach, wish: Wish) -> int:
    """Let only connections with a client certificate in, which drops all others at once.

    Refused while a KMS key store is on the cluster, an anchor is not everywhere or ends within 180 days, fewer than two
    client hosts show a good certificate, the user admin is not usable, or unregistered sources reach the HSMs.
    """

    def plan() -> Plan:
        cluster, way = reach.found(session)
        sources = _sources(session, cluster.cluster_id).waived_by(allow_sources)
        return session.hsmctl.mtls.plan_enforce(cluster, way, Level.CLUSTER, sources)

    return carry_out(session, wish, plan)


@verb("release", "hsmctl -c prod mtls release")
@through()
@changes
def release(session: Session, reach: Reach, wish: Wish) -> int:
    """Let connections without a client certificate in again; tightening later needs one."""

    def plan() -> Plan:
        cluster, way = reach.found(session)
        return session.hsmctl.mtls.plan_enforce(cluster, way, Level.NONE, Precondition(what="", holds=True))

    return carry_out(session, wish, plan)


noun = Noun("mtls", "Client certificates of a cluster.", status, register, deregister, enforce, release)


def _sources(session: Session, cluster_id: str) -> Precondition:
    """Whether anybody but registered clients reaches the HSMs, by the network's configuration."""
    base = Precondition(
        what="nobody but registered clients reaches the HSMs",
        holds=False,
        grade=Grade.INFERRED,
        way_out="hsmctl net exposure; register them as clients, or --allow-sources REASON",
        waiver="--allow-sources",
    )
    try:
        found = reaching(session, cluster_id)
    except HsmctlError as error:
        return replace(base, why=f"unknown: {error}")
    return replace(base, holds=not found, why=", ".join(found))


def _document(state: MtlsState) -> MtlsStatus:
    return MtlsStatus(
        cluster_id=state.cluster_id,
        host=state.host,
        active=state.active,
        connected=state.connected,
        anchors=tuple(
            AnchorRow(reference=each.reference, coverage=each.coverage, ends=state.ends[each.reference])
            for each in state.anchors
        ),
        hosts=tuple(ShowsRow(host=host, shows=not why, why=why or None) for host, why in state.hosts.items()),
    )


def _lines(found: MtlsStatus, page: Page) -> Iterator[str]:
    if not found.anchors:
        yield "no trust anchor is registered"
    anchors: tuple[Column[AnchorRow], ...] = (
        Column(title="", cell=lambda row: (Mark.REPORTED if row.coverage == FULL else Mark.BAD).glyph),
        Column(title="ANCHOR", cell=lambda row: row.reference),
        Column(title="COVERAGE", cell=lambda row: row.coverage),
        Column(title="ENDS", cell=lambda row: instant(row.ends)),
    )
    hosts: tuple[Column[ShowsRow], ...] = (
        Column(title="", cell=lambda row: (Mark.INFERRED if row.shows else Mark.UNPROVEN).glyph),
        Column(title="CLIENT", cell=lambda row: row.host),
        Column(title="SHOWS A CERTIFICATE", cell=lambda row: "yes" if row.shows else f"no: {row.why}"),
    )
    if found.anchors:
        yield from table(anchors, found.anchors, wide=page.wide, width=page.width)
    yield from table(hosts, found.hosts, wide=page.wide, width=page.width)
    yield f"seen from {found.host}, on {found.connected} of {found.active} ACTIVE HSMs"


STATUS: View[MtlsStatus] = View(
    schema="mtls.status@1",
    document=MtlsStatus,
    lines=_lines,
    names=lambda found: [row.reference for row in found.anchors],
    items=lambda found: found.anchors,
)
