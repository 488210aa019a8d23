"""Connectivity of a cluster: clients against HSMs as AWS configures it, what a probe met, and one way drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.evidence import Failed
from hsmctl.domain.net_endpoint import Client, parse_client
from hsmctl.domain.net_finding import Pair, Verdict
from hsmctl.domain.probe import ProbeResult, probe_targets
from hsmctl.domain.probe_verdict import Agreement, Reach, combine
from hsmctl.errors import HsmctlError, UsageError
from hsmctl.mark import REACHES, Mark
from hsmctl.services.net import NetReport, explain, load
from hsmctl.services.net_ends import Ends
from hsmctl.words import counted

from .column import Column
from .command import CLIENT, COPY, FILTER, FIX, HELP, LINE, NEXT_HSM, PROBE, Command, bindings
from .detail import Detail
from .facts import of_error
from .glyph import Role, Spans, rank, role, sign
from .lines import Lines
from .offload import call, stream
from .place import Description, Place
from .survey import Survey
from .way import drawn, fix, why
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """One client's ways to every HSM over one port and family."""

    client: str
    name: str
    port: int
    family: int
    pairs: Mapping[str, Pair]
    """By HSM."""

    @property
    def worst(self) -> Pair:
        """The one to look at first."""
        return min(self.pairs.values(), key=lambda pair: rank(REACHES[pair.verdict]))


