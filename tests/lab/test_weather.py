"""Proves what callers of the emulated AWS feel of each fault of the control plane, and what others do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hsmctl.lab.fault import FaultBook, asked
from hsmctl.lab.weather import Weather
from hsmctl.lab.wire import AwsError

HOME, ELSEWHERE = "us-east-1", "eu-west-1"


class Sky:
    """The weather over a book of faults, and how long it kept callers waiting."""

    def __init__(self, path: Path) -> None:
        self.book = FaultBook(path)
        self.waited: list[float] = []
        self._weather = Weather(self.book, HOME, self.waited.append)

    def refusal(self, service: str = "cloudhsm", region: str = HOME) -> tuple[str, int] | None:
        try:
            self._weather.before(service, "DescribeClusters", region)
        except AwsError as error:
            return error.code, error.status
        return None


@pytest.fixture
def sky(tmp_path: Path) -> Sky:
    return Sky(tmp_path / "faults.json")


def test_without_faults_every_call_gets_through(sky: Sky) -> None:
    assert (sky.refusal(), sky.waited) == (None, [])


@pytest.mark.parametrize(
    ("service", "refusal"),
    [
        ("cloudhsm", ("ThrottlingException", 400)),
        ("monitoring", ("Throttling", 400)),
        ("ec2", ("RequestLimitExceeded", 503)),
    ],
)
def test_each_service_throttles_in_its_own_words(sky: Sky, service: str, refusal: tuple[str, int]) -> None:
    fault = sky.book.add(asked("cloud-throttled"))
    assert sky.refusal(service) == refusal
    sky.book.remove(fault.fault_id)
    assert sky.refusal(service) is None


def test_a_failing_cloud_fails_and_a_slow_one_is_late(sky: Sky) -> None:
    sky.book.add(asked("cloud-slow", seconds=3))
    assert (sky.refusal(), sky.waited) == (None, [3])
    sky.book.add(asked("cloud-failing"))
    assert sky.refusal() == ("InternalFailure", 500)


@pytest.mark.parametrize(("named", "down", "up"), [(None, HOME, ELSEWHERE), (ELSEWHERE, ELSEWHERE, HOME)])
def test_a_region_is_down_alone(sky: Sky, named: str | None, down: str, up: str) -> None:
    sky.book.add(asked("region-down", region=named))
    assert sky.refusal(region=down) == ("ServiceUnavailable", 503)
    assert sky.refusal(region=up) is None


@pytest.mark.parametrize(
    ("fault", "service", "code"),
    [
        ("kms-denied", "kms", "AccessDeniedException"),
        ("metrics-denied", "monitoring", "AccessDenied"),
        ("trail-denied", "cloudtrail", "AccessDeniedException"),
        ("logs-denied", "logs", "AccessDeniedException"),
    ],
)
def test_iam_denies_one_service_and_no_other(sky: Sky, fault: str, service: str, code: str) -> None:
    sky.book.add(asked(fault))
    assert sky.refusal(service) == (code, 400)
    assert sky.refusal("cloudhsm") is None


def test_faults_of_the_cloud_are_there_again_after_a_restart(sky: Sky, tmp_path: Path) -> None:
    sky.book.add(asked("cloud-failing"))
    assert Sky(tmp_path / "faults.json").refusal() == ("InternalFailure", 500)
