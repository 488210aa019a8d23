"""`net collect`: what AWS says about the network between clients and HSMs, in a file that says nothing secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from hsmctl.cli import net_question as ask
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.probe import PORTS
from hsmctl.errors import Denied, ExitCode, UsageError
from hsmctl.mark import Mark
from hsmctl.private import write_private
from hsmctl.services.net_collect import Collection
from hsmctl.services.net_exposure import collect_exposure
from hsmctl.services.net_gathering import Hole
from hsmctl.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class HoleRow:
    """Something that could not be read."""

    kind: str
    region: str | None
    ids: tuple[str, ...]
    action: str
    """The IAM action it takes."""
    why: str
    denied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NetCollected:
    """A snapshot that was written, and how it came about."""

    file: str
    cluster: str
    clients: tuple[str, ...]
    hsms: tuple[str, ...]
    calls: int
    """Requests sent to EC2 and Direct Connect; what the cache knew took none."""
    oldest: datetime
    newest: datetime
    consistent: bool
    """Whether all of it was read within half a minute."""
    unreadable: tuple[HoleRow, ...]


@verb(
    "collect",
    "hsmctl -c prod net collect -o net.json --client i-0a1b2c3d4e5f60718",
    "hsmctl -c prod net collect -o net.json cluster-a2b3c4d5e6f --client 192.168.0.0/16 --exposure",
)
@click.argument("cluster", required=False)
@ask.client_option
@click.option("--hsm", metavar="ID", help="The HSM the snapshot singles out.")
@ask.port_option
@ask.family_option
@ask.fresh_option
@click.option("--exposure", is_flag=True, help="Read for net exposure too who else is let in.")
@click.option(
    "-o", "--output", "file", metavar="FILE", type=click.Path(path_type=Path), required=True, help="The file to write."
)
def collect(
    session: Session,
    *,
    cluster: str | None,
    words: tuple[str, ...],
    hsm: str | None,
    ports: tuple[int, ...] | None,
    family: str | None,
    fresh: bool,
    exposure: bool,
    file: Path,
) -> int:
    """Write a snapshot for net explain and net exposure; how the answer is written stands before the noun."""
    _check_writable(file)
    question = ask.Question(cluster=cluster, words=words, hsm=hsm, ports=ports, family=family, fresh=fresh)
    here = ask.cluster_of(session, question)
    ends, _ = ask.ends_of(session, here, question)
    if exposure:
        port = ports[0] if ports else PORTS[0]
        found = collect_exposure(session.hsmctl.net, ends, port=port, hsm_id=hsm, fresh=fresh)
    else:
        found = ask.collected(session, ends, question)
    _write(file, found)
    code = ExitCode.PARTIAL if found.holes else ExitCode.OK
    return session.show(COLLECT, _document(file, found), region=here.region, code=code)


def _check_writable(file: Path) -> None:
    """Refuse what a finished file could not take the place of, such as a device."""
    if file.exists() and not file.is_file():
        raise UsageError(str(file), "it is no file", "hsmctl net collect -o FILE")


def _write(file: Path, found: Collection) -> None:
    try:
        write_private(file.absolute(), json.dumps(found.document, indent=1).encode() + b"\n")
    except OSError as error:
        raise Denied(str(file), error.strerror or str(error), "hsmctl net collect -o FILE") from error


def _document(file: Path, found: Collection) -> NetCollected:
    return NetCollected(
        file=str(file),
        cluster=found.ends.cluster.cluster_id,
        clients=tuple(client.name for client in found.ends.clients),
        hsms=tuple(hsm.hsm_id for hsm in found.ends.hsms),
        calls=found.calls,
        oldest=found.oldest,
        newest=found.newest,
        consistent=found.consistent,
        unreadable=tuple(map(_row, found.holes)),
    )


def _row(hole: Hole) -> HoleRow:
    return HoleRow(
        kind=hole.kind.value,
        region=hole.region or None,
        ids=hole.values,
        action=hole.action,
        why=hole.why,
        denied=hole.denied,
    )


def _lines(document: NetCollected, page: Page) -> Iterator[str]:
    mark = Mark.UNREADABLE if document.unreadable else Mark.REPORTED
    ends = f"{counted(len(document.clients), 'client')}, {counted(len(document.hsms), 'HSM')}"
    yield f"{mark.glyph} {document.file}: {ends}, {counted(document.calls, 'call')}"
    if not document.consistent:
        yield f"{Mark.ATTENTION.glyph} the answers are more than half a minute apart: --fresh"
    if document.unreadable:
        yield ""
        yield from _holes(document, page)


def _holes(document: NetCollected, page: Page) -> list[str]:
    columns: tuple[Column[HoleRow], ...] = (
        Column(title="", cell=lambda _: Mark.UNREADABLE.glyph),
        Column(title="NOT READ", cell=lambda row: row.kind),
        Column(title="OF", cell=lambda row: " ".join(row.ids), shrinks=True),
        Column(title="REGION", cell=lambda row: row.region or "", wide=True),
        Column(title="NEEDS", cell=lambda row: row.action),
        Column(title="WHY", cell=lambda row: "denied" if row.denied and not page.wide else row.why),
    )
    return table(columns, document.unreadable, wide=page.wide, width=page.width)


COLLECT: View[NetCollected] = View(
    schema="net.collect@1", document=NetCollected, lines=_lines, names=lambda document: [document.file]
)
