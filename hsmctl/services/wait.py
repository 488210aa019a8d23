"""Waiting for the control plane: botocore has no waiters for CloudHSMv2, so the policy is ours, the clock injected."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import timedelta
from typing import TypeVar

from hsmctl.errors import Unreachable
from hsmctl.ports import Clock

T = TypeVar("T")

Wait = Generator[str, None, T]
"""Yields what was seen, once per look; returns the value that was waited for."""


def until(
    look: Callable[[], T],
    done: Callable[[T], bool],
    says: Callable[[T], str],
    *,
    clock: Clock,
    every: float,
    limit: timedelta,
) -> Wait[T]:
    """The first value that is done.

    `look` raises when it sees a state that can never become the wanted one. `every` is in seconds.

    Raises:
        Unreachable: `limit` passed; the thing waited for may still happen.
    """
    deadline = clock.monotonic() + limit.total_seconds()
    while not done(value := look()):
        if clock.monotonic() >= deadline:
            raise Unreachable(says(value), f"still so after {limit}", "it goes on by itself; look again later")
        yield says(value)
        clock.sleep(every)
    return value
