"""Faults of what runs: the processes of HSMs, what travels between them, and the control plane.

What lasts of them is asked for where it matters (see `effect` and `weather`); here they take hold at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from hsmctl.lab.effect import Effects
from hsmctl.lab.fault import Fault, FaultBook
from hsmctl.lab.fleet import Fleet
from hsmctl.lab.machines import MachineState
from hsmctl.lab.replication import Replicator

_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFaults:
    """The family PROCESS."""

    book: FaultBook
    effects: Effects
    fleet: Fleet

    def prepare(self, fault: Fault) -> Fault:
        """The fault as it is."""
        return fault

    def settle(self, fault: Fault) -> None:
        """Stop, start, freeze, thaw or slow down the HSM's process."""
        machine = self.fleet.machine(str(fault.hsm))
        if self.effects.keeps_down(machine.place.hsm_id):
            with machine.lock:
                if fault.name == "node-killed":
                    machine.kill()
                machine.quit()
        elif machine.state is MachineState.DEAD and fault.name in ("node-down", "node-killed"):
            self.fleet.begin(machine)
            self.fleet.settle(_START_SECONDS)
        else:
            machine.be(self.effects.temper(machine.place.hsm_id))


@dataclass(frozen=True, slots=True)
class ReplicationFaults:
    """The family REPLICATION."""

    replicator: Replicator

    def prepare(self, fault: Fault) -> Fault:
        """The fault as it is."""
        return fault

    def settle(self, fault: Fault) -> None:  # noqa: ARG002 - the protocol's signature
        """Have replication look at what waits again."""
        self.replicator.kick()


class CloudFaults:
    """The family CLOUD."""

    def prepare(self, fault: Fault) -> Fault:
        """The fault as it is."""
        return fault

    def settle(self, fault: Fault) -> None:
        """Nothing: every call asks for itself."""
