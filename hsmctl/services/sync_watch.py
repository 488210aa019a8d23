"""Checks again and again, and only the news of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hsmctl.domain.sync import Report
from hsmctl.domain.sync_change import Change, changes
from hsmctl.errors import HsmctlError
from hsmctl.ports import Clock

News = tuple[Report | HsmctlError, tuple[Change, ...]]
"""A check's report, or why there is none, and what is no longer as it was."""


def watched(check: Callable[[], Report], clock: Clock, *, every: float, count: int | None = None) -> Iterator[News]:
    """The news of each check; `every` is seconds from the start of one to the start of the next.

    A check that fails is told once, and is tried again.
    """
    before: Report | None = None
    failure = ""
    while count is None or count > 0:
        began = clock.monotonic()
        try:
            report = check()
        except HsmctlError as error:
            if str(error) != failure:
                yield error, ()
            failure = str(error)
        else:
            failure = ""
            yield report, changes(before, report)
            before = report
        count = None if count is None else count - 1
        if count != 0:
            clock.sleep(max(0.0, began + every - clock.monotonic()))
