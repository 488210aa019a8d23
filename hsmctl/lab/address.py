"""Which address of a subnet the next HSM gets."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Network

_RESERVED_HOSTS = 3
"""What AWS keeps for itself of every subnet, from .1 (VPC user guide, subnet sizing)."""
_FIRST_HOST = 10
"""The first address that is given away unasked."""


def free_address(subnet: IPv4Network, used: Collection[str], wanted: str | None) -> str | None:
    """An address of the subnet nobody uses (the wanted one or none), or None."""
    hosts = [str(host) for host in subnet.hosts()]
    choice = hosts[_RESERVED_HOSTS:] if wanted else hosts[_FIRST_HOST - 1 :]
    return next((host for host in choice if host not in used and wanted in (None, host)), None)
