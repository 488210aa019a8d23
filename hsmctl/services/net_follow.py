"""What to ask next about a network: the objects that the answers so far mention on the ways between clients and HSMs.

It walks as `domain.net` does and by the same choice of routes, but to find out what is missing instead of what is
wrong: from every HSM towards every client and back, each round as far as the answers lead. Nothing is wanted but what a
route on such a way names. Only where a way ends is it asked whether there is another, because a verdict would say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hsmctl.domain.net_cidr import Address
from hsmctl.domain.net_endpoint import Client, Endpoint, Subnet
from hsmctl.domain.net_hybrid import SITE_KINDS, doors_of
from hsmctl.domain.net_locate import locate_client, locate_hsm
from hsmctl.domain.net_route import RouteTable, TargetKind, choose, unread_lists
from hsmctl.domain.net_transit_gateway import PEERINGS, Attachment
from hsmctl.domain.net_transit_gateway import choose as choose_transit_route
from hsmctl.domain.network import Chosen, NetworkKind
from hsmctl.services.net_ends import Ends, is_of, one_by_one
from hsmctl.services.net_want import Found, Want, Wants, text


def mentioned(ends: Ends, found: Found) -> set[Want]:
    """Everything that is wanted; some of it may have been asked already."""
    wants = Wants(found)
    wants.add(NetworkKind.INTERFACES, ends.region, Chosen.BY_ID, *(hsm.eni_id for hsm in ends.hsms if hsm.eni_id))
    for client in ends.clients:
        wants.client(client, ends.region)
    if wants.all <= set(found.asked):
        _Walk(ends, found, wants).go()
    return wants.all


class _Walk:
    """One round. A method that follows a way says whether it leads on to the destination, or may once more is known."""

    def __init__(self, ends: Ends, found: Found, wants: Wants) -> None:
        self._wants = wants
        self._ends = ends
        self._found = found
        self._snapshot = found.snapshot
        self._interfaces = found.snapshot.interfaces or {}
        rows = (*found.rows(NetworkKind.INTERFACES), *found.rows(NetworkKind.SUBNETS))
        self._regions = {text(row, "VpcId"): region for region, row in rows}
        self._there: list[Endpoint] = []
        """The HSMs that could be located, of the family at hand."""
        self._walked: dict[tuple[str, str, Address], bool] = {}
        """Places and destinations that were walked already: 32 HSMs share a few route tables."""

    def go(self) -> None:
        """Look at both ends, then walk between every two of them."""
        for vpc_id in (self._ends.cluster.vpc_id, *(client.vpc_id for client in self._ends.clients)):
            self._wants.vpc(vpc_id, self._region(vpc_id))
        for region, row in self._found.rows(NetworkKind.INTERFACES):
            interface = self._interfaces.get(text(row, "NetworkInterfaceId"))
            if interface is not None and self._ends.own(interface):
                self._wants.vpc(text(row, "VpcId"), region)
                self._wants.groups(interface, region)
                if self._ends.members and any(hsm.eni_id == interface.id for hsm in self._ends.hsms):
                    self._wants.members(interface, region)
        for family in self._ends.families:
            located = [locate_hsm(self._snapshot, hsm, family).endpoint for hsm in self._ends.hsms]
            self._there = [endpoint for endpoint in located if endpoint is not None]
            for client in self._ends.clients:
                self._between(client, family)

    def _between(self, client: Client, family: int) -> None:
        """Walk from every HSM to the client and back."""
        for one in one_by_one(client, family, self._snapshot):
            for hsm in self._there:
                here = locate_client(self._snapshot, one, family, hsm).endpoint
                if here is None:
                    self._search(hsm, client)
                elif here.subnet is not None:
                    self._leave(hsm.subnet, here)
                    self._leave(here.subnet, hsm)
                elif not self._ask_subnets(client) and not self._leave(hsm.subnet, here):
                    self._try_doors(hsm.vpc_id)

    def _search(self, hsm: Endpoint, client: Client) -> None:
        """Look for a client without an interface in the other Regions that the HSM's table leads to."""
        if any(is_of(client, interface) for interface in self._interfaces.values()) or self._ask_subnets(client):
            return
        table = self._snapshot.table_of(hsm.subnet) if hsm.subnet else None
        for route in table.routes if table else ():
            for region in self._regions_behind(hsm.vpc_id, route.kind, route.target):
                self._wants.client(client, region)
                self._wants.vpc(client.vpc_id, region)

    def _ask_subnets(self, client: Client) -> bool:
        """Whether an address is of a prefix that an interface in its subnet has (EC2, "Prefix delegation")."""
        asked = False
        for subnet in self._snapshot.subnets.values():
            if client.address is not None and any(cidr.holds(client.address) for cidr in subnet.cidrs):
                region = self._region(subnet.vpc_id)
                asked |= self._wants.add(NetworkKind.INTERFACES, region, Chosen.BY_SUBNET, subnet.id)
        return asked

    def _regions_behind(self, vpc_id: str, kind: TargetKind, target: str) -> Iterator[str]:
        region = self._region(vpc_id)
        if kind is TargetKind.PEERING:
            self._wants.add(NetworkKind.PEERINGS, region, Chosen.BY_ID, target)
            yield from filter(None, (self._far_region(vpc_id, target),))
        elif kind is TargetKind.TRANSIT_GATEWAY:
            self._wants.add(NetworkKind.TRANSIT_ATTACHMENTS, region, Chosen.BY_GATEWAY, target)
            for attachment in self._peers_of(target):
                yield from filter(None, (self._wants.region_across(attachment, region),))

    def _leave(self, subnet: Subnet | None, to: Endpoint) -> bool:
        """Follow the table of a subnet."""
        table = self._snapshot.table_of(subnet) if subnet else None
        if subnet is None or table is None:
            return True
        place = (table.id, to.vpc_id, to.address)
        if place not in self._walked:
            self._walked[place] = False  # a way that comes back here leads nowhere new
            self._walked[place] = self._follow_table(table, subnet, to)
        return self._walked[place]

    def _follow_table(self, table: RouteTable, subnet: Subnet, to: Endpoint) -> bool:
        region = self._region(subnet.vpc_id)
        if self._wants.add(NetworkKind.PREFIX_LISTS, region, Chosen.BY_ID, *unread_lists(table)):
            return True
        choice = choose(table, to.address)
        if choice is None or choice.route.kind is TargetKind.INTERNET:
            if to.vpc_id:
                self._ask_what_joins(subnet.vpc_id, to.vpc_id)
            return False
        follow = _FOLLOW.get(choice.route.kind)
        return follow is not None and follow(self, subnet, choice.route.target, to)

    def _ask_what_joins(self, one: str, other: str) -> None:
        """Whether a route is all that is missing between two VPCs."""
        self._wants.add(NetworkKind.PEERINGS, self._region(one), Chosen.BETWEEN_VPCS, one, other)
        for vpc_id in (one, other):
            self._wants.add(NetworkKind.VPC_ATTACHMENTS, self._region(vpc_id), Chosen.BY_VPC, vpc_id)

    def _over_peering(self, subnet: Subnet, target: str, to: Endpoint) -> bool:
        if self._wants.add(NetworkKind.PEERINGS, self._region(subnet.vpc_id), Chosen.BY_ID, target):
            return True
        peering = (self._snapshot.peerings or {}).get(target)
        far = peering.far_side(subnet.vpc_id) if peering else None
        if far is None or to.vpc_id or not any(cidr.holds(to.address) for cidr in far.cidrs):
            return False
        return self._wants.vpc(far.vpc_id, far.region) or self._ask_there(far.region, to)

    def _over_vpn_gateway(self, subnet: Subnet, target: str, to: Endpoint) -> bool:
        region = self._region(subnet.vpc_id)
        self._wants.add(NetworkKind.VPN_GATEWAYS, region, Chosen.BY_ID, target)
        if not to.vpc_id:
            self._wants.vpn_gateway_links(target, region)
        return True

    def _through_appliance(self, subnet: Subnet, target: str, to: Endpoint) -> bool:
        chosen = Chosen.BY_INSTANCE if target.startswith("i-") else Chosen.BY_ID
        self._wants.add(NetworkKind.INTERFACES, self._region(subnet.vpc_id), chosen, target)
        behind = [each.subnet_id for each in self._interfaces.values() if target in (each.id, each.instance_id)]
        return self._leave(self._snapshot.subnets.get(behind[0]) if behind else None, to)

    def _through_nat(self, subnet: Subnet, target: str, to: Endpoint) -> bool:
        self._wants.add(NetworkKind.NAT_GATEWAYS, self._region(subnet.vpc_id), Chosen.BY_ID, target)
        behind = self._snapshot.nat_subnets.get(target, "")
        return self._leave(self._snapshot.subnets.get(behind), to)

    def _over_transit_gateway(self, subnet: Subnet, target: str, to: Endpoint) -> bool:
        region = self._region(subnet.vpc_id)
        if self._wants.transit_gateway(target, region):
            return True
        near = self._snapshot.vpc_attachment(target, subnet.vpc_id)
        return near is not None and self._look_up(target, near.id, to, region)

    def _look_up(self, gateway_id: str, attachment_id: str, to: Endpoint, region: str) -> bool:
        """Follow the table of the attachment a packet came in by."""
        attachment = self._attachment(gateway_id, attachment_id)
        place = (f"{gateway_id} {attachment_id}", to.vpc_id, to.address)
        if attachment is not None and attachment.table_id and place not in self._walked:
            self._walked[place] = False
            self._walked[place] = self._follow_transit_table(attachment, to, region)
        return self._walked.get(place, False)

    def _follow_transit_table(self, attachment: Attachment, to: Endpoint, region: str) -> bool:
        if self._wants.transit_table(attachment.table_id, region):
            return True
        table = self._snapshot.transit_tables.get(attachment.table_id)
        route = choose_transit_route(table, to.address) if table is not None else None
        if route is None or route.state == "blackhole":
            if to.vpc_id and self._snapshot.vpc_attachment(attachment.gateway_id, to.vpc_id) is None:
                self._ask_peers(attachment.gateway_id, region)
            return False
        hops = [self._attachment(attachment.gateway_id, attachment_id) for attachment_id, _, _ in route.attachments]
        reached = [self._by_attachment(hop, to, region) for hop in hops if hop is not None]
        return any(reached)

    def _by_attachment(self, hop: Attachment, to: Endpoint, region: str) -> bool:
        """Leave a transit gateway: into a VPC, to a site, or over a peering to the next one."""
        if hop.kind == "vpc":
            return self._into_vpc(hop, to, region)
        if hop.kind in SITE_KINDS and not to.vpc_id:
            self._to_site(hop, region)
            return True
        if hop.kind not in PEERINGS:
            return False
        far = self._wants.region_across(hop, region)
        if not far or self._wants.transit_gateway(hop.resource_id, far):
            return True
        return self._look_up(hop.resource_id, hop.id, to, far)

    def _into_vpc(self, hop: Attachment, to: Endpoint, region: str) -> bool:
        if self._wants.vpc(hop.resource_id, region) or self._ask_there(region, to):
            return True
        far = self._snapshot.vpc_attachment(hop.gateway_id, hop.resource_id)
        subnets = [self._snapshot.subnets.get(subnet_id) for subnet_id in (far.subnet_ids if far else ())]
        reached = [self._leave(subnet, to) for subnet in subnets if subnet is not None]
        return any(reached)

    def _to_site(self, hop: Attachment, region: str) -> None:
        """The links to a site, and what becomes of packets that come in by them."""
        self._wants.attachment_links(hop, region)
        for hsm in self._there:
            self._look_up(hop.gateway_id, hop.id, hsm, region)

    def _try_doors(self, vpc_id: str) -> None:
        """Whether a site could reach the VPC by any gateway, where no route says so."""
        region = self._region(vpc_id)
        self._wants.add(NetworkKind.VPN_GATEWAYS, region, Chosen.BY_VPC, vpc_id)
        self._wants.add(NetworkKind.VPC_ATTACHMENTS, region, Chosen.BY_VPC, vpc_id)
        for found in self._snapshot.vpc_attachments or ():
            if found.vpc_id == vpc_id:
                self._wants.transit_gateway(found.gateway_id, region)
        for door in doors_of(self._snapshot, vpc_id):
            if not door.attachments:
                self._wants.vpn_gateway_links(door.gateway_id, region)
            for attachment in door.attachments:
                self._to_site(attachment, region)

    def _ask_peers(self, gateway_id: str, region: str) -> None:
        """Whether a VPC that no route leads to is attached to a gateway across a peering."""
        for attachment in self._peers_of(gateway_id):
            far = self._wants.region_across(attachment, region)
            if far:
                self._wants.add(NetworkKind.VPC_ATTACHMENTS, far, Chosen.BY_GATEWAY, attachment.resource_id)

    def _ask_there(self, region: str, to: Endpoint) -> bool:
        """Whether an address that nobody has in the cluster's Region is somebody's in another one."""
        if to.vpc_id or not region or all(to.address != client.address for client in self._ends.clients):
            return False
        return self._wants.add(NetworkKind.INTERFACES, region, Chosen.BY_ADDRESS, str(to.address))

    def _attachment(self, gateway_id: str, attachment_id: str) -> Attachment | None:
        return (self._snapshot.attachments or {}).get((gateway_id, attachment_id))

    def _peers_of(self, gateway_id: str) -> list[Attachment]:
        attachments = (self._snapshot.attachments or {}).values()
        return [each for each in attachments if each.gateway_id == gateway_id and each.kind in PEERINGS]

    def _far_region(self, vpc_id: str, peering_id: str) -> str:
        peering = (self._snapshot.peerings or {}).get(peering_id)
        return peering.far_side(vpc_id).region if peering else ""

    def _region(self, vpc_id: str) -> str:
        return self._regions.get(vpc_id, self._ends.region)


_FOLLOW: dict[TargetKind, Callable[[_Walk, Subnet, str, Endpoint], bool]] = {
    TargetKind.PEERING: _Walk._over_peering,
    TargetKind.TRANSIT_GATEWAY: _Walk._over_transit_gateway,
    TargetKind.VPN_GATEWAY: _Walk._over_vpn_gateway,
    TargetKind.INTERFACE: _Walk._through_appliance,
    TargetKind.NAT: _Walk._through_nat,
}
