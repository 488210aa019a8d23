"""What the lab's own steps and scenarios are carried out with: the same services that work on a real cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.sync import Replica
from hsmctl.ports import Login, Tokens
from hsmctl.services.ceremony import CeremonyService
from hsmctl.services.cluster import ClusterService


@dataclass(frozen=True, slots=True, kw_only=True)
class LabTools:
    """The services of a lab that is running."""

    cluster: ClusterService
    ceremony: CeremonyService
    tokens: Tokens
    login: Callable[[Replica], Login]
    replicas: Callable[[Cluster], Sequence[Replica]]
