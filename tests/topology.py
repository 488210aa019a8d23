"""The lab's networks for tests: where three HSMs are, and every fault in every network it can happen in."""

from __future__ import annotations

import pytest

from hsmctl.lab.ground import Ground, Stand, Topology
from hsmctl.lab.net_fault import NET_FAULTS

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
CASES = [
    pytest.param(topology, name, id=f"{topology} {name}")
    for name, fault in NET_FAULTS.items()
    for topology in fault.codes
]


def ground(topology: Topology) -> Ground:
    """Three HSMs in three zones."""
    hsms = [
        Stand(hsm_id=f"hsm-{place}", zone=zone, eni_id=f"eni-{place}", address=f"127.77.{place}.10", group_id="sg-hsm")
        for place, zone in enumerate(ZONES, 1)
    ]
    return Ground(
        topology=topology,
        region="us-east-1",
        account_id="111122223333",
        vpc_id="vpc-0123456789abcdef0",
        network=77,
        subnets={zone: f"subnet-{place}" for place, zone in enumerate(ZONES, 1)},
        groups=("sg-hsm",),
        hsms=tuple(hsms),
    )
