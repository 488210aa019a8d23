"""The lab drawn: the client host, the network, each zone with its HSMs, and what is made to go wrong where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.cells import cell_len

from hsmctl.mark import Mark
from hsmctl.ports import LabFault, LabFaultKind, LabNode, LabStatus
from hsmctl.words import age

from .glyph import Role, Span, Spans, role, sign
from .words import zone_names

_STATES = {"running": Mark.REPORTED, "building": Mark.PENDING, "stopped": Mark.UNPROVEN}
_NETWORK = ("net",)
_CLIENT = ("client", "certificate")
_CLOUD = ("cloud", "region", "kms", "metrics", "trail", "logs")
"""How the names of faults begin that are not about an HSM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The lab at one moment."""

    status: LabStatus
    faults: tuple[LabFault, ...]
    kinds: tuple[LabFaultKind, ...]
    scenarios: tuple[str, ...]


def node_mark(node: LabNode) -> Mark:
    """How an HSM's process is, or that a fault is upon it."""
    return Mark.BAD if node.faults else _STATES.get(node.state, Mark.BAD)


def topology(world: World, width: int) -> Iterator[Spans]:
    """The client on the left, a line for each zone on the right, between them the network."""
    host, options = world.status.client_host, world.status.options
    network = options.network if options else "network"
    client = host.name if host else "no client host"
    well = Mark.UNPROVEN if host is None else Mark.REPORTED if host.state == "running" else Mark.BAD
    head: list[Span] = [
        (" ", Role.PLAIN),
        *_station(world, client, well, _CLIENT),
        (" ── ", Role.MUTED),
        *_station(world, network, Mark.REPORTED, _NETWORK),
        (" ─", Role.MUTED),
    ]
    margin = sum(cell_len(text) for text, _ in head)
    rows = list(_zones(world.status.nodes, max(20, width - margin - 10)))
    for place, (zone, tiles) in enumerate(rows):
        lead = head if place == 0 else [(" " * margin, Role.PLAIN)]
        yield *lead, (_branch(zone, place, rows), Role.MUTED), *tiles
    if not rows:
        yield *head, (" no HSM yet", Role.MUTED)
    address = world.status.endpoint_url or "not running"
    yield ()
    yield (" AWS  ", Role.MUTED), *_station(world, address, Mark.REPORTED if world.status.running else Mark.BAD, _CLOUD)


def in_force(world: World, now: datetime) -> Iterator[Spans]:
    """The faults there are, the newest first, or how to make one."""
    if not world.faults:
        yield (" ", Role.PLAIN), sign(Mark.REPORTED), (" nothing is made to go wrong", Role.PLAIN)
        says = "  injects a fault at this HSM; the other places notice by themselves"
        yield (" i", Role.ACCENT), (says, Role.MUTED)
        return
    yield (f" FAULTS IN FORCE {len(world.faults)}", Role.STRONG), ("   C ends one, or all", Role.MUTED)
    says_of = {kind.name: kind.says for kind in world.kinds}
    for fault in reversed(world.faults):
        since = age(now, datetime.fromtimestamp(fault.since, UTC)) if fault.since else ""
        about = " ".join(filter(None, (fault.hsm, fault.key, fault.user, fault.region)))
        told = f" {fault.name:<18} {since:>6}  {about}"
        yield (" ", Role.PLAIN), sign(Mark.BAD), (f" {fault.fault_id:<3}", Role.ACCENT), (told, Role.STRONG)
        if fault.name in says_of:
            yield ((f"       {says_of[fault.name]}", Role.MUTED),)


def kinds(world: World, room: int) -> Iterator[Spans]:
    """What can be made to go wrong, as far as there is room, and the scenarios."""
    if room < 4:
        return
    yield (" WHAT CAN GO WRONG", Role.STRONG), ("   i injects it, d has all", Role.MUTED)
    if world.scenarios:
        yield (" P play  ", Role.ACCENT), (" ".join(world.scenarios), Role.PLAIN)
    for kind in world.kinds[: room - 2]:
        yield (f" {kind.name:<20}", Role.PLAIN), (kind.says, Role.MUTED)


def _station(world: World, name: str, well: Mark, families: Sequence[str]) -> Iterator[Span]:
    """A part of the lab by its name, and the faults upon it."""
    upon = [fault.name for fault in world.faults if fault.name.startswith(tuple(f"{each}-" for each in families))]
    mark = Mark.BAD if upon else well
    yield sign(mark)
    yield f" {name}", role(mark) if mark is Mark.BAD else Role.STRONG
    if upon:
        yield f" {' '.join(upon)}", Role.BAD


def _zones(nodes: Sequence[LabNode], width: int) -> Iterator[tuple[str, list[Span]]]:
    """Each zone of each cluster with its HSMs, in as many lines as they take; only the first says the zone."""
    names = zone_names(node.zone for node in nodes)
    groups: dict[tuple[str, str], list[LabNode]] = {}
    for node in sorted(nodes, key=lambda node: (node.cluster_id, node.zone, node.hsm_id)):
        groups.setdefault((node.cluster_id, node.zone), []).append(node)
    for (_, zone), members in groups.items():
        line: list[Span] = []
        word, used = names[zone], 0
        for node in members:
            tile = _tile(node)
            size = sum(cell_len(text) for text, _ in tile)
            if line and used + size > width:
                yield word, line
                line, word, used = [], "", 0
            line += tile
            used += size
        yield word, line


def _tile(node: LabNode) -> list[Span]:
    mark = node_mark(node)
    amiss = " ".join(node.faults) or ("" if mark in (Mark.REPORTED, Mark.PENDING) else node.state)
    told = [(f" {amiss}", role(mark))] if amiss else []
    return [sign(mark), (f" {node.hsm_id}", role(mark) if amiss else Role.PLAIN), *told, ("  ", Role.PLAIN)]


def _branch(zone: str, place: int, rows: Sequence[tuple[str, list[Span]]]) -> str:
    """How the network's line meets a zone's."""
    more = any(name for name, _ in rows[place + 1 :])
    if not zone:
        return f"{'│' if more else ' '}       "
    first, last = ("┬", "─") if place == 0 else ("├", "└")
    return f"{first if more else last} az {zone:<3}"
