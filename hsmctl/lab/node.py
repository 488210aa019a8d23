"""The process that is one HSM: sole owner of its folder, its module, its users and its listener.

`python -m hsmctl.lab.node FOLDER` speaks JSON lines with the supervisor: commands on standard input, answers and events
on standard output. It ends when its input ends, after the current call. Refuses to know its siblings, and imports
little: there may be 32 of it.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from hsmctl.agent.inventory import Module, Refused, Session
from hsmctl.lab.administration import Administration
from hsmctl.lab.desk import LOGIN_FAILED, Guest
from hsmctl.lab.folder import NodeFolder, copy_administration
from hsmctl.lab.gate import Gate
from hsmctl.lab.keyring import Keyring
from hsmctl.lab.limit import Room, check_size, limits
from hsmctl.lab.listener import Listener
from hsmctl.lab.outbox import Entry, Outbox
from hsmctl.lab.owner import own
from hsmctl.lab.pipe import Pipe
from hsmctl.lab.policy import policies_from
from hsmctl.lab.record import NodeRecord
from hsmctl.lab.softhsm import module_path, object_files, remove_object
from hsmctl.lab.sweep import put_lone_halves_aside, sweep
from hsmctl.lab.user import Role, Users, Verdict, user_from

if TYPE_CHECKING:
    from hsmctl.lab.reception import Reception

REPLICATION_SECONDS = 2.0
"""How long a reply waits for its changes to reach the siblings."""

Say = Callable[[Mapping[str, object]], None]
"""Sends one message to the supervisor."""


class Making(NamedTuple):
    """A call that may make or destroy objects: its entry in the outbox, and the object files there were before it."""

    entry: Entry
    before: frozenset[str]


class Node:
    """One HSM: what its connections share."""

    def __init__(self, folder: NodeFolder, say: Say) -> None:
        self.folder = folder
        self.record = NodeRecord.read(folder)
        self.users = Users(folder.users)
        self.lock = Gate(folder.tokens)
        """Held around every call into the module."""
        self.module = Module(str(module_path()))
        self.room = Room(folder.tokens, limits(self.record.place.hsm_type))
        self.delay = 0.0
        """Seconds every answer is late."""
        self.say = say
        """Tells the supervisor."""
        self._kept: dict[str, Session] = {}
        self._replication = threading.Condition()
        self._replicated = 0
        self.keyring = Keyring(folder.tokens, lambda: self.record)
        """Its keys below PKCS#11; asked with the lock held."""
        self.administration = Administration(self)

    def start(self) -> None:
        """Take the folder, heal it and open the module.

        Raises:
            Owned: another process has the folder.
            Refused: SoftHSM does not start on it.
        """
        own(self.folder.lock)
        self._outbox = Outbox(self.folder.outbox, self.folder.tokens)
        unsettled = self._heal()
        self.folder.configure()
        os.environ["SOFTHSM2_CONF"] = str(self.folder.configuration)
        self.module.initialize()
        for entry in unsettled:
            self.say(_reported(entry))

    def stop(self) -> None:
        """Close the module when the current call is done; nothing is called after it."""
        self.lock.close()
        self.module.finalize()

    def authenticate(self, guest: Guest, user: str, password: str, tokens: object) -> tuple[int, str]:
        """The slot and the internal PIN of a crypto user's token; `tokens` are signatures for the second factor.

        Raises:
            Refused: not a crypto user of this HSM, a wrong password or second factor, or locked out.
        """
        known = self.administration.identify(guest, user, password, tokens)
        if known.role is not Role.CRYPTO_USER:
            raise Refused(Verdict.INCORRECT, LOGIN_FAILED)
        guest.user, guest.role = known.name, known.role
        access = self.record.tokens[known.name]
        with self.lock:
            if known.name not in self._kept:
                self._log_in(known.name)
        return access.slot, access.pin

    def objects_of(self, user: str) -> int:
        """The token objects in a user's token."""
        return sum(1 for _ in object_files(self.folder.tokens / user)) if user in self.record.tokens else 0

    def add_token(self, user: str, receptions: Iterable[Reception]) -> None:
        """Give a user an empty token; called while nobody is in the middle of an answer.

        SoftHSM sees a new token only when it starts, so it does, and what was open is opened again.
        """
        from hsmctl.lab import provision

        with self.lock:
            self.record = provision.add_token(self.folder, user)
            # SoftHSM leaves errors in OpenSSL's queue of its thread, where our own TLS would take them for its own.
            with ThreadPoolExecutor(1) as apart:
                apart.submit(self._restart_module).result()
            kept, self._kept = tuple(self._kept), {}
            for name in kept:
                self._log_in(name)
            for reception in receptions:
                reception.reopen()

    def total(self) -> int:
        """The token objects of all crypto users, a shared one once; counted as files: only owners could list them."""
        return len({name for user in self.record.tokens for name in object_files(self.folder.tokens / user)})

    def make(self, user: str, wanted: Mapping[str, Any], amend: Callable[[tuple[str, ...]], None]) -> tuple[str, ...]:
        """The object files of a new key, or pair, of a user; amended before the siblings get it.

        Raises:
            Refused: there is no room, or no key like this; a key that cannot be amended is not made.
        """
        from hsmctl.agent.operations import generate

        # What comes from outside is put in afterwards, and what a key may do is set by `amend`.
        kind = "aes" if wanted.get("value") else wanted["kind"]
        wanted = {"kind": kind, **{name: wanted[name] for name in ("size", "label", "id", "extractable")}}
        check_size(wanted)
        with self.administration.turn.together(), self.lock:
            self.room.check(wanted)
            making, names = self.begin(user), tuple[str, ...]()
            try:
                generate(self.module, self._kept[user], wanted)
                names = tuple({*object_files(self.folder.tokens / user)} - making.before)
                amend(names)
            except Refused:
                for name in names:
                    remove_object(self.folder.tokens / user, name)
                raise
            finally:
                number = self.finish(making)
        self.wait_replicated(number)
        return tuple(name for name in names if (self.folder.tokens / user / name).exists())

    def begin(self, user: str, *, destroys: bool = False) -> Making:
        """Note that a call which may make, or destroy, objects of a user is about to be made; with the lock held."""
        before = frozenset(object_files(self.folder.tokens / user))
        return Making(self._outbox.begin(user, destroys=destroys), before)

    def finish(self, making: Making) -> int:
        """Tell the supervisor which objects the call made or destroyed; the number to wait for, 0 if none."""
        after = set(object_files(self.folder.tokens / making.entry.user))
        self.lock.look_again()
        changed = making.before - after if making.entry.destroys else after - making.before
        entry = self._outbox.finish(making.entry, tuple(sorted(changed)))
        if not entry.names:
            return 0
        self.say(_reported(entry))
        return entry.number

    def replicated(self, number: int, *, settled: bool) -> None:
        """Note that every sibling has what was reported up to this number, or, not yet settled, waits for it."""
        if settled:
            self._outbox.settle(number)
        with self._replication:
            self._replicated = max(self._replicated, number)
            self._replication.notify_all()

    def wait_replicated(self, number: int) -> None:
        """Return when the siblings have what was reported up to this number, or it takes too long."""
        with self._replication:
            self._replication.wait_for(lambda: self._replicated >= number, REPLICATION_SECONDS)

    def snapshot(self, destination: Path) -> None:
        """Copy tokens, users and policies into a new folder, between two calls."""
        with self.lock:
            shutil.copytree(self.folder.tokens, destination / "tokens")
            copy_administration(self.folder, NodeFolder(destination))

    def _heal(self) -> list[Entry]:
        """Heal what a killed process left, and say so; what it still has to tell the siblings."""
        for sentence in sweep(self.folder.tokens, self.folder.backups, self.folder.quarantine):
            self.say({"event": "said", "text": sentence})
        known = [self._healed(entry) if entry.cut_off else entry for entry in self._outbox.unsettled()]
        return [entry for entry in known if entry.names]

    def _healed(self, entry: Entry) -> Entry:
        """The report of a call that was cut off: what it finished."""
        token, quarantine = self.folder.tokens / entry.user, self.folder.quarantine / entry.user
        token_key = bytes.fromhex(self.record.token_key)
        for sentence in put_lone_halves_aside(token, entry.names or (), token_key, quarantine):
            self.say({"event": "said", "text": sentence})
        there = set(object_files(token))
        return self._outbox.finish(entry, tuple(name for name in entry.names or () if name in there))

    def _restart_module(self) -> None:
        self.module.finalize()
        self.module.initialize()

    def _log_in(self, user: str) -> None:
        """Keep one session logged in for life: every C_Login rewrites the token's file and may destroy it."""
        access = self.record.tokens[user]
        session = self._kept[user] = self.module.open(access.slot)
        self.module.login(session, access.pin)


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


