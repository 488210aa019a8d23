"""What the faults in the book mean to those who run HSMs and carry changes between them, asked whenever it matters.

Refuses to change anything but the book and what a fault holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from hsmctl.lab.fault import FaultBook
from hsmctl.lab.folder import LabFolder
from hsmctl.lab.machine import Temper
from hsmctl.lab.replication import Change, ChangeKind


@dataclass(frozen=True, slots=True)
class Effects:
    """The faults in force; implements replication.Disturbance."""

    lab: LabFolder
    book: FaultBook

    def keeps_down(self, hsm_id: str) -> bool:
        """Whether the HSM must not be started."""
        return bool(self.book.of("node-down", "node-killed", hsm=hsm_id))

    def keeps_building(self) -> bool:
        """Whether no HSM gets finished."""
        return bool(self.book.of("hsm-stuck"))

    def temper(self, hsm_id: str) -> Temper:
        """How the HSM's process is to behave."""
        delays = [fault.seconds or 0 for fault in self.book.of("node-slow", hsm=hsm_id)]
        return Temper(delay=max(delays, default=0.0), frozen=bool(self.book.of("node-frozen", hsm=hsm_id)))

    def hold_up(self, source: str, target: str) -> float:
        """Seconds a change of one HSM takes to another; infinite where they are cut off from each other."""
        if any(self.book.of("replication-cut", hsm=each) for each in (source, target)):
            return math.inf
        return max((fault.seconds or 0 for fault in self.book.of("replication-slow", hsm=target)), default=0.0)

    def keeps(self, target: str, change: Change, name: str) -> bool:
        """Whether an object of the target is held by a fault; a destroyed one will not come back when that ends."""
        held = self.lab.node(target).held / change.user / name
        if not held.exists():
            return False
        if change.kind is ChangeKind.DESTROYED:
            held.write_bytes(b"")
        return True

    def mend(self, hsm_id: str, tokens: Path) -> None:
        """Give a copy of an HSM's tokens the objects as they are without faults."""
        held = self.lab.node(hsm_id).held
        for path in held.glob("*/*.object"):
            copy = tokens / path.relative_to(held)
            if path.stat().st_size:
                copy.write_bytes(path.read_bytes())
            else:
                copy.unlink(missing_ok=True)

    def forget(self, hsm_id: str) -> None:
        """Strike out what is about an HSM that is gone."""
        for fault in self.book.all():
            edits = fault.detail.get("edits", {})
            left = {each: edit for each, edit in edits.items() if each != hsm_id}
            if (not edits and fault.hsm == hsm_id) or (edits and not left):
                self.book.remove(fault.fault_id)
            elif len(left) < len(edits):
                self.book.put(replace(fault, detail={"edits": left}))
