"""What an operator should look at, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hsmctl.mark import Mark

if TYPE_CHECKING:
    from hsmctl.domain.cluster import Cluster
    from hsmctl.errors import HsmctlError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something an operator should look at."""

    mark: Mark
    brief: str
    """In two or three words."""
    text: str
    """In a sentence that names the thing and its cause."""
    noun: str = "cluster"
    """The place that shows it."""
    cluster: Cluster | None = None
    error: HsmctlError | None = None
    """The error behind it, told whole on demand."""
    where: str = ""
    """The context and region it is about, where several are looked at; empty where it is a cluster's."""

    @property
    def identity(self) -> tuple[str, str]:
        """What makes two problems the same across refreshes."""
        return self.cluster.cluster_id if self.cluster else "", self.text
