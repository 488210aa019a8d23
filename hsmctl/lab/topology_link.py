"""The links between the HSMs' VPC and a client outside it, as rows of the lab's network document.

Each function adds the link's own objects and the routes that lead over it. Refuses to know HSMs and security groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hsmctl.lab.ground import Ground, Topology
from hsmctl.lab.topology_part import Document, Row, acl, route, subnet


def _same_vpc(_: Document, __: Ground) -> None:
    """The VPC's local route is all it takes."""


def _peering(document: Document, ground: Ground) -> None:
    peering_id = ground.id("pcx", "client")
    _route_both(document, ground, "VpcPeeringConnectionId", peering_id)
    document["VpcPeeringConnections"] = [
        {
            "VpcPeeringConnectionId": peering_id,
            "Status": {"Code": "active", "Message": "Active"},
            "RequesterVpcInfo": _side(ground, ground.client_vpc_id, ground.client_cidr),
            "AccepterVpcInfo": _side(ground, ground.vpc_id, ground.vpc_cidr),
        }
    ]


def _transit_gateway(document: Document, ground: Ground) -> None:
    """Both VPCs attached, each in every zone it uses, with one route table that both propagate into."""
    gateway_id, table_id = ground.id("tgw", "client"), ground.id("tgw-rtb", "client")
    _route_both(document, ground, "TransitGatewayId", gateway_id)
    zones = tuple(ground.subnets)
    ends = [
        (ground.id("tgw-attach", "hsm"), ground.vpc_id, ground.vpc_cidr, _attach_subnets(document, ground, "", zones)),
        (
            ground.id("tgw-attach", "client"),
            ground.client_vpc_id,
            ground.client_cidr,
            _attach_subnets(document, ground, "client", zones[:1]),
        ),
    ]
    options = {"SecurityGroupReferencingSupport": "disable", "VpnEcmpSupport": "enable"}
    owner = ground.account_id
    document["TransitGateways"] = [
        {"TransitGatewayId": gateway_id, "OwnerId": owner, "State": "available", "Options": options}
    ]
    document["TransitGatewayAttachments"] = [
        {
            "TransitGatewayAttachmentId": attachment_id,
            "TransitGatewayId": gateway_id,
            "TransitGatewayOwnerId": owner,
            "ResourceOwnerId": owner,
            "ResourceType": "vpc",
            "ResourceId": vpc_id,
            "State": "available",
            "Association": {"TransitGatewayRouteTableId": table_id, "State": "associated"},
        }
        for attachment_id, vpc_id, _, _ in ends
    ]
    document["TransitGatewayVpcAttachments"] = [
        {
            "TransitGatewayAttachmentId": attachment_id,
            "TransitGatewayId": gateway_id,
            "VpcId": vpc_id,
            "VpcOwnerId": owner,
            "State": "available",
            "SubnetIds": list(subnet_ids),
            "Options": {"Ipv6Support": "disable", "ApplianceModeSupport": "disable"},
        }
        for attachment_id, vpc_id, _, subnet_ids in ends
    ]
    document["TgwRoutes"] = {table_id: [_propagated(cidr, name, vpc_id) for name, vpc_id, cidr, _ in ends]}
    document["TgwPropagations"] = {table_id: [name for name, _, _, _ in ends]}


def _vpn(document: Document, ground: Ground) -> None:
    gateway_id = _vpn_gateway(document, ground)
    addresses = ("203.0.113.1", "203.0.113.2")
    tunnels = [
        {"OutsideIpAddress": address, "Status": "UP", "StatusMessage": "1 BGP ROUTES", "AcceptedRouteCount": 1}
        for address in addresses
    ]
    keys = [{"OutsideIpAddress": address, "PreSharedKey": ground.secret(address)} for address in addresses]
    document["VpnConnections"] = [
        {
            "VpnConnectionId": ground.id("vpn", "client"),
            "VpnGatewayId": gateway_id,
            "State": "available",
            "Options": {"StaticRoutesOnly": False, "LocalIpv4NetworkCidr": "0.0.0.0/0", "TunnelOptions": keys},
            "CustomerGatewayConfiguration": f"<vpn_connection>{ground.secret('configuration')}</vpn_connection>",
            "VgwTelemetry": tunnels,
            "Routes": [],
        }
    ]


