"""Puts together what says how clusters stand: the control plane, CloudWatch, KMS, certificates, network, journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hsmctl.errors import Unreachable, UsageError
from hsmctl.settings import Context

if TYPE_CHECKING:
    from hsmctl.domain.cluster import Cluster
    from hsmctl.domain.net_endpoint import Client
    from hsmctl.domain.status_facts import Reach
    from hsmctl.ports_sync import History
    from hsmctl.services.evidence import EvidenceService
    from hsmctl.services.interlock import Interlocks
    from hsmctl.services.net_collect import NetCollectService
    from hsmctl.services.operation import Operations
    from hsmctl.services.status import StatusService

_WORST = ("blocked", "unknown", "degraded", "reachable")


def status_service(
    context: Context,
    interlocks: Interlocks,
    evidence: EvidenceService,
    history: History,
    operations: Operations,
    net: Callable[[], NetCollectService],
) -> StatusService:
    """How the clusters of the context's region stand."""
    from hsmctl.adapters.papers import X509Papers
    from hsmctl.services.status import StatusService

    return StatusService(
        clock=interlocks.clock,
        plane=interlocks.plane,
        identity=operations.identity,
        wanted=context.clusters,
        metrics=interlocks.metrics,
        key_stores=interlocks.key_stores,
        holds=interlocks.holds,
        papers=X509Papers(),
        customer_ca=lambda: _customer_ca(context),
        history=history,
        operations=operations.all,
        busy=lambda operation: operations.holder(operation) is not None,
        evidence=evidence,
        reach=_reach(context, net) if any(entry.source for entry in context.clients) else None,
    )


def _customer_ca(context: Context) -> str | None:
    """The customer CA's certificate, None where the context names none.

    Raises:
        Unreachable: it cannot be read.
    """
    if context.customer_ca is None:
        return None
    try:
        return context.customer_ca.read_text()
    except OSError as error:
        raise Unreachable(str(context.customer_ca), error.strerror or str(error), "hsmctl config check") from error


def _reach(context: Context, net: Callable[[], NetCollectService]) -> Callable[[Cluster], Reach]:
    """What the network's configuration says of the ways from the context's clients; made at once, asked in threads."""
    service = net()

    def look(cluster: Cluster) -> Reach:
        from dataclasses import replace

        from hsmctl.domain.status_facts import Reach
        from hsmctl.services.net import explain, load
        from hsmctl.services.net_ends import Ends

        clients = {entry.name: _client(entry.name, entry.source) for entry in context.clients if entry.source}
        families = dict.fromkeys(family for client in clients.values() for family in client.families or (4,))
        ends = Ends(cluster=cluster, clients=tuple(clients.values()), families=tuple(families) or (4,))
        inquiry = load(service.collect(ends).document)
        pairs = explain(replace(inquiry, families=ends.families, asked=None)).pairs
        return Reach(
            verdicts={
                name: min((pair.verdict for pair in pairs if pair.client == client.name), key=_WORST.index)
                for name, client in clients.items()
            }
        )

    return look


def _client(name: str, source: str) -> Client:
    """The client that a context names.

    Raises:
        UsageError: its source is none.
    """
    from hsmctl.domain.net_endpoint import parse_client

    try:
        return parse_client(source)
    except ValueError as error:
        raise UsageError(f"client {name}", f"{source} is no instance, interface, address or prefix") from error
