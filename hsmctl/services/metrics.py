"""Collecting how clusters stand, again and again, apart from whoever asks for it: a scrape never waits for AWS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from hsmctl.domain.evidence import Ok
from hsmctl.domain.metrics import Collected, Family, Place, families
from hsmctl.errors import HsmctlError
from hsmctl.ports import Clock
from hsmctl.services.status import Region, Surveyed, survey


@dataclass(kw_only=True)
class MetricsService:
    """The last collection of some regions, replaced whole by the next; read it from any thread."""

    clock: Clock
    regions: Sequence[Region]
    environment: str
    """aws or lab."""
    seconds: float
    """How long a collection may take."""
    _last: Collected = field(default_factory=Collected)

    def collect(self) -> Collected:
        """Look at every region now; one that did not answer is told as not read, and so is everything about it."""
        began = self.clock.monotonic()
        surveyed = survey(self.regions, self.clock, self.seconds)
        failed = all(each.error for each in surveyed)
        last = self._last
        self._last = replace(
            last,
            places=tuple(map(self._place, surveyed)),
            at=self.clock.now(),
            took=timedelta(seconds=self.clock.monotonic() - began),
            collections=last.collections + 1,
            failures=last.failures + failed,
        )
        return self._last

    def errors(self) -> tuple[HsmctlError, ...]:
        """Why facts of the last collection are unknown, each once."""
        found = (error for place in self._last.places for one in place.standings for error in one.errors)
        return tuple({str(error): error for error in found}.values())

    def families(self) -> tuple[Family, ...]:
        """What is told now, with its age."""
        return families(self._last, self.clock.now())

    def _place(self, each: Surveyed) -> Place:
        region = each.region
        labels = {"environment": self.environment, "context": region.context, "region": region.name}
        if isinstance(each.outcome, Ok):
            return Place(labels=labels, standings=each.outcome.value)
        return Place(labels=labels, read=False)
