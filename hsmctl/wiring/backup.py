"""Puts the service of backups together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hsmctl.settings import Context

if TYPE_CHECKING:
    from hsmctl.adapters.aws import Aws
    from hsmctl.ports import Clock
    from hsmctl.services.backup import BackupService


def backup_service(aws: Aws, context: Context, clock: Clock) -> BackupService:
    """The backups of the context's region, and their copies elsewhere."""
    from hsmctl.adapters.aws_backup import AwsBackups
    from hsmctl.services.backup import BackupService
    from hsmctl.services.draft import Drafts
    from hsmctl.wiring.cluster import look_seconds

    plane = aws.plane
    drafts = Drafts(clock=clock, plane=plane, identity=aws.identity(context.account_id), noun="backup")
    return BackupService(
        clock=clock,
        plane=plane,
        drafts=drafts,
        backups=AwsBackups(lambda: plane.region, lambda region: aws.client("cloudhsmv2", region), aws.changing),
        every=look_seconds(context),
    )
