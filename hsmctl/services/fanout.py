"""Asking many targets at once: a dead, slow or lying one neither hides the others nor blocks past the deadline."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from hsmctl.domain.evidence import Failed, Ok, Outcome
from hsmctl.errors import HsmctlError, Unreachable
from hsmctl.ports import Clock

WORKERS = 32
"""Threads of one fan-out: every HSM of the largest cluster at once."""

Target = TypeVar("Target")
Value = TypeVar("Value")


def each(
    targets: Sequence[Target], work: Callable[[Target], Value], *, clock: Clock, deadline: float
) -> Iterator[tuple[Target, Outcome[Value]]]:
    """Each target once with its outcome, as they come; what has not answered by `deadline` has failed.

    `deadline` is a point on the clock's monotonic scale. Worker threads are daemons: one that hangs in a call is left
    behind, not waited for. An error that is not ours is a bug and is raised here.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[int, Outcome[Value] | BaseException]] = queue.SimpleQueue()
    for index in range(len(targets)):
        waiting.put(index)

    def run() -> None:
        while True:
            try:
                index = waiting.get_nowait()
            except queue.Empty:
                return
            answers.put((index, _outcome(work, targets[index])))

    for _ in range(min(WORKERS, len(targets))):
        threading.Thread(target=run, daemon=True).start()
    open_targets = dict(enumerate(targets))
    while open_targets:
        try:
            index, outcome = answers.get(timeout=max(0.0, deadline - clock.monotonic()))
        except queue.Empty:
            break
        if isinstance(outcome, BaseException):
            raise outcome
        yield open_targets.pop(index), outcome
    for target in open_targets.values():
        yield target, Failed(Unreachable(str(target), "no answer before the deadline", "try again with --deadline"))


def _outcome(work: Callable[[Target], Value], target: Target) -> Outcome[Value] | BaseException:
    """What the work came back with; a bug is handed over, not swallowed in a thread."""
    try:
        return Ok(work(target))
    except HsmctlError as error:
        return Failed(error)
    except BaseException as bug:  # noqa: BLE001 - raised again by the thread that consumes the answers
        return bug