def _direct_connect(document: Document, ground: Ground) -> None:
    """A private virtual interface to a Direct Connect gateway, which the VPC's gateway is associated with."""
    gateway_id, dx_id = _vpn_gateway(document, ground), ground.id("dxgw", "client")
    connection_id, interface_id = ground.id("dxcon", "client"), ground.id("dxvif", "client")
    shared = {"directConnectGatewayId": dx_id, "virtualInterfaceId": interface_id}
    key = {"authKey": ground.secret("bgp")}
    peer = {"addressFamily": "ipv4", "bgpStatus": "up", "bgpPeerState": "available", **key}
    document["DxConnections"] = [
        {"connectionId": connection_id, "connectionState": "available", "region": ground.region}
    ]
    document["VirtualInterfaces"] = [
        {
            **shared,
            "connectionId": connection_id,
            "virtualInterfaceType": "private",
            "virtualInterfaceState": "available",
            "ownerAccount": ground.account_id,
            "region": ground.region,
            "mtu": 1500,
            **key,
            "customerRouterConfig": f"<logical_connection>{ground.secret('bgp')}</logical_connection>",
            "bgpPeers": [{**peer, "bgpPeerId": ground.id("dxpeer", "client")}],
        }
    ]
    exchanged = (("accepted", ground.client_cidr), ("advertised", ground.vpc_cidr))
    document["VifRoutes"] = {
        interface_id: [
            {"cidr": cidr, "routeDirection": direction, "addressFamily": "ipv4"} for direction, cidr in exchanged
        ]
    }
    document["DxGateways"] = [
        {
            "directConnectGatewayId": dx_id,
            "directConnectGatewayState": "available",
            "ownerAccount": ground.account_id,
        }
    ]
    document["DxAssociations"] = [_association(ground, dx_id, gateway_id)]
    document["DxAttachments"] = [
        {
            **shared,
            "virtualInterfaceRegion": ground.region,
            "attachmentState": "attached",
            "attachmentType": "PrivateVirtualInterface",
        }
    ]


LINKS: Mapping[Topology, Callable[[Document, Ground], None]] = {
    Topology.SAME_VPC: _same_vpc,
    Topology.PEERING: _peering,
    Topology.TGW: _transit_gateway,
    Topology.VPN: _vpn,
    Topology.DX: _direct_connect,
}


def _route_both(document: Document, ground: Ground, target: str, target_id: str) -> None:
    """Routes over a link in every table of both VPCs."""
    for table in document["RouteTables"]:
        cidr = ground.client_cidr if table["VpcId"] == ground.vpc_id else ground.vpc_cidr
        table["Routes"].append(route(cidr, target, target_id))


def _side(ground: Ground, vpc_id: str, cidr: str) -> Row:
    blocks = [{"CidrBlock": cidr}]
    who = {"OwnerId": ground.account_id, "Region": ground.region}
    return {**who, "VpcId": vpc_id, "CidrBlock": cidr, "CidrBlockSet": blocks}


def _attach_subnets(document: Document, ground: Ground, side: str, zones: tuple[str, ...]) -> tuple[str, ...]:
    """The subnets a transit gateway attachment stands in, one in each zone, as AWS advises."""
    vpc_id, first = (ground.client_vpc_id, 96) if side else (ground.vpc_id, 32)
    made = {zone: ground.id("subnet", "tgw", vpc_id, zone) for zone in zones}
    for place, (zone, subnet_id) in enumerate(made.items()):
        cidr = ground.within(f"{first + place}.0/28")
        document["Subnets"].append(subnet(ground, vpc_id, subnet_id, zone, cidr))
    document["NetworkAcls"].append(acl(ground, vpc_id, "tgw", tuple(made.values())))
    return tuple(made.values())


def _propagated(cidr: str, attachment_id: str, vpc_id: str) -> Row:
    attachment = {"TransitGatewayAttachmentId": attachment_id, "ResourceType": "vpc", "ResourceId": vpc_id}
    return {
        "DestinationCidrBlock": cidr,
        "Type": "propagated",
        "State": "active",
        "TransitGatewayAttachments": [attachment],
    }


def _vpn_gateway(document: Document, ground: Ground) -> str:
    """A virtual private gateway at the HSMs' VPC, which propagates the site's prefix into every table; its id."""
    gateway_id = ground.id("vgw", "client")
    attachment = {"VpcId": ground.vpc_id, "State": "attached"}
    document["VpnGateways"] = [{"VpnGatewayId": gateway_id, "State": "available", "VpcAttachments": [attachment]}]
    for table in document["RouteTables"]:
        table["PropagatingVgws"] = [{"GatewayId": gateway_id}]
        table["Routes"].append(route(ground.client_cidr, "GatewayId", gateway_id, "EnableVgwRoutePropagation"))
    return gateway_id


def _association(ground: Ground, dx_id: str, gateway_id: str) -> Row:
    associated = {"id": gateway_id, "type": "virtualPrivateGateway", "region": ground.region}
    return {
        "associationId": ground.id("dxassoc", "client"),
        "directConnectGatewayId": dx_id,
        "directConnectGatewayOwnerAccount": ground.account_id,
        "associationState": "associated",
        "associatedGateway": {**associated, "ownerAccount": ground.account_id},
        "allowedPrefixesToDirectConnectGateway": [{"cidr": ground.vpc_cidr}],
    }
