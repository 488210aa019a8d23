"""CloudWatch's metrics of HSMs (user guide, hsm-metrics-cw): what each HSM says of itself, a value a minute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, timedelta
from functools import cached_property
from typing import Any

from hsmctl.adapters.aws_error import translated
from hsmctl.domain.interlock import Sample, Samples
from hsmctl.ports import Clock

NAMESPACE = "AWS/CloudHSM"
_PERIOD_SECONDS = 60


class AwsMetrics:
    """ports_interlock.Metrics over cloudwatch:GetMetricData."""

    def __init__(self, client: Callable[[], Any], clock: Clock) -> None:
        """Name what makes the client; nothing is asked yet."""
        self._new_client = client
        self._clock = clock

    def samples(self, cluster_id: str, hsm_ids: Sequence[str], metric: str, span: timedelta) -> Samples:
        """The values of a metric of these HSMs in the time before now, the oldest first.

        Raises:
            Denied: IAM does not allow cloudwatch:GetMetricData.
            Unreachable: CloudWatch did not answer.
        """
        names = {f"m{place}": hsm_id for place, hsm_id in enumerate(hsm_ids)}
        now = self._clock.now()
        asked: dict[str, Any] = {
            "MetricDataQueries": [_query(name, cluster_id, hsm_id, metric) for name, hsm_id in names.items()],
            "StartTime": now - span,
            "EndTime": now,
            "ScanBy": "TimestampAscending",
        }
        found: dict[str, list[Sample]] = {}
        with translated("cloudwatch:GetMetricData"):
            while True:
                answer = self._client.get_metric_data(**asked)
                for result in answer["MetricDataResults"]:
                    found.setdefault(names[result["Id"]], []).extend(_samples(result))
                if not answer.get("NextToken"):
                    return {name: sorted(values, key=lambda sample: sample.at) for name, values in found.items()}
                asked["NextToken"] = answer["NextToken"]

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - a boto3 client without stubs
        return self._new_client()


def _query(name: str, cluster_id: str, hsm_id: str, metric: str) -> dict[str, Any]:
    dimensions = [{"Name": "ClusterId", "Value": cluster_id}, {"Name": "HsmId", "Value": hsm_id}]
    shown = {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": shown, "Period": _PERIOD_SECONDS, "Stat": "Maximum"}}


def _samples(result: dict[str, Any]) -> list[Sample]:
    pairs = zip(result["Timestamps"], result["Values"], strict=True)
    return [Sample(at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC), value) for at, value in pairs]
