"""What the snapshot does not hold: which IAM action would have filled each section, and the findings about the hole.

A hole is never an answer: it makes a verdict unknown, with the action that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Direction, Finding, make

ACTIONS: Mapping[str, str] = {
    "Hsms": "cloudhsm:DescribeClusters",
    "Vpcs": "ec2:DescribeVpcs",
    "Subnets": "ec2:DescribeSubnets",
    "RouteTables": "ec2:DescribeRouteTables",
    "NetworkAcls": "ec2:DescribeNetworkAcls",
    "SecurityGroups": "ec2:DescribeSecurityGroups",
    "NetworkInterfaces": "ec2:DescribeNetworkInterfaces",
    "Instances": "ec2:DescribeInstances",
    "NatGateways": "ec2:DescribeNatGateways",
    "PrefixLists": "ec2:GetManagedPrefixListEntries",
    "VpcPeeringConnections": "ec2:DescribeVpcPeeringConnections",
    "TransitGateways": "ec2:DescribeTransitGateways",
    "TransitGatewayAttachments": "ec2:DescribeTransitGatewayAttachments",
    "TransitGatewayVpcAttachments": "ec2:DescribeTransitGatewayVpcAttachments",
    "TgwRoutes": "ec2:SearchTransitGatewayRoutes",
    "VpnGateways": "ec2:DescribeVpnGateways",
    "VpnConnections": "ec2:DescribeVpnConnections",
    "VirtualInterfaces": "directconnect:DescribeVirtualInterfaces",
    "DxGateways": "directconnect:DescribeDirectConnectGateways",
    "DxAssociations": "directconnect:DescribeDirectConnectGatewayAssociations",
}
"""Section of a snapshot to the IAM action that reads it (service authorization reference)."""


def gap(section: str, what: str, direction: Direction) -> Finding:
    """The finding that `what` could not be judged because its section was not read."""
    action = ACTIONS[section]
    found = make(
        Code.PERMISSION_GAP,
        direction,
        f"{what} is not in the snapshot, so it was not judged: {action} was denied, not called, or asked elsewhere.",
        evidence=(what.split()[-1],),
        fix="hsmctl net collect -o FILE",
    )
    return replace(found, action=action)


def foreign(what: str, identifier: str, direction: Direction) -> Finding:
    """The finding that something a path runs through belongs to an account or Region that was not read."""
    return make(
        Code.CROSS_ACCOUNT_OPAQUE,
        direction,
        f"{what} {identifier} is of another account or Region and is not in the snapshot.",
        evidence=(identifier,),
        fix="hsmctl net collect -o FILE",
    )
