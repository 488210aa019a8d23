"""Finding both ends of a connection in a snapshot, or saying why one is not there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hsmctl.domain.cluster import Hsm, HsmState
from hsmctl.domain.net_cidr import Address
from hsmctl.domain.net_code import Code, Severity
from hsmctl.domain.net_endpoint import Client, ClientKind, Endpoint, Interface
from hsmctl.domain.net_finding import Direction, Finding, aws, make
from hsmctl.domain.net_gap import gap
from hsmctl.domain.net_snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Located:
    """An end of a connection, None where there is none to speak of, and what is the matter with it."""

    endpoint: Endpoint | None
    findings: tuple[Finding, ...] = ()


def locate_hsm(snapshot: Snapshot, hsm: Hsm, family: int, group_id: str = "") -> Located:
    """Where an HSM answers: the interface the cluster lists for it (CloudHSM user guide, "Cluster architecture").

    `group_id` is the cluster's security group, "" where it is not known.
    """
    state = _judge_state(hsm)
    if not hsm.eni_id:
        return Located(None, state or (_unread("Hsms", f"the interface of {hsm.hsm_id}"),))
    if snapshot.interfaces is None:
        return Located(None, (*state, _unread("NetworkInterfaces", f"interface {hsm.eni_id}")))
    interface = snapshot.interfaces.get(hsm.eni_id)
    if interface is None:
        return Located(None, (*state, _no_interface(hsm)))
    address = _parse(hsm.address if family == 4 else hsm.address6) or interface.address(family)
    if address is None:
        missing = _no_ipv6(hsm) if family == 6 else _unread("NetworkInterfaces", f"the IPv4 address of {hsm.eni_id}")
        return Located(None, (*state, missing))
    detached = _judge_group(hsm, interface, group_id)
    found = _place(snapshot, hsm.hsm_id, address, interface)
    return Located(found.endpoint, (*state, *detached, *found.findings))


def locate_client(snapshot: Snapshot, client: Client, family: int, hsm: Endpoint | None) -> Located:
    """Where a client sends from: its interface, or its address outside AWS."""
    if client.address is not None:
        return _locate_address(snapshot, client, client.address, family)
    if snapshot.interfaces is None:
        return Located(None, (_unread("NetworkInterfaces", f"client {client.name}"),))
    interface = snapshot.interfaces.get(client.name)
    findings: tuple[Finding, ...] = ()
    if client.kind is ClientKind.INSTANCE:
        interface, findings = _choose_interface(snapshot, client, hsm)
    if interface is None:
        return Located(None, (_not_found(client.name),))
    address = interface.address(family)
    if not interface.addresses:
        return Located(None, (*findings, _unread("NetworkInterfaces", f"the addresses of {interface.id}")))
    if address is None:
        return Located(None, (*findings, _no_address(client.name, family, interface.id)))
    found = _place(snapshot, client.name, address, interface)
    return Located(found.endpoint, (*findings, *found.findings))


def platform_of(snapshot: Snapshot, client: Client) -> str:
    """linux, windows, or "" where neither the question nor the snapshot says."""
    instance = (snapshot.instances or {}).get(client.name)
    return client.platform or (instance.platform if instance else "")


def _locate_address(snapshot: Snapshot, client: Client, address: Address, family: int) -> Located:
    """An address belongs to the one interface that has it; an address no interface has is outside AWS."""
    if address.family != family:
        return Located(None, (_no_address(client.name, family, client.name),))
    if client.kind is ClientKind.CIDR:
        return Located(Endpoint(name=client.name, address=address))
    owners = [
        interface
        for interface in snapshot.interfaces_at(address)
        if not client.vpc_id or snapshot.vpc_of(interface) == client.vpc_id
    ]
    if len(owners) == 1:
        return _place(snapshot, client.name, address, owners[0])
    if owners or client.vpc_id:
        return Located(None, (_not_found(client.name),))
    return Located(Endpoint(name=client.name, address=address))


def _choose_interface(
    snapshot: Snapshot, client: Client, hsm: Endpoint | None
) -> tuple[Interface | None, tuple[Finding, ...]]:
    """An instance sends by its interface in the HSM's subnet, else by its first (amazon-ec2-net-utils)."""
    own = [each for each in (snapshot.interfaces or {}).values() if each.instance_id == client.name]
    own.sort(key=lambda each: each.device_index)
    connected = [each for each in own if hsm is not None and hsm.subnet and each.subnet_id == hsm.subnet.id]
    chosen = next(iter((*connected, *own)), None)
    findings = []
    instance = (snapshot.instances or {}).get(client.name)
    if instance is not None and instance.state not in ("", "running"):
        findings.append(_not_running(client.name, instance.state))
    if chosen is not None and len(own) > 1:
        findings.append(_several(client.name, chosen, own))
    return chosen, tuple(findings)


