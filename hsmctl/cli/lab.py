"""`lab`: CloudHSM on this machine, brought up, looked at and taken down; no context is needed for it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from hsmctl.cli import lab_fault, lab_scenario
from hsmctl.cli.lab_up import Spread, sizes, spread, up
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, details, table
from hsmctl.cli.verb import Noun, verb
from hsmctl.cli.view import Page, View
from hsmctl.errors import Conflict, ExitCode, UsageError
from hsmctl.mark import Mark
from hsmctl.ports import LabClientHost, LabClone, LabStatus
from hsmctl.settings import ContextKind
from hsmctl.words import counted

_UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE")
"""Variables that would lead an AWS client away from the lab."""
_NODE_MARKS = {"running": Mark.REPORTED, "stopped": Mark.ATTENTION}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """One emulated HSM and its process."""

    hsm_id: str
    cluster_id: str
    zone: str
    address: str
    state: str
    """running, unresponsive, building, dead or stopped."""
    pid: int | None
    pss_kib: int | None
    """Proportional set size of the process."""
    quarantined: int
    """Objects a killed process left unfinished."""
    waiting: int
    """Changes of other HSMs that have not reached it."""
    faults: tuple[str, ...]
    """What it suffers from, by name: `lab fault list`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabReport:
    """The lab as it is."""

    running: bool
    healthy: bool
    folder: str
    endpoint_url: str | None
    pid: int | None
    """The supervisor's."""
    env: Mapping[str, str]
    """The variables that make any AWS client talk to the lab."""
    clusters: tuple[str, ...]
    nodes: tuple[NodeRow, ...]
    pss: Spread | None
    network: str | None
    """How the client host is connected."""
    client_host: LabClientHost | None


@verb("down", "hsmctl lab down")
def down(session: Session) -> int:
    """End every process of the lab and keep its state."""
    session.unbound.lab.down()
    session.out.say("the lab is down; hsmctl lab up goes on with it")
    return ExitCode.OK


@verb("status", "hsmctl lab status", "hsmctl lab status -o json --query running")
def status(session: Session) -> int:
    """Show the lab; exit 1 if it is not whole."""
    found = session.unbound.lab.status()
    return session.show_local(STATUS, _report(found), ContextKind.LAB, ExitCode.OK if found.healthy else ExitCode.NO)


@verb("env", 'eval "$(hsmctl lab env)"', "hsmctl lab env -o json")
def env(session: Session) -> int:
    """Print what makes a shell, and any AWS client in it, talk to the lab."""
    found = session.unbound.lab.status()
    if not found.running:
        raise Conflict("no lab to point at", f"none is running in {found.folder}", "hsmctl lab up")
    return session.show_local(ENV, found.env, ContextKind.LAB)


@verb("reset", "hsmctl lab reset --yes")
@click.option("--yes", is_flag=True, help="Do it: every key of the lab is gone afterwards.")
def reset(session: Session, *, yes: bool) -> int:
    """Stop the lab and remove its folder."""
    if not yes:
        raise UsageError("lab reset", "it destroys the lab's keys", "hsmctl lab reset --yes")
    session.unbound.lab.reset()
    session.out.say("the lab is gone")
    return ExitCode.OK


@verb("logs", "hsmctl lab logs")
def logs(session: Session) -> int:
    """Print what the lab's supervisor and its HSMs said."""
    return session.show_local(LOGS, tuple(session.unbound.lab.logs()), ContextKind.LAB)


@verb("clone-for", 'eval "$(hsmctl lab clone-for nginx)"', "hsmctl lab clone-for nginx --out /srv/hsm -o json")
@click.argument("name")
@click.option("--out", metavar="FOLDER", help="Where it goes; otherwise into the lab's folder.")
def clone_for(session: Session, name: str, out: str | None) -> int:
    """Give a program that is not hsmctl's an HSM's keys to use; the same ones again if it has them already."""
    return session.show_local(CLONE, session.unbound.lab.clone_for(name, out), ContextKind.LAB)


noun = Noun(
    "lab",
    "CloudHSM on this machine, to try things on.",
    up,
    down,
    status,
    env,
    reset,
    logs,
    lab_fault.noun,
    lab_scenario.noun,
    clone_for,
)


