"""The lab's VPC, subnets, security groups and HSM interfaces inside moto's EC2, under the ids our own service shows.

They are put into moto, not answered beside it, because everything else there refers to them: routes, peerings, network
ACLs, filters. What our service no longer has is taken out again. Refuses to know who asks EC2 for what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from ipaddress import IPv4Network
from typing import Any

from hsmctl.lab.cloudhsm_scene import Site
from hsmctl.lab.cloudhsm_state import ClusterRecord, HsmRecord

_VPC_PREFIX = 18
"""As in the lab's network document (`ground`); the rest of the lab's addresses is for the clients' side."""
_GROUP_PREFIX = "cloudhsm-cluster-"
_INTERFACE_PREFIX = "CloudHSM "

Clusters = Callable[[], Sequence[ClusterRecord]]
"""The clusters of the home region as they are now."""


class NetworkMirror:
    """A lab.motoservice.Preparation for EC2."""

    def __init__(self, site: Site, clusters: Clusters) -> None:
        self._site = site
        self._clusters = clusters

    def __call__(self, region: str) -> None:
        """Make a region's EC2, and in the home region bring it up to date."""
        from moto.ec2.models import ec2_backends

        account = ec2_backends[self._site.account_id]
        for name in {region, self._site.region}:
            if name in account.regions:
                # The default VPC of a region must get the same ids whoever comes first, in every life of the lab.
                _seed(f"{self._site.account_id}/{name}")
                backend = account[name]
                if name == self._site.region:
                    self._mirror(backend)

    def _mirror(self, backend: Any) -> None:  # noqa: ANN401 - moto has no types
        if self._site.vpc_id not in backend.vpcs:
            self._make_vpc(backend)
        clusters = self._clusters()
        groups = {cluster.security_group: cluster.cluster_id for cluster in clusters}
        interfaces = {hsm.eni_id: (hsm, cluster) for cluster in clusters for hsm in cluster.hsms.values()}
        self._mirror_groups(backend, groups)
        for eni_id in [eni_id for eni_id in _ours(backend) if eni_id not in interfaces]:
            backend.delete_network_interface(eni_id)
        for eni_id, (hsm, cluster) in interfaces.items():
            if eni_id not in backend.enis:
                _make_interface(backend, hsm, cluster)

    def _make_vpc(self, backend: Any) -> None:  # noqa: ANN401 - moto has no types
        subnets = self._site.subnets
        network = IPv4Network(next(iter(subnets.values())).cidr).supernet(new_prefix=_VPC_PREFIX)
        with _naming("vpcs.random_vpc_id", self._site.vpc_id):
            backend.create_vpc(str(network), tags=[{"Key": "Name", "Value": "hsmctl lab"}])
        for zone, subnet in subnets.items():
            with _naming("subnets.random_subnet_id", subnet.subnet_id):
                backend.create_subnet(self._site.vpc_id, subnet.cidr, availability_zone=zone)

    def _mirror_groups(self, backend: Any, wanted: Mapping[str, str]) -> None:  # noqa: ANN401 - moto has no types
        """Give each cluster its security group (user guide, configure-sg)."""
        there = backend.groups[self._site.vpc_id]
        for group in [group for group in there.values() if group.name.startswith(_GROUP_PREFIX)]:
            if group.id not in wanted:
                del there[group.id]
        for group_id, cluster_id in wanted.items():
            if group_id not in there:
                _make_group(backend, group_id, cluster_id, self._site.vpc_id)


def _make_group(backend: Any, group_id: str, cluster_id: str, vpc_id: str) -> None:  # noqa: ANN401 - moto has no types
    _seed(group_id)
    name = f"{_GROUP_PREFIX}{cluster_id}-sg"
    with _naming("security_groups.random_security_group_id", group_id):
        backend.create_security_group(name, "CloudHSM cluster security group", vpc_id=vpc_id)
    members = [{"GroupId": group_id}]
    backend.authorize_security_group_ingress(group_id, "tcp", "2223", "2225", [], source_groups=members, vpc_id=vpc_id)


def _make_interface(backend: Any, hsm: HsmRecord, cluster: ClusterRecord) -> None:  # noqa: ANN401 - moto has no types
    _seed(hsm.eni_id)
    with _naming("elastic_network_interfaces.random_eni_id", hsm.eni_id):
        interface = backend.create_network_interface(
            hsm.subnet_id,
            hsm.address,
            group_ids=[cluster.security_group],
            description=f"{_INTERFACE_PREFIX}{cluster.cluster_id} {hsm.hsm_id}",
        )
    interface.requester_managed = True
    interface.status = "in-use"


def _ours(backend: Any) -> list[str]:  # noqa: ANN401 - moto has no types
    """The interfaces that were put there."""
    return [eni_id for eni_id, eni in backend.enis.items() if eni.description.startswith(_INTERFACE_PREFIX)]


def _seed(seed: str) -> None:
    from moto.moto_api._internal import mock_random

    mock_random.seed(seed)


@contextmanager
def _naming(maker: str, identifier: str) -> Iterator[None]:
    """Let moto's maker of identifiers, `module.function` below its EC2 models, give out this one meanwhile."""
    module_name, _, function = maker.partition(".")
    module = import_module(f"moto.ec2.models.{module_name}")
    usual = getattr(module, function)
    setattr(module, function, lambda: identifier)
    try:
        yield
    finally:
        setattr(module, function, usual)
