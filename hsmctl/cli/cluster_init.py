"""`cluster init`: the ceremony that claims a cluster, run through or verb by verb."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from hsmctl.cli.cluster_ca import FILE, authority_options
from hsmctl.cli.plan import Wish, begin, carry_out, changes
from hsmctl.cli.session import Session
from hsmctl.cli.table import details
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Check, Level, Page, View
from hsmctl.domain.ceremony import Ceremony, Stage, Standing
from hsmctl.domain.cluster import Cluster
from hsmctl.errors import ExitCode, UsageError
from hsmctl.mark import Mark
from hsmctl.words import instant


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyShown:
    """Where a ceremony stands."""

    cluster_id: str
    state: str
    stage: str
    next: str
    """The next command, or what to wait for."""
    critical: str | None
    """What cannot be left like this."""
    identity: str | None
    """verified, UNVERIFIED, or null where it was not looked at."""
    unverified_reason: str | None
    statements: tuple[str, ...]
    """What was verified, a sentence each."""
    csr_sha256: str | None
    signed_sha256: str | None
    anchor_sha256: str | None
    signed_by: str | None
    submitted_at: datetime | None
    transcript: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The certificate signing request of a cluster."""

    cluster_id: str
    csr: str
    csr_sha256: str
    """Of the request as DER, to read aloud."""