def _report(status: LabStatus) -> LabReport:
    return LabReport(
        running=status.running,
        healthy=status.healthy,
        folder=status.folder,
        endpoint_url=status.endpoint_url,
        pid=status.pid,
        env=status.env,
        clusters=status.clusters,
        nodes=tuple(
            NodeRow(
                hsm_id=node.hsm_id,
                cluster_id=node.cluster_id,
                zone=node.zone,
                address=node.address,
                state=node.state,
                pid=node.pid,
                pss_kib=node.pss_kib,
                quarantined=node.quarantined,
                waiting=node.waiting,
                faults=node.faults,
            )
            for node in status.nodes
        ),
        pss=spread(status),
        network=status.options.network if status.options else None,
        client_host=status.client_host,
    )


def _status_lines(lab: LabReport, page: Page) -> Iterator[str]:
    mark = Mark.REPORTED if lab.healthy else Mark.BAD if lab.running else Mark.ATTENTION
    whole = "running" if lab.healthy else "running and not whole"
    yield f"{mark.glyph} the lab is {whole if lab.running else 'not running'}"
    yield ""
    yield from details(
        [
            ("folder", lab.folder),
            ("endpoint", lab.endpoint_url or ""),
            ("supervisor", f"process {lab.pid}" if lab.pid else ""),
            ("clusters", " ".join(lab.clusters)),
            ("memory", sizes(lab.pss) if lab.pss else ""),
            ("network", lab.network or ""),
            ("client host", _client_words(lab.client_host) if lab.client_host else ""),
            ("its cli", lab.client_host.cli if lab.client_host else ""),
        ]
    )
    if lab.nodes:
        yield ""
        yield from _node_table(lab.nodes, page)


def _client_words(client: LabClientHost) -> str:
    where = f"ssh -F {shlex.quote(client.ssh_config)} {client.name}"
    known = {"running": where, "missing": "no sshd on this machine: apt-get install openssh-server"}
    return known.get(client.state, client.state)


def _node_table(nodes: Sequence[NodeRow], page: Page) -> list[str]:
    columns: tuple[Column[NodeRow], ...] = (
        Column(title="", cell=lambda row: _NODE_MARKS.get(row.state, Mark.BAD).glyph),
        Column(title="HSM", cell=lambda row: row.hsm_id, shrinks=True),
        Column(title="STATE", cell=lambda row: row.state),
        Column(title="ZONE", cell=lambda row: row.zone),
        Column(title="ADDRESS", cell=lambda row: row.address),
        Column(title="PID", cell=lambda row: str(row.pid or "–"), right=True),
        Column(title="MIB", cell=lambda row: f"{row.pss_kib / 1024:.1f}" if row.pss_kib else "–", right=True),
        Column(title="WAITS FOR", cell=lambda row: counted(row.waiting, "change") if row.waiting else ""),
        Column(title="QUARANTINE", cell=lambda row: counted(row.quarantined, "object") if row.quarantined else ""),
        Column(title="FAULTS", cell=lambda row: " ".join(row.faults)),
        Column(title="CLUSTER", cell=lambda row: row.cluster_id, wide=True),
    )
    return table(columns, nodes, wide=page.wide, width=page.width)


def _exports(variables: Mapping[str, str]) -> list[str]:
    """Lines for a POSIX shell to evaluate."""
    unset = [f"unset {name}" for name in _UNSET if name not in variables]
    return [*unset, *(f"export {name}={shlex.quote(value)}" for name, value in variables.items())]


STATUS: View[LabReport] = View(
    schema="lab.status@1",
    document=LabReport,
    lines=_status_lines,
    names=lambda lab: lab.clusters,
    items=lambda lab: lab.nodes,
)
ENV: View[Mapping[str, str]] = View(
    schema="lab.env@1", document=Mapping[str, str], lines=lambda env, _: _exports(env), names=lambda env: env
)
CLONE: View[LabClone] = View(
    schema="lab.clone-for@1",
    document=LabClone,
    lines=lambda clone, _: [f"export {name}={shlex.quote(value)}" for name, value in clone.env.items()],
    names=lambda clone: [clone.name],
)
LOGS: View[tuple[str, ...]] = View(
    schema="lab.logs@1",
    document=tuple[str, ...],
    lines=lambda logs, _: logs,
    names=lambda logs: logs,
    items=lambda logs: logs,
)