class NetScreen(Place):
    """The matrix of clients and HSMs."""

    commands: ClassVar[tuple[Command, ...]] = (*Place.commands, NEXT_HSM, PROBE, CLIENT, FIX)
    BINDINGS = bindings([NEXT_HSM, PROBE, CLIENT, FIX])
    offered: ClassVar[tuple[Command, ...]] = (NEXT_HSM, PROBE, COPY, FILTER, LINE, HELP)

    def __init__(self, survey: Survey, cluster: Cluster) -> None:
        self._cluster = cluster
        self._asked: tuple[str, ...] = ()
        """Clients that were asked about here, besides those of the context."""
        self._report: NetReport | None = None
        self._names: Mapping[str, str] = {}
        self._notes: tuple[str, ...] = ()
        self._probes: dict[tuple[str, str], ProbeResult | HsmctlError] = {}
        """By client's name and HSM."""
        self._at: datetime | None = None
        self._busy = ""
        self._error: HsmctlError | None = None
        self._hsm = 0
        """The HSM whose way is drawn, by its place."""
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
        """The way that is drawn: of the client under the cursor to the HSM that was chosen."""
        ways, hsms = self.matrix.current, self._hsms()
        return ways.pairs.get(hsms[self._hsm % len(hsms)]) if ways and hsms else None

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
        return f"{self._called(self.pair)} → {self.pair.hsm}", list(self._way(self.pair, width))

    def action_refresh(self) -> None:
        """Read the network again, past what is remembered of it."""
        self.read(fresh=True)

    def action_next_hsm(self) -> None:
        """Draw the way to the next HSM."""
        self._hsm = (self._hsm + 1) % max(1, len(self._hsms()))
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
                report, notes = await call(lambda: self._explained(ends, fresh=fresh), seconds=COLLECT_SECONDS)
                self._report, self._notes, self._error = report, notes, None
                self._at = self.survey.hsmctl.clock.now()
            else:
                self.matrix.teach(_NOBODY)
        except HsmctlError as error:
            self._error = error
            self.matrix.teach(((sign(Mark.UNREADABLE), (f" {error}", Role.PLAIN)), ((error.hint, Role.ACCENT),)))
        finally:
            self._tell("")
            self._fill()

    @work(group="probe", exclusive=True)
    async def probe(self) -> None:
        """Try in the background; answers show as they come."""
        facade, cluster = self.survey.hsmctl, self.cluster
        clients = [entry.name for entry in facade.context.clients if entry.host]
        targets = probe_targets(cluster, (2223,))
        self._probes.clear()
        self._tell("probing")
        try:
            until = facade.clock.monotonic() + PROBE_SECONDS
            async for batch in stream(lambda: facade.probe.probe(clients, targets, deadline=until)):
                for pair, outcome in batch:
                    answer = outcome.error if isinstance(outcome, Failed) else outcome.value
                    self._probes[pair.client, pair.target.hsm_id] = answer
                self._fill()
        except HsmctlError as error:
            self.complain(f"{error}; {error.hint}")
        finally:
            self._tell("")
            self._fill()

    @on(Lines.Moved)
    def _moved(self) -> None:
        self.detail.draw(self._detail)

    def _ends(self) -> Ends:
        """The cluster and who wants to reach it.

        Raises:
            UsageError: a registered client is none.
        """
        entries = self.survey.hsmctl.context.clients
        sources = {entry.source: entry.name for entry in entries if entry.source}
        self._names = sources
        clients = tuple(_parsed(word) for word in dict.fromkeys((*sources, *self._asked)))
        families = tuple(dict.fromkeys(family for client in clients for family in client.families or (4,)))
        return Ends(cluster=self.cluster, clients=clients, families=families or (4,))

    def _explained(self, ends: Ends, *, fresh: bool) -> tuple[NetReport, tuple[str, ...]]:
        """Work for a thread: AWS is asked, and every pair walked."""
        found = self.survey.hsmctl.net.collect(ends, fresh=fresh)
        inquiry = load(found.document)
        notes = [f"{counted(len(found.holes), 'answer')} of AWS could not be read"] if found.holes else []
        return explain(replace(inquiry, families=ends.families, asked=None)), tuple(notes)

    def _tell(self, busy: str) -> None:
        self._busy = busy
        self.verdict.refresh()
        self.tick()

    def _fill(self) -> None:
        rows: dict[tuple[str, int, int], dict[str, Pair]] = {}
        for pair in self._report.pairs if self._report else ():
            rows.setdefault((pair.client, pair.port, pair.family), {})[pair.hsm] = pair
        ways = [
            Ways(client=client, name=self._names.get(client, client), port=port, family=family, pairs=pairs)
            for (client, port, family), pairs in rows.items()
        ]
        ordered = sorted(ways, key=lambda each: (rank(REACHES[each.worst.verdict]), each.name))
        self.matrix.show(ordered, self._columns())
        self.verdict.refresh()
        self.detail.draw(self._detail)

    def _hsms(self) -> list[str]:
        return list(dict.fromkeys(pair.hsm for pair in self._report.pairs)) if self._report else []

    def _sum(self) -> Spans:
        """How many ways are open, what a probe said to that, and what could not be read."""
        pending: Spans = (sign(Mark.PENDING), (f" {self._busy}  ", Role.ACCENT)) if self._busy else ()
        if self._report is None:
            return pending
        counts = Counter(pair.verdict for pair in self._report.pairs)
        worst = next(verdict for verdict in (Verdict.BLOCKED, Verdict.UNKNOWN, *Verdict) if counts[verdict])
        words = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in reversed(Verdict) if counts[verdict])
        told = [f"{counted(len(self._report.pairs), 'way')}: {words}", *self._agreement(), *self._notes]
        return *pending, sign(REACHES[worst]), (f" {' · '.join(told)}", role(REACHES[worst]))

    def _agreement(self) -> list[str]:
        """In how many pairs the probe and the static view say the same."""
        pairs = self._report.pairs if self._report else ()
        both = [combine(pair.verdict.value, self._probe(pair)) for pair in pairs if self._probe(pair)]
        agreeing = sum(each.agreement is Agreement.AGREES for each in both)
        return [f"static and probed agree: {agreeing} of {len(both)}"] if both else []

    def _probe(self, pair: Pair) -> ProbeResult | None:
        answer = self._probes.get((self._called(pair), pair.hsm))
        return answer if not isinstance(answer, HsmctlError) else None

    def _mark(self, pair: Pair) -> Mark:
        """The sign of a way: AWS's word, and proved where a probe has seen the same."""
        result = self._probe(pair)
        if result is None:
            return REACHES[pair.verdict]
        both = combine(pair.verdict.value, result)
        if both.agreement is Agreement.CONTRADICTS:
            return Mark.ATTENTION
        return Mark.PROVED if both.verdict is Reach.REACHABLE else REACHES[both.verdict]

    def _called(self, pair: Pair) -> str:
        return self._names.get(pair.client, pair.client)

    def _columns(self) -> tuple[Column[Ways], ...]:
        hsms = self._hsms()
        chosen = hsms[self._hsm % len(hsms)] if hsms else ""
        pitch = 4 if len(hsms) <= 12 else 2
        return (
            Column(heads=("CLIENT",), text=lambda ways: ways.name, draw=self._client, width=20, grows=True),
            Column(heads=("PORT",), text=lambda ways: f"{ways.port} IPv{ways.family}", role=Role.MUTED, width=9),
            *(self._hsm_column(number, hsm, pitch, chosen=hsm == chosen) for number, hsm in enumerate(hsms, 1)),
            Column(heads=("WHY",), text=lambda ways: why(ways.worst), role=Role.MUTED, width=16, grows=True, room=70),
        )

    def _client(self, ways: Ways) -> Spans:
        return sign(self._mark(ways.worst)), (f" {ways.name}", Role.STRONG)

    def _hsm_column(self, number: int, hsm: str, pitch: int, *, chosen: bool) -> Column[Ways]:
        left, right = ("‹", "›") if chosen else (" ", " ")

        def cell(ways: Ways) -> Spans:
            pair = ways.pairs.get(hsm)
            mark = sign(self._mark(pair)) if pair else (" ", Role.PLAIN)
            return ((left, Role.ACCENT), mark, (right, Role.ACCENT)) if pitch > 2 else (mark,)

        return Column(
            heads=(f"{number:^3}" if pitch > 2 else f"{number % 10}",),
            text=lambda ways: "",  # noqa: ARG005 - filters look for clients and reasons
            draw=cell,
            width=pitch - 1,
            sorts=False,
            told=lambda ways: {hsm: str(ways.pairs[hsm].verdict) if hsm in ways.pairs else ""},
        )

    def _detail(self, room: Size) -> list[Spans]:
        """The way to the chosen HSM, and below it the client's other ways, the worst first, as far as there is room."""
        if not self.pair or self.matrix.current is None:
            return []
        lines = self._way(self.pair, room.width)
        others = (pair for pair in self.matrix.current.pairs.values() if pair is not self.pair)
        for pair in sorted(others, key=lambda pair: rank(self._mark(pair))):
            more = [(), *self._way(pair, room.width)]
            if len(lines) + len(more) > room.height:
                break
            lines += more
        return lines[: room.height]

    def _way(self, pair: Pair, width: int) -> list[Spans]:
        """The way, and under its title what a probe met."""
        title, *path = drawn(pair, self._called(pair), width)
        answer = self._probes.get((self._called(pair), pair.hsm))
        if answer is None:
            return [title, *path]
        if isinstance(answer, HsmctlError):
            return [title, ((" probe  ", Role.MUTED), sign(Mark.UNREADABLE), (f" {answer}", Role.PLAIN)), *path]
        both = combine(pair.verdict.value, answer)
        took = f", {answer.p50 * 1000:.1f} ms" if answer.p50 else ""
        met = answer.answer.replace("_", " ").replace("tls", "TLS")
        words = f" {met}{took}: {both.sentence}"
        return [title, ((" probe  ", Role.MUTED), sign(self._mark(pair)), (words, Role.PLAIN)), *path]


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
