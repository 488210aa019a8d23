"""All HSM processes of one lab: builds them, keeps them running, gives them certificates and users, removes them.

Knows which HSMs there should be from their folders, so a supervisor that starts again goes on where the last one ended.
Refuses to know the emulated service's states; a process that died is started again only when `repair` is called, and
not while a fault keeps it down.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Network
from typing import Any

from hsmctl.errors import Conflict, HsmctlError, Unreachable
from hsmctl.lab import provision
from hsmctl.lab.address import free_address
from hsmctl.lab.audit import AuditTrail
from hsmctl.lab.cloning import Cloner
from hsmctl.lab.content import Contents
from hsmctl.lab.effect import Effects
from hsmctl.lab.folder import LabFolder, NodeFolder, write_private
from hsmctl.lab.hearing import Hearing
from hsmctl.lab.machine import Machine
from hsmctl.lab.machines import MachineState, Place
from hsmctl.lab.outside import OutsideClones
from hsmctl.lab.owner import end_owner
from hsmctl.lab.policy import Policies
from hsmctl.lab.process import NodeProcess
from hsmctl.lab.record import NodeRecord
from hsmctl.lab.replication import Replicator
from hsmctl.lab.softhsm import TOKEN_KEY_BYTES
from hsmctl.lab.user import User

BUILDERS = 4
"""HSMs that are built at the same time; their start is work for the processors."""
_COUNT_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Fleet:
    """The HSM processes of one lab; implements machines.Machines."""

    def __init__(self, lab: LabFolder, zones: Mapping[str, IPv4Network], effects: Effects, audit: AuditTrail) -> None:
        self._lab = lab
        self._zones = zones
        self._effects = effects
        self._machines: dict[str, Machine] = {}
        self._lock = threading.Lock()
        self._builders = ThreadPoolExecutor(BUILDERS, "builder")
        self._audit = audit
        self._outside = OutsideClones(lab)
        self._contents = Contents(lab, self.running, effects.mend)
        self.on_change: Callable[[str | None], None] = lambda _: None
        """Told of an HSM whose process was started, before it counts as running; None says that one is gone."""
        self.on_activated: Callable[[str], None] = lambda _: None
        """Told of a cluster whose admin got its first password on an HSM."""
        self.replicator = Replicator(self._folder, self._replicas, effects)
        self._hearing = Hearing(
            audit=audit,
            replicator=self.replicator,
            folder=self._folder,
            siblings=self.siblings,
            activated=self._activated,
        )
        self.cloner = Cloner(
            contents=self._contents, replicator=self.replicator, clones=self._outside, machines=self.machines
        )

    def load(self) -> None:
        """Take up every HSM that has a folder; returns before they run."""
        for path in sorted(self._lab.nodes.glob("*/node.json")):
            folder = NodeFolder(path.parent)
            machine = Machine(NodeRecord.read(folder).place, folder)
            self._machines[machine.place.hsm_id] = machine
            if folder.removing.exists():
                self._later(self._take_down, machine)
            else:
                self.begin(machine)

    def machines(self) -> tuple[Machine, ...]:
        """Every HSM there is."""
        with self._lock:
            return tuple(self._machines.values())

    def machine(self, hsm_id: str) -> Machine:
        """The HSM of this id.

        Raises:
            Conflict: there is none.
        """
        machine = self._machines.get(hsm_id)
        if machine is None or machine.folder.removing.exists():
            raise Conflict(f"no HSM {hsm_id}", "the lab has none of this id", "hsmctl lab status")
        return machine

    def siblings(self, hsm_id: str) -> list[str]:
        """The other HSMs of a cluster that have tokens; one that is being cloned has not."""
        cluster_id = self._machines[hsm_id].place.cluster_id
        return [
            machine.place.hsm_id
            for machine in self.machines()
            if machine.place.cluster_id == cluster_id
            and machine.place.hsm_id != hsm_id
            and machine.folder.tokens.exists()
        ]

    def free_address(self, zone: str, wanted: str | None = None) -> str | None:
        """An address of the zone's subnet nobody uses (the wanted one or none), or None."""
        if zone not in self._zones:
            return None
        used = {machine.place.address for machine in self.machines()}
        return free_address(self._zones[zone], used, wanted)

    def build(self, place: Place, clone_of: str | None) -> None:
        """Start the HSM's process, empty or as a clone of another HSM or a backup; returns before it is up."""
        self.begin(self._add(place, clone_of))

    def back_up(self, hsm_id: str, backup_id: str) -> bool:
        """Keep what the HSM holds under the backup's id, for `build`; whether it could be read."""
        return self.replicator.in_order(partial(self._contents.back_up, hsm_id, backup_id)).result()

    def counts(self, hsm_id: str) -> Mapping[str, Any] | None:
        """The number of the HSM's `objects` and `sessions`, its `users`; None where it does not answer."""
        process = self.running(hsm_id)
        try:
            return process.call("counts", _COUNT_SECONDS) if process else None
        except Unreachable:
            return None

    def running(self, hsm_id: str) -> NodeProcess | None:
        """The HSM's process, if it runs."""
        return machine.running if (machine := self._machines.get(hsm_id)) else None

    def state(self, hsm_id: str) -> MachineState:
        """How far the process is."""
        machine = self._machines.get(hsm_id)
        if machine is None:
            return MachineState.GONE
        return MachineState.BUILDING if self._effects.keeps_building() else machine.state

    def certify(self, hsm_id: str, certificate: str, key: str) -> None:
        """Give the HSM the certificate and the private key (PEM) its inner TLS presents from now on."""
        machine = self._machines[hsm_id]
        write_private(machine.folder.certificate, f"{key}\n{certificate}".encode())
        machine.certify()

    def show_certificate(self, hsm_id: str) -> None:
        """Have the HSM look at its certificates again."""
        self.machine(hsm_id).certify()

    def put_user(self, hsm_id: str, name: str, user: User | None, place: int) -> None:
        """Make the user of a name be this one on the HSM, or nobody."""
        self.machine(hsm_id).put_user(name, user, place)

    def put_policies(self, hsm_id: str, policies: Policies) -> None:
        """Make the HSM's policies be these."""
        self.machine(hsm_id).put_policies(policies)

    def expire_tokens(self) -> None:
        """End the time of every open quorum token on every HSM."""
        for machine in self.machines():
            machine.expire_tokens()

    def remove(self, hsm_id: str) -> None:
        """End the process and move its folder away; returns before it is gone."""
        machine = self._machines[hsm_id]
        machine.folder.removing.touch()
        self._later(self._take_down, machine)

    def succeed(self, hsm_id: str, place: Place) -> None:
        """Put a clone of an HSM in its place, at its address perhaps; returns before it is up."""
        old = self._machines[hsm_id]
        old.folder.removing.touch()  # first: two HSMs with one address would be worse than none
        new = self._add(place, hsm_id)
        new.meanwhile = MachineState.BUILDING
        self._later(partial(self._take_over, old), new)

    def activate(self, cluster_id: str, admin: str, users: Mapping[str, str]) -> None:
        """Give the admin of a cluster's HSMs a password, and make crypto users, by name, with theirs.

        The HSMs start anew: SoftHSM sees a new token only then.

        Raises:
            Conflict: the cluster has no running HSM.
            Unreachable: an HSM does not come back.
        """
        machines = [machine for machine in self.machines() if machine.place.cluster_id == cluster_id]
        if not any(machine.state is MachineState.RUNNING for machine in machines):
            raise Conflict(f"{cluster_id} has no running HSM", "activation logs in to one", "hsmctl lab up")
        for machine in machines:
            with machine.lock, machine.saying(MachineState.RUNNING):
                machine.quit()
                provision.activate(machine.folder, admin, users)
                self._audit.activated(machine.place, tuple(users))
                self._start(machine)

    def repair(self) -> None:
        """Start every HSM again that does not run, or answer, and may; returns before they run."""
        for machine in self.machines():
            if machine.folder.removing.exists():
                continue
            if machine.observed() is MachineState.UNRESPONSIVE:
                self._awaken(machine)
            if machine.state is MachineState.DEAD:
                self.begin(machine)

    def begin(self, machine: Machine) -> None:
        """Start an HSM, built or not, unless a fault keeps it down; returns before it runs."""
        if not self._effects.keeps_down(machine.place.hsm_id):
            machine.meanwhile = MachineState.BUILDING
            self._later(self._bring_up, machine)

    def settle(self, seconds: float) -> None:
        """Return when no HSM is being built any more, or `seconds` have passed."""
        deadline = time.monotonic() + seconds
        while any(machine.meanwhile for machine in self.machines()) and time.monotonic() < deadline:
            time.sleep(0.02)

    def close(self) -> None:
        """End every process."""
        self._builders.shutdown(wait=False, cancel_futures=True)
        self._quit_all()
        self._builders.shutdown()
        self._quit_all()  # what a builder had not started before
        self.replicator.close()

    def _add(self, place: Place, clone_of: str | None) -> Machine:
        """One more HSM, whose folder says what it is to be."""
        key = secrets.token_hex(TOKEN_KEY_BYTES)
        if clone_of:
            key = NodeRecord.read(self._lab.node(clone_of)).token_key
        folder = self._lab.node(place.hsm_id)
        NodeRecord(place=place, clone_of=clone_of, token_key=key).write(folder)
        machine = Machine(place, folder)
        with self._lock:
            self._machines[place.hsm_id] = machine
        return machine

    def _replicas(self, hsm_id: str) -> list[str]:
        """Where an HSM's changes go: its siblings and its cluster's outside clones; nowhere from one that is gone."""
        machine = self._machines.get(hsm_id)
        return [*self.siblings(hsm_id), *self._outside.of(machine.place.cluster_id)] if machine else []

    def _folder(self, replica: str) -> NodeFolder:
        return self._outside.folder(replica) or self._lab.node(replica)

    def _later(self, task: Callable[[Machine], None], machine: Machine) -> None:
        self._builders.submit(task, machine).add_done_callback(partial(_log_failure, machine.place.hsm_id))

    def _bring_up(self, machine: Machine) -> None:
        """Fill the folder if need be, and start the process."""
        with machine.lock, machine.saying(MachineState.BUILDING):
            end_owner(machine.folder.lock)
            if not machine.folder.tokens.exists():
                self._fill(machine)
            self._start(machine)

    def _fill(self, machine: Machine) -> None:
        record = NodeRecord.read(machine.folder)
        if record.clone_of is None:
            provision.build_empty(machine.folder, record)
            self._audit.initialized(machine.place)
        else:
            self.replicator.in_order(partial(self._clone, machine, record, record.clone_of)).result()

    def _clone(self, machine: Machine, record: NodeRecord, origin: str) -> None:
        self._contents.clone(machine.folder, record, origin)
        self.replicator.inherit(origin, machine.place.hsm_id)

    def _start(self, machine: Machine) -> None:
        hsm_id = machine.place.hsm_id
        machine.start(partial(self._hearing.heard, machine.place))
        self.on_change(hsm_id)
        machine.be(self._effects.temper(hsm_id))

    def _awaken(self, machine: Machine) -> None:
        """Let a process that was stopped go on, unless a fault stops it; end it where that does not help."""
        temper = self._effects.temper(machine.place.hsm_id)
        machine.be(temper)
        if not temper.frozen and machine.observed() is MachineState.UNRESPONSIVE:
            machine.quit()

    def _quit_all(self) -> None:
        machines = self.machines()
        with ThreadPoolExecutor(max(1, len(machines))) as pool:
            list(pool.map(Machine.quit, machines))

    def _take_over(self, old: Machine, new: Machine) -> None:
        self._take_down(old)
        self._bring_up(new)

    def _take_down(self, machine: Machine) -> None:
        with machine.lock:
            if self._machines.get(machine.place.hsm_id) is machine:
                machine.quit()
                self.replicator.in_order(partial(self._move_away, machine)).result()

    def _move_away(self, machine: Machine) -> None:
        hsm_id = machine.place.hsm_id
        self._lab.removed.mkdir(mode=0o700, exist_ok=True)
        machine.folder.path.replace(self._lab.removed / hsm_id)
        with self._lock:
            del self._machines[hsm_id]
        self.replicator.forget(hsm_id)
        self._effects.forget(hsm_id)
        self.on_change(None)

    def _activated(self, place: Place) -> None:
        # The service asks this very HSM for a backup, so whoever reads its answers must not wait for that.
        activated = self._builders.submit(self.on_activated, place.cluster_id)
        activated.add_done_callback(partial(_log_failure, place.hsm_id))


def _log_failure(hsm_id: str, done: Future[None]) -> None:
    """Let no failure pass unseen: nobody waits for a builder's result, they ask for the machine's state."""
    if not done.cancelled() and (error := done.exception()):
        _log.error("%s: %s", hsm_id, error, exc_info=None if isinstance(error, HsmctlError) else error)
