"""Operations answered by hand, because moto's answer is wrong or too late; one function each, wired in one place."""

from __future__ import annotations

import json
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


def _each_metric_once(answer: Answer) -> Answer:
    """The answer to ListMetrics without what moto repeats: a metric with two dimensions, once for each datum."""
    if "json" not in answer.content_type or answer.status != 200:
        return answer
    listed = json.loads(answer.body)
    once = {json.dumps(metric, sort_keys=True): metric for metric in listed.get("Metrics", [])}
    return replace(answer, body=json.dumps({**listed, "Metrics": list(once.values())}).encode())
