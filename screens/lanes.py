"""Every cluster's HSMs by zone, a sign each: a zone that is in trouble shows as a column, a cluster as a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from hsmctl.domain.cluster import Cluster
from hsmctl.words import shortened

from .attention import hsm_mark
from .estate import Estate
from .glyph import Role, Span, Spans, sign
from .words import cluster_name, zone_names

_NAME = 22
"""Cells of the longest name of a cluster."""


def lanes(clusters: Sequence[Cluster], estate: Estate) -> Iterator[Spans]:
    """A line for each cluster, a column for each zone in which one of them has HSMs or could have."""
    names = zone_names(zone for cluster in clusters for zone in cluster.subnets or {hsm.zone for hsm in cluster.hsms})
    held = {
        (cluster.cluster_id, zone): [
            sign(hsm_mark(hsm, estate.check(cluster))) for hsm in cluster.hsms if hsm.zone == zone
        ]
        for cluster in clusters
        for zone in names
    }
    width = min(_NAME, max((cell_len(cluster_name(cluster)) for cluster in clusters), default=0))
    pitch = {
        zone: max(len(name), *(2 * len(held[cluster.cluster_id, zone]) for cluster in clusters)) + 3
        for zone, name in names.items()
    }
    heads = "".join(name.ljust(pitch[zone]) for zone, name in names.items())
    yield (f" {'BY ZONE'.ljust(width)}    {heads}", Role.MUTED),  # fmt: skip
    for cluster in clusters:
        spans: list[Span] = [(f" {shortened(cluster_name(cluster), width).ljust(width)}    ", Role.STRONG)]
        for zone in names:
            spans += _cell(held[cluster.cluster_id, zone], pitch[zone])
        yield tuple(spans)


def _signs(cluster: Cluster, zone: str, estate: Estate) -> list[Span]:
    """A sign for each of a cluster's HSMs in a zone, in the order in which they are listed elsewhere."""
    hsms = sorted((hsm for hsm in cluster.hsms if hsm.zone == zone), key=lambda hsm: hsm.hsm_id)
    return [sign(hsm_mark(hsm, estate.check(cluster))) for hsm in hsms]


def _cell(signs: Sequence[Span], pitch: int) -> Iterator[Span]:
    """The signs of one cluster's HSMs in one zone."""
    for each in signs:
        yield each
        yield " ", Role.PLAIN
    if not signs:
        yield "–", Role.MUTED
    yield " " * (pitch - max(1, 2 * len(signs))), Role.PLAIN
