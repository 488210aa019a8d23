"""What CloudHSM does server-side: objects made on one HSM appear on its siblings, destroyed ones disappear.

One thread, in the order of the reports: it acts on reports of changes only and never infers anything from what a folder
lacks. Cloning runs in the same order, so a clone gets every object exactly once. A change that a sibling cannot have
yet waits for it: its folder is locked by a stopped process, or a fault holds the change up. What waits here is lost
with the supervisor; the HSM that reported it keeps it until every sibling has it. Users are not replicated.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Protocol, TypeVar

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
    anew: bool = False
    """Whether this is everything it has, also what it got from siblings, told for one that had no place for it."""


class Delivery(Enum):
    """How far a change is."""

    WAITING = "waiting"
    """Some siblings have it, others will when they can."""
    SETTLED = "settled"
    """Every sibling has it."""


Done = Callable[[Delivery], None]
"""Told that a change waits, if it has to, and that it is settled."""
Folders = Callable[[str], NodeFolder]
"""The folder of an HSM."""
Siblings = Callable[[str], Sequence[str]]
"""The other HSMs of an HSM's cluster that are built."""


class Disturbance(Protocol):
    """What may stand between two HSMs."""

    def hold_up(self, source: str, target: str) -> float:
        """Seconds a change of one HSM takes to another; infinite where they are cut off from each other."""
        ...

    def keeps(self, target: str, change: Change, name: str) -> bool:
        """Whether an object of the target stays as it is in spite of the change."""
        ...


