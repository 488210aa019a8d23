"""Who else can reach the HSMs: every source that groups, ACLs and routes let through and that is no registered client.

It turns the evaluator round. An HSM's security groups name prefixes and groups. Every part of such a prefix is tried
from wherever it may be, a subnet of the snapshot or a site, and every interface that carries such a group is tried as
it is; `domain.net` says what becomes of each. A subnet is tried with an interface nobody has yet, whose own group lets
everything out: who may start an instance there may give it such a group. What the snapshot does not show is unknown and
never taken for nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from hsmctl.domain.cluster import Hsm, HsmState
from hsmctl.domain.net import Question, explain
from hsmctl.domain.net_cidr import Cidr, TooFragmentedError, atoms, collapse
from hsmctl.domain.net_endpoint import Client, ClientKind, Interface
from hsmctl.domain.net_finding import Direction, Finding, Pair, Verdict
from hsmctl.domain.net_gap import gap
from hsmctl.domain.net_range import too_fragmented
from hsmctl.domain.net_security_group import Permission, SecurityGroup
from hsmctl.domain.net_snapshot import Snapshot

_GUEST = "eni-of-anybody"
_EVERYWHERE = (Cidr(4, 0, 0), Cidr(6, 0, 0))
_LETS_OUT = SecurityGroup(
    id=_GUEST,
    ingress=(),
    egress=(Permission(ports=(0, 65535), cidrs=_EVERYWHERE, group_ids=frozenset(), stale_ids=(), unread_lists=()),),
)


class SourceKind(StrEnum):
    """What a source is."""

    RANGE = "range"
    """Addresses, whoever may have them."""
    INTERFACE = "interface"
    """An interface that carries a group which is let in."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Source:
    """Somebody who is no registered client and can, or may be able to, open a connection to an HSM."""

    kind: SourceKind
    name: str
    """The prefix, or the interface's id."""
    place: str
    """The subnet it is in, "" outside AWS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a source reaches."""

    source: Source
    sure: bool
    """Whether it is let through; otherwise a part of the way is not known."""
    reaches: tuple[tuple[str, int], ...]
    """HSM and port."""
    group_ids: tuple[str, ...]
    """The HSMs' security groups, which let it in."""
    why: Finding | None = None
    """What is not known of its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Every unregistered source, and what could not be looked at."""

    opened: tuple[Opened, ...]
    gaps: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """Who may reach the HSMs."""

    clients: tuple[Client, ...]
    hsms: tuple[Hsm, ...]

    def has(self, interface: Interface) -> bool:
        """Whether the interface is one of theirs."""
        own = {*(hsm.eni_id for hsm in self.hsms), *(client.name for client in self.clients)}
        addresses = [client.address for client in self.clients if client.address is not None]
        return not own.isdisjoint((interface.id, interface.instance_id)) or any(map(interface.answers, addresses))

    def prefixes(self, snapshot: Snapshot) -> tuple[Cidr, ...]:
        """Every address they have."""
        mine = [each for each in (snapshot.interfaces or {}).values() if self.has(each)]
        hosts = [address.host for each in mine for address in each.addresses]
        alone = [client.address.host for client in self.clients if client.address is not None]
        ranges = [client.cidr for client in self.clients if client.cidr is not None]
        return collapse((*hosts, *alone, *ranges))


def exposure(snapshot: Snapshot, registered: Registered, ports: tuple[int, ...], *, members_known: bool) -> Exposure:
    """Who else reaches these ports; `members_known` says that whoever carries a group is in the snapshot."""
    found: dict[Source, list[Pair]] = {}
    gaps: list[Finding] = []
    prefixes = registered.prefixes(snapshot)
    for hsm in registered.hsms:
        if not hsm.eni_id:
            continue  # nobody reaches what has no interface
        door = _door(snapshot, hsm, ports)
        gaps += door.gaps
        if door.member_ids and not members_known:
            gaps.append(
                gap("NetworkInterfaces", f"who carries {', '.join(sorted(door.member_ids))}", Direction.FORWARD)
            )
        question = Question(hsm=replace(hsm, state=HsmState.ACTIVE), ports=ports)
        for source, pairs in _tried(snapshot, registered, door, prefixes, question, gaps):
            found.setdefault(source, []).extend(pair for pair in pairs if pair.verdict is not Verdict.BLOCKED)
    opened = [_opened(snapshot, registered, source, pairs) for source, pairs in sorted(found.items()) if pairs]
    return Exposure(opened=tuple(opened), gaps=tuple(dict.fromkeys(gaps)))


def strangers(snapshot: Snapshot, registered: Registered, ports: tuple[int, ...]) -> tuple[Client, ...]:
    """Everybody the HSMs' groups let in, as clients whose ways a collector should read too."""
    doors = [_door(snapshot, hsm, ports) for hsm in registered.hsms if hsm.eni_id]
    cidrs = collapse(cidr for door in doors for cidr in door.cidrs)
    ranges = [Client(kind=ClientKind.CIDR, name=str(cidr), cidr=cidr) for cidr in cidrs]
    member_ids = frozenset(group_id for door in doors for group_id in door.member_ids)
    members = [Client(kind=ClientKind.ENI, name=each.id) for each in _members(snapshot, registered, member_ids)]
    return (*ranges, *members)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    """Whom an HSM's security groups let in."""

    cidrs: tuple[Cidr, ...] = ()
    member_ids: frozenset[str] = frozenset()
    gaps: tuple[Finding, ...] = ()


