"""Operations answered by hand, because moto's answer is wrong or too late; one function each, wired in one place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from hsmctl.lab.routing import Gap
from hsmctl.lab.sts import Sts
from hsmctl.lab.wire import Answer, Call, Service


def gaps(account_id: str, access_key_id: str, rest: Service) -> Mapping[tuple[str, str], Gap]:
    """Every such operation, by signing name and operation, over the service that answers the others."""
    identity = Sts(account_id)

    def caller(call: Call) -> Answer:
        # The lab's own key is none of moto's, and the answer must not wait for moto.
        return identity.answer(call) if call.access_key_id == access_key_id else rest.answer(call)

    return {
        ("sts", "GetCallerIdentity"): caller,
        ("monitoring", "ListMetrics"): lambda call: _each_metric_once(rest.answer(call)),
    }


def caller_arn(account_id: str, access_key_id: str, rest: Service, call: Call) -> str:
    """Who makes a call, as STS says: the lab's only user, or somebody that IAM gave a key to."""
    if call.access_key_id == access_key_id:
        return f"arn:aws:iam::{account_id}:user/lab"
    scope = call.headers.get("authorization", "").replace(f"/{call.service}/aws4_request", "/sts/aws4_request")
    headers = {"authorization": scope, "content-type": "application/x-www-form-urlencoded", "host": "sts.amazonaws.com"}
    asked = replace(call, service="sts", headers=headers, body=b"Action=GetCallerIdentity&Version=2011-06-15")
    found = re.search(rb"<Arn>([^<]+)</Arn>", rest.answer(asked).body)
    return found[1].decode() if found else f"access key {call.access_key_id}"


def _each_metric_once(answer: Answer) -> Answer:
    """The answer to ListMetrics without what moto repeats: a metric with two dimensions, once for each datum."""
    if "json" not in answer.content_type or answer.status != 200:
        return answer
    listed = json.loads(answer.body)
    once = {json.dumps(metric, sort_keys=True): metric for metric in listed.get("Metrics", [])}
    return replace(answer, body=json.dumps({**listed, "Metrics": list(once.values())}).encode())
