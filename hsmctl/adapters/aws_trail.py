"""CloudTrail's event history and CloudWatch Logs' audit streams (user guide, get-api-logs, get-hsm-audit-logs)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from hsmctl.adapters.aws_error import translated
from hsmctl.domain.audit import AuditEntry, entry
from hsmctl.domain.timeline import TrailEvent
from hsmctl.errors import Conflict
from hsmctl.ports_timeline import Logged, Recorded

_CLOUDHSM = "cloudhsm.amazonaws.com"
_MOST_PAGES = 40
"""Pages of 50 events that are asked for: LookupEvents answers two requests a second and account."""
_IDS = re.compile(r"\b(?:cluster|hsm|backup|eni|sg|subnet|cks)-[0-9a-z]+\b")
_QUIET = timedelta(hours=2)
"""How late CloudWatch Logs may be with a stream's last event time (API: eventually, within an hour as a rule)."""


class AwsTrail:
    """ports_timeline.Trail over cloudtrail:LookupEvents."""

    def __init__(self, client: Callable[[], Any], pages: int = _MOST_PAGES) -> None:
        """Name what makes the client; nothing is asked yet. A question takes so many pages at most."""
        self._new_client = client
        self._pages = pages

    def of_service(self, since: datetime, until: datetime) -> Recorded:
        """The events of CloudHSM itself."""
        return self._looked_up("EventSource", _CLOUDHSM, since, until)

    def of_resource(self, name: str, since: datetime, until: datetime) -> Recorded:
        """The events that name a resource."""
        return self._looked_up("ResourceName", name, since, until)

    def _looked_up(self, key: str, value: str, since: datetime, until: datetime) -> Recorded:
        asked: dict[str, Any] = {
            "LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}],
            "StartTime": since,
            "EndTime": until,
        }
        found: list[TrailEvent] = []
        with translated("cloudtrail:LookupEvents"):
            for _ in range(self._pages):
                page = self._client.lookup_events(**asked)
                found += map(_event, page["Events"])
                if not page.get("NextToken"):
                    return Recorded(events=found)
                asked["NextToken"] = page["NextToken"]
        return Recorded(events=found, cut=True)

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - a boto3 client without stubs
        return self._new_client()


class AwsAuditLog:
    """ports_timeline.AuditLog over CloudWatch Logs."""

    def __init__(self, client: Callable[[], Any]) -> None:
        """Name what makes the client; nothing is asked yet."""
        self._new_client = client

    def streams(self, cluster_id: str, since: datetime) -> tuple[str, ...]:
        """The HSMs that have logged anything since then; those whose last event is not known are among them."""
        oldest = (since - _QUIET).timestamp() * 1000
        asked: dict[str, Any] = {"logGroupName": _group(cluster_id)}
        found: list[str] = []
        with translated("logs:DescribeLogStreams"):
            try:
                while True:
                    page = self._client.describe_log_streams(**asked)
                    found += [
                        raw["logStreamName"]
                        for raw in page["logStreams"]
                        if raw.get("lastEventTimestamp", oldest) >= oldest
                    ]
                    if not page.get("nextToken"):
                        return tuple(found)
                    asked["nextToken"] = page["nextToken"]
            except self._client.exceptions.ResourceNotFoundException as error:
                raise Conflict(
                    f"no log group {_group(cluster_id)}",
                    "CloudHSM has delivered no audit log of this cluster",
                    "is there a role AWSServiceRoleForCloudHSM, and may it create log groups?",
                ) from error

    def entries(self, cluster_id: str, hsm_id: str, since: datetime, until: datetime) -> Logged:
        """An HSM's entries."""
        asked: dict[str, Any] = {
            "logGroupName": _group(cluster_id),
            "logStreamNames": [hsm_id],
            "startTime": int(since.timestamp() * 1000),
            "endTime": int(until.timestamp() * 1000),
        }
        texts: list[str] = []
        with translated("logs:FilterLogEvents"):
            while True:
                page = self._client.filter_log_events(**asked)
                texts += [raw["message"] for raw in page["events"]]
                if not page.get("nextToken"):
                    break
                asked["nextToken"] = page["nextToken"]
        read = list(map(_entry, texts))
        entries = [each for each in read if each is not None]
        return Logged(entries=entries, unreadable=len(read) - len(entries))

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - a boto3 client without stubs
        return self._new_client()


def _group(cluster_id: str) -> str:
    return f"/aws/cloudhsm/{cluster_id}"


def _entry(text: str) -> AuditEntry | None:
    """The entry, or None where the event is none."""
    try:
        return entry(text)
    except ValueError:
        return None


def _event(raw: Mapping[str, Any]) -> TrailEvent:
    """An event of LookupEvents; its record is JSON in a text, and may lack almost everything."""
    record = _record(raw)
    identity = record.get("userIdentity") or {}
    code, message = record.get("errorCode") or "", record.get("errorMessage") or ""
    return TrailEvent(
        event_id=raw.get("EventId", ""),
        at=raw["EventTime"].astimezone(UTC),
        name=raw.get("EventName", ""),
        service=raw.get("EventSource", "").partition(".")[0],
        who=identity.get("arn") or raw.get("Username") or identity.get("invokedBy") or "",
        invoked_by=identity.get("invokedBy") or "",
        address=record.get("sourceIPAddress") or "",
        agent=record.get("userAgent") or "",
        error=f"{code}: {message}" if code and message else code,
        read_only=raw.get("ReadOnly") == "true",
        mentions=frozenset(_IDS.findall(raw.get("CloudTrailEvent", ""))) | _named(raw),
    )


def _record(raw: Mapping[str, Any]) -> dict[str, Any]:
    try:
        record = json.loads(raw.get("CloudTrailEvent", "{}"))
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _named(raw: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(resource["ResourceName"] for resource in raw.get("Resources", ()) if resource.get("ResourceName"))