def _identity_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options that say how the hardware is verified; it gets them as `identity`."""

    @functools.wraps(function)
    def call(
        *values: object, aws_root: Path | None, manufacturer_root: Path | None, skip_identity: str, **named: object
    ) -> int:
        if (aws_root is None) != (manufacturer_root is None):
            raise UsageError("the roots", "both are needed, and one is given", "--aws-root and --manufacturer-root")
        roots = {"aws_root": str(aws_root), "manufacturer_root": str(manufacturer_root)} if aws_root else {}
        identity = {"skip": skip_identity} if skip_identity else roots
        return function(*values, identity=identity, **named)

    for option in (
        click.option(
            "--skip-identity", metavar="REASON", default="", help="Verify nothing; it is UNVERIFIED for ever."
        ),
        click.option("--manufacturer-root", type=FILE, help="The manufacturer's root certificate, PEM."),
        click.option("--aws-root", type=FILE, help="AWS's root certificate, PEM, had out of band."),
    ):
        option(call)
    return call


@verb(
    "run",
    "hsmctl cluster init --aws-root aws.pem --manufacturer-root marvell.pem --ca-key ca.key --ca-cert ca.crt",
    "hsmctl cluster init --ca-token vault --ca-key customer-ca --ca-cert ca.crt --dry-run",
    "hsmctl --lab cluster init run cluster-a2b3c4d5e6f --dry-run",
)
@click.argument("cluster", required=False)
@_identity_options
@authority_options
@changes
def run(session: Session, cluster: str | None, identity: dict[str, str], authority: dict[str, str], wish: Wish) -> int:
    """Run the ceremony through from where the cluster is: HSM, CSR, verification, signature, submission."""
    return carry_out(
        session, wish, lambda: session.hsmctl.ceremony.plan(session.hsmctl.cluster.only(cluster), authority, identity)
    )


@verb("csr", "hsmctl cluster init csr", "hsmctl cluster init csr --out request.pem")
@click.argument("cluster", required=False)
@click.option("--out", type=FILE, help="Write it into this file, for an offline CA.")
@click.option("--restart", is_flag=True, help="Begin anew with another CSR; what was verified and signed is void.")
@click.option("--break-glass", metavar="REASON", default="", help="Change a protected context; kept for ever.")
def csr(session: Session, cluster: str | None, out: Path | None, break_glass: str, *, restart: bool) -> int:
    """Fetch and keep the CSR and the certificates of the first HSM; show the CSR."""
    begin(session, Wish(break_glass=break_glass))
    found = session.hsmctl.cluster.only(cluster)
    ceremony = session.hsmctl.ceremony.fetch(found, restart=restart)
    text = found.certificates.csr or ""
    if out is not None:
        _write(out, text)
    shown = Request(cluster_id=found.cluster_id, csr=text, csr_sha256=ceremony.csr_sha256)
    return session.show(CSR, shown, region=found.region)


@verb(
    "verify",
    "hsmctl cluster init verify --aws-root AWS_CloudHSM_Root-G1.crt --manufacturer-root liquidsecurity2.crt",
    'hsmctl cluster init verify --skip-identity "roots not at hand, test cluster"',
)
@click.argument("cluster", required=False)
@_identity_options
@click.option("--break-glass", metavar="REASON", default="", help="Change a protected context; kept for ever.")
def verify(session: Session, cluster: str | None, identity: dict[str, str], break_glass: str) -> int:
    """Verify both hardware certificate chains and that the CSR's key is the HSM's; possible only before submission."""
    begin(session, Wish(break_glass=break_glass))
    found = session.hsmctl.cluster.only(cluster)
    session.hsmctl.ceremony.verify(found, identity, identity.get("skip", ""))
    return _show(session, found)


@verb(
    "sign",
    "hsmctl cluster init sign --ca-key ca.key --ca-cert ca.crt",
    "hsmctl cluster init sign --ca-token vault --ca-key pkcs11:object=customer-ca",
    "hsmctl cluster init sign --signed-cert signed.pem --trust-anchor root.pem",
)
@click.argument("cluster", required=False)
@authority_options
@click.option("--break-glass", metavar="REASON", default="", help="Change a protected context; kept for ever.")
def sign(session: Session, cluster: str | None, authority: dict[str, str], break_glass: str) -> int:
    """Have the CSR signed by your CA, or take what an offline CA has signed."""
    begin(session, Wish(break_glass=break_glass))
    found = session.hsmctl.cluster.only(cluster)
    session.hsmctl.ceremony.sign(found, authority)
    return _show(session, found)


@verb("submit", "hsmctl cluster init submit --confirm 3d4e5f", "hsmctl cluster init submit --dry-run")
@click.argument("cluster", required=False)
@changes
def submit(session: Session, cluster: str | None, wish: Wish) -> int:
    """Hand the signed certificate and the trust anchor to AWS; neither can be changed afterwards."""
    return carry_out(session, wish, lambda: session.hsmctl.ceremony.plan_submit(session.hsmctl.cluster.only(cluster)))


@verb("status", "hsmctl cluster init status", "hsmctl cluster init status -o nagios", checks=True)
@click.argument("cluster", required=False)
def status(session: Session, cluster: str | None) -> int:
    """Say where the ceremony stands and what comes next; exit 1 where it cannot be left like this."""
    return _show(session, session.hsmctl.cluster.only(cluster))


class _Init(Noun):
    """Without a verb it runs the ceremony through."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the verb that is meant in front."""
        if not args or args[0] not in (*self.list_commands(ctx), "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


noun = _Init(
    "init", "The ceremony that claims a cluster; without a verb all of it.", run, csr, verify, sign, submit, status
)
verbs = (noun,)


def _show(session: Session, cluster: Cluster) -> int:
    """Write where the ceremony stands; exit 1 where that is critical."""
    service = session.hsmctl.ceremony
    where = service.standing(cluster)
    remembered = service.ceremonies.load(cluster.cluster_id)
    shown = _shown(cluster, remembered, where, service.ceremonies.transcript(cluster.cluster_id))
    code = ExitCode.NO if where.critical else ExitCode.OK
    return session.show(STATUS, shown, region=cluster.region, code=code)


def _shown(cluster: Cluster, ceremony: Ceremony, where: Standing, transcript: tuple[str, ...]) -> CeremonyShown:
    verified = "verified" if ceremony.statements else None
    return CeremonyShown(
        cluster_id=cluster.cluster_id,
        state=cluster.state,
        stage=where.stage,
        next=where.next,
        critical=where.critical or None,
        identity="UNVERIFIED" if ceremony.unverified else verified,
        unverified_reason=ceremony.unverified or None,
        statements=ceremony.statements,
        csr_sha256=ceremony.csr_sha256 or None,
        signed_sha256=ceremony.signed_sha256 or None,
        anchor_sha256=ceremony.anchor_sha256 or None,
        signed_by=ceremony.signed_by or None,
        submitted_at=ceremony.submitted_at,
        transcript=transcript,
    )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise UsageError(f"--out {path}", error.strerror or str(error), "name a file that can be written") from error


def _lines(shown: CeremonyShown, page: Page) -> Iterator[str]:
    mark = Mark.BAD if shown.critical else Mark.REPORTED if shown.stage == Stage.ACTIVE else Mark.ATTENTION
    yield f"{mark.glyph} {shown.cluster_id} is {shown.state.upper()}: {shown.stage}"
    if shown.critical:
        yield f"  {shown.critical}"
    yield f"  next: {shown.next}"
    yield ""
    yield from details(
        [
            ("identity", " ".join(part for part in (shown.identity, shown.unverified_reason) if part)),
            ("csr", f"SHA-256 {shown.csr_sha256}" if shown.csr_sha256 else ""),
            ("certificate", f"SHA-256 {shown.signed_sha256}" if shown.signed_sha256 else ""),
            ("trust anchor", f"SHA-256 {shown.anchor_sha256}" if shown.anchor_sha256 else ""),
            ("signed by", shown.signed_by or ""),
            ("submitted", instant(shown.submitted_at) if shown.submitted_at else ""),
        ]
    )
    for sentence in shown.statements:
        what, _, fingerprint = sentence.partition(", SHA-256 ")
        yield f"{Mark.PROVED.glyph} {what}"
        if fingerprint:
            yield f"    {fingerprint[:47]}"
            yield f"    {fingerprint[48:]}"
    if page.wide:
        yield from ("", *shown.transcript)


def _check(shown: CeremonyShown) -> Check:
    level = Level.CRITICAL if shown.critical else Level.OK if shown.stage == Stage.ACTIVE else Level.WARNING
    return Check(level=level, says=f"{shown.cluster_id} {shown.stage}: {shown.critical or shown.next}", figures={})


CSR: View[Request] = View(
    schema="cluster.init.csr@1",
    document=Request,
    lines=lambda request, _: [*request.csr.splitlines(), f"SHA-256 {request.csr_sha256}"],
    names=lambda request: [request.csr_sha256],
)
STATUS: View[CeremonyShown] = View(
    schema="cluster.init.status@1",
    document=CeremonyShown,
    lines=_lines,
    names=lambda shown: [shown.stage],
    check=_check,
)
