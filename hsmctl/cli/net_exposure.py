"""`net exposure`: who reaches the HSMs' ports without being a registered client; who does can zeroize an HSM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from hsmctl.cli import net_question as ask
from hsmctl.cli.net_path import FindingRow, finding_row
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import verb
from hsmctl.cli.view import Case, Check, Level, Page, View
from hsmctl.domain.net_exposure import Exposure, Opened, Registered
from hsmctl.domain.net_exposure import exposure as exposed
from hsmctl.domain.net_row import row_of
from hsmctl.domain.probe import PORTS
from hsmctl.errors import ExitCode
from hsmctl.mark import Mark
from hsmctl.services.net import Inquiry, load
from hsmctl.services.net_exposure import collect_exposure
from hsmctl.words import counted

_OPEN, _UNKNOWN, _CLOSED = "exposed", "unknown", "closed"
_LEVELS: Mapping[str, Level] = {_OPEN: Level.CRITICAL, _UNKNOWN: Level.UNKNOWN, _CLOSED: Level.OK}
_MARKS: Mapping[str, Mark] = {_OPEN: Mark.BAD, _UNKNOWN: Mark.UNREADABLE, _CLOSED: Mark.REPORTED}
_EXITS: Mapping[str, ExitCode] = {_OPEN: ExitCode.NO, _UNKNOWN: ExitCode.UNKNOWN, _CLOSED: ExitCode.OK}
_NAMED = 3
"""Sources a monitoring line names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A source that is no registered client."""

    kind: str
    """range or interface."""
    name: str
    place: str | None
    """The subnet, or null outside AWS."""
    verdict: str
    """exposed, or unknown where a part of the way is."""
    hsms: tuple[str, ...]
    ports: tuple[int, ...]
    let_in_by: tuple[str, ...]
    """The HSMs' security groups."""
    fix: str
    """The command that shows the rules."""
    why: FindingRow | None
    """What is not known of its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetExposure:
    """Who else reaches the HSMs, and what could not be looked at."""

    verdict: str
    """exposed, unknown or closed."""
    says: str
    exit: int
    registered: tuple[str, ...]
    sources: tuple[SourceRow, ...]
    unknown: tuple[FindingRow, ...]


@verb(
    "exposure",
    "hsmctl -c prod net exposure",
    "hsmctl net exposure --from-snapshot net.json -o json --query 'sources[].name'",
    checks=True,
)
@click.argument("cluster", required=False)
@ask.client_option
@ask.port_option
@ask.snapshot_option
@ask.fresh_option
def exposure(
    session: Session,
    *,
    cluster: str | None,
    words: tuple[str, ...],
    ports: tuple[int, ...] | None,
    from_snapshot: Path | None,
    fresh: bool,
) -> int:
    """Say who reaches the HSMs and is no registered client; with a file, none of the file's clients."""
    question = ask.Question(cluster=cluster, words=words, ports=ports, file=from_snapshot, fresh=fresh)
    found, members_known = _from_file(question) if from_snapshot else _from_aws(session, question)
    inquiry = found.inquiry
    registered = Registered(clients=inquiry.clients, hsms=inquiry.hsms)
    result = exposed(inquiry.snapshot, registered, ports or tuple(PORTS), members_known=members_known)
    document = _document(result, tuple(found.names.get(client.name, client.name) for client in inquiry.clients))
    return found.show(session, EXPOSURE, document, document.exit)


def reaching(session: Session, cluster: str) -> tuple[str, ...]:
    """Who reaches the HSMs of a cluster, by the network's configuration, and is no registered client; gaps included.

    Raises:
        HsmctlError: the network cannot be read.
    """
    found, members_known = _from_aws(
        session, ask.Question(cluster=cluster, words=(), ports=None, file=None, fresh=True)
    )
    inquiry = found.inquiry
    registered = Registered(clients=inquiry.clients, hsms=inquiry.hsms)
    result = exposed(inquiry.snapshot, registered, tuple(PORTS), members_known=members_known)
    return (*(each.source.name for each in result.opened), *(f"unknown: {each.code}" for each in result.gaps))


def _from_file(question: ask.Question) -> tuple[ask.Asked, bool]:
    """The file's inquiry; a snapshot of ours says whether it shows who carries a group, others show everybody."""
    document = ask.read_document(question.file or Path())
    found = ask.Asked(inquiry=load(document))
    clients = (*found.inquiry.clients, *map(ask.parsed, question.words))
    provenance = row_of(document, "document").row("snapshot").row("_collection")
    members_known = not provenance.value or provenance.flag("members") is True
    return ask.with_clients(found, clients), members_known