def _door(snapshot: Snapshot, hsm: Hsm, ports: tuple[int, ...]) -> _Door:
    interface = (snapshot.interfaces or {}).get(hsm.eni_id)
    if interface is None:
        return _Door(gaps=(gap("NetworkInterfaces", f"interface {hsm.eni_id}", Direction.FORWARD),))
    if interface.group_ids is None:
        return _Door(gaps=(gap("NetworkInterfaces", f"the security groups of {hsm.eni_id}", Direction.FORWARD),))
    known = [snapshot.groups[group_id] for group_id in interface.group_ids if group_id in snapshot.groups]
    rules = [rule for group in known for rule in group.ingress if _opens(rule, ports)]
    unread = [group_id for group_id in interface.group_ids if group_id not in snapshot.groups]
    lists = dict.fromkeys(name for rule in rules for name in rule.unread_lists)
    return _Door(
        cidrs=collapse(cidr for rule in rules for cidr in rule.cidrs),
        member_ids=frozenset(group_id for rule in rules for group_id in rule.group_ids),
        gaps=(
            *(gap("SecurityGroups", f"security group {group_id}", Direction.FORWARD) for group_id in unread),
            *(gap("PrefixLists", f"prefix list {name}", Direction.FORWARD) for name in lists),
        ),
    )


def _opens(rule: Permission, ports: Iterable[int]) -> bool:
    return any(rule.ports[0] <= port <= rule.ports[1] for port in ports)


def _tried(
    snapshot: Snapshot,
    registered: Registered,
    door: _Door,
    prefixes: Sequence[Cidr],
    question: Question,
    gaps: list[Finding],
) -> Iterator[tuple[Source, tuple[Pair, ...]]]:
    """Every source behind the door, and how it fares."""
    boundaries = [*snapshot.prefixes(), *(cidr for subnet in snapshot.subnets.values() for cidr in subnet.cidrs)]
    for cidr in door.cidrs:
        try:
            parts = atoms(cidr, boundaries)
        except TooFragmentedError:
            gaps.append(too_fragmented(str(cidr)))
            continue
        for part in parts:
            if not any(own.covers(part) for own in prefixes):
                gaps.extend(_without_subnets(snapshot, part))
                yield from _from_part(snapshot, part, replace(question, family=part.family))
    for interface in _members(snapshot, registered, door.member_ids):
        source = Source(kind=SourceKind.INTERFACE, name=interface.id, place=interface.subnet_id)
        client = Client(kind=ClientKind.ENI, name=interface.id)
        for family in {address.family for address in interface.addresses}:
            yield source, explain(snapshot, client, replace(question, family=family))


def _without_subnets(snapshot: Snapshot, part: Cidr) -> Iterator[Finding]:
    """A VPC that has the part, of which no subnet was read: somebody there may have the addresses."""
    read = {subnet.vpc_id for subnet in snapshot.subnets.values()}
    for vpc in snapshot.vpcs.values():
        if vpc.cidr_of(part.address) and vpc.id not in read:
            yield gap("Subnets", f"every subnet of {vpc.id}", Direction.FORWARD)


def _members(snapshot: Snapshot, registered: Registered, group_ids: frozenset[str]) -> Iterator[Interface]:
    for interface in (snapshot.interfaces or {}).values():
        if not group_ids.isdisjoint(interface.group_ids or ()) and not registered.has(interface):
            yield interface


def _from_part(snapshot: Snapshot, part: Cidr, question: Question) -> Iterator[tuple[Source, tuple[Pair, ...]]]:
    """The part of a prefix, from each subnet it lies in; from outside where no VPC has it."""
    subnets = [each for each in snapshot.subnets.values() if any(cidr.covers(part) for cidr in each.cidrs)]
    for subnet in subnets:
        guest = Interface(
            id=_GUEST,
            subnet_id=subnet.id,
            addresses=(part.address,),
            prefixes=(),
            group_ids=(_GUEST,),
            source_dest_check=True,
            instance_id="",
            device_index=0,
        )
        world = replace(
            snapshot,
            interfaces={**(snapshot.interfaces or {}), _GUEST: guest},
            groups={**snapshot.groups, _GUEST: _LETS_OUT},
        )
        source = Source(kind=SourceKind.RANGE, name=str(part), place=subnet.id)
        yield source, explain(world, Client(kind=ClientKind.ENI, name=_GUEST), question)
    if not subnets and not any(vpc.cidr_of(part.address) for vpc in snapshot.vpcs.values()):
        site = Client(kind=ClientKind.CIDR, name=str(part), address=part.address)
        pairs = tuple(_unless_unread(snapshot, pair) for pair in explain(snapshot, site, question))
        yield Source(kind=SourceKind.RANGE, name=str(part), place=""), pairs


def _unless_unread(snapshot: Snapshot, pair: Pair) -> Pair:
    """The pair; unknown where its way leads into a VPC that was not read, in which the address may well be."""
    named = {word for found in pair.findings for word in found.evidence if word.startswith("vpc-")}
    return replace(pair, verdict=Verdict.UNKNOWN) if named - set(snapshot.vpcs) else pair


def _opened(snapshot: Snapshot, registered: Registered, source: Source, pairs: Sequence[Pair]) -> Opened:
    sure = [pair for pair in pairs if pair.verdict is not Verdict.UNKNOWN]
    reached = {pair.hsm: None for pair in sure or pairs}
    interfaces = snapshot.interfaces or {}
    groups = {
        group_id: None
        for hsm in registered.hsms
        if hsm.hsm_id in reached and hsm.eni_id in interfaces
        for group_id in interfaces[hsm.eni_id].group_ids or ()
    }
    return Opened(
        source=source,
        sure=bool(sure),
        reaches=tuple(dict.fromkeys((pair.hsm, pair.port) for pair in sure or pairs)),
        group_ids=tuple(groups),
        why=None if sure else next(iter(pairs[0].findings), None),
    )
