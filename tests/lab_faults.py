"""The lab's bad days in memory: what was asked for is in force until it is cleared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hsmctl.adapters.lab import LabProgram
from hsmctl.errors import Conflict, UsageError
from hsmctl.lab import fault as lab
from hsmctl.ports import LabFault, LabFaultKind

KINDS = tuple(
    LabFaultKind(name=kind.name, family=kind.family, takes=kind.takes, lasts=kind.lasts, says=kind.says)
    for kind in lab.KINDS.values()
)
SINCE = 1_795_400_000.0


class FakeFaults:
    """ports.LabFaults that bend nothing."""

    def __init__(self) -> None:
        self.known: list[LabFault] = []

    def kinds(self) -> tuple[LabFaultKind, ...]:
        return KINDS

    def faults(self) -> tuple[LabFault, ...]:
        return tuple(self.known)

    def inject(self, fault: LabFault, heal: float | None) -> LabFault:
        kind = next((kind for kind in KINDS if kind.name == fault.name), None)
        if kind is None:
            raise UsageError(f"no fault {fault.name}", "the lab does not know it", "hsmctl lab fault list")
        if not kind.lasts:
            return replace(fault, since=SINCE)
        made = replace(
            fault, fault_id=f"f{len(self.known) + 1}", since=SINCE, heals=None if heal is None else SINCE + heal
        )
        self.known.append(made)
        return made

    def clear(self, fault_id: str | None) -> tuple[LabFault, ...]:
        cleared = tuple(fault for fault in self.known if fault_id in (None, fault.fault_id))
        if fault_id is not None and not cleared:
            raise Conflict(f"no fault {fault_id}", "it is not in the book", "hsmctl lab fault list")
        self.known = [fault for fault in self.known if fault not in cleared]
        return cleared

    def scenarios(self) -> Mapping[str, str]:
        return LabProgram(Path("/nonexistent/lab")).scenarios()  # those that are shipped
