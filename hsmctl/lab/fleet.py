"""All HSM processes of one lab: builds them, keeps them running, gives them certificates and users, removes them.

Knows which HSMs there should be from their folders, so a supervisor that starts again goes on where the last one ended.
Refuses to know the emulated service's states; a process that died is started again only when `repair` is called.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network

from hsmctl.errors import Conflict, HsmctlError, Unreachable
from hsmctl.lab import provision
from hsmctl.lab.folder import LabFolder, NodeFolder, write_private
from hsmctl.lab.machines import MachineState, Place
from hsmctl.lab.owner import end_owner
from hsmctl.lab.process import Event, NodeProcess
from hsmctl.lab.record import NodeRecord
from hsmctl.lab.replication import Change, ChangeKind, Replicator
from hsmctl.lab.softhsm import TOKEN_KEY_BYTES
from hsmctl.lab.user import Role, Users

BUILDERS = 4
"""HSMs that are built at the same time; their start is work for the processors."""
_READY_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
_QUIT_SECONDS = 5.0
_RESERVED_HOSTS = 3
"""What AWS keeps for itself of every subnet, from .1 (VPC user guide, subnet sizing)."""
_FIRST_HOST = 10
"""The first address that is given away unasked."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Machine:
    """One HSM of the fleet."""

    place: Place
    folder: NodeFolder
    process: NodeProcess | None = None
    meanwhile: MachineState | None = None
    """What to say while its process is being changed."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever changes its process or its folder."""

    @property
    def state(self) -> MachineState:
        """How far it is."""
        if self.meanwhile:
            return self.meanwhile
        return MachineState.RUNNING if self.process and self.process.alive else MachineState.DEAD


