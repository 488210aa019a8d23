"""What must be true of a cluster's place before it is created (user guide, create-cluster; CloudHSM quotas)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hsmctl.domain.plan import Precondition
from hsmctl.errors import UsageError

HSM_TYPE = "hsm2m.medium"
MODES = ("FIPS", "NON_FIPS")
NETWORK_TYPES = ("IPV4", "DUALSTACK")
RETENTION_DAYS = range(7, 380)
MOST_SUBNETS = 10
DOCUMENTED_CLUSTERS = 4
"""Clusters of an account in a region, adjustable (user guide, limits)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet as EC2 describes it."""

    subnet_id: str
    vpc_id: str
    zone: str
    free: int | None
    """Addresses that nobody has."""
    ipv6: bool = False
    """Whether it has an IPv6 prefix."""


@dataclass(frozen=True, slots=True)
class Quota:
    """How many of something there may be, and whose word that is."""

    value: int
    documented: bool
    """Whether it is the user guide's figure, which says nothing of this account."""


def check_wanted(hsm_type: str, mode: str, subnets: Sequence[str], days: int | None) -> None:
    """Refuse what no account can have.

    Raises:
        UsageError: the type is not created any more, the mode or the retention is none, or there are too many subnets.
    """
    if hsm_type == "hsm1.medium":
        raise UsageError(hsm_type, "AWS creates no such clusters since April 2025", f"--type {HSM_TYPE}")
    if mode not in MODES:
        raise UsageError(f"mode {mode}", f"it is {' or '.join(MODES)}, and stays for ever", "--mode FIPS")
    if not 1 <= len(subnets) <= MOST_SUBNETS:
        raise UsageError(
            f"{len(subnets)} subnets", f"a cluster takes 1 to {MOST_SUBNETS}", "--subnet, one for each zone"
        )
    if days is not None and days not in RETENTION_DAYS:
        raise UsageError(f"{days} days", "backups are kept 7 to 379 days", "--retention 90")


def place(wanted: Sequence[str], subnets: Sequence[Subnet], network_type: str) -> tuple[Precondition, ...]:
    """What must be true of the subnets: known, in one VPC, one for each zone, with room, with IPv6 where wanted."""
    known = {subnet.subnet_id for subnet in subnets}
    zones = Counter(subnet.zone for subnet in subnets)
    vpcs = sorted({subnet.vpc_id for subnet in subnets})
    checks = [
        ("the subnets exist", [name for name in wanted if name not in known], "aws ec2 describe-subnets"),
        ("they are in one VPC", vpcs if len(vpcs) > 1 else [], "name subnets of one VPC"),
        ("no zone has two of them", [zone for zone, count in zones.items() if count > 1], "one subnet for each zone"),
        (
            "each has a free address",
            [f"{subnet.subnet_id} has none" for subnet in subnets if subnet.free == 0],
            "free some, or name other subnets",
        ),
    ]
    if network_type == "DUALSTACK":
        without = [subnet.subnet_id for subnet in subnets if not subnet.ipv6]
        checks.append(("each has an IPv6 prefix", without, "--network-type IPV4, or give the subnets a prefix"))
    return tuple(
        Precondition(what=what, holds=not against, why=", ".join(against), way_out=way_out)
        for what, against, way_out in checks
    )


def room(clusters: int, quota: Quota) -> Precondition:
    """One more cluster fits the quota; the documented figure is only said, because accounts have others."""
    whose = "documented; Service Quotas could not be read" if quota.documented else "Service Quotas"
    return Precondition(
        what="the account has room for one more cluster",
        holds=quota.documented or clusters < quota.value,
        why=f"{clusters} of {quota.value} ({whose})",
        way_out="have the quota raised: Service Quotas, AWS CloudHSM",
    )


def two_zones(subnets: Sequence[Subnet]) -> Precondition:
    """It can stand in two zones: a cluster cannot be given further subnets afterwards."""
    zones = sorted({subnet.zone for subnet in subnets})
    return Precondition(
        what="it can stand in two zones",
        holds=len(zones) >= 2,
        why=", ".join(zones),
        way_out="--allow-single-az REASON; subnets cannot be added afterwards",
        waiver="--allow-single-az",
    )
