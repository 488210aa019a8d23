"""Security groups: whether those an interface carries let a connection open.

A group is stateful, so only the opening packet asks it: the client's groups on the way out, the HSM's on the way
in. What the path did to the identity of the sender decides whether a rule that names a group can match. Sources:
VPC user guide, "Security group rules"; VPC peering guide, "Reference peer security groups"; transit gateway guide,
"Security group referencing".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hsmctl.domain.net_acl import Span
from hsmctl.domain.net_cidr import Address, Cidr
from hsmctl.domain.net_code import Code
from hsmctl.domain.net_endpoint import Endpoint
from hsmctl.domain.net_finding import Direction, Finding, aws, make
from hsmctl.domain.net_gap import gap
from hsmctl.domain.net_row import Row, malformed

PrefixLists = Mapping[str, tuple[Cidr, ...]]
"""The entries of each managed prefix list that could be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A rule that can match TCP: its ports and whom it lets through."""

    ports: Span
    cidrs: tuple[Cidr, ...]
    group_ids: frozenset[str]
    stale_ids: tuple[str, ...]
    """The groups it names across a peering that is gone."""
    unread_lists: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """A security group."""

    id: str
    ingress: tuple[Permission, ...]
    egress: tuple[Permission, ...]

    @classmethod
    def read(cls, row: Row, lists: PrefixLists) -> SecurityGroup:
        """The group of a DescribeSecurityGroups row."""
        return cls(
            id=row.need("GroupId"),
            ingress=tuple(_read_permissions(row, "IpPermissions", lists)),
            egress=tuple(_read_permissions(row, "IpPermissionsEgress", lists)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whether the far end still knows which groups a packet's sender carries; None where that cannot be told."""

    ingress: bool | None = True
    """For ingress rules that name the client's group."""
    egress: bool | None = True
    """For egress rules that name the HSM's group."""
    lost_at: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A connection as one end's groups see it open."""

    egress: bool
    near: Endpoint
    """The end whose groups are asked."""
    far: Endpoint
    port: int
    identity: Identity

    @property
    def identity_kept(self) -> bool | None:
        """Whether rules that name a group can match."""
        return self.identity.egress if self.egress else self.identity.ingress


def judge_opening(opening: Opening, groups: Mapping[str, SecurityGroup]) -> Finding | None:
    """Nothing where any rule of any group of the interface lets the connection open; else why not."""
    carried = opening.near.group_ids
    if carried is None:
        return gap("NetworkInterfaces", f"the list of security groups of {opening.near.name}", Direction.FORWARD)
    rules = [
        rule
        for group_id in carried
        if group_id in groups
        for rule in (groups[group_id].egress if opening.egress else groups[group_id].ingress)
        if rule.ports[0] <= opening.port <= rule.ports[1]
    ]
    named = [rule for rule in rules if _names_far_end(rule, opening.far)]
    if any(_holds(rule, opening.far.address) for rule in rules) or (named and opening.identity_kept):
        return None
    return _unreadable(opening, carried, groups, rules, named) or _closed(opening, carried, lost=bool(named))


def judge_stale(opening: Opening, groups: Mapping[str, SecurityGroup]) -> Finding | None:
    """A warning where a rule names a group across a peering that is gone (EC2 `PeeringStatus`)."""
    for group_id in opening.near.group_ids or ():
        for rule in groups[group_id].ingress if group_id in groups else ():
            if rule.stale_ids:
                return make(
                    Code.SG_REF_STALE,
                    Direction.FORWARD,
                    f"a rule of {group_id} names {', '.join(rule.stale_ids)}, which is out of reach since its peering"
                    " ended.",
                    evidence=(group_id, *rule.stale_ids),
                    fix=aws("ec2", "describe-security-group-rules", "--filters", f"Name=group-id,Values={group_id}"),
                )
    return None


def _holds(rule: Permission, address: Address) -> bool:
    return any(cidr.holds(address) for cidr in rule.cidrs)


def _names_far_end(rule: Permission, far: Endpoint) -> bool:
    return not rule.group_ids.isdisjoint(far.group_ids or ())


