"""What creating and changing clusters asks beside the control plane: small edits, subnets, quotas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hsmctl.domain.preflight import Quota, Subnet


class ClusterEdits(Protocol):
    """Changes of clusters, and of the tags of clusters and backups, that make nothing new."""

    def keep_backups(self, cluster_id: str, days: int) -> None:
        """Change how long backups are kept."""
        ...

    def change_type(self, cluster_id: str, hsm_type: str) -> None:
        """Begin to move every HSM to another type, or back."""
        ...

    def tag(self, resource_id: str, tags: Mapping[str, str]) -> None:
        """Set these tags."""
        ...

    def untag(self, resource_id: str, names: Sequence[str]) -> None:
        """Take these tags away; harmless where they are missing."""
        ...


class Grounds(Protocol):
    """Where clusters can be put."""

    def subnets(self, ids: Sequence[str]) -> tuple[Subnet, ...]:
        """These subnets; unknown ones are left out.

        Raises:
            Denied: IAM does not allow ec2:DescribeSubnets.
            Unreachable: EC2 did not answer.
        """
        ...

    def quota(self) -> Quota:
        """How many clusters the account may have in this region: Service Quotas' word, else the documented figure."""
        ...
