"""Metrics in Prometheus's exposition format, by its own client library; the only importer of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hsmctl.domain.metrics import Family
from hsmctl.errors import Conflict, UsageError
from hsmctl.private import write_whole

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

_MODE = 0o644
"""The node exporter runs as another user."""


class PrometheusExporter:
    """ports_metrics.Exporter."""

    @contextmanager
    def serve(self, address: str, port: int, read: Callable[[], Sequence[Family]]) -> Iterator[tuple[str, int]]:
        """Answer scrapes while the context lasts; where it listens."""
        from prometheus_client import start_http_server

        try:
            server, thread = start_http_server(port, address, _registry(read))
        except OSError as error:
            why = error.strerror or str(error)
            raise Conflict(f"{address}:{port}", why, "--listen 127.0.0.1:9555, or another port") from error
        try:
            yield str(server.server_address[0]), server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def write(self, path: Path, families: Sequence[Family]) -> int:
        """Put the file there, whole or not at all; how many series are in it."""
        from prometheus_client import generate_latest

        text = generate_latest(_registry(lambda: families))
        try:
            write_whole(path, text, _MODE)
        except OSError as error:
            raise UsageError(str(path), error.strerror or str(error), "name a folder that you may write to") from error
        return sum(len(family.samples) for family in families)


class _Collector:
    """What the library asks at each scrape."""

    def __init__(self, read: Callable[[], Sequence[Family]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Every family as the library has it."""
        return map(_metric, self._read())

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: which series there are is not known before they are read."""
        return ()


def _registry(read: Callable[[], Sequence[Family]]) -> CollectorRegistry:
    """A registry of its own: what the library measures of this process is nobody's question."""
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(read))
    return registry


def _metric(family: Family) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if family.counts else GaugeMetricFamily
    names = list(dict.fromkeys(name for labels, _ in family.samples for name in labels))
    metric: Metric = kind(family.name, family.says, labels=names)
    for labels, value in family.samples:
        metric.add_metric([labels.get(name, "") for name in names], value)  # type: ignore[attr-defined]
    return metric
