"""What a timeline asks: CloudTrail's event history and the HSMs' audit logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hsmctl.domain.audit import AuditEntry
    from hsmctl.domain.timeline import TrailEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a source answered."""

    events: Sequence[TrailEvent]
    cut: bool = False
    """Whether there was more than is asked for: the oldest are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """What a log stream holds of a time."""

    entries: Sequence[AuditEntry]
    unreadable: int = 0
    """Events that are no audit entries."""


class Trail(Protocol):
    """CloudTrail's event history of a region, which goes back 90 days."""

    def of_service(self, since: datetime, until: datetime) -> Recorded:
        """The events of CloudHSM itself.

        Raises:
            Denied: IAM does not allow cloudtrail:LookupEvents.
            Unreachable: CloudTrail did not answer.
        """
        ...

    def of_resource(self, name: str, since: datetime, until: datetime) -> Recorded:
        """The events that name a resource, such as an interface or a security group.

        Raises:
            Denied: as for `of_service`.
            Unreachable: as for `of_service`.
        """
        ...


class AuditLog(Protocol):
    """The HSMs' audit logs in CloudWatch Logs: group `/aws/cloudhsm/CLUSTER`, one stream for each HSM."""

    def streams(self, cluster_id: str, since: datetime) -> tuple[str, ...]:
        """The HSMs that have logged anything since then, as far as the service knows.

        Raises:
            Conflict: there is no log group.
            Denied: IAM does not allow logs:DescribeLogStreams.
            Unreachable: CloudWatch Logs did not answer.
        """
        ...

    def entries(self, cluster_id: str, hsm_id: str, since: datetime, until: datetime) -> Logged:
        """An HSM's entries.

        Raises:
            Denied: IAM does not allow logs:FilterLogEvents.
            Unreachable: CloudWatch Logs did not answer.
        """
        ...
