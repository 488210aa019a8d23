"""What monitoring is told of clusters, as series of numbers: each finding as a level, and the figures behind them.

Levels are 0 ok, 1 warning, 2 critical, 3 unknown. A number that is not known has no series: absent is not zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hsmctl.domain.status import Standing
from hsmctl.domain.status_finding import Finding, Severity, Topic

LEVELS: Mapping[Severity, int] = {
    Severity.OK: 0,
    Severity.PENDING: 0,
    Severity.WARNING: 1,
    Severity.CRITICAL: 2,
    Severity.UNKNOWN: 3,
}
_SCALE = "0 ok, 1 warning, 2 critical, 3 unknown"
_FIGURES: Mapping[Topic, tuple[str, str]] = {
    Topic.BACKUP: ("hsmctl_newest_backup_age_seconds", "Age of the newest READY backup."),
    Topic.CAPACITY: ("hsmctl_limit_used_ratio", "Part of a limit that is used; none can be raised."),
    Topic.CERTIFICATE: ("hsmctl_certificate_left_seconds", "Time until the first certificate ends."),
    Topic.KEYS: ("hsmctl_token_keys", "Token keys on each HSM, where all report the same."),
    Topic.USERS: ("hsmctl_users", "Users on each HSM, where all report the same."),
}


@dataclass(frozen=True, slots=True)
class Family:
    """The series of one name."""

    name: str
    says: str
    samples: tuple[tuple[Mapping[str, str], float], ...]
    """Labels and value."""
    counts: bool = False
    """Whether it only ever grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A region of a context, with what was found out there."""

    labels: Mapping[str, str]
    """context, region and environment."""
    standings: Sequence[Standing] = ()
    read: bool = True
    """Whether its clusters could be listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What one collection found, and how the collecting goes."""

    places: tuple[Place, ...] = ()
    at: datetime | None = None
    """When the last one ended; None before the first has."""
    took: timedelta = timedelta()
    collections: int = 0
    failures: int = 0
    """Collections that came to nothing."""


def families(collected: Collected, now: datetime) -> tuple[Family, ...]:
    """Everything that is told, with the age of it."""
    own = (
        *_collecting(collected, now),
        _family("hsmctl_place_read", "Whether the clusters of a region could be listed.", _read(collected.places)),
        _family("hsmctl_cluster_level", f"The worst of a cluster's findings: {_SCALE}.", _levels(collected.places)),
        _family("hsmctl_cluster_hsms", "HSMs of a cluster by state.", _hsms(collected.places)),
        _family("hsmctl_finding_level", f"A finding about a cluster: {_SCALE}.", _findings(collected.places)),
    )
    figures = (_family(name, says, _figures(collected.places, topic)) for topic, (name, says) in _FIGURES.items())
    return tuple(each for each in (*own, *figures) if each.samples)


def _collecting(collected: Collected, now: datetime) -> Iterator[Family]:
    yield Family("hsmctl_collections", "Collections begun.", (({}, collected.collections),), counts=True)
    says = "Collections that came to nothing."
    yield Family("hsmctl_collection_failures", says, (({}, collected.failures),), counts=True)
    if collected.at is not None:
        age, took = (now - collected.at).total_seconds(), collected.took.total_seconds()
        yield Family("hsmctl_collection_age_seconds", "How old everything else here is.", (({}, age),))
        yield Family("hsmctl_collection_duration_seconds", "How long the last collection took.", (({}, took),))


def _family(name: str, says: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Family:
    """A family; of two series with the same labels the first counts, which is the worse one: findings are ranked."""
    known: dict[tuple[tuple[str, str], ...], float] = {}
    for labels, value in samples:
        known.setdefault(tuple(labels.items()), value)
    return Family(name, says, tuple((dict(labels), value) for labels, value in known.items()))


def _clusters(places: Iterable[Place]) -> Iterator[tuple[dict[str, str], Standing]]:
    """Each cluster with its labels."""
    for place in places:
        for standing in place.standings:
            name = standing.cluster.tags.get("Name", "")
            yield {**place.labels, "cluster": standing.cluster.cluster_id, "name": name}, standing


def _read(places: Iterable[Place]) -> Iterator[tuple[Mapping[str, str], float]]:
    for place in places:
        yield place.labels, float(place.read)


def _levels(places: Iterable[Place]) -> Iterator[tuple[Mapping[str, str], float]]:
    for labels, standing in _clusters(places):
        yield labels, LEVELS[standing.severity]


def _hsms(places: Iterable[Place]) -> Iterator[tuple[Mapping[str, str], float]]:
    for labels, standing in _clusters(places):
        states = [str(hsm.state) for hsm in standing.cluster.hsms]
        for state in sorted({"active", *states}):
            yield {**labels, "state": state}, states.count(state)


def _findings(places: Iterable[Place]) -> Iterator[tuple[Mapping[str, str], float]]:
    for labels, standing in _clusters(places):
        for each in standing.findings:
            about = {"topic": str(each.topic), "about": each.about, "grade": str(each.grade or "")}
            yield {**labels, **about}, LEVELS[each.severity]


def _figures(places: Iterable[Place], topic: Topic) -> Iterator[tuple[Mapping[str, str], float]]:
    for labels, standing in _clusters(places):
        for each in standing.findings:
            if each.topic is topic and each.figure is not None:
                yield {**labels, **_about(each)}, each.figure


def _about(each: Finding) -> dict[str, str]:
    """What tells several figures of a topic apart."""
    return {"limit": each.about} if each.topic is Topic.CAPACITY else {}