def _reported(entry: Entry) -> Mapping[str, object]:
    """The event that tells the supervisor of new objects, or of destroyed ones."""
    kind = "destroyed" if entry.destroys else "created"
    return {"event": kind, "user": entry.user, "names": entry.names, "number": entry.number}


def _serve(node: Node, pipe: Pipe) -> None:
    """Obey the supervisor until it hangs up or says quit."""
    listener = Listener(node)
    listener.start()
    pipe.say({"event": "ready"})
    for command in pipe.commands():
        match command["command"]:
            case "replicated":
                node.replicated(command["number"], settled=command["settled"])
            case "delay":
                node.delay = command["seconds"]
            case "quit":
                return
            case name:
                pipe.say({"answer": command["id"], **_obey(node, listener, name, command)})


def _obey(node: Node, listener: Listener, name: str, command: Mapping[str, Any]) -> Mapping[str, object]:
    """Do what the supervisor asks for and say how it went."""
    try:
        match name:
            case "ping":
                pass
            case "snapshot":
                node.snapshot(Path(command["destination"]))
            case "certify":
                listener.certify()
            case "user":
                user = command["user"]
                node.users.put(command["name"], user_from(user) if user else None, command["place"])
            case "policies":
                node.administration.set_policies(policies_from(command["policies"]))
            case "expire":
                node.administration.quorum.delete(None)
            case "face_clients":
                listener.face_clients()
            case "counts":
                users = [user.name for user in node.users.all()]
                return {"ok": {"objects": node.total(), "users": users, "sessions": listener.connections}}
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
