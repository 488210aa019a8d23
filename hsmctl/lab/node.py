"""The process that is one HSM: sole owner of its folder, its module, its users and its listener.

`python -m hsmctl.lab.node FOLDER` speaks JSON lines with the supervisor: commands on standard input, answers and events
on standard output. It ends when its input ends, after the current call. Refuses to know its siblings, and imports
little: there may be 32 of it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from hsmctl.agent.inventory import Module, Refused, Session
from hsmctl.lab.folder import NodeFolder
from hsmctl.lab.listener import Listener
from hsmctl.lab.owner import own
from hsmctl.lab.record import NodeRecord
from hsmctl.lab.softhsm import module_path, object_files, sweep
from hsmctl.lab.user import Role, Users, Verdict

REPLICATION_SECONDS = 2.0
"""How long a reply waits for its changes to reach the siblings."""

Say = Callable[[Mapping[str, object]], None]
"""Sends one message to the supervisor."""


class Node:
    """One HSM: what its connections share."""

    def __init__(self, folder: NodeFolder, say: Say) -> None:
        self.folder = folder
        self.record = NodeRecord.read(folder)
        self.users = Users(folder.users)
        self.lock = threading.Lock()
        """Held around every call into the module."""
        self.module = Module(str(module_path()))
        self._say = say
        self._kept: dict[str, Session] = {}
        self._replication = threading.Condition()
        self._reported = self._replicated = 0

    def start(self) -> None:
        """Take the folder, heal it and open the module.

        Raises:
            Owned: another process has the folder.
            Refused: SoftHSM does not start on it.
        """
        own(self.folder.lock)
        for sentence in sweep(self.folder.tokens, self.folder.backups, self.folder.quarantine):
            self._say({"event": "said", "text": sentence})
        self.folder.configuration.write_text(
            f"directories.tokendir = {self.folder.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        os.environ["SOFTHSM2_CONF"] = str(self.folder.configuration)
        self.module.initialize()

    def stop(self) -> None:
        """Close the module when the current call is done; nothing is called after it."""
        self.lock.acquire()
        self.module.finalize()

    def authenticate(self, user: str, password: str) -> tuple[int, str]:
        """The slot and the internal PIN of a crypto user's token.

        Raises:
            Refused: not a crypto user of this HSM, a wrong password, or locked out.
        """
        verdict = self.users.authenticate(user, password)
        known = self.users.get(user)
        if verdict is Verdict.LOCKED:
            raise Refused(verdict, f"{user} is locked on {self.record.place.hsm_id}")
        if verdict is not Verdict.OK or known is None or known.role is not Role.CRYPTO_USER:
            raise Refused(Verdict.INCORRECT, "login refused")
        access = self.record.tokens[known.name]
        self._keep_open(known.name, access.slot, access.pin)
        return access.slot, access.pin

    def total(self) -> int:
        """The token objects of all crypto users; counted as files, because only their owners could list them."""
        return sum(1 for user in self.record.tokens for _ in object_files(self.folder.tokens / user))

    def report(self, change: str, user: str, names: list[str]) -> int:
        """Tell the supervisor which objects a user's call changed; the report's number."""
        with self._replication:
            self._reported += 1
            self._say({"event": change, "user": user, "names": names, "number": self._reported})
            return self._reported

    def replicated(self, number: int) -> None:
        """Note that the siblings have what was reported up to this number."""
        with self._replication:
            self._replicated = number
            self._replication.notify_all()

    def wait_replicated(self, number: int) -> None:
        """Return when the siblings have what was reported up to this number, or it takes too long."""
        with self._replication:
            self._replication.wait_for(lambda: self._replicated >= number, REPLICATION_SECONDS)

    def snapshot(self, destination: Path) -> None:
        """Copy tokens and users into a new folder, between two calls."""
        with self.lock:
            shutil.copytree(self.folder.tokens, destination / "tokens")
            shutil.copyfile(self.folder.users, destination / "users.json")

    def _keep_open(self, user: str, slot: int, pin: str) -> None:
        """Keep one session logged in for life: every C_Login rewrites the token's file and may destroy it."""
        with self.lock:
            if user not in self._kept:
                session = self._kept[user] = self.module.open(slot)
                self.module.login(session, pin)


class Pipe:
    """The supervisor's end of this process: one JSON object a line, both ways."""

    def __init__(self, commands: BinaryIO, answers: BinaryIO) -> None:
        self._commands = commands
        self._answers = answers
        self._lock = threading.Lock()

    def say(self, message: Mapping[str, object]) -> None:
        """Send a message; a supervisor that is gone is noticed at the other end."""
        with self._lock:
            try:
                self._answers.write(json.dumps(message).encode() + b"\n")
                self._answers.flush()
            except BrokenPipeError:
                return

    def commands(self) -> Iterator[dict[str, Any]]:
        """Every command until the supervisor hangs up."""
        for line in self._commands:
            yield json.loads(line)


def main() -> None:
    """Be the HSM whose folder is the only argument."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # this process holds PINs
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminate)
    # Whatever a library prints goes to the log, never between the messages.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    pipe = Pipe(sys.stdin.buffer, answers)
    node = Node(NodeFolder(Path(sys.argv[1])), pipe.say)
    node.start()
    with suppress(SystemExit):
        _serve(node, pipe)
    node.stop()
    os._exit(0)  # the threads of connections may be anywhere, and nothing is left to do


def _serve(node: Node, pipe: Pipe) -> None:
    """Obey the supervisor until it hangs up or says quit."""
    listener = Listener(node)
    listener.start()
    pipe.say({"event": "ready"})
    for command in pipe.commands():
        match command["command"]:
            case "replicated":
                node.replicated(command["number"])
            case "quit":
                return
            case name:
                pipe.say({"answer": command["id"], **_obey(node, listener, name, command)})


def _obey(node: Node, listener: Listener, name: str, command: Mapping[str, Any]) -> Mapping[str, object]:
    """Do what the supervisor asks for and say how it went."""
    try:
        match name:
            case "snapshot":
                node.snapshot(Path(command["destination"]))
            case "certify":
                listener.certify()
            case "counts":
                return {"ok": {"objects": node.total(), "users": [user.name for user in node.users.all()]}}
            case _:
                return {"error": f"no command {name}"}
    except OSError as error:
        return {"error": str(error)}
    return {"ok": {}}


def _terminate(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit


if __name__ == "__main__":
    main()
