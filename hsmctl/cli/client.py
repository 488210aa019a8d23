"""`client`: the hosts that use the HSMs, and whether their CloudHSM client is set up for the cluster there is now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from hsmctl.cli.plan import Wish, carry_out, changes
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Noun, Seconds, verb
from hsmctl.cli.view import Case, Check, Level, Page, View
from hsmctl.domain.client import ClientFinding
from hsmctl.domain.client import Level as Worth
from hsmctl.domain.evidence import Failed
from hsmctl.errors import ExitCode, UsageError
from hsmctl.mark import Mark
from hsmctl.services.client_step import Pair
from hsmctl.settings_entry import ClientEntry
from hsmctl.words import counted

_MARKS = {"ok": Mark.REPORTED, "warn": Mark.ATTENTION, "bad": Mark.BAD, "unknown": Mark.UNREADABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHostRow:
    """One client of the context."""

    name: str
    host: str | None
    """Where SSH goes; null is this machine, or a place that is only known to AWS."""
    user: str | None
    source: str | None
    cli: str | None
    config_folder: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """One thing that was looked at."""

    host: str
    component: str
    what: str
    level: str
    """ok, warn, bad, or unknown where the host could not be asked."""
    says: str
    fix: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCheck:
    """A check of client hosts."""

    cluster_id: str
    hosts: int
    unreachable: int
    findings: tuple[FindingRow, ...]


@verb("list", "hsmctl -c prod client list", "hsmctl --lab client list -o json")
def list_clients(session: Session) -> int:
    """List the client hosts of the context."""
    return session.show(LIST, tuple(map(_host, session.hsmctl.context.clients)))


@verb(
    "check", "hsmctl --lab client check", "hsmctl -c prod client check app1 app2 --deadline 30s -o nagios", checks=True
)
@click.argument("hosts", nargs=-1)
@click.option("--cluster", metavar="ID", help="The cluster, by id or name, where there are several.")
@click.option("--deadline", type=Seconds(), default="20s", show_default=True, help="Give up on who has not answered.")
def check(session: Session, hosts: tuple[str, ...], cluster: str | None, deadline: float) -> int:
    """Compare each component's configuration with the cluster: addresses, CA, availability check, retries, modes.

    Each component of SDK 5 has a configuration of its own, so one that works proves nothing about the others. Exit 1
    where one of them is wrong, 6 where a host could not be asked.
    """
    facade = session.hsmctl
    session.check_account(cluster)
    found = facade.cluster.only(cluster)
    rows: list[FindingRow] = []
    silent = 0
    names = hosts or facade.client.clients.names()
    for name, outcome in facade.client.check(found, names, seconds=deadline):
        silent += isinstance(outcome, Failed)
        rows += [_silent(name, outcome)] if isinstance(outcome, Failed) else map(_row, outcome.value)
    ordered = tuple(sorted(rows, key=lambda row: names.index(row.host)))
    document = ClientCheck(cluster_id=found.cluster_id, hosts=len(names), unreachable=silent, findings=ordered)
    return session.show(CHECK, document, region=found.region, code=_code(document))


@verb(
    "configure",
    "hsmctl -c prod client configure app1 --dry-run",
    "hsmctl -c prod client configure app1 --client-cert /etc/hsm/app1.crt --client-key /etc/hsm/app1.key",
)
@click.argument("host")
@click.option("--client-cert", metavar="PATH", help="On that host: the certificate that its client shows to HSMs.")
@click.option("--client-key", metavar="PATH", help="On that host: its private key, without a passphrase.")
@click.option("--cluster", metavar="ID", help="The cluster, by id or name, where there are several.")
@changes
def configure(
    session: Session, host: str, client_cert: str | None, client_key: str | None, cluster: str | None, wish: Wish
) -> int:
    """Have a host's configure tools write the addresses of the cluster's HSMs, component by component.

    With --client-cert and --client-key also what the components show to HSMs: mutual TLS, before it is enforced.
    """
    facade = session.hsmctl
    pair = _pair(client_cert, client_key)
    return carry_out(session, wish, lambda: facade.client.plan_configure(facade.cluster.only(cluster), host, pair))


@verb("fix", "hsmctl -c prod client fix app1 --dry-run", "hsmctl -c prod client fix app1 --ca customerCA.crt")
@click.argument("host")
@click.option("--ca", metavar="FILE", default="", help="The customer CA; without it the context's customer_ca.")
@click.option("--cluster", metavar="ID", help="The cluster, by id or name, where there are several.")
@changes
def fix(session: Session, host: str, ca: str, cluster: str | None, wish: Wish) -> int:
    """Mend what `client check` finds wrong with a host: addresses, CA file, retry mode, file modes.

    The availability check is left as it is, because turning it off can be meant; so is the clock.
    """
    facade = session.hsmctl
    return carry_out(session, wish, lambda: facade.client.plan_fix(facade.cluster.only(cluster), host, ca))


@verb(
    "install-ca", "hsmctl -c prod client install-ca app1", "hsmctl -c prod client install-ca app1 --ca customerCA.crt"
)
@click.argument("host")
@click.option("--ca", metavar="FILE", default="", help="The customer CA; without it the context's customer_ca.")
@click.option("--cluster", metavar="ID", help="The cluster, by id or name, where there are several.")
@changes
def install_ca(session: Session, host: str, ca: str, cluster: str | None, wish: Wish) -> int:
    """Put the customer CA where the host's configurations look for it, if it is the cluster's."""
    facade = session.hsmctl
    return carry_out(session, wish, lambda: facade.client.plan_install_ca(facade.cluster.only(cluster), host, ca))


noun = Noun("client", "The hosts that use the HSMs.", list_clients, check, configure, install_ca, fix)


def _pair(certificate: str | None, key: str | None) -> Pair | None:
    """The client certificate and its key, if they were typed.

    Raises:
        UsageError: only one of them was.
    """
    if certificate and key:
        return Pair(certificate, key)
    if certificate or key:
        raise UsageError("--client-cert and --client-key", "they go together", "name both, by their paths on the host")
    return None


def _host(entry: ClientEntry) -> ClientHostRow:
    return ClientHostRow(
        name=entry.name,
        host=entry.host or None,
        user=entry.user or None,
        source=entry.source or None,
        cli=entry.cli or None,
        config_folder=entry.config_folder or None,
    )


def _row(finding: ClientFinding) -> FindingRow:
    return FindingRow(
        host=finding.host,
        component=finding.component,
        what=finding.what,
        level=finding.level,
        says=finding.says,
        fix=finding.fix or None,
    )


def _silent(name: str, failed: Failed) -> FindingRow:
    """A host that could not be asked, which is never counted as well set up."""
    says, fix = str(failed.error), failed.error.hint or None
    return FindingRow(host=name, component="host", what="reached", level="unknown", says=says, fix=fix)


def _code(found: ClientCheck) -> ExitCode:
    if any(row.level == Worth.BAD for row in found.findings):
        return ExitCode.NO
    if found.unreachable:
        return ExitCode.UNKNOWN if found.unreachable == found.hosts else ExitCode.PARTIAL
    return ExitCode.OK


def _list_lines(hosts: tuple[ClientHostRow, ...], page: Page) -> list[str]:
    columns: tuple[Column[ClientHostRow], ...] = (
        Column(title="CLIENT", cell=lambda row: row.name),
        Column(title="HOST", cell=lambda row: row.host or ("this machine" if row.name == "local" else "–")),
        Column(title="USER", cell=lambda row: row.user or ""),
        Column(title="SOURCE", cell=lambda row: row.source or ""),
        Column(title="CLI", cell=lambda row: row.cli or "", wide=True),
        Column(title="CONFIGURATION", cell=lambda row: row.config_folder or "", wide=True),
    )
    return table(columns, hosts, wide=page.wide, width=page.width)


def _check_lines(found: ClientCheck, page: Page) -> Iterator[str]:
    yield _says(found)
    shown = [row for row in found.findings if page.wide or row.level != Worth.OK]
    columns: tuple[Column[FindingRow], ...] = (
        Column(title="", cell=lambda row: _MARKS[row.level].glyph),
        Column(title="CLIENT", cell=lambda row: row.host),
        Column(title="COMPONENT", cell=lambda row: row.component),
        Column(title="WHAT", cell=lambda row: row.what),
        Column(title="FOUND", cell=lambda row: row.says),
    )
    if shown:
        yield from table(columns, shown, wide=page.wide, width=page.width)
    yield from dict.fromkeys(f"fix: {row.fix}" for row in shown if row.fix)
    yield from dict.fromkeys(
        f"all of it: hsmctl client fix {row.host}" for row in shown if row.fix in _mended(row.host)
    )


def _mended(host: str) -> tuple[str, ...]:
    """What `client fix` does as well."""
    return f"hsmctl client configure {host}", f"hsmctl client install-ca {host}"


def _says(found: ClientCheck) -> str:
    """The verdict in a sentence."""
    bad = sum(row.level == Worth.BAD for row in found.findings)
    warn = sum(row.level == Worth.WARN for row in found.findings)
    if bad or warn:
        sign = Mark.BAD if bad else Mark.ATTENTION
        return f"{sign.glyph} {counted(bad, 'thing')} wrong, {warn} to look at, on {counted(found.hosts, 'client')}"
    if found.unreachable:
        return f"{Mark.UNREADABLE.glyph} {found.unreachable} of {counted(found.hosts, 'client')} could not be asked"
    return f"{Mark.REPORTED.glyph} {counted(found.hosts, 'client')} set up for {found.cluster_id}"


def _verdict(found: ClientCheck) -> Check:
    levels = {"ok": Level.OK, "warn": Level.WARNING, "bad": Level.CRITICAL, "unknown": Level.UNKNOWN}
    cases = [
        Case(
            labels={"client": row.host, "component": row.component, "what": row.what},
            level=levels[row.level],
            says="" if row.level == Worth.OK else row.says,
        )
        for row in found.findings
    ]
    order = (Level.CRITICAL, Level.UNKNOWN, Level.WARNING, Level.OK)
    worst = next((level for level in order if any(case.level is level for case in cases)), Level.UNKNOWN)
    return Check(
        level=worst,
        says=_says(found)[2:],
        figures={"hosts": found.hosts, "unreachable": found.unreachable},
        cases=cases,
    )


LIST: View[tuple[ClientHostRow, ...]] = View(
    schema="client.list@1",
    document=tuple[ClientHostRow, ...],
    lines=_list_lines,
    names=lambda hosts: [row.name for row in hosts],
    items=lambda hosts: hosts,
    nothing="no client hosts: add [[context.NAME.clients]]",
)
CHECK: View[ClientCheck] = View(
    schema="client.check@1",
    document=ClientCheck,
    lines=_check_lines,
    names=lambda found: dict.fromkeys(row.host for row in found.findings),
    items=lambda found: found.findings,
    check=_verdict,
)