def _place(snapshot: Snapshot, name: str, address: Address, interface: Interface) -> Located:
    subnet = snapshot.subnets.get(interface.subnet_id)
    if subnet is None:
        return Located(None, (_unread("Subnets", f"subnet {interface.subnet_id}"),))
    return Located(Endpoint(name=name, address=address, interface=interface, subnet=subnet))


def _parse(text: str | None) -> Address | None:
    """The address of an HSM as DescribeClusters writes it, or None where it is none."""
    try:
        return Address.parse(text) if text else None
    except ValueError:
        return None


def _judge_state(hsm: Hsm) -> tuple[Finding, ...]:
    """An ACTIVE HSM answers, a DEGRADED one may, no other does."""
    if hsm.state is HsmState.ACTIVE:
        return ()
    if not hsm.state:
        return (_unread("Hsms", f"the state of {hsm.hsm_id}"),)
    found = make(
        Code.HSM_NOT_ACTIVE,
        Direction.BOTH,
        f"HSM {hsm.hsm_id} is {hsm.state.upper()}{': ' + hsm.message if hsm.message else ''}.",
        evidence=(hsm.hsm_id,),
        fix="hsmctl hsm list",
    )
    return (replace(found, severity=Severity.WARN) if hsm.state is HsmState.DEGRADED else found,)


def _no_interface(hsm: Hsm) -> Finding:
    return make(
        Code.HSM_ENI_MISSING,
        Direction.BOTH,
        f"the cluster lists {hsm.eni_id} for {hsm.hsm_id}, and EC2 does not know it.",
        evidence=(hsm.hsm_id, hsm.eni_id),
        fix=aws("ec2", "describe-network-interfaces", "--network-interface-ids", hsm.eni_id),
    )


def _no_ipv6(hsm: Hsm) -> Finding:
    return make(
        Code.HSM_NO_IPV6,
        Direction.BOTH,
        f"HSM {hsm.hsm_id} has no IPv6 address: the cluster is not dual-stack.",
        evidence=(hsm.hsm_id, hsm.eni_id),
        fix="hsmctl net explain --family 4",
    )


def _judge_group(hsm: Hsm, interface: Interface, group_id: str) -> tuple[Finding, ...]:
    if not group_id or interface.group_ids is None or group_id in interface.group_ids:
        return ()
    groups = (*interface.group_ids, group_id)
    verb = "modify-network-interface-attribute"
    return (
        make(
            Code.HSM_SG_DETACHED,
            Direction.FORWARD,
            f"{interface.id} of {hsm.hsm_id} does not carry the cluster's security group {group_id}.",
            evidence=(interface.id, group_id),
            fix=aws("ec2", verb, "--network-interface-id", interface.id, "--groups", *groups),
        ),
    )


def _not_found(name: str) -> Finding:
    return make(
        Code.CLIENT_NOT_FOUND,
        Direction.BOTH,
        f"client {name} is no interface here: it does not exist, or not in these accounts and Regions.",
        evidence=(name,),
        fix=aws("ec2", "describe-network-interfaces", "--filters", f"Name=addresses.private-ip-address,Values={name}"),
    )


def _no_address(name: str, family: int, identifier: str) -> Finding:
    return make(
        Code.CLIENT_NO_ADDRESS,
        Direction.BOTH,
        f"client {name} has no IPv{family} address.",
        evidence=(identifier,),
        fix=f"hsmctl net explain --family {10 - family}",
    )


def _not_running(name: str, state: str) -> Finding:
    return make(
        Code.CLIENT_NOT_RUNNING,
        Direction.FORWARD,
        f"instance {name} is {state}; the path is judged as if it ran.",
        evidence=(name,),
        fix=aws("ec2", "start-instances", "--instance-ids", name),
    )


def _several(name: str, chosen: Interface, own: list[Interface]) -> Finding:
    others = [each.id for each in own if each.id != chosen.id]
    return make(
        Code.CLIENT_MULTI_ENI,
        Direction.FORWARD,
        f"instance {name} has {len(own)} interfaces; {chosen.id} is judged, {', '.join(others)} not.",
        evidence=(name, chosen.id, *others),
        fix=f"hsmctl net explain --client {others[0]}",
    )


def _unread(section: str, what: str) -> Finding:
    return gap(section, what, Direction.BOTH)
