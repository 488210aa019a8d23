"""`key bench`: operations a second and latencies of a token, with session keys made for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from hsmctl.cli.key_move import check_change
from hsmctl.cli.key_place import Place, at_token
from hsmctl.cli.plan import confirm
from hsmctl.cli.session import Session
from hsmctl.cli.table import Column, table
from hsmctl.cli.verb import Seconds, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.key_bench import BENCHES, Bench, percentile
from hsmctl.domain.key_transport import is_software
from hsmctl.domain.mechanism import Speed
from hsmctl.settings import ContextKind
from hsmctl.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRow:
    """How fast one thing was done."""

    name: str
    how: str
    """sign or encrypt."""
    mechanism: str
    bytes: int
    """Of data, each time."""
    count: int
    seconds: float
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBenched:
    """How fast a token was."""

    token: str
    """What it calls itself."""
    processes: int
    threads: int
    """In each process, with a session each."""
    rows: tuple[BenchRow, ...]


@verb(
    "bench",
    "hsmctl key bench --on alpha",
    "hsmctl key bench rsa-2048 ec-p256 --threads 4 --seconds 10s --on alpha",
    "hsmctl key bench ec-p256 --processes 2 --confirm 4d5e6f",
)
@click.argument("benches", nargs=-1, type=click.Choice(list(BENCHES)), metavar="[ALGORITHM]...")
@click.option("--seconds", type=Seconds(), default="2s", show_default=True, help="For each; a minute at most.")
@click.option("--processes", type=click.IntRange(1, 32), default=1, show_default=True, help="With a login each.")
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Sessions in each process.")
@click.option("--confirm", "typed", metavar="XXXXXX", help="The end of the cluster's id, or the token's name.")
@click.option("--break-glass", metavar="REASON", default="", help="Load a protected context; the reason is kept.")
@at_token
def bench_token(
    session: Session,
    place: Place,
    benches: tuple[str, ...],
    seconds: float,
    processes: int,
    threads: int,
    typed: str | None,
    break_glass: str,
) -> int:
    """Measure operations a second and latencies; each with a session key of its own, never with a key of yours.

    Whatever it loads serves others meanwhile: outside the lab, and but for software, it is confirmed by typing.
    """
    check_change(session, place, break_glass)
    service, replicas = session.hsmctl.keys.bench, place.chosen()
    facts = service.facts(replicas, place.seconds)
    if session.hsmctl.context.kind is not ContextKind.LAB and not is_software(facts):
        wanted = replicas[0].realm[-6:] or replicas[0].name
        confirm(f"a bench of {replicas[0].realm or replicas[0].name}", wanted, typed, "it loads HSMs that serve others")
    chosen = service.choose(facts, benches)
    measured = service.measure(
        replicas, chosen, seconds=seconds, processes=processes, threads=threads, patience=place.seconds
    )
    rows = []
    for bench, speed in measured:
        rows.append(_row(bench, speed))
        session.out.say(f"{bench.name}: {rows[-1].per_second:,.0f} a second")
    benched = KeyBenched(token=facts.label, processes=processes, threads=threads, rows=tuple(rows))
    return session.show(BENCHED, benched)


def _row(bench: Bench, speed: Speed) -> BenchRow:
    p50, p95, p99, longest = (round(percentile(speed.latencies, share) * 1000, 4) for share in (0.5, 0.95, 0.99, 1.0))
    return BenchRow(
        name=bench.name,
        how=bench.how,
        mechanism=bench.mechanism.name,
        bytes=bench.bytes,
        count=speed.count,
        seconds=round(speed.seconds, 3),
        per_second=round(speed.count / speed.seconds, 1),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        longest_ms=longest,
    )


def _lines(benched: KeyBenched, page: Page) -> Iterator[str]:
    columns: tuple[Column[BenchRow], ...] = (
        Column(title="ALGORITHM", cell=lambda shown: shown.name),
        Column(title="DOES", cell=lambda shown: f"{shown.how} {shown.bytes:,} B"),
        Column(title="A SECOND", cell=lambda shown: f"{shown.per_second:,.0f}", right=True),
        Column(title="P50 ms", cell=lambda shown: f"{shown.p50_ms:.3f}", right=True),
        Column(title="P95 ms", cell=lambda shown: f"{shown.p95_ms:.3f}", right=True),
        Column(title="P99 ms", cell=lambda shown: f"{shown.p99_ms:.3f}", right=True),
        Column(title="LONGEST ms", cell=lambda shown: f"{shown.longest_ms:.3f}", right=True),
        Column(title="MECHANISM", cell=lambda shown: shown.mechanism, wide=True),
    )
    yield from table(columns, benched.rows, wide=page.wide, width=page.width)
    yield ""
    each = f" in each of {benched.processes} processes" if benched.processes > 1 else ""
    yield f"{counted(benched.threads, 'session')}{each} on {benched.token}, with session keys that are gone"


BENCHED: View[KeyBenched] = View(
    schema="key.bench@1",
    document=KeyBenched,
    lines=_lines,
    names=lambda benched: [shown.name for shown in benched.rows],
    items=lambda benched: benched.rows,
)

verbs = (bench_token,)
