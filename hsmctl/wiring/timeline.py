"""Puts the history of clusters together: CloudTrail, the audit logs, this machine's journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hsmctl.settings import Context

if TYPE_CHECKING:
    from hsmctl.adapters.aws import Aws
    from hsmctl.ports import Clock, Journal
    from hsmctl.services.timeline import TimelineService


def timeline_service(aws: Aws, context: Context, clock: Clock, journal: Journal) -> TimelineService:
    """What happened to the clusters of the context's region."""
    from hsmctl.adapters.aws_trail import AwsAuditLog, AwsTrail
    from hsmctl.services.timeline import TimelineService

    plane = aws.plane
    return TimelineService(
        clock=clock,
        plane=plane,
        trail=AwsTrail(lambda: aws.client("cloudtrail", plane.region)),
        audit=AwsAuditLog(lambda: aws.client("logs", plane.region)),
        journal=journal,
        identity=aws.identity(context.account_id),
    )
