"""Puts the services of clusters together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hsmctl.settings import Context, ContextKind

if TYPE_CHECKING:
    from hsmctl.adapters.aws import Aws, CloudHsmPlane
    from hsmctl.domain.cluster import Cluster
    from hsmctl.domain.plan import Action
    from hsmctl.ports import Authority, Clock, HardwareIdentity
    from hsmctl.services.cluster import ClusterService
    from hsmctl.services.cluster_change import ClusterChanges
    from hsmctl.services.estate import Place
    from hsmctl.services.hsm import HsmService
    from hsmctl.services.interlock import Interlocks
    from hsmctl.services.lifecycle import Lifecycle
    from hsmctl.services.operation import Operations, Playbook, Runner

_LAB_LOOK_SECONDS = 0.05
_LOOK_SECONDS = 15.0
_TRIES_IN_EACH = 2


def cluster_service(
    aws: Aws,
    context: Context,
    clock: Clock,
    operations: Operations,
    interlocks: Callable[[], Interlocks],
    more: Callable[[], Mapping[Action, Runner]],
) -> ClusterService:
    """Clusters, HSMs and backups; `interlocks`, and the runners of `more` steps, are asked for when they are needed."""
    from hsmctl.adapters.aws_edit import AwsClusterEdits
    from hsmctl.services.cluster import ClusterService
    from hsmctl.services.lifecycle import Lifecycle

    edits = AwsClusterEdits(aws.changing)
    lifecycle = Lifecycle(clock=clock, plane=aws.plane, edits=edits, every=look_seconds(context))
    return ClusterService(
        clock=clock,
        plane=aws.plane,
        identity=aws.identity(context.account_id),
        operations=operations,
        lifecycle=lifecycle,
        playbook=lambda: _playbook(lifecycle, interlocks(), more()),
        wanted=context.clusters,
    )


def cluster_changes(aws: Aws, context: Context, clock: Clock, interlocks: Interlocks) -> ClusterChanges:
    """Plans about whole clusters."""
    from hsmctl.adapters.aws_cluster import AwsGrounds
    from hsmctl.services.cluster_change import ClusterChanges
    from hsmctl.services.draft import Drafts

    plane = aws.plane
    return ClusterChanges(
        plane=plane,
        drafts=Drafts(clock=clock, plane=plane, identity=aws.identity(context.account_id)),
        interlocks=interlocks,
        grounds=AwsGrounds(lambda service: aws.client(service, plane.region)),
    )


def hsm_service(aws: Aws, context: Context, clock: Clock, interlocks: Interlocks) -> HsmService:
    """Plans about HSMs."""
    from hsmctl.services.draft import Drafts
    from hsmctl.services.hsm import HsmService

    drafts = Drafts(clock=clock, plane=aws.plane, identity=aws.identity(context.account_id))
    return HsmService(drafts=drafts, interlocks=interlocks, price=context.price_per_hour)


def look_seconds(context: Context) -> float:
    """How long to wait between two looks at something that takes its time."""
    return _LAB_LOOK_SECONDS if context.kind is ContextKind.LAB else _LOOK_SECONDS


def _playbook(lifecycle: Lifecycle, interlocks: Interlocks, more: Mapping[Action, Runner]) -> Playbook:
    """How plans about clusters and their HSMs are carried out."""
    from hsmctl.services.hsm_life import HsmLife
    from hsmctl.services.operation import Playbook

    life = HsmLife(
        clock=lifecycle.clock,
        plane=lifecycle.plane,
        cluster=lifecycle.cluster,
        counts=interlocks.counts,
        every=lifecycle.every,
    )
    runners = {**lifecycle.runners(), **life.runners(), **more}
    return Playbook(runners, interlocks.readers())


def places(aws: Aws, context: Context, regions: Sequence[str], *, everywhere: bool, named: bool) -> list[Place]:
    """The regions to list clusters of: those named, all that CloudHSM is in, or the context's own.

    A listing of many places asks each of them once more at most: the others are not kept waiting for one that fails.
    """
    from hsmctl.services.estate import Place

    wanted = aws.regions() if everywhere else list(regions) or [aws.plane.region]
    planes = [aws.plane_in(region, _TRIES_IN_EACH) for region in wanted]
    ids = () if everywhere or regions else context.clusters
    return [Place(context.name if named else "", plane.region, partial(_standing, plane, ids)) for plane in planes]


def _standing(plane: CloudHsmPlane, ids: Sequence[str]) -> Sequence[Cluster]:
    """The clusters of a region that are not deleted."""
    from hsmctl.domain.cluster import ClusterState

    return [cluster for cluster in plane.clusters(ids) if cluster.state is not ClusterState.DELETED]


def lab_authority(context: Context) -> Authority | None:
    """The lab's own customer CA, made on first use; elsewhere the ceremony brings the operator's."""
    if context.kind is not ContextKind.LAB or context.customer_ca is None:
        return None
    from hsmctl.adapters.authority import SoftwareAuthority

    return SoftwareAuthority.in_lab(context.customer_ca.parent)


def hardware_identity(roots: Sequence[Path], clock: Clock) -> HardwareIdentity | None:
    """Verifies hardware against the AWS root and the manufacturer's, where both are named."""
    if len(roots) != 2:
        return None
    from hsmctl.adapters.identity import Hardware

    return Hardware(aws_root=roots[0], manufacturer_root=roots[1], clock=clock)
