"""What happened to a cluster, by whom and where: AWS's records, the HSMs' own, the network's and ours, in one list.

Each source is somebody's word, and says so; a source that could not be read is named, because the absence of an event
there means nothing. CloudTrail is late by minutes (user guide: within about five, up to fifteen), audit logs may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from hsmctl.domain.audit import ALARMING, OPCODES, SESSIONS, SUCCESS, AuditEntry, Gap, gaps
from hsmctl.domain.evidence import Grade
from hsmctl.domain.operation import operations
from hsmctl.domain.plan import Effect
from hsmctl.errors import HsmctlError

LATE = timedelta(minutes=15)
"""How long an event may take to appear in CloudTrail."""

TOGETHER = timedelta(seconds=5)
"""How far apart the same may be logged by the HSMs of a cluster to be one event: a login is logged by all of them."""

GAP = "gap"
"""What a place is called where entries of an audit log are missing."""

_GRAVE = frozenset({"DeleteHsm", "DeleteCluster", "DeleteBackup", "PutResourcePolicy", "DeleteNetworkInterface"})
"""Operations of AWS that somebody should be able to explain."""


class Source(StrEnum):
    """Whose word it is."""

    CLOUDTRAIL = "cloudtrail"
    NETWORK = "network"
    """CloudTrail's events of interfaces and security groups."""
    AUDIT = "audit log"
    JOURNAL = "journal"
    """What hsmctl did on this machine."""


class Weight(StrEnum):
    """How much it matters to somebody who looks for a cause."""

    ALARM = "alarm"
    """It takes something away, opens something, or failed."""
    CHANGE = "change"
    SESSION = "session"
    """Somebody logged in or out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEvent:
    """An event of CloudTrail's."""

    event_id: str
    at: datetime
    name: str
    """The operation."""
    service: str
    """cloudhsm, ec2, ..."""
    who: str
    """The caller's ARN, or its name where the record has none."""
    invoked_by: str = ""
    """The AWS service that called on its own behalf."""
    address: str = ""
    agent: str = ""
    error: str = ""
    """Why it was refused."""
    read_only: bool = False
    mentions: frozenset[str] = frozenset()
    """The ids of resources that its record names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line of the story."""

    at: datetime
    source: Source
    what: str
    """The operation, opcode or kind of record."""
    says: str
    who: str
    on: tuple[str, ...]
    """The HSMs, interfaces or clusters it is about."""
    weight: Weight = Weight.CHANGE
    failed: str = ""
    """Why it did not succeed."""
    grade: Grade = Grade.REPORTED
    address: str = ""
    """Where the caller was."""
    reference: str = ""
    """How to find it at its source: event id, sequence number, operation id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One place that was looked at."""

    source: Source
    name: str
    """The service, the log stream, the interface."""
    found: int = 0
    error: HsmctlError | None = None
    """Why it could not be read."""
    remark: str = ""
    """What about it is not whole."""

    @property
    def whole(self) -> bool:
        """Whether the absence of an event there means anything."""
        return self.error is None and not self.remark


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What is known to have happened in a time, oldest first."""

    cluster_id: str
    since: datetime
    until: datetime
    happenings: tuple[Happening, ...]
    looked: tuple[Looked, ...]

    @property
    def unread(self) -> tuple[Looked, ...]:
        """The places whose silence means nothing."""
        return tuple(each for each in self.looked if not each.whole)


def timeline(
    cluster_id: str, since: datetime, until: datetime, happenings: Iterable[Happening], looked: Iterable[Looked]
) -> Timeline:
    """The list in order of time, each event once, the same on several HSMs as one."""
    within = {each: None for each in happenings if since <= each.at <= until}
    ordered = sorted(within, key=lambda each: (each.at, each.what != GAP, each.source))
    return Timeline(
        cluster_id=cluster_id,
        since=since,
        until=until,
        happenings=tuple(together(ordered)),
        looked=tuple(sorted(looked, key=lambda each: (list(Source).index(each.source), each.name))),
    )


def of_trail(event: TrailEvent, cluster_id: str, source: Source) -> Happening:
    """An event of CloudTrail's."""
    kinds = ("eni-", "sg-") if source is Source.NETWORK else ("hsm-", "backup-")
    about = sorted(name for name in event.mentions if name.startswith(kinds))
    by = f", called by {event.invoked_by}" if event.invoked_by else ""
    grave = bool(event.error) or event.name in _GRAVE or event.name.startswith(("Authorize", "Revoke"))
    return Happening(
        at=event.at,
        source=source,
        what=event.name,
        says=f"{event.service}:{event.name}{by}",
        who=event.who,
        on=tuple(about) or (cluster_id,),
        weight=Weight.ALARM if grave else Weight.CHANGE,
        failed=event.error,
        address=event.address,
        reference=event.event_id,
    )


def of_stream(hsm_id: str, entries: Sequence[AuditEntry], now: datetime) -> Iterator[Happening]:
    """The entries of an HSM's audit log, and what is missing between them."""
    for entry in entries:
        yield _of_entry(hsm_id, entry)
    for gap in gaps(entries):
        yield _of_gap(hsm_id, gap, now)


