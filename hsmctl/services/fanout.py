"""Asking many targets at once: a dead, slow or lying one neither hides the others nor blocks past the deadline."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from hsmctl.domain.evidence import Failed, Ok, Outcome
from hsmctl.errors import HsmctlError, Unreachable
from hsmctl.ports import Clock

WORKERS = 32
"""Threads of one fan-out: every HSM of the largest cluster at once."""

Target = TypeVar("Target")
Value = TypeVar("Value")


class FanOut(Generic[Target, Value]):
    """Work that has begun on every target; the outcomes are fetched as they come.

    Worker threads are daemons: one that hangs in a call is left behind, not waited for.
    """

    def __init__(self, targets: Sequence[Target], work: Callable[[Target], Value], clock: Clock) -> None:
        self._targets = targets
        self._work = work
        self._clock = clock
        self._open: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[int, Outcome[Value] | BaseException]] = queue.SimpleQueue()
        self.waiting = dict(enumerate(targets))
        """The targets whose outcome has not been fetched, by place."""
        for place in self.waiting:
            self._open.put(place)
        for _ in range(min(WORKERS, len(targets))):
            threading.Thread(target=self._run, daemon=True).start()

    def outcomes(self, until: float) -> Iterator[tuple[int, Outcome[Value]]]:
        """Outcomes by the target's place, until all are there or a point on the clock's monotonic scale is reached.

        An error that is not ours is a bug and is raised here.
        """
        while self.waiting:
            try:
                place, outcome = self._answers.get(timeout=max(0.0, until - self._clock.monotonic()))
            except queue.Empty:
                return
            if isinstance(outcome, BaseException):
                raise outcome
            del self.waiting[place]
            yield place, outcome

    def _run(self) -> None:
        """Do the work on one target after the other, until none is left."""
        while True:
            try:
                place = self._open.get_nowait()
            except queue.Empty:
                return
            self._answers.put((place, _outcome(self._work, self._targets[place])))


def each(
    targets: Sequence[Target], work: Callable[[Target], Value], *, clock: Clock, deadline: float
) -> Iterator[tuple[Target, Outcome[Value]]]:
    """Each target once with its outcome, as they come; what has not answered by `deadline` has failed.

    `deadline` is a point on the clock's monotonic scale.
    """
    fan = FanOut(targets, work, clock)
    for place, outcome in fan.outcomes(deadline):
        yield targets[place], outcome
    for target in fan.waiting.values():
        yield target, late(target)


def within(work: Callable[[], Value], what: str, *, clock: Clock, deadline: float) -> Value:
    """What the work returns, if it does so by `deadline`, a point on the clock's monotonic scale.

    Raises:
        Unreachable: it did not; it is left behind.
    """
    ((_, outcome),) = each([what], lambda _: work(), clock=clock, deadline=deadline)
    if isinstance(outcome, Failed):
        raise outcome.error
    return outcome.value


def late(target: object) -> Failed:
    """The outcome of a target that has not answered."""
    return Failed(Unreachable(str(target), "no answer before the deadline", "try again with --deadline"))


def _outcome(work: Callable[[Target], Value], target: Target) -> Outcome[Value] | BaseException:
    """What the work came back with; a bug is handed over, not swallowed in a thread."""
    try:
        return Ok(work(target))
    except HsmctlError as error:
        return Failed(error)
    except BaseException as bug:  # noqa: BLE001 - raised again by the thread that consumes the answers
        return bug
