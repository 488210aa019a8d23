"""Proves that a throttled change is sent again and counted, and that no other change ever is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from hsmctl.adapters.aws_error import translated
from hsmctl.adapters.aws_throttle import TRIES, Unthrottled
from hsmctl.errors import Conflict, Unreachable


class Service:
    """A client that refuses with these codes, one after the other, and then obeys."""

    def __init__(self, *codes: str) -> None:
        self._codes: Iterator[str] = iter(codes)
        self.calls = 0

    def create_hsm(self, **_: object) -> str:
        self.calls += 1
        code = next(self._codes, None)
        if code:
            answer = {"Error": {"Code": code, "Message": "Rate exceeded"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise ClientError(answer, "CreateHsm")  # type: ignore[arg-type]
        return "made"


def test_a_throttled_change_is_sent_again_after_ever_longer_pauses() -> None:
    service, pauses = Service("ThrottlingException", "Throttling", "RequestLimitExceeded"), list[float]()
    assert Unthrottled(service, pauses.append).create_hsm(ClusterId="c") == "made"
    assert (service.calls, pauses) == (4, [0.5, 1.0, 2.0])


def test_what_stays_throttled_is_given_up_and_the_tries_are_counted() -> None:
    service = Service(*["ThrottlingException"] * 9)
    with pytest.raises(Unreachable, match=f"after {TRIES} tries"), translated("cloudhsm:CreateHsm"):
        Unthrottled(service, lambda _: None).create_hsm()
    assert service.calls == TRIES


@pytest.mark.parametrize(
    ("code", "error"),
    [("CloudHsmInternalFailureException", Unreachable), ("CloudHsmInvalidRequestException", Conflict)],
)
def test_any_other_answer_ends_it_at_once(code: str, error: type[Exception]) -> None:
    service = Service(code)
    with pytest.raises(error), translated("cloudhsm:CreateHsm"):
        Unthrottled(service, lambda _: None).create_hsm()
    assert service.calls == 1
