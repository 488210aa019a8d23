"""The comparison of one cluster's replicas, or what the cluster says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hsmctl.domain.evidence import Failed
from hsmctl.errors import Denied, HsmctlError

from .problem import Problem

if TYPE_CHECKING:
    from hsmctl.domain.coverage_verdict import CoverageReport
    from hsmctl.domain.sync import Reading, Replica, Report
    from hsmctl.domain.sync_history import Past

    from .judgement import Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The comparison of one cluster's replicas: the last one, and the one that is running."""

    replicas: tuple[Replica, ...] = ()
    judgement: Judgement | None = None
    coverage: CoverageReport | None = None
    """What the cluster says about itself, where its replicas cannot be asked one by one."""
    found: tuple[Problem, ...] = ()
    """What that amounts to."""
    past: tuple[Past, ...] = ()
    """The checks of the same replicas that this machine remembers, oldest first, this one among them."""
    at: datetime | None = None
    """When every replica had last been read."""
    awaited: frozenset[str] = frozenset()
    """The replicas that have not answered yet."""
    running: bool = False
    error: HsmctlError | None = None
    """Why there was no comparison, the last time."""
    ended: datetime | None = None
    """When the last attempt ended."""

    @property
    def report(self) -> Report | None:
        """The report, as soon as there is one."""
        return self.judgement.report if self.judgement else None

    @property
    def whole(self) -> bool:
        """Whether the report covers every replica."""
        if self.report is None:
            return self.coverage is not None
        return len(self.report.readings) == len(self.replicas)

    @property
    def denied(self) -> bool:
        """Whether somebody refused us, so that nothing may try again by itself: five wrong PINs lock a user."""
        readings = self.report.readings if self.report else ()
        return isinstance(self.error, Denied) or any(map(_refused, readings))

    def reading(self, name: str) -> Reading | None:
        """What the replica of this name answered."""
        readings = self.report.readings if self.report else ()
        return next((reading for reading in readings if reading.replica.name == name), None)


def _refused(reading: Reading) -> bool:
    return isinstance(reading.outcome, Failed) and isinstance(reading.outcome.error, Denied)
