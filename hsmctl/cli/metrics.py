"""`metrics`: how clusters stand as series for Prometheus: served, written as a file, or run by systemd."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from types import FrameType

import click

from hsmctl.cli.metrics_unit import noun_unit
from hsmctl.cli.session import Session
from hsmctl.cli.status import regions_of
from hsmctl.cli.verb import Noun, Seconds, verb
from hsmctl.cli.view import Page, View
from hsmctl.domain.metrics import Collected
from hsmctl.errors import ExitCode, UsageError
from hsmctl.services.metrics import MetricsService
from hsmctl.services.status import StatusWish
from hsmctl.words import counted

_GRACE = 0.5
"""Seconds that the judging of what came in time may take."""
_SUFFIX = ".prom"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsWritten:
    """A file for the textfile collector."""

    file: str
    series: int
    clusters: int
    places_read: int
    places: int


@verb(
    "serve",
    "hsmctl -c prod metrics serve --count 1",
    "hsmctl -c prod metrics serve --listen 127.0.0.1:9556 --every 2m --regions eu-central-1,us-east-1 --count 2",
)
@click.option("--listen", metavar="ADDRESS:PORT", default="127.0.0.1:9555", show_default=True, help="Where to answer.")
@click.option("--every", type=Seconds(), default="60s", show_default=True, help="From one collection to the next.")
@click.option("--deadline", type=Seconds(), default="30s", show_default=True, help="Of each collection.")
@click.option("--max-age", type=Seconds(), default="26h", show_default=True, help="How old the newest backup may be.")
@click.option("--regions", metavar="R1,R2|all", help="These regions at once, or all there are.")
@click.option("--contexts", metavar="C1,C2", help="These contexts at once.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many collections.")
def serve_metrics(
    session: Session,
    listen: str,
    every: float,
    deadline: float,
    max_age: float,
    regions: str | None,
    contexts: str | None,
    count: int | None,
) -> int:
    """Answer Prometheus until Ctrl-C or SIGTERM; on this machine alone unless --listen says otherwise.

    What `hsmctl status` finds is collected in the background: a scrape never waits for AWS, and
    hsmctl_collection_age_seconds says how old everything is. There is no login and no TLS: whoever reaches the port
    reads the ids of your clusters.
    """
    address, port = _listener(listen)
    service = _service(session, regions, contexts, max_age, deadline)
    facade = session.hsmctl
    with _until_told(), facade.exporter.serve(address, port, service.families) as (where, there):
        session.out.say(f"metrics at http://{where}:{there}/metrics, collected every {every:g} s")
        done = 0
        while count is None or done < count:
            began = facade.clock.monotonic()
            _tell(session, service, service.collect())
            done += 1
            if done != count:
                facade.clock.sleep(max(0.0, every - (facade.clock.monotonic() - began)))
    return ExitCode.OK


@verb(
    "write",
    "hsmctl -c prod metrics write hsmctl.prom",
    "hsmctl -c prod metrics write hsmctl.prom --regions eu-central-1,us-east-1 --max-age 30h",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--deadline", type=Seconds(), default="30s", show_default=True, help="What is silent then is unknown.")
@click.option("--max-age", type=Seconds(), default="26h", show_default=True, help="How old the newest backup may be.")
@click.option("--regions", metavar="R1,R2|all", help="These regions at once, or all there are.")
@click.option("--contexts", metavar="C1,C2", help="These contexts at once.")
def write_metrics(
    session: Session, file: Path, deadline: float, max_age: float, regions: str | None, contexts: str | None
) -> int:
    """Write a file for the node exporter's textfile collector, whole or not at all.

    Debian's looks into /var/lib/prometheus/node-exporter. The file is written where AWS did not answer, too: an old one
    would go on saying that all is well. Exit 3 then.
    """
    if file.suffix != _SUFFIX:
        raise UsageError(str(file), f"the textfile collector reads names that end in {_SUFFIX}", f"{file}{_SUFFIX}")
    service = _service(session, regions, contexts, max_age, deadline)
    found = service.collect()
    series = session.hsmctl.exporter.write(file, service.families())
    written = MetricsWritten(
        file=str(file),
        series=series,
        clusters=sum(len(place.standings) for place in found.places),
        places_read=sum(place.read for place in found.places),
        places=len(found.places),
    )
    code = ExitCode.OK if written.places_read == written.places else ExitCode.PARTIAL
    return session.show(WRITE, written, code=code if written.places_read else ExitCode.UNKNOWN)


noun = Noun("metrics", "How clusters stand, for Prometheus.", serve_metrics, write_metrics, noun_unit)


def _service(
    session: Session, regions: str | None, contexts: str | None, max_age: float, deadline: float
) -> MetricsService:
    wish = StatusWish(oldest_backup=timedelta(seconds=max_age), seconds=deadline)
    facade = session.hsmctl
    return MetricsService(
        clock=facade.clock,
        regions=regions_of(session, regions, contexts, wish),
        environment=facade.context.kind,
        seconds=deadline + _GRACE,
    )


def _tell(session: Session, service: MetricsService, found: Collected) -> None:
    """Say on standard error what could not be read; the numbers say that it was not."""
    for place in found.places:
        if not place.read:
            session.out.say(f"{place.labels['region']} could not be read")
    for error in service.errors():
        session.out.say(f"unknown: {error}")


def _listener(text: str) -> tuple[str, int]:
    """An address and a port; names are not looked up, so that nobody listens where he did not mean to.

    Raises:
        UsageError: it is none.
    """
    host, _, port = text.rpartition(":")
    try:
        address, number = ip_address(host.strip("[]")), int(port)
    except ValueError as error:
        raise UsageError(f"--listen {text}", "it is no ADDRESS:PORT", "--listen 127.0.0.1:9555") from error
    if not 0 <= number < 65_536:
        raise UsageError(f"--listen {text}", "there is no such port", "--listen 127.0.0.1:9555")
    return str(address), number


class _Told(Exception):
    """SIGTERM came."""


@contextmanager
def _until_told() -> Iterator[None]:
    """End in good order at SIGTERM, which is how service managers stop a service."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of signal
        raise _Told

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except _Told:
        sys.stderr.flush()
    finally:
        signal.signal(signal.SIGTERM, before)


def _lines(written: MetricsWritten, _: Page) -> list[str]:
    unread = written.places - written.places_read
    told = f"{written.series:,} series about {counted(written.clusters, 'cluster')}"
    return [f"{written.file}: {told}" + (f"; {counted(unread, 'place')} not read" if unread else "")]


WRITE: View[MetricsWritten] = View(
    schema="metrics.write@1",
    document=MetricsWritten,
    lines=_lines,
    names=lambda written: [written.file],
)
