"""Clusters of many places at once: regions of an account, and contexts; one that fails is named and hides nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.evidence import Outcome
from hsmctl.ports import Clock
from hsmctl.services.fanout import each


@dataclass(frozen=True, slots=True)
class Place:
    """A region of a context, and how its clusters are read there."""

    context: str
    region: str
    read: Callable[[], Sequence[Cluster]]

    def __str__(self) -> str:
        return f"{self.context}/{self.region}" if self.context else self.region


@dataclass(frozen=True, slots=True)
class Listed:
    """What one place answered."""

    place: Place
    outcome: Outcome[Sequence[Cluster]]


def listing(places: Sequence[Place], clock: Clock, seconds: float) -> tuple[Listed, ...]:
    """Every place with what it answered, in the order given; what is silent after `seconds` has failed."""
    asked = [_Asked(place) for place in places]
    outcomes = {
        id(target): outcome
        for target, outcome in each(
            asked, lambda it: it.place.read(), clock=clock, deadline=clock.monotonic() + seconds
        )
    }
    return tuple(Listed(target.place, outcomes[id(target)]) for target in asked)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A place, each its own, whatever it is equal to."""

    place: Place

    def __str__(self) -> str:
        return str(self.place)
