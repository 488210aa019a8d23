"""Where each kind of network object comes from: the operation, how it is asked, which fields are kept of its answer.

Fields are named one by one, so what is not named here is dropped where it is read: pre-shared keys, configurations of
customer gateways, BGP keys, router configurations, tags, descriptions. A name counts at every depth of the answer.
Filters are used even where ids would do: an unknown id in a list of ids fails the whole call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hsmctl.domain.network import Chosen, NetworkKind

Request = Mapping[str, Any]
"""The parameters of one call."""

Ask = Callable[[Sequence[str]], Iterator[Request]]
"""The calls that ask for the objects these values choose."""

MAX_VALUES = 200
"""Values of one EC2 filter (EC2 API reference, "Query requests")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One operation of EC2 or Direct Connect; IAM names its action the same."""

    service: str = "ec2"
    operation: str
    rows: tuple[str, ...]
    """The keys that lead to the rows: of the answer, then of each object found there."""
    ask: Mapping[Chosen, Ask]
    kept: frozenset[str]
    fixed: Request = field(default_factory=dict)
    """Parameters of every call."""

    @property
    def action(self) -> str:
        """The IAM action (service authorization reference)."""
        return f"{self.service}:{self.operation}"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _filtered(*names: str, parameter: str = "Filters") -> Ask:
    """Objects whose every named property is among the values."""

    def ask(values: Sequence[str]) -> Iterator[Request]:
        for start in range(0, len(values), MAX_VALUES):
            chunk = list(values[start : start + MAX_VALUES])
            yield {parameter: [{"Name": name, "Values": chunk} for name in names]}

    return ask


def _one_each(parameter: str) -> Ask:
    """One call for each value, where the operation takes no list."""
    return lambda values: ({parameter: value} for value in values)


def _everything(_: Sequence[str]) -> Iterator[Request]:
    yield {}


def _by_address(values: Sequence[str]) -> Iterator[Request]:
    """EC2 filters the two families under two names."""
    yield from _filtered("addresses.private-ip-address")([value for value in values if ":" not in value])
    yield from _filtered("ipv6-addresses.ipv6-address")([value for value in values if ":" in value])


def _by_gateway(values: Sequence[str]) -> Iterator[Request]:
    """A VPN connection ends at a virtual private gateway or at a transit gateway, which are two filters."""
    yield from _filtered("vpn-gateway-id")([value for value in values if value.startswith("vgw-")])
    yield from _filtered("transit-gateway-id")([value for value in values if not value.startswith("vgw-")])


_PAIR = ("requester-vpc-info.vpc-id", "accepter-vpc-info.vpc-id")
_PERMISSION = """IpProtocol FromPort ToPort IpRanges CidrIp Ipv6Ranges CidrIpv6 PrefixListIds PrefixListId
    UserIdGroupPairs VpcId PeeringStatus VpcPeeringConnectionId"""
_TARGETS = """GatewayId NatGatewayId TransitGatewayId VpcPeeringConnectionId NetworkInterfaceId InstanceId
    CoreNetworkArn EgressOnlyInternetGatewayId CarrierGatewayId LocalGatewayId"""

SOURCES: Mapping[NetworkKind, Source] = {
    NetworkKind.VPCS: Source(
        operation="DescribeVpcs",
        rows=("Vpcs",),
        ask={Chosen.BY_ID: _filtered("vpc-id")},
        kept=_words("""VpcId OwnerId CidrBlockAssociationSet CidrBlock CidrBlockState Ipv6CidrBlockAssociationSet
            Ipv6CidrBlock Ipv6CidrBlockState State EncryptionControl Mode ResourceExclusions VpcPeering
            VirtualPrivateGateway"""),
    ),
    NetworkKind.SUBNETS: Source(
        operation="DescribeSubnets",
        rows=("Subnets",),
        ask={Chosen.BY_VPC: _filtered("vpc-id")},
        kept=_words("""SubnetId VpcId OwnerId AvailabilityZoneId AvailabilityZone CidrBlock
            Ipv6CidrBlockAssociationSet Ipv6CidrBlock Ipv6CidrBlockState State"""),
    ),
    NetworkKind.ROUTE_TABLES: Source(
        operation="DescribeRouteTables",
        rows=("RouteTables",),
        ask={Chosen.BY_VPC: _filtered("vpc-id")},
        kept=_words(f"""RouteTableId VpcId OwnerId Associations SubnetId Main AssociationState State Routes
            DestinationCidrBlock DestinationIpv6CidrBlock DestinationPrefixListId Origin PropagatingVgws {_TARGETS}"""),
    ),
    NetworkKind.NETWORK_ACLS: Source(
        operation="DescribeNetworkAcls",
        rows=("NetworkAcls",),
        ask={Chosen.BY_VPC: _filtered("vpc-id")},
        kept=_words("""NetworkAclId VpcId IsDefault Associations SubnetId Entries RuleNumber Egress Protocol RuleAction
            CidrBlock Ipv6CidrBlock PortRange From To"""),
    ),
    NetworkKind.SECURITY_GROUPS: Source(
        operation="DescribeSecurityGroups",
        rows=("SecurityGroups",),
        ask={Chosen.BY_ID: _filtered("group-id")},
        kept=_words(f"GroupId IpPermissions IpPermissionsEgress {_PERMISSION}"),
    ),
    NetworkKind.INTERFACES: Source(
        operation="DescribeNetworkInterfaces",
        rows=("NetworkInterfaces",),
        ask={
            Chosen.BY_ID: _filtered("network-interface-id"),
            Chosen.BY_SUBNET: _filtered("subnet-id"),
            Chosen.BY_INSTANCE: _filtered("attachment.instance-id"),
            Chosen.BY_GROUP: _filtered("group-id"),
            Chosen.BY_ADDRESS: _by_address,
        },
        kept=_words("""NetworkInterfaceId SubnetId VpcId OwnerId AvailabilityZoneId InterfaceType Status SourceDestCheck
            PrivateIpAddress PrivateIpAddresses Ipv6Addresses Ipv6Address Ipv4Prefixes Ipv4Prefix Ipv6Prefixes
            Ipv6Prefix Groups GroupId Attachment InstanceId DeviceIndex"""),
    ),
    NetworkKind.INSTANCES: Source(
        operation="DescribeInstances",
        rows=("Reservations", "Instances"),
        ask={Chosen.BY_ID: _filtered("instance-id")},
        kept=_words("InstanceId State Name Platform PlatformDetails"),
    ),
    NetworkKind.NAT_GATEWAYS: Source(
        operation="DescribeNatGateways",
        rows=("NatGateways",),
        ask={Chosen.BY_ID: _filtered("nat-gateway-id", parameter="Filter")},
        kept=_words("NatGatewayId SubnetId VpcId State ConnectivityType NatGatewayAddresses PrivateIp"),
    ),
    NetworkKind.PREFIX_LISTS: Source(
        operation="GetManagedPrefixListEntries",
        rows=("Entries",),
        ask={Chosen.BY_ID: _one_each("PrefixListId")},
        kept=_words("Cidr"),
    ),
    NetworkKind.PEERINGS: Source(
        operation="DescribeVpcPeeringConnections",
        rows=("VpcPeeringConnections",),
        ask={Chosen.BY_ID: _filtered("vpc-peering-connection-id"), Chosen.BETWEEN_VPCS: _filtered(*_PAIR)},
        kept=_words("""VpcPeeringConnectionId Status Code RequesterVpcInfo AccepterVpcInfo VpcId OwnerId Region
            CidrBlock CidrBlockSet Ipv6CidrBlockSet Ipv6CidrBlock"""),
    ),
    NetworkKind.TRANSIT_GATEWAYS: Source(
        operation="DescribeTransitGateways",
        rows=("TransitGateways",),
        ask={Chosen.BY_ID: _filtered("transit-gateway-id")},
        kept=_words("TransitGatewayId OwnerId State Options SecurityGroupReferencingSupport VpnEcmpSupport"),
    ),
    NetworkKind.TRANSIT_ATTACHMENTS: Source(
        operation="DescribeTransitGatewayAttachments",
        rows=("TransitGatewayAttachments",),
        ask={Chosen.BY_GATEWAY: _filtered("transit-gateway-id")},
        kept=_words("""TransitGatewayAttachmentId TransitGatewayId TransitGatewayOwnerId ResourceOwnerId ResourceType
            ResourceId State Association TransitGatewayRouteTableId TransitGatewayPolicyTableId"""),
    ),
    NetworkKind.VPC_ATTACHMENTS: Source(
        operation="DescribeTransitGatewayVpcAttachments",
        rows=("TransitGatewayVpcAttachments",),
        ask={Chosen.BY_GATEWAY: _filtered("transit-gateway-id"), Chosen.BY_VPC: _filtered("vpc-id")},
        kept=_words("""TransitGatewayAttachmentId TransitGatewayId VpcId VpcOwnerId State SubnetIds Options Ipv6Support
            ApplianceModeSupport SecurityGroupReferencingSupport"""),
    ),
    NetworkKind.TRANSIT_PEERINGS: Source(
        operation="DescribeTransitGatewayPeeringAttachments",
        rows=("TransitGatewayPeeringAttachments",),
        ask={Chosen.BY_ID: _filtered("transit-gateway-attachment-id")},
        kept=_words("""TransitGatewayAttachmentId RequesterTgwInfo AccepterTgwInfo TransitGatewayId OwnerId Region
            State"""),
    ),
    NetworkKind.TRANSIT_ROUTES: Source(
        operation="SearchTransitGatewayRoutes",
        rows=("Routes",),
        ask={Chosen.BY_ID: _one_each("TransitGatewayRouteTableId")},
        kept=_words("""DestinationCidrBlock PrefixListId Type State TransitGatewayAttachments ResourceId ResourceType
            TransitGatewayAttachmentId"""),
        fixed={"Filters": [{"Name": "state", "Values": ["active", "blackhole"]}]},
    ),
    NetworkKind.TRANSIT_PROPAGATIONS: Source(
        operation="GetTransitGatewayRouteTablePropagations",
        rows=("TransitGatewayRouteTablePropagations",),
        ask={Chosen.BY_ID: _one_each("TransitGatewayRouteTableId")},
        kept=_words("TransitGatewayAttachmentId State"),
    ),
    NetworkKind.VPN_GATEWAYS: Source(
        operation="DescribeVpnGateways",
        rows=("VpnGateways",),
        ask={Chosen.BY_ID: _filtered("vpn-gateway-id"), Chosen.BY_VPC: _filtered("attachment.vpc-id")},
        kept=_words("VpnGatewayId State VpcAttachments VpcId"),
    ),
    NetworkKind.VPNS: Source(
        operation="DescribeVpnConnections",
        rows=("VpnConnections",),
        ask={Chosen.BY_GATEWAY: _by_gateway},
        kept=_words("""VpnConnectionId VpnGatewayId TransitGatewayId CoreNetworkArn State Options StaticRoutesOnly
            LocalIpv4NetworkCidr RemoteIpv4NetworkCidr LocalIpv6NetworkCidr RemoteIpv6NetworkCidr TunnelInsideIpVersion
            TransportTransitGatewayAttachmentId Routes DestinationCidrBlock VgwTelemetry OutsideIpAddress Status
            StatusMessage AcceptedRouteCount LastStatusChange"""),
    ),
    NetworkKind.VIRTUAL_INTERFACES: Source(
        service="directconnect",
        operation="DescribeVirtualInterfaces",
        rows=("virtualInterfaces",),
        ask={Chosen.ALL: _everything},
        kept=_words("""virtualInterfaceId virtualInterfaceType virtualInterfaceState virtualGatewayId connectionId
            directConnectGatewayId ownerAccount region mtu siteLinkEnabled bgpPeers bgpPeerId addressFamily bgpStatus
            bgpPeerState"""),
    ),
    NetworkKind.VIRTUAL_INTERFACE_ROUTES: Source(
        service="directconnect",
        operation="ListVirtualInterfaceRoutes",
        rows=("routes",),
        ask={Chosen.BY_ID: _one_each("virtualInterfaceId")},
        kept=_words("cidr routeDirection addressFamily"),
    ),
    NetworkKind.DX_GATEWAYS: Source(
        service="directconnect",
        operation="DescribeDirectConnectGateways",
        rows=("directConnectGateways",),
        ask={Chosen.BY_ID: _one_each("directConnectGatewayId")},
        kept=_words("directConnectGatewayId directConnectGatewayState stateChangeError ownerAccount"),
    ),
    NetworkKind.DX_ASSOCIATIONS: Source(
        service="directconnect",
        operation="DescribeDirectConnectGatewayAssociations",
        rows=("directConnectGatewayAssociations",),
        ask={Chosen.BY_GATEWAY: _one_each("associatedGatewayId")},
        kept=_words("""associationId directConnectGatewayId directConnectGatewayOwnerAccount associationState
            stateChangeError associatedGateway id type region ownerAccount allowedPrefixesToDirectConnectGateway cidr
            virtualGatewayId"""),
    ),
    NetworkKind.DX_ATTACHMENTS: Source(
        service="directconnect",
        operation="DescribeDirectConnectGatewayAttachments",
        rows=("directConnectGatewayAttachments",),
        ask={Chosen.BY_ID: _one_each("directConnectGatewayId")},
        kept=_words("directConnectGatewayId virtualInterfaceId virtualInterfaceRegion attachmentState attachmentType"),
    ),
    NetworkKind.DX_CONNECTIONS: Source(
        service="directconnect",
        operation="DescribeConnections",
        rows=("connections",),
        ask={Chosen.ALL: _everything},
        kept=_words("connectionId connectionState lagId region"),
    ),
}
"""Every operation that is ever called, and so every IAM action ever needed besides cloudhsm:DescribeClusters."""
