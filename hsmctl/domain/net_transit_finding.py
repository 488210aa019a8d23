"""What can be the matter at a transit gateway: the findings, and the rules that need nothing but the thing itself.

Sources: transit gateway guide, "How transit gateways work" (Availability Zones, route table association and
propagation, black-hole routes), "Transit gateway peering attachments" (static routes only).
"""

from __future__ import annotations

from collections.abc import Iterator

from hsmctl.domain.net_cidr import Address
from hsmctl.domain.net_code import Code
from hsmctl.domain.net_finding import Direction, Finding, aws, make
from hsmctl.domain.net_gap import gap
from hsmctl.domain.net_transit_gateway import Attachment, TransitRoute, VpcAttachment

_USABLE_STATES = frozenset({"", "available", "modifying"})


def judge_attachment(attachment: VpcAttachment, family: int, direction: Direction) -> Iterator[Finding]:
    """An attachment carries packets while it is available, and IPv6 only where that is switched on."""
    yield from judge_state(attachment.id, attachment.state, direction)
    if family == 6 and attachment.carries_ipv6 is None:
        yield gap("TransitGatewayVpcAttachments", f"the IPv6 support of {attachment.id}", direction)
    elif family == 6 and not attachment.carries_ipv6:
        yield make(
            Code.TGW_V6_DISABLED,
            direction,
            f"{attachment.id} of {attachment.vpc_id} does not carry IPv6.",
            evidence=(attachment.id,),
            fix=_modify(attachment, "--options", "Ipv6Support=enable"),
        )


def judge_state(attachment_id: str, state: str, direction: Direction) -> Iterator[Finding]:
    """An attachment carries packets while it is available, also while it is being modified."""
    if state in _USABLE_STATES:
        return
    accept = ("accept-transit-gateway-vpc-attachment", "--transit-gateway-attachment-id")
    look = ("describe-transit-gateway-attachments", "--transit-gateway-attachment-ids")
    yield make(
        Code.TGW_ATTACHMENT_STATE,
        direction,
        f"attachment {attachment_id} is {state}.",
        evidence=(attachment_id,),
        fix=aws("ec2", *(accept if state == "pendingAcceptance" else look), attachment_id),
    )


def not_in_zone(attachment: VpcAttachment, subnet_id: str, zone: str, direction: Direction) -> Finding:
    """A packet enters a transit gateway only in a zone where its VPC's attachment has a subnet."""
    lost = "its packets are lost" if direction is Direction.FORWARD else "the replies of this HSM are lost"
    return make(
        Code.TGW_AZ_NOT_ATTACHED,
        direction,
        f"{subnet_id} is in {zone} and the attachment {attachment.id} has no subnet there, so {lost}.",
        evidence=(subnet_id, zone, attachment.id),
        fix=_modify(attachment, "--add-subnet-ids", subnet_id),
    )


def not_attached(vpc_id: str, gateway_id: str, subnet_id: str, direction: Direction) -> Finding:
    """A VPC uses a transit gateway through an attachment of its own."""
    return make(
        Code.TGW_ATTACHMENT_MISSING,
        direction,
        f"{vpc_id} has no attachment to {gateway_id}.",
        evidence=(vpc_id, gateway_id),
        fix=aws(
            *("ec2", "create-transit-gateway-vpc-attachment", "--transit-gateway-id", gateway_id),
            *("--vpc-id", vpc_id, "--subnet-ids", subnet_id),
        ),
    )


def no_table(attachment: Attachment, other_table: str, direction: Direction) -> Finding:
    """Packets of an attachment without an associated route table are dropped; policy tables are not evaluated here.

    `other_table` is one that its neighbours use.
    """
    if attachment.policy_table_id:
        return make(
            Code.TGW_POLICY_OPAQUE,
            direction,
            f"{attachment.id} is associated with policy table {attachment.policy_table_id}, which is not evaluated.",
            evidence=(attachment.id, attachment.policy_table_id),
            fix=aws(
                *("ec2", "get-transit-gateway-policy-table-entries"),
                *("--transit-gateway-policy-table-id", attachment.policy_table_id),
            ),
        )
    return make(
        Code.TGW_NO_ASSOCIATION,
        direction,
        f"{attachment.id} of {attachment.resource_id} is associated with no route table of {attachment.gateway_id}.",
        evidence=(attachment.id, attachment.gateway_id),
        fix=aws(
            *("ec2", "associate-transit-gateway-route-table", "--transit-gateway-attachment-id", attachment.id),
            *("--transit-gateway-route-table-id", other_table),
        ),
    )


