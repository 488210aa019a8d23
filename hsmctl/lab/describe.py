"""EC2's and Direct Connect's describing operations, answered from the lab's network document.

Knows how an operation chooses rows: by ids, by filters with wildcards, by the id of what they belong to. Answers come
whole, whatever page size was asked for. Refuses to know what is in the document, and how requests and answers are
written (`ec2_wire`, `shapes`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hsmctl.domain.network import NetworkKind
from hsmctl.lab.topology_part import Document, Row
from hsmctl.lab.wire import AwsError

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a call asks for."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    """The parameters that are single values."""
    ids: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Wanted ids by the member they are ids of."""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Wanted values by EC2's name of the property."""


Describe = Callable[[Document, Question], Answer]


def _listing(kind: NetworkKind, *path: str) -> Describe:
    """The rows of a section that the question chooses, below these members of the answer."""

    def describe(document: Document, question: Question) -> Answer:
        rows = chosen(document[kind], question)
        answer: Any = rows
        for key in reversed(path):
            answer = {key: answer} if key == path[0] else [{key: answer}] if rows else []
        found: Answer = answer
        return found

    return describe


def _belonging(kind: NetworkKind, key: str, parameter: str) -> Describe:
    """The rows filed under the id that a parameter names."""

    def describe(document: Document, question: Question) -> Answer:
        wanted = question.parameters.get(parameter, "")
        if wanted not in document[kind]:
            raise AwsError(f"Invalid{parameter.removesuffix('Id')}ID.NotFound", f"{parameter} {wanted} does not exist.")
        return {key: chosen(document[kind][wanted], question)}

    return describe


def _propagations(document: Document, question: Question) -> Answer:
    """Which attachments write into a transit gateway's route table; the document has but their ids."""
    ids = _belonging(NetworkKind.TRANSIT_PROPAGATIONS, "ids", "TransitGatewayRouteTableId")
    names = ids(document, Question(parameters=question.parameters))["ids"]
    rows = [{"TransitGatewayAttachmentId": name, "State": "enabled"} for name in names]
    return {"TransitGatewayRouteTablePropagations": rows}


def _by(parameter: str, kind: NetworkKind, key: str, *member: str) -> Describe:
    """Direct Connect's rows, all of them or those whose member has the parameter's value."""

    def describe(document: Document, question: Question) -> Answer:
        wanted = question.parameters.get(parameter)
        path = member or (parameter,)
        return {key: [row for row in document[kind] if wanted is None or wanted in values(row, path)]}

    return describe


def _interface_routes(document: Document, question: Question) -> Answer:
    return {"routes": document[NetworkKind.VIRTUAL_INTERFACE_ROUTES].get(question.parameters["virtualInterfaceId"], [])}


EC2: Mapping[str, Describe] = {
    "DescribeVpcs": _listing(NetworkKind.VPCS, "Vpcs"),
    "DescribeSubnets": _listing(NetworkKind.SUBNETS, "Subnets"),
    "DescribeRouteTables": _listing(NetworkKind.ROUTE_TABLES, "RouteTables"),
    "DescribeNetworkAcls": _listing(NetworkKind.NETWORK_ACLS, "NetworkAcls"),
    "DescribeSecurityGroups": _listing(NetworkKind.SECURITY_GROUPS, "SecurityGroups"),
    "DescribeNetworkInterfaces": _listing(NetworkKind.INTERFACES, "NetworkInterfaces"),
    "DescribeInstances": _listing(NetworkKind.INSTANCES, "Reservations", "Instances"),
    "DescribeVpcPeeringConnections": _listing(NetworkKind.PEERINGS, "VpcPeeringConnections"),
    "DescribeTransitGateways": _listing(NetworkKind.TRANSIT_GATEWAYS, "TransitGateways"),
    "DescribeTransitGatewayAttachments": _listing(NetworkKind.TRANSIT_ATTACHMENTS, "TransitGatewayAttachments"),
    "DescribeTransitGatewayVpcAttachments": _listing(NetworkKind.VPC_ATTACHMENTS, "TransitGatewayVpcAttachments"),
    "DescribeTransitGatewayPeeringAttachments": _listing(
        NetworkKind.TRANSIT_PEERINGS, "TransitGatewayPeeringAttachments"
    ),
    "SearchTransitGatewayRoutes": _belonging(NetworkKind.TRANSIT_ROUTES, "Routes", "TransitGatewayRouteTableId"),
    "GetTransitGatewayRouteTablePropagations": _propagations,
    "DescribeVpnGateways": _listing(NetworkKind.VPN_GATEWAYS, "VpnGateways"),
    "DescribeVpnConnections": _listing(NetworkKind.VPNS, "VpnConnections"),
    "DescribeNatGateways": _listing(NetworkKind.NAT_GATEWAYS, "NatGateways"),
    "GetManagedPrefixListEntries": _belonging(NetworkKind.PREFIX_LISTS, "Entries", "PrefixListId"),
}
"""What of EC2 is answered from the document."""

