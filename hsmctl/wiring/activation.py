"""Puts activation together: cloudhsm-cli on a client host, and the sinks of passwords."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hsmctl.settings import Context

if TYPE_CHECKING:
    from hsmctl.adapters.aws import Aws
    from hsmctl.domain.cluster import Cluster
    from hsmctl.ports import Clock
    from hsmctl.ports_cli import Consoles
    from hsmctl.services.activation import ActivationService


def activation_service(
    aws: Aws, context: Context, clock: Clock, cluster: Callable[[str], Cluster], consoles: Consoles
) -> ActivationService:
    """Activating clusters."""
    from hsmctl.adapters.sink import sink
    from hsmctl.services.activation import ActivationService
    from hsmctl.services.draft import Drafts
    from hsmctl.wiring.console import activation

    drafts = Drafts(clock=clock, plane=aws.plane, identity=aws.identity(context.account_id))
    return ActivationService(drafts=drafts, cluster=cluster, activation=activation(consoles), sinks=sink)
