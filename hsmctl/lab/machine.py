"""One HSM of the fleet: its folder, its process, and what is done to either while it serves.

Refuses to know the other HSMs and what the faults are called that are done to it.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from hsmctl.errors import Unreachable
from hsmctl.lab.folder import NodeFolder
from hsmctl.lab.machines import MachineState, Place
from hsmctl.lab.policy import Policies
from hsmctl.lab.process import Event, NodeProcess
from hsmctl.lab.user import User, Users

_READY_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
_QUIT_SECONDS = 5.0
_PING_SECONDS = 3.0
"""A process answers this one between two commands, whatever its clients keep it busy with; being copied is one."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Temper:
    """How a process is to behave that runs."""

    delay: float = 0.0
    """Seconds every answer is late."""
    frozen: bool = False


@dataclass(slots=True)
class Machine:
    """One HSM."""

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
        return MachineState.RUNNING if self.running else MachineState.DEAD

    @property
    def running(self) -> NodeProcess | None:
        """Its process, if that has not ended."""
        return self.process if self.process and self.process.alive else None

    def observed(self) -> MachineState:
        """How far it is, where a process that runs has been asked whether it answers."""
        state, process = self.state, self.running
        if state is not MachineState.RUNNING or process is None:
            return state
        if process.stopped:
            return MachineState.UNRESPONSIVE
        try:
            process.call("ping", _PING_SECONDS)
        except Unreachable:
            return MachineState.UNRESPONSIVE if self.running else self.state
        return state

    @contextmanager
    def saying(self, state: MachineState) -> Iterator[None]:
        """Let it be in this state meanwhile."""
        self.meanwhile = state
        try:
            yield
        finally:
            self.meanwhile = None

    def start(self, on_event: Callable[[NodeProcess, Event], None]) -> None:
        """Start the process and wait for it.

        Raises:
            Unreachable: it does not get ready.
        """
        self.process = NodeProcess(self.folder.path, on_event)
        if not self.process.wait_ready(_READY_SECONDS):
            self.quit()
            raise Unreachable(f"{self.place.hsm_id} did not start", "its process ended or hangs", "hsmctl lab logs")
        _log.info("%s (pid %d) listens on %s", self.place.hsm_id, self.process.pid, self.place.address)

    def be(self, temper: Temper) -> None:
        """Have the process behave like this, if it runs."""
        if process := self.running:
            process.signal(signal.SIGCONT)
            process.tell("delay", seconds=temper.delay)
            if temper.frozen:
                process.signal(signal.SIGSTOP)

    def quit(self) -> None:
        """End the process after its current call."""
        if self.process:
            self.process.quit(_QUIT_SECONDS)

    def kill(self) -> None:
        """End the process wherever it is."""
        if process := self.running:
            process.signal(signal.SIGKILL)

    def certify(self) -> None:
        """Have the process look at its certificates again."""
        if process := self.running:
            try:
                process.call("certify", _ANSWER_SECONDS)
            except Unreachable as error:
                _log.warning("%s shows its certificate only after its next start: %s", self.place.hsm_id, error)

    def put_user(self, name: str, user: User | None, place: int) -> None:
        """Make the user of a name be this one, or nobody.

        Raises:
            Unreachable: the process does not answer.
        """
        with self.lock:
            if process := self.running:
                entry = asdict(user) if user else None
                process.call("user", _ANSWER_SECONDS, name=name, user=entry, place=place)
            else:
                Users(self.folder.users).put(name, user, place)

    def put_policies(self, policies: Policies) -> None:
        """Make the policies be these.

        Raises:
            Unreachable: the process does not answer.
        """
        with self.lock:
            if process := self.running:
                process.call("policies", _ANSWER_SECONDS, policies=asdict(policies))
            else:
                policies.write(self.folder.policies)

    def expire_tokens(self) -> None:
        """End the time of every open quorum token.

        Raises:
            Unreachable: the process does not answer.
        """
        if process := self.running:
            process.call("expire", _ANSWER_SECONDS)

    def described(self, state: MachineState) -> Mapping[str, object]:
        """The HSM as the lab's status shows it, in this state."""
        process = self.running
        return {
            "hsm_id": self.place.hsm_id,
            "cluster_id": self.place.cluster_id,
            "zone": self.place.zone,
            "address": self.place.address,
            "state": str(state),
            "pid": process.pid if process else None,
            "quarantined": sum(1 for _ in self.folder.quarantine.glob("*/*.object")),
        }
