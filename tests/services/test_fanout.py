"""Proves that one dead, slow or failing target neither hides the others nor outlasts the deadline."""

from __future__ import annotations

import threading
import time

import pytest

from hsmctl.adapters.clock import SystemClock
from hsmctl.domain.evidence import Failed, Ok
from hsmctl.errors import Denied, Unreachable
from hsmctl.services.fanout import each

CLOCK = SystemClock()


def test_every_target_comes_back_once_with_its_own_outcome() -> None:
    def work(target: int) -> int:
        if target == 7:
            raise Denied("seven", "no")
        return target * 2

    outcomes = dict(each(range(100), work, clock=CLOCK, deadline=CLOCK.monotonic() + 10))

    assert len(outcomes) == 100
    assert outcomes[3] == Ok(6)
    failed = outcomes[7]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Denied)


def test_a_hanging_target_fails_at_the_deadline_and_the_rest_is_there_before() -> None:
    release = threading.Event()

    def work(target: str) -> str:
        if target == "hangs":
            release.wait()
        return target

    began = time.monotonic()
    outcomes = dict(each(["hangs", "a", "b"], work, clock=CLOCK, deadline=began + 0.2))
    took = time.monotonic() - began
    release.set()

    assert outcomes["a"] == Ok("a")
    assert isinstance(outcomes["hangs"], Failed)
    assert isinstance(outcomes["hangs"].error, Unreachable)
    assert took < 1.2


def test_a_bug_in_the_work_is_not_swallowed() -> None:
    def work(_: int) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(each([1], work, clock=CLOCK, deadline=CLOCK.monotonic() + 10))


def test_no_target_is_no_outcome() -> None:
    assert list(each([], str, clock=CLOCK, deadline=0)) == []