class Fleet:
    """The HSM processes of one lab; implements machines.Machines."""

    def __init__(self, lab: LabFolder, zones: Mapping[str, IPv4Network]) -> None:
        self._lab = lab
        self._zones = zones
        self._machines: dict[str, Machine] = {}
        self._lock = threading.Lock()
        self._builders = ThreadPoolExecutor(BUILDERS, "builder")
        self._replicator = Replicator(lab.node, self._siblings)

    def load(self) -> None:
        """Take up every HSM that has a folder; returns before they run."""
        for path in sorted(self._lab.nodes.glob("*/node.json")):
            folder = NodeFolder(path.parent)
            machine = Machine(NodeRecord.read(folder).place, folder)
            self._machines[machine.place.hsm_id] = machine
            if folder.removing.exists():
                self._later(self._take_down, machine)
            else:
                self._begin(machine)

    def machines(self) -> tuple[Machine, ...]:
        """Every HSM there is."""
        with self._lock:
            return tuple(self._machines.values())

    def free_address(self, zone: str, wanted: str | None = None) -> str | None:
        """An address of the zone's subnet nobody uses (the wanted one or none), or None."""
        if zone not in self._zones:
            return None
        used = {machine.place.address for machine in self.machines()}
        hosts = [str(host) for host in self._zones[zone].hosts()]
        choice = hosts[_RESERVED_HOSTS:] if wanted else hosts[_FIRST_HOST - 1 :]
        free = (host for host in choice if host not in used and wanted in (None, host))
        return next(free, None)

    def build(self, place: Place, clone_of: str | None) -> None:
        """Start the HSM's process, empty or as a clone of another HSM; returns before it is up."""
        key = secrets.token_hex(TOKEN_KEY_BYTES)
        if clone_of:
            key = NodeRecord.read(self._lab.node(clone_of)).token_key
        folder = self._lab.node(place.hsm_id)
        NodeRecord(place=place, clone_of=clone_of, token_key=key).write(folder)
        machine = Machine(place, folder)
        with self._lock:
            self._machines[place.hsm_id] = machine
        self._begin(machine)

    def state(self, hsm_id: str) -> MachineState:
        """How far the process is."""
        machine = self._machines.get(hsm_id)
        return machine.state if machine else MachineState.GONE

    def certify(self, hsm_id: str, certificate: str, key: str) -> None:
        """Give the HSM the certificate and the private key (PEM) its inner TLS presents from now on."""
        machine = self._machines[hsm_id]
        write_private(machine.folder.certificate, f"{key}\n{certificate}".encode())
        if machine.process:
            try:
                machine.process.call("certify", _ANSWER_SECONDS)
            except Unreachable as error:
                _log.warning("%s shows its certificate only after its next start: %s", hsm_id, error)

    def remove(self, hsm_id: str) -> None:
        """End the process and move its folder away; returns before it is gone."""
        machine = self._machines[hsm_id]
        machine.folder.removing.touch()
        self._later(self._take_down, machine)

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
            with machine.lock, _saying(machine, MachineState.RUNNING):
                self._quit(machine)
                _activate(machine.folder, admin, users)
                self._start(machine)

    def repair(self) -> None:
        """Start every HSM again that is not running; returns before they run."""
        for machine in self.machines():
            if machine.state is MachineState.DEAD and not machine.folder.removing.exists():
                self._begin(machine)

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
        self._replicator.close()

    def _siblings(self, hsm_id: str) -> list[str]:
        """The other HSMs of a cluster that have tokens; one that is being cloned has not."""
        cluster_id = self._machines[hsm_id].place.cluster_id
        return [
            machine.place.hsm_id
            for machine in self.machines()
            if machine.place.cluster_id == cluster_id
            and machine.place.hsm_id != hsm_id
            and machine.folder.tokens.exists()
        ]

    def _begin(self, machine: Machine) -> None:
        machine.meanwhile = MachineState.BUILDING
        self._later(self._bring_up, machine)

    def _later(self, task: Callable[[Machine], None], machine: Machine) -> None:
        self._builders.submit(task, machine).add_done_callback(partial(_log_failure, machine.place.hsm_id))

    def _bring_up(self, machine: Machine) -> None:
        """Fill the folder if need be, and start the process."""
        with machine.lock, _saying(machine, MachineState.BUILDING):
            end_owner(machine.folder.lock)
            if not machine.folder.tokens.exists():
                self._fill(machine)
            self._start(machine)

    def _fill(self, machine: Machine) -> None:
        record = NodeRecord.read(machine.folder)
        if record.clone_of is None:
            provision.build_empty(machine.folder, record)
        else:
            self._replicator.in_order(partial(self._clone, machine, record, record.clone_of)).result()

    def _clone(self, machine: Machine, record: NodeRecord, origin: str) -> None:
        """Fill a folder with what another HSM holds, asking the HSM itself if it runs."""
        snapshot = machine.folder.path / "snapshot"
        shutil.rmtree(snapshot, ignore_errors=True)
        source, running = self._lab.node(origin), self._machines.get(origin)
        if running and running.process and running.process.alive:
            running.process.call("snapshot", _ANSWER_SECONDS, destination=str(snapshot))
        else:
            shutil.copytree(source.tokens, snapshot / "tokens")
            shutil.copyfile(source.users, snapshot / "users.json")
        if source.certificate.exists():
            write_private(machine.folder.certificate, source.certificate.read_bytes())
        provision.build_clone(machine.folder, record, snapshot)

    def _start(self, machine: Machine) -> None:
        """Start the process and wait for it.

        Raises:
            Unreachable: it does not get ready.
        """
        hsm_id = machine.place.hsm_id
        machine.process = NodeProcess(machine.folder.path, partial(self._heard, machine))
        if not machine.process.wait_ready(_READY_SECONDS):
            raise Unreachable(f"{hsm_id} did not start", "its process ended or hangs", "hsmctl lab logs")
        _log.info("%s (pid %d) listens on %s", hsm_id, machine.process.pid, machine.place.address)

    def _quit_all(self) -> None:
        machines = self.machines()
        with ThreadPoolExecutor(max(1, len(machines))) as pool:
            list(pool.map(self._quit, machines))

    def _quit(self, machine: Machine) -> None:
        if machine.process:
            machine.process.quit(_QUIT_SECONDS)

    def _take_down(self, machine: Machine) -> None:
        with machine.lock:
            if self._machines.get(machine.place.hsm_id) is not machine:
                return
            self._quit(machine)
            self._lab.removed.mkdir(mode=0o700, exist_ok=True)
            machine.folder.path.replace(self._lab.removed / machine.place.hsm_id)
            with self._lock:
                del self._machines[machine.place.hsm_id]

    def _heard(self, machine: Machine, event: Event) -> None:
        """Act on what an HSM says."""
        hsm_id = machine.place.hsm_id
        if event["event"] == "said":
            _log.warning("%s: %s", hsm_id, event["text"])
            return
        change = Change(hsm_id=hsm_id, kind=ChangeKind(event["event"]), user=event["user"], names=tuple(event["names"]))
        process = machine.process
        self._replicator.submit(change, lambda: process.tell("replicated", number=event["number"]) if process else None)


def _activate(folder: NodeFolder, admin: str, users: Mapping[str, str]) -> None:
    """Do to a folder what activation and user creation do to an HSM, as far as it is not done."""
    known = Users(folder.users)
    for name, password in users.items():
        if known.get(name) is None:
            provision.add_crypto_user(folder, name, password)
    known = Users(folder.users)
    factory = known.get("admin")
    if factory and factory.role is Role.UNACTIVATED:
        known.activate(admin)


def _log_failure(hsm_id: str, done: Future[None]) -> None:
    """Let no failure pass unseen: nobody waits for a builder's result, they ask for the machine's state."""
    if not done.cancelled() and (error := done.exception()):
        _log.error("%s: %s", hsm_id, error, exc_info=None if isinstance(error, HsmctlError) else error)


@contextmanager
def _saying(machine: Machine, state: MachineState) -> Iterator[None]:
    """Let a machine be in this state meanwhile."""
    machine.meanwhile = state
    try:
        yield
    finally:
        machine.meanwhile = None
