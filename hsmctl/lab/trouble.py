"""Faults on command: injected, listed, cleared, healed when their time is over, and there again after a restart.

Knows which family's handler makes the lab follow the book, and in which order faults may go: what stops processes
first, because a stopped HSM obeys nothing. Refuses to know what any fault does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from hsmctl.errors import Conflict, HsmctlError
from hsmctl.lab.fault import Family, Fault, FaultBook, Parameter

_log = logging.getLogger(__name__)


class Handler(Protocol):
    """Makes one part of the lab follow the book."""

    def prepare(self, fault: Fault) -> Fault:
        """The fault with what is needed to do it again and to undo it.

        Raises:
            HsmctlError: it makes no sense as things are.
        """
        ...

    def settle(self, fault: Fault) -> None:
        """Make what the fault is about as the book wants it, whether the fault is in there or no longer.

        Raises:
            HsmctlError: that cannot be done now.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Every fault of a lab."""

    book: FaultBook
    handlers: Mapping[Family, Handler]
    clock: Callable[[], float]
    """Seconds since the epoch."""
    exists: Callable[[str], object]
    """Raises Conflict where there is no HSM of an id."""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def inject(self, asked: Fault, heal: float | None) -> Fault:
        """The fault as it is in force now; `heal` seconds later it clears by itself.

        Raises:
            HsmctlError: it makes no sense as things are, or could not be done; then nothing was done.
        """
        if asked.hsm is not None:
            self.exists(asked.hsm)
        if heal is not None and not asked.kind.lasts:
            raise Conflict(f"{asked.name} heals by itself", "it happens once and leaves nothing", "leave out --heal")
        now = self.clock()
        handler = self.handlers[asked.kind.family]
        with self._lock:
            fault = handler.prepare(replace(asked, since=now, heals=None if heal is None else now + heal))
            if not fault.kind.lasts:
                handler.settle(fault)
                return fault
            fault = self.book.add(fault)
            try:
                handler.settle(fault)
            except HsmctlError:
                self.book.remove(fault.fault_id)
                with suppress(HsmctlError):
                    handler.settle(fault)  # where it was done already
                raise
        _log.info("fault %s injected: %s", fault.fault_id, _words(fault))
        return fault

    def clear(self, fault_id: str | None) -> tuple[Fault, ...]:
        """The faults that were cleared: the one of this id, or all.

        Raises:
            Conflict: there is none of this id.
            HsmctlError: it cannot be undone now; it stays in the book.
        """
        with self._lock:
            faults = self.book.all() if fault_id is None else (self.book.get(fault_id),)
            cleared = tuple(sorted(faults, key=lambda fault: _ORDER.index(fault.kind.family)))
            for fault in cleared:
                self._clear(fault)
            return cleared

    def heal(self) -> None:
        """Clear every fault whose time is over."""
        with self._lock:
            for fault in self.book.all():
                if fault.heals is not None and fault.heals <= self.clock():
                    try:
                        self._clear(fault)
                    except HsmctlError as error:
                        _log.warning("fault %s does not heal yet: %s", fault.fault_id, error)

    def resume(self) -> None:
        """Bring the lab to where the book wants it, after a restart."""
        with self._lock:
            for fault in self.book.all():
                try:
                    self.handlers[fault.kind.family].settle(fault)
                except HsmctlError as error:
                    _log.warning("fault %s is not in force: %s", fault.fault_id, error)

    def _clear(self, fault: Fault) -> None:
        self.book.remove(fault.fault_id)
        try:
            self.handlers[fault.kind.family].settle(fault)
        except HsmctlError:
            self.book.put(fault)
            raise
        _log.info("fault %s cleared: %s", fault.fault_id, _words(fault))


_ORDER = (Family.PROCESS, *(family for family in Family if family is not Family.PROCESS))
"""What is cleared before what."""


def _words(fault: Fault) -> str:
    """A fault as the log names it."""
    about = {parameter: getattr(fault, parameter) for parameter in Parameter}
    return " ".join([fault.name, *(f"{name}={value}" for name, value in about.items() if value is not None)])
