"""`sync evidence`: one file for AWS Support, which shows what differs where without the names of keys and people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from hsmctl.cli.session import Session
from hsmctl.cli.sync_run import checked
from hsmctl.cli.verb import Seconds, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.cluster import Cluster
from hsmctl.domain.sync import Report
from hsmctl.errors import HsmctlError
from hsmctl.mark import Mark
from hsmctl.services.bundle import HISTORY, Made, check_new, write
from hsmctl.settings import ContextKind
from hsmctl.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncEvidence:
    """A bundle that was written."""

    file: str
    sha256: str
    """Of the file, so that both sides know they speak of the same."""
    verdict: str
    keys: int
    """Keys in it: those in which something is wrong or has not settled."""
    names: bool
    """Whether the labels and ids of those keys are in it."""


@verb(
    "evidence",
    "hsmctl -c prod sync evidence cluster-a2b3c4d5e6f --file case-1234.json",
    "hsmctl --lab sync evidence --file bundle.json --with-names",
)
@click.argument("cluster", required=False)
@click.option("--file", metavar="FILE", required=True, type=click.Path(path_type=Path), help="Where to write it.")
@click.option("--with-names", is_flag=True, help="Leave labels and ids of the keys in it.")
@click.option("--deadline", type=Seconds(), default="10s", show_default=True, help="Give up on who has not answered.")
def evidence_sync(session: Session, cluster: str | None, file: Path, deadline: float, *, with_names: bool) -> int:
    """Check, and write down for AWS Support what differs where, with the state of the cluster and the checks before.

    Keys are numbered and users are not named. It holds no certificate, no key material and no account.
    """
    check_new(file)
    report = checked(session, cluster, (), deadline, spent=session.lived())
    found = write(file.absolute(), report, _made(session, cluster, report), names=with_names)
    written = SyncEvidence(
        file=str(file), sha256=found.sha256, verdict=report.verdict, keys=found.keys, names=with_names
    )
    return session.show(EVIDENCE, written)


def _made(session: Session, cluster: str | None, report: Report) -> Made:
    """What is known beside the report."""
    facade = session.hsmctl
    now = facade.clock.now()
    realms = {reading.replica.realm for reading in report.readings} | ({cluster} if cluster else set())
    return Made(
        at=now,
        environment=facade.context.kind,
        region=facade.context.region or "",
        clusters=tuple(each for each in _clusters(session) if each.cluster_id in realms),
        history=facade.history.checks(None, now - HISTORY),
    )


def _clusters(session: Session) -> Sequence[Cluster]:
    """The clusters as AWS describes them, where it can be asked."""
    if session.hsmctl.context.kind is not ContextKind.LAB and session.hsmctl.context.account_id is None:
        return ()
    try:
        return session.hsmctl.cluster.list()
    except HsmctlError as error:
        session.out.say(f"warning: the clusters are not in it: {error}")
        return ()


def _lines(written: SyncEvidence, _: Page) -> Iterator[str]:
    names = "labels and ids are in it" if written.names else "no label, id or user is in it"
    yield f"{Mark.REPORTED.glyph} {written.file}: {written.verdict}, {counted(written.keys, 'key')}; {names}"
    yield f"  SHA-256 {written.sha256}"


EVIDENCE: View[SyncEvidence] = View(
    schema="sync.evidence@1", document=SyncEvidence, lines=_lines, names=lambda written: [written.file]
)
