"""Puts the services of clusters together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hsmctl.settings import Context, ContextKind

if TYPE_CHECKING:
    from hsmctl.adapters.aws import Aws
    from hsmctl.ports import Authority, Clock, HardwareIdentity, Journal
    from hsmctl.services.cluster import ClusterService

_LAB_LOOK_SECONDS = 0.05
_LOOK_SECONDS = 15.0


def cluster_service(
    aws: Aws, context: Context, clock: Clock, journal: Journal, state_folder: Path, guard: Callable[[], str | None]
) -> ClusterService:
    """Clusters, HSMs and backups; `guard` refuses a change that the context forbids."""
    from hsmctl.adapters.lock import FileLocks
    from hsmctl.services.cluster import ClusterService
    from hsmctl.services.lifecycle import Lifecycle
    from hsmctl.services.operation import Operations

    identity = aws.identity(context.account_id)
    lifecycle = Lifecycle(
        clock=clock,
        plane=aws.plane,
        every=_LAB_LOOK_SECONDS if context.kind is ContextKind.LAB else _LOOK_SECONDS,
        authority=_authority(context),
        hardware=_hardware(context, clock),
    )
    operations = Operations(
        clock=clock,
        journal=journal,
        locks=FileLocks(state_folder / "locks"),
        identity=identity,
        cluster=lifecycle.cluster,
        new_id=_new_id,
        guard=guard,
    )
    return ClusterService(
        clock=clock,
        plane=aws.plane,
        identity=identity,
        operations=operations,
        lifecycle=lifecycle,
        wanted=context.clusters,
    )


def _authority(context: Context) -> Authority | None:
    """The lab's own customer CA, made on first use; elsewhere the ceremony brings the operator's."""
    if context.kind is not ContextKind.LAB or context.customer_ca is None:
        return None
    from hsmctl.adapters.authority import SoftwareAuthority

    return SoftwareAuthority.in_lab(context.customer_ca.parent)


def _hardware(context: Context, clock: Clock) -> HardwareIdentity | None:
    """Verifies hardware against the context's roots."""
    if len(context.hardware_roots) != 2:
        return None
    from hsmctl.adapters.identity import Hardware

    aws_root, manufacturer_root = context.hardware_roots
    return Hardware(aws_root=aws_root, manufacturer_root=manufacturer_root, clock=clock)


def _new_id() -> str:
    """A fresh operation id, sortable by time."""
    from ulid import ULID

    return str(ULID())
