"""Puts together what applies plans: the journal, the locks and who we are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hsmctl.errors import Conflict
from hsmctl.settings import Context

if TYPE_CHECKING:
    from hsmctl.adapters.aws import Aws
    from hsmctl.domain.cluster import Cluster
    from hsmctl.ports import Clock, Journal
    from hsmctl.services.operation import Operations, Playbook


def operations(
    aws: Aws, context: Context, clock: Clock, journal: Journal, state_folder: Path, guard: Callable[[], str | None]
) -> Operations:
    """What applies plans and goes on with them; `guard` refuses a change that the context forbids."""
    from hsmctl.adapters.lock import FileLocks
    from hsmctl.services.operation import Operations

    return Operations(
        clock=clock,
        journal=journal,
        locks=FileLocks(state_folder / "locks"),
        identity=aws.identity(context.account_id),
        cluster=lambda cluster_id: _cluster(aws, cluster_id),
        new_id=_new_id,
        guard=guard,
    )


def _cluster(aws: Aws, cluster_id: str) -> Cluster:
    """The cluster as it is now."""
    found = aws.plane.clusters([cluster_id])
    if not found:
        raise Conflict(f"{cluster_id} not found", f"no such cluster in {aws.plane.region}", "hsmctl cluster list")
    return found[0]


def _new_id() -> str:
    """A fresh operation id, sortable by time."""
    from ulid import ULID

    return str(ULID())


def playbook(noun: str, known: Mapping[str, Callable[[], Playbook]]) -> Playbook:
    """How the plans of a noun are carried out.

    Raises:
        Conflict: this version knows no such noun.
    """
    if noun not in known:
        raise Conflict(f"an operation of {noun}", "this hsmctl does not know how it goes on", "use the newer hsmctl")
    return known[noun]()
