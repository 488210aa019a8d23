"""The lab's network as AWS's describe_* calls would show it: one document for each way a client can be connected.

`lab up --network NAME` chooses the way: the client in the HSMs' VPC, in a VPC behind a peering or a transit gateway, or
on premises behind a VPN or Direct Connect. A document is made anew each time somebody asks, from where the HSMs are
then. Refuses to know what is broken in it (`net_fault`), and what anybody concludes.
"""

from __future__ import annotations

from hsmctl.domain.network import APART, NetworkKind
from hsmctl.lab.ground import Ground, Topology
from hsmctl.lab.topology_link import LINKS
from hsmctl.lab.topology_part import (
    EVERYWHERE,
    Document,
    acl,
    cluster_group,
    group,
    hsm_interface,
    hsm_subnet,
    hsm_table,
    interface,
    main_table,
    subnet,
    vpc,
)


def healthy(ground: Ground) -> Document:
    """The document of a network in which nothing is wrong."""
    document: Document = {str(kind): {} if kind in APART else [] for kind in NetworkKind}
    document |= {
        "Vpcs": [vpc(ground, ground.vpc_id, ground.vpc_cidr)],
        "Subnets": [hsm_subnet(ground, place, zone) for place, zone in enumerate(ground.subnets, 1)],
        "RouteTables": [hsm_table(ground, zone) for zone in ground.subnets],
        "NetworkAcls": [acl(ground, ground.vpc_id, zone, (subnet,)) for zone, subnet in ground.subnets.items()],
        "SecurityGroups": [cluster_group(ground, group_id) for group_id in ground.groups],
        "NetworkInterfaces": [hsm_interface(ground, hsm) for hsm in ground.hsms],
    }
    document["RouteTables"].append(main_table(ground, ground.vpc_id, ground.vpc_cidr))
    if not ground.topology.on_premises:
        _add_client(document, ground)
    LINKS[ground.topology](document, ground)
    return document


def _add_client(document: Document, ground: Ground) -> None:
    """The client host as an instance of its VPC; in the HSMs' VPC it is a member of the clusters' groups."""
    vpc_id, subnet_id = ground.client_vpc_id, ground.id("subnet", "client")
    group_id, eni_id = ground.id("sg", "client"), ground.id("eni", "client")
    zone = next(iter(ground.subnets))
    outside = ground.topology is not Topology.SAME_VPC
    cidr = ground.client_address.rpartition(".")[0] + ".0/24"
    groups = (group_id,) if outside else (group_id, *ground.groups)
    everywhere = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": EVERYWHERE}]}
    document["Subnets"].append(subnet(ground, vpc_id, subnet_id, zone, cidr))
    document["NetworkAcls"].append(acl(ground, vpc_id, "client", (subnet_id,)))
    document["SecurityGroups"].append(group(ground, group_id, vpc_id, [], [everywhere]))
    document["NetworkInterfaces"].append(
        {
            **interface(ground, eni_id, vpc_id, subnet_id, zone, ground.client_address, groups),
            "Attachment": {"InstanceId": ground.client_name, "DeviceIndex": 0, "Status": "attached"},
        }
    )
    document["Instances"].append(
        {"InstanceId": ground.client_name, "State": {"Name": "running"}, "PlatformDetails": "Linux/UNIX"}
    )
    if outside:
        document["Vpcs"].append(vpc(ground, vpc_id, ground.client_cidr))
        document["RouteTables"].append(main_table(ground, vpc_id, ground.client_cidr))
