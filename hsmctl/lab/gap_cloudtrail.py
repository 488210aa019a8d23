"""CloudTrail's event history: every change that was asked of the gateway, answered or refused, kept in one file.

Shapes follow the CloudTrail API (LookupEvents) and the user guide's record contents. What the service does by itself
for a call, such as the interface of a new HSM, is noted as the service's. Reads are not kept, and nothing secret is.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from hsmctl.lab.motojournal import changes
from hsmctl.lab.shapes import JsonModel
from hsmctl.lab.wire import Answer, AwsError, Call

Record = dict[str, Any]
"""One event as CloudTrail's log files have it."""

_ROLE = "AWSServiceRoleForCloudHSM"
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_LONGEST = 200
_PAGE = 50
_TYPES: Mapping[str, str] = {
    "cluster-": "AWS::CloudHSM::Cluster",
    "hsm-": "AWS::CloudHSM::Hsm",
    "backup-": "AWS::CloudHSM::Backup",
    "eni-": "AWS::EC2::NetworkInterface",
    "sg-": "AWS::EC2::SecurityGroup",
    "subnet-": "AWS::EC2::Subnet",
    "cks-": "AWS::KMS::CustomKeyStore",
}


class CallTrail:
    """The changes of one lab; `who` names the caller of a call by ARN."""

    def __init__(self, path: Path, account_id: str, who: Callable[[Call], str], clock: Callable[[], float]) -> None:
        self._path = path
        self._account_id = account_id
        self._who = who
        self._clock = clock
        self._lock = threading.Lock()
        self._model = JsonModel("cloudtrail", "2013-11-01", "InvalidParameterCombinationException")

    def note(self, call: Call, outcome: Answer | AwsError) -> None:
        """Keep a call that changes something, with how it was answered."""
        if not changes(call) or call.service == "sts":
            return
        answered = _answered(call, outcome)
        record = {**self._record(call), **answered}
        follow = [] if "errorCode" in record else list(self._followed(record))
        with self._lock:
            self._append([record, *follow])

    def lookup(self, call: Call) -> Answer:
        """The answer to LookupEvents: newest first, 50 at most, by one attribute at most."""
        asked = self._model.request("LookupEvents", call.body)
        newest_first = reversed(self._records())
        found = [record for record in newest_first if record["awsRegion"] == call.region and _wanted(record, asked)]
        first, size = int(asked.get("NextToken", "0")), int(asked.get("MaxResults", _PAGE))
        page = [_event(record) for record in found[first : first + size]]
        more = str(first + size) if first + size < len(found) else None
        return self._model.answer("LookupEvents", {"Events": page, "NextToken": more})

    def _record(self, call: Call) -> Record:
        """What is known of a call before it is answered."""
        arn = self._who(call)
        name = arn.rpartition("/")[2] or arn
        identity = {"type": "IAMUser", "arn": arn, "accountId": self._account_id, "userName": name}
        return self._blank(call.region, call.service, call.operation) | {
            "userIdentity": {**identity, "accessKeyId": call.access_key_id},
            "sourceIPAddress": "127.0.0.1",
            "userAgent": call.headers.get("user-agent", "")[:_LONGEST],
            "requestParameters": _parameters(call),
        }

    def _blank(self, region: str, service: str, operation: str) -> Record:
        moment = datetime.fromtimestamp(self._clock(), UTC)
        return {
            "eventVersion": "1.09",
            "eventID": str(uuid.uuid4()),
            "eventTime": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z",
            "eventSource": f"{service}.amazonaws.com",
            "eventName": operation,
            "awsRegion": region,
            "readOnly": False,
            "eventType": "AwsApiCall",
            "recipientAccountId": self._account_id,
        }

    def _followed(self, record: Record) -> Iterator[Record]:
        """What CloudHSM does in EC2 under its service-linked role for a call: the interface comes and goes."""
        if record["eventSource"] != "cloudhsm.amazonaws.com":
            return
        hsm = (record.get("responseElements") or {}).get("hsm") or {}
        match record["eventName"]:
            case "CreateHsm" if hsm.get("eniId"):
                asked = {"subnetId": hsm.get("subnetId"), "description": f"CloudHSM {hsm.get('clusterId')}"}
                answer = {"networkInterface": {"networkInterfaceId": hsm["eniId"], "subnetId": hsm.get("subnetId")}}
                yield self._by_service(record, "CreateNetworkInterface", asked, answer)
            case "DeleteHsm":
                hsm_id = record["responseElements"].get("hsmId") or record["requestParameters"].get("hsmId")
                if eni_id := self._interface(str(hsm_id)):
                    yield self._by_service(record, "DeleteNetworkInterface", {"networkInterfaceId": eni_id}, None)

    def _by_service(self, record: Record, operation: str, asked: Record, answer: Record | None) -> Record:
        role = f"arn:aws:sts::{self._account_id}:assumed-role/{_ROLE}/CloudHSM"
        by = {"type": "AssumedRole", "arn": role, "accountId": self._account_id, "invokedBy": "cloudhsm.amazonaws.com"}
        return self._blank(record["awsRegion"], "ec2", operation) | {
            "userIdentity": by,
            "sourceIPAddress": "cloudhsm.amazonaws.com",
            "userAgent": "cloudhsm.amazonaws.com",
            "requestParameters": asked,
            "responseElements": answer,
        }

    def _interface(self, hsm_id: str) -> str | None:
        """The interface an HSM was created with."""
        for record in self._records():
            hsm = (record.get("responseElements") or {}).get("hsm") or {}
            if hsm.get("hsmId") == hsm_id and record["eventName"] == "CreateHsm":
                return str(hsm.get("eniId") or "") or None
        return None

    def _records(self) -> list[Record]:
        """Everything kept; a line that a killed lab did not finish is dropped."""
        if not self._path.exists():
            return []
        lines = self._path.read_bytes().split(b"\n")
        return [json.loads(line) for line in lines[:-1]]

    def _append(self, records: list[Record]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a+b") as stream:
            stream.seek(0, os.SEEK_END)
            if stream.tell():
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":
                    stream.seek(0)
                    stream.truncate(stream.read().rfind(b"\n") + 1)
            stream.write(b"".join(json.dumps(record).encode() + b"\n" for record in records))


def _answered(call: Call, outcome: Answer | AwsError) -> Record:
    """How a call ended, in CloudTrail's words."""
    if isinstance(outcome, AwsError):
        return {"errorCode": outcome.code, "errorMessage": outcome.message, "responseElements": None}
    if outcome.status >= 400:
        return {"errorCode": f"HTTP {outcome.status}", "errorMessage": "", "responseElements": None}
    if call.service not in ("cloudhsm", "kms"):
        return {"responseElements": None}
    return {"responseElements": _small(json.loads(outcome.body or b"{}")) or None}


def _parameters(call: Call) -> Record:
    """What was asked, without what is secret or long; only of the services whose requests hold no credentials."""
    if call.service == "ec2":
        form = parse_qsl(call.body.decode(errors="replace"))
        return {_camel(name): value[:_LONGEST] for name, value in form if name not in ("Action", "Version")}
    if call.service not in ("cloudhsm", "kms"):
        return {}
    try:
        given = json.loads(call.body or b"{}")
    except ValueError:
        return {}
    small = _small(given)
    return small if isinstance(small, dict) else {}


def _small(value: object) -> Any:  # noqa: ANN401 - JSON
    """The value with names as CloudTrail writes them, passwords hidden and documents cut."""
    match value:
        case dict():
            return {
                _camel(name): _HIDDEN if "password" in name.lower() else _small(item) for name, item in value.items()
            }
        case list():
            return [_small(item) for item in value]
        case str() if len(value) > _LONGEST:
            return f"{value[:40]}..."
    return value


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


def _event(record: Record) -> Record:
    """A record as LookupEvents shows it."""
    identity = record["userIdentity"]
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": "false",
        "AccessKeyId": identity.get("accessKeyId"),
        "EventTime": _seconds(record),
        "EventSource": record["eventSource"],
        "Username": identity.get("userName") or _ROLE,
        "Resources": [{"ResourceType": kind, "ResourceName": name} for kind, name in _resources(record)],
        "CloudTrailEvent": json.dumps(record),
    }


def _seconds(record: Record) -> float:
    return datetime.fromisoformat(record["eventTime"]).timestamp()


def _resources(record: Record) -> list[tuple[str, str]]:
    """The ids that a record names, with their types."""
    told = {**(record["requestParameters"] or {}), **(record.get("responseElements") or {})}
    texts = dict.fromkeys(_texts(told))
    return [(kind, text) for text in texts for prefix, kind in _TYPES.items() if text.startswith(prefix)]


def _texts(value: object) -> Iterator[str]:
    """Every text that is somewhere in a value."""
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


def _wanted(record: Record, asked: Mapping[str, Any]) -> bool:
    """Whether a record is in the time and has the attribute that was asked for."""
    if not asked.get("StartTime", 0.0) <= _seconds(record) <= asked.get("EndTime", float("inf")):
        return False
    return all(_has(record, each["AttributeKey"], each["AttributeValue"]) for each in asked.get("LookupAttributes", ()))


def _has(record: Record, key: str, value: str) -> bool:
    event = _event(record)
    if key in ("ResourceName", "ResourceType"):
        return any(resource[key] == value for resource in event["Resources"])
    return bool(event.get(key) == value)