def _from_aws(session: Session, question: ask.Question) -> tuple[ask.Asked, bool]:
    cluster = ask.cluster_of(session, question)
    ends, names = ask.ends_of(session, cluster, ask.Question(), also=question.words)
    found = collect_exposure(session.hsmctl.net, ends, fresh=question.fresh)
    inquiry = Inquiry(
        snapshot=found.snapshot,
        clients=ends.clients,
        hsms=ends.hsms,
        asked=None,
        ports=tuple(PORTS),
        families=ends.families,
        group_id=cluster.security_group,
    )
    return ask.Asked(inquiry=inquiry, names=names, region=cluster.region), True


def _document(result: Exposure, registered: tuple[str, ...]) -> NetExposure:
    sources = sorted(map(_row, result.opened), key=lambda row: list(_LEVELS).index(row.verdict))
    open_count = sum(row.verdict == _OPEN for row in sources)
    unknown = len(sources) - open_count + len(result.gaps)
    verdict = _OPEN if open_count else _UNKNOWN if unknown else _CLOSED
    told = [f"{counted(open_count, 'unregistered source')} can reach the HSMs"] if open_count else []
    told += [f"{counted(unknown, 'thing')} not known"] if unknown else []
    return NetExposure(
        verdict=verdict,
        says=", ".join(told) or "nobody but the registered clients can reach the HSMs",
        exit=_EXITS[verdict],
        registered=registered,
        sources=tuple(sources),
        unknown=tuple(map(finding_row, result.gaps)),
    )


def _row(opened: Opened) -> SourceRow:
    group_ids = opened.group_ids
    return SourceRow(
        kind=opened.source.kind.value,
        name=opened.source.name,
        place=opened.source.place or None,
        verdict=_OPEN if opened.sure else _UNKNOWN,
        hsms=tuple(dict.fromkeys(hsm for hsm, _ in opened.reaches)),
        ports=tuple(dict.fromkeys(port for _, port in opened.reaches)),
        let_in_by=group_ids,
        fix=f"aws ec2 describe-security-group-rules --filters Name=group-id,Values={','.join(group_ids)}",
        why=finding_row(opened.why) if opened.why else None,
    )


def _lines(document: NetExposure, page: Page) -> Iterator[str]:
    yield f"{_MARKS[document.verdict].glyph} {document.says}"
    yield f"  registered: {', '.join(document.registered) or 'nobody'}"
    if document.sources:
        yield ""
        yield from _table(document, page)
        yield ""
        yield from dict.fromkeys(f"  rules  {row.fix}" for row in document.sources)
        yield "  who belongs there is registered in [[context.NAME.clients]]"
    if document.unknown:
        yield ""
        yield from (f"{Mark.UNREADABLE.glyph} {found.code}: {found.sentence}" for found in document.unknown)


def _table(document: NetExposure, page: Page) -> list[str]:
    columns: tuple[Column[SourceRow], ...] = (
        Column(title="", cell=lambda row: _MARKS[row.verdict].glyph),
        Column(title="SOURCE", cell=lambda row: row.name),
        Column(title="IN", cell=lambda row: row.place or "outside AWS", shrinks=True),
        Column(title="HSMS", cell=lambda row: str(len(row.hsms)), right=True),
        Column(title="PORTS", cell=lambda row: " ".join(map(str, row.ports))),
        Column(title="LET IN BY", cell=lambda row: " ".join(row.let_in_by), shrinks=True),
        Column(title="WHICH", cell=lambda row: " ".join(row.hsms), wide=True),
        Column(title="WHY", cell=lambda row: row.why.sentence if row.why else ""),
    )
    return table(columns, document.sources, wide=page.wide, width=page.width)


def _check(document: NetExposure) -> Check:
    named = [row.name for row in document.sources[:_NAMED]]
    more = [f"{len(document.sources) - _NAMED} more"] if len(document.sources) > _NAMED else []
    return Check(
        level=_LEVELS[document.verdict],
        says=": ".join([document.says, ", ".join([*named, *more])]).rstrip(": "),
        figures={"sources": len(document.sources), "unknown": len(document.unknown)},
        cases=[*map(_case, document.sources), *map(_gap_case, document.unknown)],
    )


def _case(row: SourceRow) -> Case:
    says = f"reaches {', '.join(row.hsms)} on {', '.join(map(str, row.ports))}\nrules: {row.fix}"
    return Case(labels={"source": row.name, "place": row.place or ""}, level=_LEVELS[row.verdict], says=says)


def _gap_case(found: FindingRow) -> Case:
    return Case(labels={"source": found.sentence, "place": ""}, level=Level.UNKNOWN, says=found.sentence)


EXPOSURE: View[NetExposure] = View(
    schema="net.exposure@1",
    document=NetExposure,
    lines=_lines,
    names=lambda document: dict.fromkeys(row.name for row in document.sources),
    items=lambda document: document.sources,
    check=_check,
)
