"""CloudTrail and the audit logs in memory: an HSM that was added by an operator, until a test bends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hsmctl.domain.audit import AuditEntry
from hsmctl.domain.timeline import TrailEvent
from hsmctl.errors import HsmctlError
from hsmctl.ports_timeline import Logged, Recorded

WHEN = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ALICE = "arn:aws:sts::111122223333:assumed-role/admin/alice"


def event(name: str, *mentions: str, minutes: float = 0, who: str = ALICE, **more: object) -> TrailEvent:
    """An event of CloudTrail's some minutes after two."""
    at = WHEN + timedelta(minutes=minutes)
    known: dict[str, object] = {"event_id": f"{name}-{minutes}", "service": "cloudhsm", "address": "192.0.2.7", **more}
    return TrailEvent(at=at, name=name, who=who, mentions=frozenset(mentions), **known)  # type: ignore[arg-type]


def logged(sequence: int, opcode: str, *, seconds: float = 0, user: str = "", code: int = 0) -> AuditEntry:
    """An entry of an audit log some seconds after two."""
    at = WHEN + timedelta(seconds=seconds)
    response = "SUCCESS" if code == 0 else "RET_USER_LOGIN_FAILURE"
    return AuditEntry(at=at, sequence=sequence, opcode=opcode, code=code, response=response, user=user)


@dataclass
class FakeTrail:
    """ports_timeline.Trail."""

    events: list[TrailEvent] = field(default_factory=list)
    error: HsmctlError | None = None
    cut: bool = False

    def of_service(self, since: datetime, until: datetime) -> Recorded:
        return self._of([each for each in self.events if each.service == "cloudhsm"], since, until)

    def of_resource(self, name: str, since: datetime, until: datetime) -> Recorded:
        return self._of([each for each in self.events if name in each.mentions], since, until)

    def _of(self, events: list[TrailEvent], since: datetime, until: datetime) -> Recorded:
        if self.error:
            raise self.error
        return Recorded(events=[each for each in events if since <= each.at <= until], cut=self.cut)


@dataclass
class FakeAuditLog:
    """ports_timeline.AuditLog."""

    logs: dict[str, list[AuditEntry]] = field(default_factory=dict)
    errors: dict[str, HsmctlError] = field(default_factory=dict)
    """By HSM; the empty name is the group's."""

    def streams(self, cluster_id: str, since: datetime) -> tuple[str, ...]:
        if "" in self.errors:
            raise self.errors[""]
        return tuple(self.logs)

    def entries(self, cluster_id: str, hsm_id: str, since: datetime, until: datetime) -> Logged:
        if hsm_id in self.errors:
            raise self.errors[hsm_id]
        return Logged(entries=[each for each in self.logs[hsm_id] if since <= each.at <= until])
