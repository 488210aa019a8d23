"""What the lab's network is made of: how the client is connected, where the HSMs are, and which addresses that takes.

Ids follow from an object's role, so that the network has the same ones each time it is described. Refuses to know what
the objects look like (`topology_part`, `topology_link`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hsmctl.domain.net_cidr import Address
from hsmctl.domain.net_endpoint import Client, ClientKind

SECRET = "labsecret."  # noqa: S105 - how one is told, not one
"""How every secret of the lab's links begins."""


class Topology(StrEnum):
    """The ways a client can be connected."""

    SAME_VPC = "same-vpc"
    PEERING = "peering"
    TGW = "tgw"
    VPN = "vpn"
    DX = "dx"

    @property
    def on_premises(self) -> bool:
        """Whether the client is outside AWS."""
        return self in (Topology.VPN, Topology.DX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """One HSM and its network interface."""

    hsm_id: str
    zone: str
    eni_id: str
    address: str
    group_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Everything a document is made of."""

    topology: Topology
    region: str
    account_id: str
    vpc_id: str
    network: int
    """X of the lab's 127.X.0.0/16, which all its addresses are in."""
    subnets: Mapping[str, str]
    """Zone to the subnet the HSMs are in."""
    groups: tuple[str, ...] = ()
    """The clusters' security groups."""
    hsms: tuple[Stand, ...] = ()

    def within(self, rest: str) -> str:
        """An address or prefix of the lab's network."""
        return f"127.{self.network}.{rest}"

    def id(self, kind: str, *role: str) -> str:
        """The id of the object with this role: the same one for ever, another one in another lab."""
        digest = hashlib.sha256(" ".join((self.vpc_id, kind, *role)).encode()).hexdigest()
        return f"{kind}-0{digest[:16]}"

    def secret(self, role: str) -> str:
        """What AWS tells whoever may describe a link, and nobody may see in hsmctl: a key that opens nothing."""
        return f"{SECRET}{self.id('key', role)}"

    @property
    def vpc_cidr(self) -> str:
        """The prefix of the HSMs' VPC."""
        return self.within("0.0/18")

    @property
    def client_vpc_id(self) -> str:
        """The VPC of the client, which may be the HSMs'."""
        return self.vpc_id if self.topology is Topology.SAME_VPC else self.id("vpc", "client")

    @property
    def client_cidr(self) -> str:
        """Where clients are: a subnet of the HSMs' VPC, another VPC, or a site."""
        if self.topology is Topology.SAME_VPC:
            return self.within("11.0/24")
        return self.within("192.0/18" if self.topology.on_premises else "64.0/18")

    @property
    def client_address(self) -> str:
        """The address of the client host."""
        rests = {Topology.SAME_VPC: "11.5", Topology.PEERING: "75.5", Topology.TGW: "75.5"}
        return self.within(rests.get(self.topology, "203.5"))

    @property
    def client_name(self) -> str:
        """What AWS calls the client host: its instance; on premises its address."""
        return self.client_address if self.topology.on_premises else self.id("i", "client")

    @property
    def client(self) -> Client:
        """The client host as an evaluator is asked about it."""
        if self.topology.on_premises:
            address = Address.parse(self.client_address)
            return Client(kind=ClientKind.IP, name=self.client_name, address=address, platform="linux")
        return Client(kind=ClientKind.INSTANCE, name=self.client_name, platform="linux")


def zone_id(zone: str) -> str:
    """The Availability Zone id of a zone of us-east-1."""
    return f"use1-az{'abcdef'.index(zone[-1]) + 1}"
