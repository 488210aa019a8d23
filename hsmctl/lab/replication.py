"""What CloudHSM does server-side: objects made on one HSM appear on its siblings, destroyed ones disappear.

One thread, in the order of the reports: it acts on reports of changes only and never infers anything from what a folder
lacks. Cloning runs in the same order, so a clone gets every object exactly once. A sibling whose folder is locked by a
stopped process keeps its changes waiting; they are lost with the supervisor. Users are not replicated.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from hsmctl.lab.folder import NodeFolder
from hsmctl.lab.objectfile import Torn
from hsmctl.lab.softhsm import copy_object, remove_object

T = TypeVar("T")

_RETRY_SECONDS = 0.5

_log = logging.getLogger(__name__)


class ChangeKind(StrEnum):
    """What happened to objects."""

    CREATED = "created"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One report of an HSM: what its user did to token objects, by file name."""

    hsm_id: str
    kind: ChangeKind
    user: str
    names: tuple[str, ...]


Folders = Callable[[str], NodeFolder]
"""The folder of an HSM."""
Siblings = Callable[[str], Sequence[str]]
"""The other HSMs of an HSM's cluster that are built."""


class Replicator:
    """Carries changes from HSM to HSM."""

    def __init__(self, folders: Folders, siblings: Siblings) -> None:
        self._folders = folders
        self._siblings = siblings
        self._waiting: dict[str, deque[Change]] = defaultdict(deque)
        self._delivered: set[tuple[str, str]] = set()
        self._worker = ThreadPoolExecutor(1, "replication")

    def submit(self, change: Change, done: Callable[[], None]) -> None:
        """Carry a change to the siblings; `done` is called when each of them has it or waits for it."""
        self.in_order(lambda: self._carry(change, done)).add_done_callback(_log_failure)

    def in_order(self, task: Callable[[], T]) -> Future[T]:
        """Run a task between two changes."""
        return self._worker.submit(task)

    def close(self) -> None:
        """Finish what was submitted, and end."""
        self._worker.shutdown()

    def _carry(self, change: Change, done: Callable[[], None]) -> None:
        # What arrived from a sibling while the HSM made an object looks to it as if it had made both.
        own = tuple(name for name in change.names if (change.hsm_id, name) not in self._delivered)
        for sibling in self._siblings(change.hsm_id):
            waiting = self._waiting[sibling]
            waiting.append(replace(change, names=own))
            if len(waiting) == 1:
                self._deliver(sibling)
        done()

    def _deliver(self, hsm_id: str) -> None:
        """Apply an HSM's waiting changes, oldest first, until its folder is locked."""
        changes = self._waiting[hsm_id]
        while changes:
            try:
                self._apply(changes[0], hsm_id)
            except TimeoutError:
                _log.warning("%s is locked, %d changes wait", hsm_id, len(changes))
                self._try_later(hsm_id)
                return
            changes.popleft()

    def _try_later(self, hsm_id: str) -> None:
        timer = threading.Timer(_RETRY_SECONDS, self._again, (hsm_id,))
        timer.daemon = True
        timer.start()

    def _again(self, hsm_id: str) -> None:
        with suppress(RuntimeError):  # closed meanwhile
            self._worker.submit(self._deliver, hsm_id).add_done_callback(_log_failure)

    def _apply(self, change: Change, hsm_id: str) -> None:
        source, target = (self._folders(each).tokens / change.user for each in (change.hsm_id, hsm_id))
        if not target.exists():
            _log.warning("%s has no user %s, %d objects not replicated", hsm_id, change.user, len(change.names))
            return
        for name in change.names:
            try:
                if change.kind is ChangeKind.CREATED:
                    self._delivered.add((hsm_id, name))
                    copy_object(source, target, name)
                else:
                    remove_object(target, name)
            except TimeoutError:
                raise
            except (OSError, Torn) as error:
                _log.warning("%s of %s not replicated to %s: %s", name, change.hsm_id, hsm_id, error)


def _log_failure(done: Future[None]) -> None:
    """Let no failure pass unseen: nobody waits for this task's result."""
    if error := done.exception():
        _log.error("replication failed", exc_info=error)
