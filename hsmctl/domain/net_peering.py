"""VPC peering: joins two VPCs and nothing behind them.

Source: VPC peering guide, "VPC peering limitations" (no transitive peering, no edge-to-edge routing, no overlapping
CIDRs).
"""

from __future__ import annotations

from dataclasses import dataclass

from hsmctl.domain.net_cidr import Cidr
from hsmctl.domain.net_code import Code
from hsmctl.domain.net_endpoint import Endpoint
from hsmctl.domain.net_finding import Direction, Finding, aws, make
from hsmctl.domain.net_row import Row
from hsmctl.domain.net_security_group import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two VPCs of a peering; its prefixes are only told while the peering is active."""

    vpc_id: str
    region: str
    cidrs: tuple[Cidr, ...]

    @classmethod
    def read(cls, row: Row) -> Side:
        """The side of a requester's or an accepter's VPC info."""
        own = row.cidr("CidrBlock")
        sets = row.cidrs("CidrBlockSet", "CidrBlock") + row.cidrs("Ipv6CidrBlockSet", "Ipv6CidrBlock")
        return cls(
            vpc_id=row.need("VpcId"),
            region=row.text("Region"),
            cidrs=sets or (() if own is None else (own,)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Peering:
    """A VPC peering connection."""

    id: str
    status: str
    sides: tuple[Side, Side]

    @classmethod
    def read(cls, row: Row) -> Peering:
        """The peering of a DescribeVpcPeeringConnections row."""
        return cls(
            id=row.need("VpcPeeringConnectionId"),
            status=row.row("Status").need("Code"),
            sides=(Side.read(row.row("RequesterVpcInfo")), Side.read(row.row("AccepterVpcInfo"))),
        )

    def far_side(self, vpc_id: str) -> Side:
        """The side across from this VPC."""
        return self.sides[1] if self.sides[0].vpc_id == vpc_id else self.sides[0]

    def joins(self, one: str, other: str) -> bool:
        """Whether it is between these two VPCs."""
        return {side.vpc_id for side in self.sides} == {one, other}


def judge_state(peering: Peering, direction: Direction) -> Finding | None:
    """Only an active peering carries packets; one between overlapping IPv4 prefixes never becomes active."""
    if peering.status == "active":
        return None
    ours, theirs = ([cidr for cidr in side.cidrs if cidr.family == 4] for side in peering.sides)
    overlap = [(a, b) for a in ours for b in theirs if a.overlaps(b)]
    if peering.status == "failed" and overlap:
        return make(
            Code.PCX_CIDR_OVERLAP,
            direction,
            f"{peering.id} failed: {overlap[0][0]} and {overlap[0][1]} overlap, so these VPCs cannot be peered.",
            evidence=(peering.id, *(side.vpc_id for side in peering.sides)),
            fix=aws("ec2", "create-transit-gateway-vpc-attachment", "help"),
        )
    pending = peering.status == "pending-acceptance"
    requester, accepter = peering.sides
    again = ("--vpc-id", requester.vpc_id, "--peer-vpc-id", accepter.vpc_id)
    return make(
        Code.PCX_NOT_ACTIVE,
        direction,
        f"{peering.id} is {peering.status}.",
        evidence=(peering.id,),
        fix=aws("ec2", "accept-vpc-peering-connection", "--vpc-peering-connection-id", peering.id)
        if pending
        else aws("ec2", "create-vpc-peering-connection", *again),
    )


def judge_far_end(peering: Peering, near_vpc: str, to: Endpoint, direction: Direction) -> Finding | None:
    """A peering delivers to its other VPC only: to no third VPC and to nothing behind a gateway."""
    far = peering.far_side(near_vpc).vpc_id
    if not to.vpc_id:
        return make(
            Code.PCX_EDGE_TO_EDGE,
            Direction.BOTH,
            f"{peering.id} ends in {far}: it carries nothing between {near_vpc} and {to.name}, which is outside AWS.",
            evidence=(peering.id, far),
            fix=aws("ec2", "create-transit-gateway-vpc-attachment", "help"),
        )
    if far != to.vpc_id:
        return make(
            Code.PCX_NO_TRANSIT,
            direction,
            f"{peering.id} ends in {far}, and {to.name} is in {to.vpc_id}: peering is not transitive.",
            evidence=(peering.id, far, to.vpc_id),
            fix=aws("ec2", "create-vpc-peering-connection", "--vpc-id", near_vpc, "--peer-vpc-id", to.vpc_id),
        )
    return None


def identity_through(peering: Peering) -> Identity:
    """Security group references work across an active peering inside one Region, and across none between Regions."""
    one, other = (side.region for side in peering.sides)
    if not one or not other:
        return Identity(ingress=None, egress=None, lost_at=peering.id)
    if one == other:
        return Identity()
    why = f"joins {one} and {other}, and groups are not known between Regions"
    return Identity(ingress=False, egress=False, lost_at=peering.id, why=why)
