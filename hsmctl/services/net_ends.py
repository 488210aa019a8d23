"""Who wants to reach whom: a cluster's HSMs, clients, and which interfaces of a snapshot are theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hsmctl.domain.cluster import Cluster, Hsm
from hsmctl.domain.net_cidr import TooFragmentedError, atoms
from hsmctl.domain.net_endpoint import Client, Interface
from hsmctl.domain.net_snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Clients and the HSMs of a cluster, over the address families that matter."""

    cluster: Cluster
    clients: tuple[Client, ...]
    families: tuple[int, ...] = (4,)
    members: bool = False
    """Whether everybody is looked for who carries a security group that the HSMs' groups let in."""

    @property
    def region(self) -> str:
        """The cluster's Region."""
        return self.cluster.region

    @property
    def hsms(self) -> tuple[Hsm, ...]:
        """The cluster's HSMs, zone by zone."""
        return tuple(sorted(self.cluster.hsms, key=lambda hsm: (hsm.zone, hsm.hsm_id)))

    def own(self, interface: Interface) -> bool:
        """Whether an HSM or a client has this interface."""
        is_hsms = any(hsm.eni_id == interface.id for hsm in self.hsms)
        return is_hsms or any(is_of(client, interface) for client in self.clients)


def is_of(client: Client, interface: Interface) -> bool:
    """Whether the interface is the client's."""
    if client.address is not None:
        return interface.answers(client.address)
    return client.name in (interface.id, interface.instance_id)


def one_by_one(client: Client, family: int, snapshot: Snapshot) -> Iterator[Client]:
    """The client, if it may have an address of the family; of a prefix, one of each part that routes tell apart."""
    own = client.address or client.cidr
    if own is not None and own.family != family:
        return
    if client.cidr is None:
        yield client
        return
    tables = [table.by_prefix for table in snapshot.tables.values()]
    cuts = {cidr for table in tables for cidr in table.prefixes()}
    cuts |= {cidr for table in snapshot.transit_tables.values() for cidr in table.prefixes()}
    try:
        parts = atoms(client.cidr, cuts)
    except TooFragmentedError:  # the verdict will be that it is, whatever else is read
        parts = (client.cidr,)
    yield from (replace(client, address=part.address) for part in parts)
