"""Reaching a cluster through cloudhsm-cli: which client host speaks, and what must hold before anything is written.

A host speaks only of the HSMs it is connected to, and what it writes reaches only those. So before every write of a
user, a quorum or a policy three things must hold: the host is connected to every ACTIVE HSM, its configuration names
exactly the HSMs AWS knows, and none is joining or leaving (a joining HSM gets the users of a snapshot and would lose
the change: measured, and never healed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from hsmctl.domain.cluster import Cluster, HsmState
from hsmctl.domain.plan import Precondition
from hsmctl.errors import Conflict, HsmctlError, Unreachable
from hsmctl.ports_cli import Console, Consoles

CONNECTED = "every-hsm-connected"
CONFIGURED = "addresses-configured"
SETTLED = "nobody-moves"
_MOVING = (HsmState.CREATE_IN_PROGRESS, HsmState.DELETE_IN_PROGRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleService:
    """Client hosts with cloudhsm-cli."""

    consoles: Consoles
    cluster: Callable[[str], Cluster]

    @contextmanager
    def open(self, cluster_id: str, host: str | None = None) -> Iterator[Console]:
        """cloudhsm-cli of this host, or of the first of the context that answers.

        Raises:
            Conflict: the context has no client host, or this one has no cloudhsm-cli.
            Unreachable: none answered.
            Denied: a host key or a login was refused; no other host is tried then.
        """
        names = (host,) if host else self.consoles.names()
        if not names:
            raise Conflict(
                "no client host",
                "users, quorum and policies of a cluster are behind cloudhsm-cli",
                "add [[context.NAME.clients]] with host = …, or one called local for this machine",
            )
        with ExitStack() as stack:
            yield self._first(stack, names, cluster_id)

    def _first(self, stack: ExitStack, names: tuple[str, ...], cluster_id: str) -> Console:
        """The first console that opens; whoever is not there is passed over while others are left."""
        *others, last = names
        for name in others:
            try:
                return stack.enter_context(self.consoles.open(name, cluster_id))
            except (Unreachable, Conflict):
                continue
        return stack.enter_context(self.consoles.open(last, cluster_id))

    def preconditions(self, cluster_id: str, console: Console) -> tuple[Precondition, ...]:
        """What must hold before a write, as it is now; each can be read again."""
        inputs = {"cluster_id": cluster_id, "host": console.host}
        return tuple(
            read(replace(_EMPTY, key=key, inputs=inputs), self.cluster(cluster_id), console)
            for key, read in _READERS.items()
        )

    def look_again(self, precondition: Precondition) -> Precondition:
        """The same precondition with what is seen now."""
        cluster_id, host = (precondition.inputs[name] for name in ("cluster_id", "host"))
        with self.open(cluster_id, host) as console:
            return _READERS[precondition.key](precondition, self.cluster(cluster_id), console)


_EMPTY = Precondition(what="", holds=False)


def _connected(precondition: Precondition, cluster: Cluster, console: Console) -> Precondition:
    """Whether the host is connected to every ACTIVE HSM."""
    try:
        seen, why = len(console.hsms()), ""
    except HsmctlError as error:
        seen, why = -1, str(error)
    return replace(
        precondition,
        what=f"{console.host} is connected to all {len(cluster.active_hsms)} ACTIVE HSMs",
        holds=seen == len(cluster.active_hsms),
        why=why or f"hsm-info counts {seen}",
        way_out=f"hsmctl net probe --client {console.host}; hsmctl client check {console.host}",
    )


def _configured(precondition: Precondition, cluster: Cluster, console: Console) -> Precondition:
    """Whether the host's configuration names exactly the HSMs there are."""
    entry = console.configuration().of(cluster.cluster_id)
    have = set(entry.addresses) if entry else set()
    want = {address for hsm in cluster.hsms for address in (hsm.address, hsm.address6) if address}
    named = {hsm.hsm_id for hsm in cluster.hsms if {hsm.address, hsm.address6} & have}
    stale, lacking = sorted(have - want), [hsm.hsm_id for hsm in cluster.hsms if hsm.hsm_id not in named]
    said = [f"{', '.join(stale)} no longer exist" if stale else "", f"{', '.join(lacking)} missing" if lacking else ""]
    return replace(
        precondition,
        what=f"the configuration on {console.host} names the cluster's HSMs and no others",
        holds=not stale and not lacking,
        why="; ".join(filter(None, said)) or f"{len(have)} addresses",
        way_out=f"hsmctl client configure {console.host}",
    )


def _settled(precondition: Precondition, cluster: Cluster, _: Console) -> Precondition:
    """Whether no HSM is joining or leaving."""
    moving = [f"{hsm.hsm_id} is {hsm.state}" for hsm in cluster.hsms if hsm.state in _MOVING]
    return replace(
        precondition,
        what="no HSM is joining or leaving",
        holds=not moving,
        why=", ".join(moving) or "by DescribeClusters",
        way_out=f"wait: hsmctl hsm list {cluster.cluster_id}",
    )


_READERS: dict[str, Callable[[Precondition, Cluster, Console], Precondition]] = {
    CONNECTED: _connected,
    CONFIGURED: _configured,
    SETTLED: _settled,
}
