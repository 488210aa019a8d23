"""Connectivity of a cluster: clients against HSMs as AWS configures it, what a probe met, and one way drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.evidence import Failed
from hsmctl.domain.net_endpoint import Client, parse_client
from hsmctl.domain.net_finding import Pair
from hsmctl.domain.probe import probe_targets
from hsmctl.errors import HsmctlError, UsageError
from hsmctl.mark import Mark
from hsmctl.services.net import explain, load
from hsmctl.services.net_ends import Ends

from .command import CLIENT, DESCRIBE, FILTER, FIX, HELP, LINE, NEXT_HSM, PROBE, Command, bindings
from .detail import Detail
from .facts import failure, of_error
from .glyph import Role, Spans, role, sign
from .lines import Lines
from .net_matrix import columns
from .offload import call, stream
from .place import Description, Place
from .reach import Known, Ways
from .survey import Survey
from .way import drawn, fix, told
from .words import cluster_name

COLLECT_SECONDS = 90.0
PROBE_SECONDS = 20.0
"""How long client hosts may take to try every HSM."""

_ASKING: tuple[Spans, ...] = (((f"{Mark.PENDING.glyph} reading the network between clients and HSMs", Role.ACCENT),),)
_NOBODY: tuple[Spans, ...] = (
    (("No client is registered in this context.", Role.STRONG),),
    (("A client is who uses the HSMs: an instance, an interface, an address or a prefix.", Role.MUTED),),
    ((":client i-0a1b2c3d4e5f60718", Role.ACCENT), ("  asks about one now", Role.MUTED)),
    (("[[context.NAME.clients]]", Role.ACCENT), ("     in the configuration registers one", Role.MUTED)),
)


class NetScreen(Place):
    """The matrix of clients and HSMs."""

    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, NEXT_HSM, PROBE, CLIENT, FIX)
    BINDINGS = bindings([NEXT_HSM, PROBE, CLIENT, FIX])
    offered: ClassVar[tuple[Command, ...]] = (NEXT_HSM, PROBE, FIX, DESCRIBE, FILTER, LINE, HELP)

    def __init__(self, survey: Survey, cluster: Cluster) -> None:
        self._cluster = cluster
        self._asked: tuple[str, ...] = ()
        """Clients that were asked about here, besides those of the context."""
        self._known = Known()
        self._at: datetime | None = None
        self._busy = ""
        self._error: HsmctlError | None = None
        self._hsm = ""
        """The HSM whose way the operator wants to see; until then each client's worst."""
        self.matrix: Lines[Ways] = Lines(
            (), lambda ways: (ways.client, ways.port, ways.family), id="net", empty=_ASKING
        )
        self.verdict = Detail(id="verdict")
        super().__init__(survey, ("fleet", cluster_name(cluster), "net"), self.matrix)

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.survey.estate.cluster(self._cluster.cluster_id) or self._cluster

    @property
    def aged(self) -> datetime | None:
        """When the network was read."""
        return self._at

    @property
    def pair(self) -> Pair | None:
        """The way that is drawn: of the client under the cursor to the HSM that was chosen, else to its worst."""
        ways = self.matrix.current
        return self._known.drawn(ways, self._hsm) if ways else None

    @property
    def subject(self) -> str | None:
        """The HSM's id."""
        return self.pair.hsm if self.pair else None

    def body(self) -> ComposeResult:
        """The sum of it, the matrix, the way."""
        yield self.verdict
        yield self.matrix
        yield self.detail

    def on_mount(self) -> None:
        """Read the network."""
        super().on_mount()
        self.verdict.draw(lambda _: [((" ", Role.PLAIN), *self._sum())])
        self.read()

    def describe(self, width: int) -> Description | None:
        """The whole way, or why there is none."""
        if self.pair is None:
            return of_error(self._error) if self._error else None
        title = f"{self._known.called(self.pair)} → {self.pair.hsm}"
        return title, list(drawn(self._known, self.pair, width, whole=True))

    def action_refresh(self) -> None:
        """Read the network again, past what is remembered of it."""
        self.read(fresh=True)

    def action_next_hsm(self) -> None:
        """Draw the way to the next HSM."""
        hsms = self._known.hsms
        if self.pair:
            self._hsm = hsms[(hsms.index(self.pair.hsm) + 1) % len(hsms)]
            self._fill()

    def action_fix(self) -> None:
        """Copy the command that mends the way; nothing runs it."""
        command = fix(self.pair) if self.pair else ""
        if command:
            self.app.copy_to_clipboard(command)
            self.notify(f"copied {command}", markup=False)
        else:
            self.complain("nothing is known to be amiss here")

    def action_client(self, word: str = "") -> None:
        """Ask about one more client."""
        try:
            _parsed(word)
        except UsageError as error:
            self.complain(f"{error}; {error.hint}")
        else:
            self._asked = (*self._asked, word)
            self.read()

    def action_probe(self) -> None:
        """Try from every client host whether the HSMs answer."""
        if any(entry.host for entry in self.survey.hsmctl.context.clients):
            self.probe()
        else:
            self.complain("the context registers no client host to try from")

    @work(group="net", exclusive=True)
    async def read(self, *, fresh: bool = False) -> None:
        """Read and explain the network in the background; what was there stays until it is known anew."""
        self._tell("reading")
        try:
            ends = self._ends()
            if ends.clients:
                self._known = await call(lambda: self._explained(ends, fresh=fresh), seconds=COLLECT_SECONDS)
                self._error = None
                self._at = self.survey.hsmctl.clock.now()
            else:
                self.matrix.teach(_NOBODY)
        except HsmctlError as error:
            self._error = error
            self.matrix.teach(failure(error, self.size.width))
        finally:
            self._tell("")
            self._fill()

    @work(group="probe", exclusive=True)
    async def probe(self) -> None:
        """Try in the background; answers show as they come."""
        facade, cluster = self.survey.hsmctl, self.cluster
        clients = [entry.name for entry in facade.context.clients if entry.host]
        targets = probe_targets(cluster, (2223,))
        self._known = replace(self._known, answers={})
        self._tell("probing")
        try:
            until = facade.clock.monotonic() + PROBE_SECONDS
            async for batch in stream(lambda: facade.probe.probe(clients, targets, deadline=until)):
                for pair, outcome in batch:
                    answer = outcome.error if isinstance(outcome, Failed) else outcome.value
                    self._known = self._known.met(pair.client, pair.target.hsm_id, answer)
                self._fill()
        except HsmctlError as error:
            self.complain(f"{error}; {error.hint}")
        finally:
            self._tell("")
            self._fill()

    def on_resize(self) -> None:
        """Make the columns for the new width."""
        self._fill()

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)

    def _ends(self) -> Ends:
        """The cluster and who wants to reach it.

        Raises:
            UsageError: a registered client is none.
        """
        clients = tuple(_parsed(word) for word in dict.fromkeys((*self._sources, *self._asked)))
        families = tuple(dict.fromkeys(family for client in clients for family in client.families or (4,)))
        return Ends(cluster=self.cluster, clients=clients, families=families or (4,))

    @property
    def _sources(self) -> Mapping[str, str]:
        """The names of the context's clients, by what AWS knows them as."""
        return {entry.source: entry.name for entry in self.survey.hsmctl.context.clients if entry.source}

    def _explained(self, ends: Ends, *, fresh: bool) -> Known:
        """Work for a thread: AWS is asked, and every pair walked; what a probe has met stays known."""
        found = self.survey.hsmctl.net.collect(ends, fresh=fresh)
        report = explain(replace(load(found.document), families=ends.families, asked=None))
        return Known(pairs=report.pairs, names=self._sources, answers=self._known.answers, holes=len(found.holes))

    def _tell(self, busy: str) -> None:
        self._busy = busy
        self.verdict.refresh()
        self.tick()

    def _fill(self) -> None:
        zones = {hsm.hsm_id: hsm.zone for hsm in self.cluster.hsms}
        self.matrix.show(self._known.ways, columns(self._known, zones, self._hsm, self.size.width))
        self.verdict.refresh()
        self.detail.draw(self._detail)

    def _sum(self) -> Spans:
        pending: Spans = (sign(Mark.PENDING), (f" {self._busy}  ", Role.ACCENT)) if self._busy else ()
        if not self._known.pairs:
            return pending
        mark, words = self._known.summed()
        return *pending, sign(mark), (f" {words}", role(mark))

    def _detail(self, room: Size) -> list[Spans]:
        """The way to the chosen HSM, and below it the client's other ways."""
        ways = self.matrix.current
        return told(self._known, ways, self.pair, room) if ways and self.pair else []


def _parsed(word: str) -> Client:
    """The client a word names.

    Raises:
        UsageError: it is no instance, interface, address or prefix.
    """
    try:
        return parse_client(word)
    except ValueError as error:
        what = f"{word or 'nothing'} is no instance, interface, address or prefix"
        raise UsageError("client", what, ":client 10.0.1.7") from error