def of_journal(records: Iterable[Mapping[str, Any]], cluster_id: str) -> Iterator[Happening]:
    """What hsmctl did to a cluster from this machine: operations, ceremonies and holds."""
    kept = [dict(record) for record in records]
    ours = {each.operation_id: each for each in operations(kept) if each.target == cluster_id}
    for record in kept:
        operation = ours.get(str(record.get("operation", "")))
        says = ""
        if operation is not None:
            steps = {each.number: each.step for each in operation.steps}
            step = steps.get(int(record.get("number") or 0))
            says = _said(record, operation.plan.title, "" if step is None else step.says)
            if step is not None and step.effect is Effect.WAIT and record["kind"] == "step-done":
                continue
        elif record.get("cluster") == cluster_id:
            says = str(record.get("what") or record.get("reason") or record["kind"])
        if says:
            yield _of_record(record, says, cluster_id, operation.caller if operation else "")


def together(ordered: Sequence[Happening]) -> Iterator[Happening]:
    """The list, in which what several HSMs logged of one event at nearly the same time is one line."""
    waiting: dict[tuple[str, str, str, str], Happening] = {}
    done: list[Happening] = []
    for each in ordered:
        key = (each.what, each.says, each.who, each.failed)
        first = waiting.get(key) if each.source is Source.AUDIT else None
        if first is not None and each.at - first.at <= TOGETHER and not set(each.on) & set(first.on):
            place = done.index(first)
            done[place] = waiting[key] = replace(first, on=(*first.on, *each.on))
            continue
        if each.source is Source.AUDIT:
            waiting[key] = each
        done.append(each)
    return iter(done)


def others(events: Iterable[TrailEvent], cluster_id: str, arn: str) -> tuple[TrailEvent, ...]:
    """The changes of a cluster that somebody else made or tried."""
    return tuple(event for event in events if not event.read_only and cluster_id in event.mentions and event.who != arn)


def _of_entry(hsm_id: str, entry: AuditEntry) -> Happening:
    failed = "" if entry.code == SUCCESS else f"{entry.code} {entry.response}".strip()
    weight = Weight.SESSION if entry.opcode in SESSIONS else Weight.CHANGE
    if failed or entry.opcode in ALARMING:
        weight = Weight.ALARM
    keys = ", ".join(f"key {handle:#x}" for handle in entry.handles)
    # Only what is about a user names one, and it is the user it is about; for a login that is who logs in.
    about = f" {entry.user}" if entry.user and entry.opcode not in SESSIONS else ""
    says = OPCODES.get(entry.opcode, entry.opcode)
    return Happening(
        at=entry.at,
        source=Source.AUDIT,
        what=entry.opcode,
        says=f"{says}{about}{f' ({keys})' if keys else ''}",
        who=entry.user if entry.opcode in SESSIONS else "",
        on=(hsm_id,),
        weight=weight,
        failed=failed,
        reference=f"{hsm_id}#{entry.sequence}",
    )


def _of_gap(hsm_id: str, gap: Gap, now: datetime) -> Happening:
    count = gap.last - gap.first + 1
    late = "lost, or late" if now - gap.before < LATE else "lost"
    return Happening(
        at=gap.before,
        source=Source.AUDIT,
        what=GAP,
        says=f"{count} {'entry is' if count == 1 else 'entries are'} missing before this: {late}",
        who="",
        on=(hsm_id,),
        weight=Weight.ALARM,
        grade=Grade.INFERRED,
        reference=f"{hsm_id}#{gap.first}-{gap.last}",
    )


def _said(record: Mapping[str, Any], title: str, step: str) -> str:
    """What a record of an operation tells; what adds nothing to the record before it is left out."""
    match record["kind"]:
        case "operation-started":
            return f"begun: {title}"
        case "operation-resumed":
            return f"resumed: {title}"
        case "operation-finished":
            return f"finished: {title}"
        case "operation-refused":
            return f"refused, nothing was changed: {title}"
        case "operation-abandoned":
            return f"abandoned: {title}"
        case "step-done":
            return f"done: {step}"
        case "step-failed" | "step-hindered":
            return f"failed: {step}"
    return ""


def _of_record(record: Mapping[str, Any], says: str, cluster_id: str, caller: str) -> Happening:
    person = str(record.get("sudo_user") or record.get("os_user") or "")
    failed = str(record.get("error") or "")
    arn = str(record.get("caller") or caller)
    return Happening(
        at=datetime.fromisoformat(str(record["at"])),
        source=Source.JOURNAL,
        what=str(record["kind"]),
        says=says,
        who=f"{person} as {arn}" if person and arn else person or arn,
        on=(cluster_id,),
        weight=Weight.ALARM if failed else Weight.CHANGE,
        failed=failed,
        address=str(record.get("source") or ""),
        reference=str(record.get("operation") or ""),
    )
