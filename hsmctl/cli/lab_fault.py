"""`lab fault`: the lab's bad days on command, for training and to see what a check says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Noun, Seconds, verb
from hsmctl.cli.view import Page, View
from hsmctl.errors import UsageError
from hsmctl.mark import Mark
from hsmctl.ports import LabFault, LabFaultKind
from hsmctl.settings import ContextKind
from hsmctl.words import age

_ABOUT = ("hsm", "key", "user", "region", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """One fault in force."""

    fault_id: str
    """Empty for one that happened once and is over."""
    name: str
    hsm: str | None
    key: str | None
    user: str | None
    region: str | None
    seconds: float | None
    since: datetime | None
    heals: datetime | None
    """When it clears by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultList:
    """The faults in force, and every kind there is."""

    faults: tuple[FaultRow, ...]
    kinds: tuple[LabFaultKind, ...]


@verb("list", "hsmctl lab fault list", "hsmctl lab fault list -o json --query 'faults[].name'")
def list_faults(session: Session) -> int:
    """Show the faults in force, and every one the lab can have."""
    control = session.unbound.lab.faults
    found = FaultList(faults=tuple(map(shown, control.faults())), kinds=control.kinds())
    return session.show_local(LIST, found, ContextKind.LAB)


@verb(
    "inject",
    "hsmctl lab fault inject node-frozen --hsm hsm-aaaaaaaaaaa",
    "hsmctl lab fault inject key-different --hsm hsm-aaaaaaaaaaa --key tls-web-001 --heal 10m",
    "hsmctl lab fault inject region-down --region us-west-2",
)
@click.argument("name")
@click.option("--hsm", metavar="ID", help="The HSM that suffers from it.")
@click.option("--key", metavar="LABEL", help="The key it is about.")
@click.option("--user", metavar="NAME", help="The user it is about; otherwise the lab's crypto user.")
@click.option("--seconds", type=Seconds(), help="How late, for what is late.")
@click.option("--heal", type=Seconds(), help="Clear it by itself after this time.")
def inject_fault(
    session: Session,
    name: str,
    hsm: str | None,
    key: str | None,
    user: str | None,
    seconds: float | None,
    heal: float | None,
) -> int:
    """Have something go wrong, until it is cleared; --region names the region that is down."""
    wanted = LabFault(name=name, hsm=hsm, key=key, user=user, region=session.flags.region, seconds=seconds)
    return session.show_local(INJECT, shown(session.unbound.lab.faults.inject(wanted, heal)), ContextKind.LAB)


@verb(
    "net",
    "hsmctl lab fault net zone-detached --hsm hsm-aaaaaaaaaaa",
    "hsmctl lab fault net tunnels --heal 10m",
)
@click.argument("name")
@click.option("--hsm", metavar="ID", help="The HSM that suffers from it; else all where it may be all.")
@click.option("--heal", type=Seconds(), help="Clear it by itself after this time.")
def net_fault(session: Session, name: str, hsm: str | None, heal: float | None) -> int:
    """Break the network: short for `inject net-NAME`; `lab fault list` has the names."""
    wanted = LabFault(name=f"net-{name.removeprefix('net-')}", hsm=hsm)
    return session.show_local(INJECT, shown(session.unbound.lab.faults.inject(wanted, heal)), ContextKind.LAB)


@verb("clear", "hsmctl lab fault clear f1", "hsmctl lab fault clear --all")
@click.argument("fault_id", metavar="ID", required=False)
@click.option("--all", "everything", is_flag=True, help="Clear every fault.")
def clear_fault(session: Session, fault_id: str | None, *, everything: bool) -> int:
    """End a fault: everything is as if it had never been."""
    if everything == (fault_id is not None):
        raise UsageError("lab fault clear", "it takes an id or --all", "hsmctl lab fault list")
    cleared = session.unbound.lab.faults.clear(fault_id)
    return session.show_local(CLEAR, tuple(map(shown, cleared)), ContextKind.LAB)


noun = Noun("fault", "What goes wrong, on command.", list_faults, inject_fault, net_fault, clear_fault)


def shown(fault: LabFault) -> FaultRow:
    """A fault as it is shown."""
    return FaultRow(
        fault_id=fault.fault_id,
        name=fault.name,
        hsm=fault.hsm,
        key=fault.key,
        user=fault.user,
        region=fault.region,
        seconds=fault.seconds,
        since=_moment(fault.since),
        heals=_moment(fault.heals),
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _list_lines(found: FaultList, page: Page) -> Iterator[str]:
    if found.faults:
        yield from fault_lines(found.faults, page)
        yield ""
    columns: tuple[Column[LabFaultKind], ...] = (
        Column(title="FAULT", cell=lambda kind: kind.name),
        Column(title="TAKES", cell=lambda kind: " ".join(kind.takes)),
        Column(title="WHAT IT DOES", cell=lambda kind: kind.says if kind.lasts else f"{kind.says} Once."),
    )
    yield from table(columns, found.kinds, wide=page.wide, width=page.width)


def fault_lines(faults: Sequence[FaultRow], page: Page) -> list[str]:
    """The faults in force as a table."""
    columns: tuple[Column[FaultRow], ...] = (
        Column(title="", cell=lambda _: Mark.ATTENTION.glyph),
        Column(title="ID", cell=lambda row: row.fault_id),
        Column(title="IN FORCE", cell=lambda row: row.name),
        Column(title="ABOUT", cell=_about),
        Column(title="SINCE", cell=lambda row: age(page.now, row.since), right=True),
        Column(title="HEALS IN", cell=lambda row: age(row.heals, page.now) if row.heals else "", right=True),
    )
    return table(columns, faults, wide=page.wide, width=page.width)


def _about(row: FaultRow) -> str:
    """What a fault is about, in one line."""
    said = ((name, getattr(row, name)) for name in _ABOUT)
    return " ".join(f"{value:g} s" if name == "seconds" else str(value) for name, value in said if value is not None)


def _one_line(row: FaultRow, _: Page) -> list[str]:
    end = f"hsmctl lab fault clear {row.fault_id}" if row.fault_id else "it happened once and is over"
    return [f"{Mark.ATTENTION.glyph} {row.name} {_about(row)}".rstrip() + f": {end}"]


def _cleared_lines(rows: Sequence[FaultRow], _: Page) -> Iterator[str]:
    for row in rows:
        yield f"{Mark.REPORTED.glyph} {row.name} {_about(row)}".rstrip() + " is cleared"


LIST: View[FaultList] = View(
    schema="lab.fault.list@1",
    document=FaultList,
    lines=_list_lines,
    names=lambda found: [row.fault_id for row in found.faults],
    items=lambda found: found.faults,
)
INJECT: View[FaultRow] = View(
    schema="lab.fault.inject@1", document=FaultRow, lines=_one_line, names=lambda row: [row.fault_id]
)
CLEAR: View[tuple[FaultRow, ...]] = View(
    schema="lab.fault.clear@1",
    document=tuple[FaultRow, ...],
    lines=_cleared_lines,
    names=lambda rows: [row.fault_id for row in rows],
    items=lambda rows: rows,
    nothing="nothing was wrong",
)
