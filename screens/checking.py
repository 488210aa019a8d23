"""One check as the screens live through it: answers show as they come, and nobody is accused who was asked only once.

It is loaded when the first cluster is checked. What two readings have shown before stands until a reading says
otherwise; what is new counts as changing until the check itself has asked again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from time import monotonic

from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.key import Identity
from hsmctl.domain.sync import Reading, Replica, Report, compare
from hsmctl.domain.sync_again import accusations, standing
from hsmctl.domain.sync_history import Past, scope
from hsmctl.errors import Conflict, Unreachable

from .check import Check
from .judgement import Judgement, judge
from .offload import call, told

_logger = logging.getLogger(__name__)

Accused = tuple[Identity, str]
"""A key, and the name of the replica where something is wrong with it."""
CHECK_SECONDS = 20.0
"""How long replicas may take to answer a check."""
REMEMBERED = timedelta(days=7)
"""How far back earlier checks are shown."""
_SHARE, _LONGEST = 3.0, 2.0
"""Between two comparisons of what has come so far: so many times as long as one took, and so many seconds at most."""


async def checked(hsmctl: Hsmctl, replicas: tuple[Replica, ...], before: Check) -> AsyncIterator[Check]:
    """The check as it grows from the one before."""
    known = {reading.replica: reading for reading in (before.report.readings if before.report else ())}
    accused = _accused(before.report) if before.report else frozenset()
    check = replace(before, replicas=replicas, awaited=frozenset(replica.name for replica in replicas))
    yield check
    async for batch in told(partial(_run, hsmctl, replicas)):
        if isinstance(batch[-1], Report):
            judgement, past = await call(partial(_concluded, hsmctl, batch[-1]))
            yield replace(check, judgement=judgement, past=past, at=hsmctl.clock.now())
            return
        answers = [each for each in batch if isinstance(each, Reading)]
        known |= {reading.replica: reading for reading in answers}
        check = replace(check, awaited=check.awaited - {reading.replica.name for reading in answers})
        began = monotonic()
        readings = [known[replica] for replica in replicas if replica in known]
        check = replace(check, judgement=await call(partial(_so_far, readings, accused)))
        yield check
        await asyncio.sleep(min(_LONGEST, _SHARE * (monotonic() - began)))


def _run(hsmctl: Hsmctl, replicas: Sequence[Replica], tell: Callable[[Reading | Report], None]) -> None:
    """Check, and tell each first answer and at last the report."""
    tell(hsmctl.sync.check(replicas, seconds=CHECK_SECONDS, heard=tell))


def _concluded(hsmctl: Hsmctl, report: Report) -> tuple[Judgement, tuple[Past, ...]]:
    """What the report amounts to, and the checks before it; work for a thread."""
    try:
        past = hsmctl.history.checks(scope(report), hsmctl.clock.now() - REMEMBERED)
    except (Unreachable, Conflict) as error:
        _logger.warning("the checks before are not shown: %s", error)
        past = ()
    return judge(report), past


def _so_far(readings: Sequence[Reading], accused: frozenset[Accused]) -> Judgement:
    """What these readings amount to; only who was accused before is accused."""
    report = compare(readings)
    names = [reading.replica.name for reading in readings]
    twice = {(identity, place) for identity, place in accusations(report) if (identity, names[place]) in accused}
    return judge(standing(report, twice))


def _accused(report: Report) -> frozenset[Accused]:
    names = [reading.replica.name for reading in report.readings]
    return frozenset((identity, names[place]) for identity, place in accusations(report))