DIRECT_CONNECT: Mapping[str, Describe] = {
    "DescribeConnections": _by("connectionId", NetworkKind.DX_CONNECTIONS, "connections"),
    "DescribeVirtualInterfaces": _by("virtualInterfaceId", NetworkKind.VIRTUAL_INTERFACES, "virtualInterfaces"),
    "ListVirtualInterfaceRoutes": _interface_routes,
    "DescribeDirectConnectGateways": _by("directConnectGatewayId", NetworkKind.DX_GATEWAYS, "directConnectGateways"),
    "DescribeDirectConnectGatewayAssociations": _by(
        "associatedGatewayId",
        NetworkKind.DX_ASSOCIATIONS,
        "directConnectGatewayAssociations",
        "associatedGateway",
        "id",
    ),
    "DescribeDirectConnectGatewayAttachments": _by(
        "directConnectGatewayId", NetworkKind.DX_ATTACHMENTS, "directConnectGatewayAttachments"
    ),
}
"""What of Direct Connect is answered from the document."""

ROWS: Mapping[str, tuple[str, ...]] = {
    **{name: (name.removeprefix("Describe"),) for name in EC2},
    "DescribeInstances": ("Reservations", "Instances"),
    "SearchTransitGatewayRoutes": ("Routes",),
    "GetTransitGatewayRouteTablePropagations": ("TransitGatewayRouteTablePropagations",),
    "GetManagedPrefixListEntries": ("Entries",),
}
"""The members that lead to the rows of EC2's answers."""

_OTHER_NAMES: Mapping[str, str] = {
    "addresses": "PrivateIpAddresses",
    "association": "Associations",
    "attachment.vpc-id": "VpcAttachments.VpcId",
    "attachment.state": "VpcAttachments.State",
    "entry": "Entries",
    "instance-state-name": "State.Name",
    "ip-permission": "IpPermissions",
    "route": "Routes",
    "route-search.exact-match": "DestinationCidrBlock",
    "status-code": "Status.Code",
}
"""Filters, or their first words, that are not the members' names spelt with hyphens."""


def chosen(rows: Sequence[Row], question: Question) -> list[Row]:
    """The rows that have a wanted id and pass every filter, in their order.

    Raises:
        AwsError: a wanted id is not there.
    """
    found = list(rows)
    for member, wanted in question.ids.items():
        there = {row.get(member) for row in rows}
        if missing := [name for name in wanted if name not in there]:
            kind = "Group" if member == "GroupId" else f"{member.removesuffix('Id')}ID"
            raise AwsError(f"Invalid{kind}.NotFound", f"The ID '{', '.join(missing)}' does not exist")
        found = [row for row in found if row.get(member) in wanted]
    for name, patterns in question.filters.items():
        found = [row for row in found if _passes(row, name, patterns)]
    return found


def values(row: object, path: Sequence[str]) -> Iterator[object]:
    """Every value at the end of a path of members, through every list on the way."""
    if isinstance(row, list):
        for item in row:
            yield from values(item, path)
    elif not path:
        yield row
    elif isinstance(row, dict) and path[0] in row:
        yield from values(row[path[0]], path[1:])


def members(name: str) -> tuple[tuple[str, ...], ...]:
    """The paths of members that a filter of this name may mean: `vpc-id` is VpcId, `group-id` also that of Groups."""
    first, dot, rest = name.partition(".")
    spelt = _OTHER_NAMES.get(name) or f"{_OTHER_NAMES.get(first, _camel(first))}{dot}{_camel(rest)}"
    path = tuple(spelt.split("."))
    return (path, ("Groups", *path)) if name == "group-id" else (path,)


def _passes(row: Row, name: str, patterns: Sequence[str]) -> bool:
    if name.startswith("tag:") or name in ("tag-key", "tag-value"):
        return False  # nothing in the document has tags
    texts = [_text(value) for path in members(name) for value in values(row, path)]
    return any(_pattern(pattern).fullmatch(text) for pattern in patterns for text in texts)


def _pattern(wildcards: str) -> re.Pattern[str]:
    """A filter's value, in which `*` is any text and `?` any character (EC2 user guide, "List and filter")."""
    return re.compile(re.escape(wildcards).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _camel(words: str) -> str:
    """`vpc-id` as VpcId, below dots too."""
    return ".".join("".join(word[:1].upper() + word[1:] for word in part.split("-")) for part in words.split("."))
