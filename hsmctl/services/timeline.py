"""What happened to a cluster: every source asked at once, none of which hides what the others know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.evidence import Failed
from hsmctl.domain.plan import Plan
from hsmctl.domain.timeline import (
    LATE,
    Happening,
    Looked,
    Source,
    Timeline,
    TrailEvent,
    of_journal,
    of_stream,
    of_trail,
    others,
    timeline,
)
from hsmctl.errors import Conflict, HsmctlError
from hsmctl.ports import Clock, ControlPlane, Identity, Journal
from hsmctl.ports_timeline import AuditLog, Recorded, Trail
from hsmctl.services.fanout import each, within

HISTORY = timedelta(days=90)
"""How far CloudTrail's event history goes back."""

RECENT = timedelta(minutes=30)
"""How far a plan looks back for somebody else at work."""

_PATIENCE_SECONDS = 5.0
"""How long a plan waits for CloudTrail."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What a place told."""

    happenings: Sequence[Happening] = ()
    remark: str = ""
    """What about it is not whole."""
    further: Sequence[_Place] = ()
    """Where else to look, now that this is known; such a place tells nothing itself."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Somewhere to look, and how."""

    source: Source
    name: str
    read: Callable[[], _Told]

    def __str__(self) -> str:
        return f"{self.source} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineService:
    """The history of the clusters of one region."""

    clock: Clock
    plane: ControlPlane
    trail: Trail
    audit: AuditLog
    journal: Journal
    identity: Identity

    def collect(self, cluster_id: str, since: datetime, until: datetime, seconds: float) -> Timeline:
        """What happened to a cluster between two times; what is silent after `seconds` counts as not read.

        A cluster that is gone has a history too, without that of its interfaces.
        """
        deadline = self.clock.monotonic() + seconds
        places = [
            _Place(Source.CLOUDTRAIL, "cloudhsm", lambda: self._service(cluster_id, since, until)),
            _Place(Source.NETWORK, "interfaces", lambda: self._interfaces(cluster_id, since, until)),
            _Place(Source.AUDIT, "streams", lambda: self._streams(cluster_id, since, until)),
            _Place(Source.JOURNAL, "this machine", lambda: _Told([*of_journal(self.journal.records(), cluster_id)])),
        ]
        happenings: list[Happening] = []
        looked: list[Looked] = []
        while places:
            told = self._read(places, deadline)
            happenings += [each for one, _ in told for each in one.happenings]
            looked += [look for one, look in told if not one.further]
            places = [place for one, _ in told for place in one.further]
        return timeline(cluster_id, since, until, happenings, looked)

    def warned(self, plan: Plan) -> Plan:
        """The plan with a warning of everybody else who changed its cluster lately, or that nobody can tell.

        CloudTrail's word, which is late by minutes: it hinders nothing, whoever confirms the plan is to know.
        """
        if plan.cluster_id is None or not plan.account:
            return plan
        now, name = self.clock.now(), plan.cluster_id
        deadline = self.clock.monotonic() + _PATIENCE_SECONDS
        try:
            found = within(lambda: self._others(name, now), "CloudTrail", clock=self.clock, deadline=deadline)
            more = tuple(_warning(event, now) for event in found)
        except HsmctlError as error:
            more = (f"whether somebody else is changing this cluster is UNKNOWN: {error}",)
        return replace(plan, warnings=(*plan.warnings, *more))

    def _others(self, cluster_id: str, now: datetime) -> tuple[TrailEvent, ...]:
        events = self.trail.of_service(now - RECENT, now).events
        return others(events, cluster_id, self.identity.caller().arn)

    def _read(self, places: Sequence[_Place], deadline: float) -> list[tuple[_Told, Looked]]:
        told = []
        for place, outcome in each(places, lambda place: place.read(), clock=self.clock, deadline=deadline):
            if isinstance(outcome, Failed):
                told.append((_Told(), Looked(source=place.source, name=place.name, error=outcome.error)))
                continue
            found, remark = len(outcome.value.happenings), outcome.value.remark
            look = Looked(source=place.source, name=place.name, found=found, remark=remark)
            told.append((outcome.value, look))
        return told

    def _service(self, cluster_id: str, since: datetime, until: datetime) -> _Told:
        recorded = self.trail.of_service(since, until)
        found = [event for event in recorded.events if cluster_id in event.mentions and not event.read_only]
        happenings = [of_trail(event, cluster_id, Source.CLOUDTRAIL) for event in found]
        return _Told(happenings, self._remark(recorded, since))

    def _interfaces(self, cluster_id: str, since: datetime, until: datetime) -> _Told:
        """The interfaces of the cluster's HSMs and their security group, to be looked at.

        Raises:
            Conflict: there is no such cluster any more.
        """
        found = self.plane.clusters([cluster_id])
        if not found:
            raise Conflict(f"{cluster_id} is gone", "nobody can say which interfaces it had", "hsmctl cluster list")
        names = list(_network(found))
        return _Told(
            further=[
                _Place(Source.NETWORK, name, partial(self._resource, name, cluster_id, since, until)) for name in names
            ]
        )

    def _resource(self, name: str, cluster_id: str, since: datetime, until: datetime) -> _Told:
        recorded = self.trail.of_resource(name, since, until)
        # What CloudHSM's own events say of an interface is told already.
        found = [event for event in recorded.events if not event.read_only and event.service != "cloudhsm"]
        happenings = [of_trail(event, cluster_id, Source.NETWORK) for event in found]
        return _Told(happenings, self._remark(recorded, since))

    def _streams(self, cluster_id: str, since: datetime, until: datetime) -> _Told:
        names = self.audit.streams(cluster_id, since)
        return _Told(
            further=[
                _Place(Source.AUDIT, name, partial(self._stream, cluster_id, name, since, until)) for name in names
            ]
        )

    def _stream(self, cluster_id: str, hsm_id: str, since: datetime, until: datetime) -> _Told:
        logged = self.audit.entries(cluster_id, hsm_id, since, until)
        remark = f"{logged.unreadable} events are no audit entries" if logged.unreadable else ""
        return _Told(list(of_stream(hsm_id, logged.entries, self.clock.now())), remark)

    def _remark(self, recorded: Recorded, since: datetime) -> str:
        if recorded.cut:
            return "there is more than was asked for: the oldest events are missing; ask for a shorter time"
        if self.clock.now() - since > HISTORY:
            return "CloudTrail's history ends 90 days back"
        return ""


def _warning(event: TrailEvent, now: datetime) -> str:
    minutes = int((now - event.at).total_seconds() // 60)
    tried = f", refused: {event.error}" if event.error else ""
    late = int(LATE.total_seconds() // 60)
    return f"{event.who} called {event.name} {minutes} min ago{tried} (reported by CloudTrail, up to {late} min late)"


def _network(clusters: Iterable[Cluster]) -> Iterator[str]:
    for cluster in clusters:
        yield from (hsm.eni_id for hsm in cluster.hsms if hsm.eni_id)
        if cluster.security_group:
            yield cluster.security_group