class Undisturbed:
    """A Disturbance that is none."""

    def hold_up(self, source: str, target: str) -> float:  # noqa: ARG002 - the protocol's signature
        """No time."""
        return 0.0

    def keeps(self, target: str, change: Change, name: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """No object."""
        return False


@dataclass(eq=False, slots=True)
class _Parcel:
    """A change on its way."""

    change: Change
    names: tuple[str, ...]
    done: Done
    targets: set[str]
    """Who has not got it yet."""
    sent: float = field(default_factory=time.monotonic)


class Replicator:
    """Carries changes from HSM to HSM."""

    def __init__(self, folders: Folders, siblings: Siblings, disturbance: Disturbance | None = None) -> None:
        self._folders = folders
        self._siblings = siblings
        self._disturbance = disturbance or Undisturbed()
        self._waiting: dict[str, deque[_Parcel]] = defaultdict(deque)
        self._submitted: deque[Change] = deque()
        """Reports that nobody has looked at yet, oldest first."""
        self._timers: dict[str, threading.Timer] = {}
        self._locked: set[str] = set()
        """HSMs whose folder was locked when it was last tried; only the timer tries them again."""
        self._delivered: set[tuple[str, str]] = set()
        self._worker = ThreadPoolExecutor(1, "replication")

    def submit(self, change: Change, done: Done) -> None:
        """Carry a change to the siblings."""
        self._submitted.append(change)
        self.in_order(lambda: self._carry(change, done)).add_done_callback(_log_failure)

    def in_order(self, task: Callable[[], T]) -> Future[T]:
        """Run a task between two changes."""
        return self._worker.submit(task)

    def inherit(self, origin: str, clone: str) -> None:
        """Let a clone wait for what its origin waits for; called in order, when it is cloned."""
        for parcel in self._waiting[origin]:
            parcel.targets.add(clone)
        self._waiting[clone] = deque(self._waiting[origin])
        self._again(clone)

    def forget(self, hsm_id: str) -> None:
        """Carry nothing more to an HSM that is gone; called in order."""
        for parcel in self._waiting.pop(hsm_id, ()):
            _hand_over(parcel, hsm_id)

    def kick(self) -> None:
        """Look at everything that waits again: what held it up may have ended."""
        for hsm_id in list(self._waiting):
            self._again(hsm_id)

    def backlog(self) -> Mapping[str, int]:
        """How many changes each HSM waits for."""
        counts = Counter({hsm_id: len(parcels) for hsm_id, parcels in list(self._waiting.items()) if parcels})
        for change in list(self._submitted):
            counts.update(self._siblings(change.hsm_id))
        return counts

    def close(self) -> None:
        """Finish what was submitted and does not wait, and end."""
        self._worker.shutdown()

    def _carry(self, change: Change, done: Done) -> None:
        # What arrived from a sibling while the HSM made an object looks to it as if it had made both.
        whole = change.anew or change.kind is ChangeKind.DESTROYED
        own = tuple(name for name in change.names if whole or (change.hsm_id, name) not in self._delivered)
        targets = sorted(self._siblings(change.hsm_id))
        parcel = _Parcel(change, own, done, set(targets))
        for sibling in targets:
            self._waiting[sibling].append(parcel)
        self._submitted.popleft()
        if not targets:
            done(Delivery.SETTLED)
            return
        for sibling in targets:
            if sibling not in self._locked:
                self._deliver(sibling)
        if parcel.targets:
            done(Delivery.WAITING)

    def _deliver(self, hsm_id: str) -> None:
        """Apply an HSM's waiting changes, oldest first, except those that are held up; none after its folder locks."""
        waiting, later = deque[_Parcel](), math.inf
        parcels, self._waiting[hsm_id] = self._waiting[hsm_id], waiting
        while parcels:
            parcel = parcels.popleft()
            left = parcel.sent + self._disturbance.hold_up(parcel.change.hsm_id, hsm_id) - time.monotonic()
            if left > 0:
                waiting.append(parcel)
                later = min(later, left)
            elif self._apply(parcel, hsm_id):
                self._locked.discard(hsm_id)
                _hand_over(parcel, hsm_id)
            else:
                waiting.extend((parcel, *parcels))
                later = _RETRY_SECONDS
                self._note_locked(hsm_id)
                break
        if later < math.inf:
            self._try_later(hsm_id, later)

    def _note_locked(self, hsm_id: str) -> None:
        if hsm_id not in self._locked:
            self._locked.add(hsm_id)
            _log.warning("%s is locked, %d changes wait", hsm_id, len(self._waiting[hsm_id]))

    def _try_later(self, hsm_id: str, seconds: float) -> None:
        if earlier := self._timers.get(hsm_id):
            earlier.cancel()
        timer = self._timers[hsm_id] = threading.Timer(seconds, self._again, (hsm_id,))
        timer.daemon = True
        timer.start()

    def _again(self, hsm_id: str) -> None:
        with suppress(RuntimeError):  # closed meanwhile
            self._worker.submit(self._deliver, hsm_id).add_done_callback(_log_failure)

    def _apply(self, parcel: _Parcel, hsm_id: str) -> bool:
        """Whether an HSM has the change now; not if its folder is locked."""
        change = parcel.change
        source, target = (self._folders(each).tokens / change.user for each in (change.hsm_id, hsm_id))
        if not target.exists():
            _log.warning("%s has no user %s, %d objects not replicated", hsm_id, change.user, len(parcel.names))
            return True
        for name in parcel.names:
            if self._disturbance.keeps(hsm_id, change, name):
                continue
            try:
                if change.kind is ChangeKind.CREATED:
                    self._delivered.add((hsm_id, name))
                    copy_object(source, target, name)
                else:
                    remove_object(target, name)
            except TimeoutError:
                return False
            except (OSError, Torn) as error:
                _log.warning("%s of %s not replicated to %s: %s", name, change.hsm_id, hsm_id, error)
        return True


def _hand_over(parcel: _Parcel, hsm_id: str) -> None:
    """Note that an HSM has the change, or needs it no more."""
    parcel.targets.discard(hsm_id)
    if not parcel.targets:
        parcel.done(Delivery.SETTLED)


def _log_failure(done: Future[None]) -> None:
    """Let no failure pass unseen: nobody waits for this task's result."""
    if error := done.exception():
        _log.error("replication failed", exc_info=error)