def no_route(table_id: str, to: Address, attachment_id: str, direction: Direction) -> Finding:
    """A packet no route matches is dropped."""
    return make(
        Code.TGW_NO_ROUTE,
        direction,
        f"{table_id} has no route to {to}.",
        evidence=(table_id, str(to.host)),
        fix=_create_route(table_id, to, attachment_id),
    )


def not_propagated(table_id: str, attachment_id: str, direction: Direction) -> Finding:
    """An attachment's routes are in the tables it propagates into, and in no other."""
    return make(
        Code.TGW_PROPAGATION_MISSING,
        direction,
        f"{attachment_id} does not propagate its routes into {table_id}.",
        evidence=(table_id, attachment_id),
        fix=aws(
            *("ec2", "enable-transit-gateway-route-table-propagation"),
            *("--transit-gateway-route-table-id", table_id, "--transit-gateway-attachment-id", attachment_id),
        ),
    )


def needs_static(table_id: str, to: Address, peering: Attachment, direction: Direction) -> Finding:
    """What lies behind a peered transit gateway is reached by static routes only."""
    return make(
        Code.TGW_PEERING_NO_STATIC,
        direction,
        f"{to} is behind {peering.resource_id}, and {table_id} has no static route to it over {peering.id}.",
        evidence=(table_id, peering.id),
        fix=_create_route(table_id, to, peering.id),
    )


def black_hole(table_id: str, route: TransitRoute, direction: Direction) -> Finding:
    """A black hole is a route: it wins by its length and drops the packet."""
    return make(
        Code.TGW_BLACKHOLE,
        direction,
        f"route {route.cidr} of {table_id} is a black hole.",
        evidence=(table_id, str(route.cidr)),
        fix=aws(
            *("ec2", "delete-transit-gateway-route", "--transit-gateway-route-table-id", table_id),
            *("--destination-cidr-block", str(route.cidr)),
        ),
    )


def leads_elsewhere(table_id: str, route: TransitRoute, wanted: str, direction: Direction) -> Finding:
    """A route that wins and leads to another place than the wanted one, or to a place whose inside nobody sees."""
    attachment_id, kind, resource_id = route.attachments[0]
    opaque = kind not in _SEEN
    what = f"which is a {kind or 'nameless'} attachment and not evaluated" if opaque else f"and {wanted} is not there"
    return make(
        Code.TGW_ATTACHMENT_TYPE_OPAQUE if opaque else Code.TGW_ROUTE_WRONG_ATTACHMENT,
        direction,
        f"route {route.cidr} of {table_id} leads to {resource_id} ({attachment_id}), {what}.",
        evidence=(table_id, str(route.cidr), attachment_id, resource_id),
        fix=aws(
            *("ec2", "search-transit-gateway-routes", "--transit-gateway-route-table-id", table_id),
            *("--filters", f"Name=route-search.exact-match,Values={route.cidr}"),
        ),
    )


_SEEN = frozenset({"vpc", "vpn", "direct-connect-gateway", "peering", "tgw-peering"})


def _create_route(table_id: str, to: Address, attachment_id: str) -> str:
    return aws(
        *("ec2", "create-transit-gateway-route", "--transit-gateway-route-table-id", table_id),
        *("--destination-cidr-block", str(to.host), "--transit-gateway-attachment-id", attachment_id),
    )


def _modify(attachment: VpcAttachment, *change: str) -> str:
    verb = "modify-transit-gateway-vpc-attachment"
    return aws("ec2", verb, "--transit-gateway-attachment-id", attachment.id, *change)
