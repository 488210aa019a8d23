"""The parts of a VPC as EC2 describes them: subnets, route tables, network ACLs, security groups, interfaces.

Everything made here works. Refuses to know which parts a network needs.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from hsmctl.lab.ground import Ground, Stand, Topology, zone_id

Row = dict[str, Any]
"""An object of a describe_* answer."""

Document = dict[str, Any]
"""Section to rows, or to rows by the id they belong to; sections are named as in `domain.network.NetworkKind`."""

EVERYWHERE = "0.0.0.0/0"
HSM_PORTS = (2223, 2225)
"""The first and the last port of a cluster's security group (CloudHSM user guide, "Cluster security group")."""


def route(cidr: str, target: str, target_id: str, origin: str = "CreateRoute") -> Row:
    """A route that works."""
    return {"DestinationCidrBlock": cidr, target: target_id, "State": "active", "Origin": origin}


def main_table(ground: Ground, vpc_id: str, cidr: str) -> Row:
    """A VPC's main route table, which knows the VPC only."""
    associations = [{"Main": True, "AssociationState": {"State": "associated"}}]
    return {**_table(ground, vpc_id, cidr, "main"), "Associations": associations}


def acl(ground: Ground, vpc_id: str, role: str, subnet_ids: tuple[str, ...]) -> Row:
    """A network ACL that lets everything pass."""
    entries = [
        {"RuleNumber": number, "Egress": egress, "RuleAction": action, "Protocol": "-1", "CidrBlock": EVERYWHERE}
        for number, action in ((100, "allow"), (32767, "deny"))
        for egress in (False, True)
    ]
    name = ground.id("acl", vpc_id, role)
    associations = [{"NetworkAclId": name, "SubnetId": subnet_id} for subnet_id in subnet_ids]
    return {
        "NetworkAclId": name,
        "VpcId": vpc_id,
        "OwnerId": ground.account_id,
        "IsDefault": False,
        "Associations": associations,
        "Entries": entries,
    }


def subnet(ground: Ground, vpc_id: str, subnet_id: str, zone: str, cidr: str) -> Row:
    """A subnet."""
    return {
        "SubnetId": subnet_id,
        "VpcId": vpc_id,
        "OwnerId": ground.account_id,
        "AvailabilityZone": zone,
        "AvailabilityZoneId": zone_id(zone),
        "CidrBlock": cidr,
        # AWS keeps five addresses of every subnet for itself; what the lab's few HSMs take is not subtracted.
        "AvailableIpAddressCount": ip_network(cidr).num_addresses - 5,
        "State": "available",
    }


def vpc(ground: Ground, vpc_id: str, cidr: str) -> Row:
    """A VPC with one prefix."""
    return {
        "VpcId": vpc_id,
        "OwnerId": ground.account_id,
        "State": "available",
        "IsDefault": False,
        "CidrBlock": cidr,
        "CidrBlockAssociationSet": [{"CidrBlock": cidr, "CidrBlockState": {"State": "associated"}}],
    }


def _table(ground: Ground, vpc_id: str, cidr: str, role: str) -> Row:
    return {
        "RouteTableId": ground.id("rtb", vpc_id, role),
        "VpcId": vpc_id,
        "OwnerId": ground.account_id,
        "Associations": [],
        "Routes": [route(cidr, "GatewayId", "local", "CreateRouteTable")],
        "PropagatingVgws": [],
    }


def hsm_subnet(ground: Ground, place: int, zone: str) -> Row:
    """The subnet of a zone's HSMs."""
    return subnet(ground, ground.vpc_id, ground.subnets[zone], zone, ground.within(f"{place}.0/24"))


def hsm_table(ground: Ground, zone: str) -> Row:
    """The table of a zone's HSMs: each zone has its own, so that one zone can be cut off by itself."""
    associated = {"Main": False, "AssociationState": {"State": "associated"}}
    associations = [{**associated, "SubnetId": ground.subnets[zone]}]
    return {**_table(ground, ground.vpc_id, ground.vpc_cidr, zone), "Associations": associations}


def hsm_interface(ground: Ground, hsm: Stand) -> Row:
    """The interface of an HSM, which CloudHSM made."""
    subnet_id, groups = ground.subnets[hsm.zone], (hsm.group_id,)
    return {
        **interface(ground, hsm.eni_id, ground.vpc_id, subnet_id, hsm.zone, hsm.address, groups),
        "Description": f"CloudHSM {hsm.hsm_id}",
        "RequesterManaged": True,
    }


def interface(
    ground: Ground, eni_id: str, vpc_id: str, subnet_id: str, zone: str, address: str, groups: tuple[str, ...]
) -> Row:
    """An interface with one address."""
    return {
        "NetworkInterfaceId": eni_id,
        "VpcId": vpc_id,
        "SubnetId": subnet_id,
        "OwnerId": ground.account_id,
        "AvailabilityZone": zone,
        "InterfaceType": "interface",
        "Status": "in-use",
        "SourceDestCheck": True,
        "PrivateIpAddress": address,
        "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": True}],
        "Groups": [{"GroupId": group_id} for group_id in groups],
    }


def cluster_group(ground: Ground, group_id: str) -> Row:
    """A cluster's security group: its members among themselves, and clients that cannot be members by their prefix."""
    members = _permission(group_id)
    clients = [] if ground.topology is Topology.SAME_VPC else [_permission(cidr=ground.client_cidr)]
    return group(ground, group_id, ground.vpc_id, [members, *clients], [members])


def group(ground: Ground, group_id: str, vpc_id: str, ingress: list[Row], egress: list[Row]) -> Row:
    """A security group with these permissions."""
    return {
        "GroupId": group_id,
        "GroupName": group_id,
        "OwnerId": ground.account_id,
        "VpcId": vpc_id,
        "IpPermissions": ingress,
        "IpPermissionsEgress": egress,
    }


def _permission(group_id: str = "", cidr: str = "") -> Row:
    return {
        "IpProtocol": "tcp",
        "FromPort": HSM_PORTS[0],
        "ToPort": HSM_PORTS[1],
        "IpRanges": [{"CidrIp": cidr}] if cidr else [],
        "UserIdGroupPairs": [{"GroupId": group_id}] if group_id else [],
    }
