"""What every operation of the emulated CloudHSMv2 service works with: records, the moment, the site, the machines.

Knows how the service finds things, refuses and pages. Refuses to know what any one operation does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from hsmctl.domain.cluster import BackupState, ClusterState
from hsmctl.lab.cloudhsm_state import BackupRecord, ClusterRecord, Region, State
from hsmctl.lab.machines import Machines
from hsmctl.lab.shapes import Members
from hsmctl.lab.wire import AwsError

INVALID = "CloudHsmInvalidRequestException"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """One zone's subnet."""

    subnet_id: str
    cidr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the lab's clusters stand."""

    account_id: str
    region: str
    """The home region; others hold no subnets, only copies of backups."""
    vpc_id: str
    subnets: Mapping[str, Subnet]
    """By Availability Zone name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One operation's view of the service."""

    state: State
    region: Region
    now: float
    """Seconds since the epoch, the same throughout the operation."""
    delay: float
    """Seconds a state transition takes."""
    site: Site
    machines: Machines
    pki: Path
    backups: Path
    """The contents of backups, a folder each."""

    @property
    def moment(self) -> datetime:
        """Now, as certificates want it."""
        return datetime.fromtimestamp(self.now, UTC)

    @property
    def zones(self) -> Mapping[str, str]:
        """The zone of each subnet of this region, by subnet id."""
        if self.region.name != self.site.region:
            return {}
        return {subnet.subnet_id: zone for zone, subnet in self.site.subnets.items()}

    def due(self, since: float) -> bool:
        """Whether a transition that began then is over."""
        return since + self.delay <= self.now

    def cluster(self, cluster_id: str) -> ClusterRecord:
        """The cluster.

        Raises:
            AwsError: it is not there, or no longer.
        """
        cluster = self.region.clusters.get(cluster_id)
        if cluster is None or cluster.state is ClusterState.DELETED:
            raise not_found(f"Cluster '{cluster_id}' does not exist.")
        return cluster

    def backup(self, backup_id: str) -> BackupRecord:
        """The backup.

        Raises:
            AwsError: it is not there, or no longer.
        """
        backup = self.region.backups.get(backup_id)
        if backup is None or backup.state is BackupState.DELETED:
            raise not_found(f"Backup '{backup_id}' does not exist.")
        return backup

    def backup_arn(self, backup_id: str) -> str:
        """The backup's Amazon Resource Name."""
        return f"arn:aws:cloudhsm:{self.region.name}:{self.site.account_id}:backup/{backup_id}"


Operation = Callable[[Scene, Members], Members]
"""What an operation does: its input as the shapes allow it, its output as they ask for it."""


def invalid(message: str) -> AwsError:
    """The refusal of a request that is well formed and makes no sense, wrong states included."""
    return AwsError(INVALID, message)


def not_found(message: str) -> AwsError:
    """The refusal of a request about something that is not there."""
    return AwsError("CloudHsmResourceNotFoundException", message)


def matching(
    asked: Members, records: Sequence[T], filters: Mapping[str, Callable[[T], str | None]]
) -> list[tuple[str, T]]:
    """The records every filter of the request lets pass, each with the value of the first filter: its id.

    Raises:
        AwsError: a filter is none of the operation's.
    """
    wanted: Mapping[str, Sequence[str]] = asked.get("Filters") or {}
    for name in wanted:
        if name not in filters:
            raise invalid(f"The filter '{name}' is not valid; valid filters are {', '.join(filters)}.")
    identify = next(iter(filters.values()))
    return [
        (identify(record) or "", record)
        for record in records
        if all(filters[name](record) in values for name, values in wanted.items())
    ]


def page(asked: Members, items: Sequence[tuple[str, T]], largest: int) -> tuple[list[T], str | None]:
    """One page of the items and the token that the next one starts from: the name of the last item shown.

    Raises:
        AwsError: the token is none of ours.
    """
    names = [name for name, _ in items]
    token = asked.get("NextToken")
    if token and token not in names:
        raise invalid("The NextToken is not valid.")
    start = names.index(token) + 1 if token else 0
    end = start + (asked.get("MaxResults") or largest)
    return [item for _, item in items[start:end]], names[end - 1] if end < len(items) else None
