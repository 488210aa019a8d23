"""The lab: its HSMs' processes, what goes wrong on command, and scenarios; the other places notice by themselves.

Nothing here needs arming: it bends the emulated world, never an estate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.cluster import Cluster
from hsmctl.errors import HsmctlError, UsageError
from hsmctl.mark import Mark
from hsmctl.ports import LabFault, LabFaultKind, LabNode
from hsmctl.words import counted

from .column import Column
from .command import CLEAR, FILTER, HELP, INJECT, LINE, PLAY, REFRESH, Command, Takes, bindings
from .detail import beside, facts
from .estate import Estate
from .facts import failure
from .glyph import Role, Spans, rank, sign
from .ground import World, in_force, kinds, node_mark, topology
from .lines import Lines
from .offload import call, stream
from .place import Description, Place
from .survey import Survey
from .words import zone_names

LAB_SECONDS = 30.0
"""How long the lab may take to do what it is told."""

_ROOMY = 150
"""The width from which on what can go wrong stands beside the lab."""
_ASKING: tuple[Spans, ...] = (((f"{Mark.PENDING.glyph} asking the lab", Role.ACCENT),),)
_NONE: tuple[Spans, ...] = (
    (("There is no lab here.", Role.STRONG),),
    (("hsmctl lab up", Role.ACCENT), ("  makes one on this machine, with an HSM process for each HSM", Role.MUTED)),
)


_EMPTY: tuple[Spans, ...] = (
    (("The lab has no HSM yet.", Role.STRONG),),
    ((":fleet", Role.ACCENT), ("  has :create, once armed; :ceremony claims what was created", Role.MUTED)),
)


class LabScreen(Place):
    """The lab."""

    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, INJECT, CLEAR, PLAY)
    BINDINGS = bindings([INJECT, CLEAR, PLAY])
    offered: ClassVar[tuple[Command, ...]] = (INJECT, CLEAR, PLAY, REFRESH, FILTER, LINE, HELP)

    def __init__(self, survey: Survey) -> None:
        self._world: World | None = None
        self._error: HsmctlError | None = None
        self._reading = self._stale = False
        self._said: tuple[str, ...] = ()
        """What the scenario says."""
        self.nodes: Lines[LabNode] = Lines(self._columns(), lambda node: node.hsm_id, id="nodes", empty=_ASKING)
        super().__init__(survey, ("fleet", "the lab"), self.nodes)

    @property
    def cluster(self) -> Cluster | None:
        """The cluster of the HSM under the cursor."""
        node = self.nodes.current
        return self.survey.estate.cluster(node.cluster_id) if node else None

    @property
    def subject(self) -> str | None:
        """The HSM's id."""
        return self.nodes.current.hsm_id if self.nodes.current else None

    def body(self) -> ComposeResult:
        """The HSMs' processes, and what is wrong with them."""
        yield self.nodes
        yield self.detail

    def on_mount(self) -> None:
        """Ask the lab."""
        super().on_mount()
        self.read()

    def hear(self, estate: Estate) -> None:
        """Ask the lab again whenever the estate was looked at."""
        super().hear(estate)
        if estate.reading and self.is_current:
            self.read()

    def arguments(self, takes: Takes) -> list[str]:
        """Faults, those in force, scenarios."""
        world = self._world
        if world is not None and takes is Takes.FAULT:
            return [kind.name for kind in world.kinds]
        if world is not None and takes is Takes.IN_FORCE:
            return [*(fault.fault_id for fault in world.faults), "all"]
        if world is not None and takes is Takes.SCENARIO:
            return list(world.scenarios)
        return list(super().arguments(takes))

    def describe(self, width: int) -> Description | None:
        """The lab's folder, address and options; every fault there is."""
        if self._world is None:
            return None
        status = self._world.status
        told = [("folder", status.folder), ("endpoint", status.endpoint_url or ""), ("process", str(status.pid or ""))]
        host = status.client_host
        told += [("client host", f"{host.name} {host.state} {host.address}:{host.port}")] if host else []
        told += sorted(status.env.items())
        kinds = [(kind.name, kind.says) for kind in self._world.kinds]
        return "the lab", [*facts(told, width), (), ((" FAULTS", Role.STRONG),), *facts(kinds)]

    def action_refresh(self) -> None:
        """Ask the lab, and AWS as it plays it."""
        super().action_refresh()
        self.read()

    async def action_inject(self, words: str = "") -> None:
        """Have something go wrong at the HSM under the cursor: a fault, and the key or user it is about."""
        if self._world is None:
            self.complain("the lab has not answered yet")
            return
        name, *about = words.split()[:2] or [""]
        kind = next((kind for kind in self._world.kinds if kind.name == name), None)
        if kind is None:
            await self.ask_line("inject ")
        else:
            fault = self._fault(kind, about[0] if about else None)
            self.bend(lambda: f"injected {self.survey.hsmctl.lab.faults.inject(fault, None).name}")

    async def action_clear(self, fault_id: str = "") -> None:
        """End this fault, or all."""
        if not fault_id:
            await self.ask_line("clear ")
            return
        wanted = None if fault_id == "all" else fault_id
        self.bend(lambda: f"cleared {counted(len(self.survey.hsmctl.lab.faults.clear(wanted)), 'fault')}")

    async def action_play(self, name: str = "") -> None:
        """Play a scenario."""
        if name:
            self.play(name)
        else:
            await self.ask_line("play ")

    @work(group="lab")
    async def read(self) -> None:
        """Ask the lab in the background; once more where that was asked for meanwhile, never twice at a time."""
        self._stale = True
        if self._reading:
            return
        self._reading = True
        try:
            while self._stale:
                self._stale = False
                self._world, self._error = await self._ask(), None
        except HsmctlError as error:
            self._error = error
        finally:
            self._reading = False
        self._show()

    @work(group="bend")
    async def bend(self, change: Callable[[], str]) -> None:
        """Change the lab, say what was done, and look at everything anew."""
        try:
            self.notify(await call(change, seconds=LAB_SECONDS), markup=False)
        except HsmctlError as error:
            self.complain(f"{error}; {error.hint}")
        self._look_anew()

    @work(group="play", exclusive=True)
    async def play(self, name: str) -> None:
        """Play a scenario; what it says shows as it goes."""
        self._said = ()
        try:
            async for batch in stream(lambda: self._played(name)):
                self._said = (*self._said, *batch)
                self._look_anew()
        except HsmctlError as error:
            self.complain(f"{error}; {error.hint}")
        self._look_anew()

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)

    def _look_anew(self) -> None:
        self.hsmctl_app.look()
        for cluster in self.survey.estate.clusters or ():
            self.hsmctl_app.check(cluster)
        self.read()

    async def _ask(self) -> World:
        """The lab now, which is one process; what can go wrong there never changes and is asked once."""
        lab, known = self.survey.hsmctl.lab, self._world
        status, kinds, names = await asyncio.gather(
            call(lab.status, seconds=LAB_SECONDS),
            call(lambda: known.kinds if known else lab.faults.kinds(), seconds=LAB_SECONDS),
            call(lambda: known.scenarios if known else tuple(lab.faults.scenarios()), seconds=LAB_SECONDS),
        )
        return World(status=status, faults=status.faults, kinds=kinds, scenarios=names)

    def _played(self, name: str) -> Iterator[str]:
        from hsmctl.services.scenario import parse

        lab = self.survey.hsmctl.lab
        scripts = lab.faults.scenarios()
        if name not in scripts:
            raise UsageError(f"no scenario {name}", f"there are {', '.join(scripts)}", ":play")
        yield from lab.scenarios().play(parse(scripts[name]))

    def _fault(self, kind: LabFaultKind, about: str | None) -> LabFault:
        node = self.nodes.current
        return LabFault(
            name=kind.name,
            hsm=node.hsm_id if node and "hsm" in kind.takes else None,
            key=about if "key" in kind.takes else None,
            user=about if "user" in kind.takes else None,
            region=about if "region" in kind.takes else None,
        )

    def _show(self) -> None:
        nodes = self._world.status.nodes if self._world else ()
        self.nodes.teach(_EMPTY if self._world and self._world.status.running else _NONE)
        if self._error is not None:
            self.nodes.teach(failure(self._error, self.size.width))
        self.nodes.show(sorted(nodes, key=lambda node: (rank(node_mark(node)), node.zone, node.hsm_id)))
        self.detail.draw(self._detail)

    def _detail(self, room: Size) -> list[Spans]:
        """What goes wrong and what the scenario says, the lab drawn, and what else can go wrong."""
        world = self._world
        if world is None:
            return []
        wide = room.width >= _ROOMY
        width = room.width * 3 // 5 if wide else room.width
        lines = [*topology(world, width), (), *in_force(world, self.survey.hsmctl.clock.now())]
        if self._said:
            lines += [(), ((" SCENARIO", Role.STRONG),), *(((f" {text}", Role.PLAIN),) for text in self._said)]
        if wide:
            return beside(lines, kinds(world, room.height), width)[: room.height]
        return [*lines, (), *kinds(world, room.height - len(lines) - 1)][: room.height]

    def _columns(self) -> tuple[Column[LabNode], ...]:
        def mark(node: LabNode) -> Spans:
            return sign(node_mark(node)), (f" {node.hsm_id}", Role.STRONG)

        def zone(node: LabNode) -> str:
            nodes = self._world.status.nodes if self._world else ()
            return zone_names(each.zone for each in nodes).get(node.zone, node.zone)

        return (
            Column(heads=("HSM",), text=lambda node: node.hsm_id, draw=mark, width=19),
            Column(heads=("ZONE",), text=zone, width=6),
            Column(heads=("PROCESS",), text=lambda node: node.state, width=12),
            Column(heads=("ADDRESS",), text=lambda node: node.address, width=14),
            Column(heads=("PID",), text=_process, role=Role.MUTED, width=8, right=True, room=112),
            Column(heads=("MEMORY",), text=_memory, role=Role.MUTED, width=9, right=True, room=112),
            Column(heads=("WAITING",), text=lambda node: str(node.waiting or ""), width=7, right=True, room=112),
            Column(heads=("FAULTS",), text=lambda node: " ".join(node.faults), role=Role.BAD, width=12, grows=True),
        )


def _process(node: LabNode) -> str:
    return str(node.pid or "–")


def _memory(node: LabNode) -> str:
    return f"{node.pss_kib / 1024:.1f} MiB" if node.pss_kib else "–"