def _unreadable(
    opening: Opening,
    carried: tuple[str, ...],
    groups: Mapping[str, SecurityGroup],
    rules: list[Permission],
    named: list[Permission],
) -> Finding | None:
    """The hole behind which a matching rule may hide, or None."""
    unread_groups = [group_id for group_id in carried if group_id not in groups]
    unread_lists = [name for rule in rules for name in rule.unread_lists]
    if opening.far.group_ids is None and any(rule.group_ids for rule in rules):
        return gap("NetworkInterfaces", f"the list of security groups of {opening.far.name}", Direction.FORWARD)
    if unread_groups:
        return gap("SecurityGroups", f"security group {unread_groups[0]}", Direction.FORWARD)
    if unread_lists:
        return gap("PrefixLists", f"prefix list {unread_lists[0]}", Direction.FORWARD)
    if named and opening.identity_kept is None:
        section = "TransitGateways" if opening.identity.lost_at.startswith("tgw-") else "VpcPeeringConnections"
        return gap(section, f"security group referencing through {opening.identity.lost_at}", Direction.FORWARD)
    return None


def _closed(opening: Opening, carried: tuple[str, ...], *, lost: bool) -> Finding:
    """No rule matches; or one would, had the path kept the sender's identity."""
    near, far, identity = opening.near, opening.far, opening.identity
    groups, way = ", ".join(carried), "to" if opening.egress else "from"
    interface = near.interface.id if near.interface else near.name
    if lost:
        return make(
            Code.SG_REF_NOT_PRESERVED,
            Direction.FORWARD,
            f"a rule of {groups} on {interface} names a security group of {far.name}, but {identity.lost_at}"
            f" {identity.why}, so the rule cannot match.",
            evidence=(interface, *carried, identity.lost_at),
            fix=_authorize(opening, carried, by_group=False),
        )
    kind = "egress" if opening.egress else "ingress"
    return make(
        Code.SG_EGRESS_NO_MATCH if opening.egress else Code.SG_INGRESS_NO_MATCH,
        Direction.FORWARD,
        f"no {kind} rule of {groups or 'any group'} on {interface} allows tcp/{opening.port} {way} {far.address}.",
        evidence=(interface, *carried),
        fix=_authorize(opening, carried, by_group=near.vpc_id == far.vpc_id and bool(opening.identity_kept)),
    )


def _authorize(opening: Opening, carried: tuple[str, ...], *, by_group: bool) -> str:
    """The rule that would let this connection open: by the far end's group inside a VPC, by its address elsewhere."""
    far_groups = opening.far.group_ids or ()
    if by_group and far_groups:
        shared = [group_id for group_id in far_groups if group_id in carried]
        who = f"UserIdGroupPairs=[{{GroupId={(shared or far_groups)[0]}}}]"
    elif opening.far.address.family == 4:
        who = f"IpRanges=[{{CidrIp={opening.far.address.host}}}]"
    else:
        who = f"Ipv6Ranges=[{{CidrIpv6={opening.far.address.host}}}]"
    verb = "authorize-security-group-egress" if opening.egress else "authorize-security-group-ingress"
    ports = f"IpProtocol=tcp,FromPort={opening.port},ToPort={opening.port}"
    group = carried[0] if carried else "GROUP"
    return aws("ec2", verb, "--group-id", group, "--ip-permissions", f"{ports},{who}")


def _read_permissions(row: Row, key: str, lists: PrefixLists) -> Iterator[Permission]:
    for item in row.need_rows(key):
        ports = _ports(item)
        if ports is None:
            continue
        names = tuple(entry.need("PrefixListId") for entry in item.rows("PrefixListIds"))
        pairs = item.rows("UserIdGroupPairs")
        cidrs = item.cidrs("IpRanges", "CidrIp") + item.cidrs("Ipv6Ranges", "CidrIpv6")
        if not (names or pairs or cidrs):
            raise malformed(item.place, "it names nobody")
        stale = tuple(pair.need("GroupId") for pair in pairs if pair.text("PeeringStatus") not in ("", "active"))
        yield Permission(
            ports=ports,
            cidrs=cidrs + tuple(cidr for name in names for cidr in lists.get(name, ())),
            group_ids=frozenset(pair.need("GroupId") for pair in pairs) - frozenset(stale),
            stale_ids=stale,
            unread_lists=tuple(name for name in names if name not in lists),
        )


def _ports(row: Row) -> Span | None:
    """The ports the rule opens, or None where it speaks of another protocol than TCP."""
    protocol = row.need("IpProtocol").lower()
    if protocol in ("-1", "all"):
        return (0, 65535)
    if protocol not in ("tcp", "6"):
        return None
    low, high = row.number("FromPort"), row.number("ToPort")
    if low is None or high is None:
        raise malformed(row.place, "a TCP rule needs FromPort and ToPort")
    return (low, high)
