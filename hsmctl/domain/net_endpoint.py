"""The two ends of a connection: the client somebody asked about and the HSM, found in the snapshot or explained.

Also the objects both ends stand on: VPC, subnet, interface, instance.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hsmctl.domain.net_cidr import Address, Cidr
from hsmctl.domain.net_row import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Vpc:
    """A VPC and the prefixes associated with it."""

    id: str
    region: str
    cidrs: tuple[Cidr, ...]
    enforces_encryption: bool
    exempt: frozenset[str]
    """What an enforcing VPC lets pass unencrypted, as EC2 names it: VpcPeering, VirtualPrivateGateway."""

    @classmethod
    def read(cls, row: Row) -> Vpc:
        """The VPC of a DescribeVpcs row; `_region` is the collector's."""
        control = row.row("EncryptionControl")
        exclusions = control.row("ResourceExclusions")
        return cls(
            id=row.need("VpcId"),
            region=row.text("_region"),
            cidrs=_associated(row, "CidrBlock") + _associated(row, "Ipv6CidrBlock"),
            enforces_encryption=control.text("Mode") == "enforce",
            exempt=frozenset(
                kind
                for kind in ("VpcPeering", "VirtualPrivateGateway")
                if exclusions.row(kind).text("State") == "enabled"
            ),
        )

    def cidr_of(self, address: Address) -> Cidr | None:
        """The prefix of this VPC that holds the address, or None."""
        return next((cidr for cidr in self.cidrs if cidr.holds(address)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet; its zone is the Availability Zone id, the only name that means the same in two accounts."""

    id: str
    vpc_id: str
    zone: str
    cidrs: tuple[Cidr, ...]

    @classmethod
    def read(cls, row: Row) -> Subnet:
        """The subnet of a DescribeSubnets row."""
        four = row.cidr("CidrBlock")
        return cls(
            id=row.need("SubnetId"),
            vpc_id=row.need("VpcId"),
            zone=row.need("AvailabilityZoneId"),
            cidrs=(() if four is None else (four,)) + _associated(row, "Ipv6CidrBlock"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """An elastic network interface."""

    id: str
    subnet_id: str
    addresses: tuple[Address, ...]
    """Its own addresses, the primary one of each family first."""
    prefixes: tuple[Cidr, ...]
    """The prefixes delegated to it."""
    group_ids: tuple[str, ...] | None
    """The security groups it carries, or None where the snapshot does not say."""
    source_dest_check: bool
    instance_id: str
    device_index: int

    @classmethod
    def read(cls, row: Row) -> Interface:
        """The interface of a DescribeNetworkInterfaces row."""
        primary = row.address("PrivateIpAddress")
        others = [item.address("PrivateIpAddress") for item in row.rows("PrivateIpAddresses")]
        six = [item.address("Ipv6Address") for item in row.rows("Ipv6Addresses")]
        attachment = row.row("Attachment")
        groups = tuple(group.need("GroupId") for group in row.rows("Groups"))
        return cls(
            id=row.need("NetworkInterfaceId"),
            subnet_id=row.text("SubnetId"),
            addresses=tuple(dict.fromkeys(address for address in (primary, *others, *six) if address is not None)),
            prefixes=row.cidrs("Ipv4Prefixes", "Ipv4Prefix") + row.cidrs("Ipv6Prefixes", "Ipv6Prefix"),
            group_ids=groups if row.has("Groups") else None,
            source_dest_check=row.flag("SourceDestCheck") is True,
            instance_id=attachment.text("InstanceId"),
            device_index=attachment.number("DeviceIndex") or 0,
        )

    def address(self, family: int) -> Address | None:
        """Its primary address of the family, or None."""
        return next((address for address in self.addresses if address.family == family), None)

    def answers(self, address: Address) -> bool:
        """Whether packets to the address are delivered here."""
        return address in self.addresses or any(prefix.holds(address) for prefix in self.prefixes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What an instance tells about the client on it."""

    id: str
    state: str
    platform: str

    @classmethod
    def read(cls, row: Row) -> Instance:
        """The instance of a DescribeInstances row."""
        words = (row.text("Platform") or row.text("PlatformDetails")).lower()
        return cls(
            id=row.need("InstanceId"),
            state=row.row("State").text("Name"),
            platform=next((word for word in ("windows", "linux") if word in words), ""),
        )


class ClientKind(StrEnum):
    """How a client is named."""

    ENI = "eni"
    INSTANCE = "instance"
    IP = "ip"
    CIDR = "cidr"
    """Addresses outside AWS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who wants to reach the HSMs."""

    kind: ClientKind
    name: str
    """What was asked about: the id, the address or the prefix."""
    address: Address | None = None
    cidr: Cidr | None = None
    vpc_id: str = ""
    """Where the address lives, if the question says so."""
    platform: str = ""
    """linux, windows, or "" where nobody knows."""
    family: int = 4
    """The address family to ask about by default; an address has but one, whatever is said here."""

    @property
    def families(self) -> tuple[int, ...]:
        """The address families it has for sure, none where that is the snapshot's to say."""
        own = self.address or self.cidr
        return () if own is None else (own.family,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One end of a connection: an interface in a subnet, or an address outside AWS."""

    name: str
    address: Address
    interface: Interface | None = None
    subnet: Subnet | None = None

    def __str__(self) -> str:
        address = str(self.address)
        return address if self.name == address else f"{address} ({self.name})"

    @property
    def vpc_id(self) -> str:
        """The VPC it lives in, "" where it lives outside AWS."""
        return self.subnet.vpc_id if self.subnet else ""

    @property
    def group_ids(self) -> tuple[str, ...] | None:
        """The security groups it carries, none outside AWS, or None where the snapshot does not say."""
        return self.interface.group_ids if self.interface else ()


def parse_client(text: str, platform: str = "") -> Client:
    """The client a word of a command line names: eni-..., i-..., an address, a prefix, or address@vpc-....

    Raises:
        ValueError: it names none of these.
    """
    if text.startswith("eni-"):
        return Client(kind=ClientKind.ENI, name=text, platform=platform)
    if text.startswith("i-"):
        return Client(kind=ClientKind.INSTANCE, name=text, platform=platform)
    if "/" in text:
        return Client(kind=ClientKind.CIDR, name=text, cidr=Cidr.parse(text), platform=platform)
    address, _, vpc_id = text.partition("@")
    return Client(kind=ClientKind.IP, name=text, address=Address.parse(address), vpc_id=vpc_id, platform=platform)


def _associated(row: Row, key: str) -> tuple[Cidr, ...]:
    """The prefixes of a CIDR association set that are associated; a set without states is taken as it stands."""
    rows = row.rows(f"{key}AssociationSet")
    alive = [item for item in rows if item.row(f"{key}State").text("State") in ("", "associated")]
    return tuple(cidr for cidr in (item.cidr(key) for item in alive) if cidr is not None)
