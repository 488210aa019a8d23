"""The port Tokens: conversations with token agents, and the one place where CKR_*, TLS and sockets become our errors.

Knows the frames and what their fields mean in the domain. Refuses to know PKCS#11 modules, which live in other
processes, and to try a refused login again: five of them lock a user, and it may be the application's. Every
conversation has a child process, or a connection, of its own.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsmctl import __version__
from hsmctl.adapters.address import Address, HostedAddress, ModuleAddress, NodeAddress, parse_address
from hsmctl.adapters.token_key import AgentObjects, AgentSpeed, AgentUses
from hsmctl.adapters.token_reply import keys_of
from hsmctl.adapters.transport import AGENT, Channel, open_module, open_node
from hsmctl.agent.frame import LIMIT, LOGIN_LIMIT, PROTOCOL, Malformed, read_frame, write_frame
from hsmctl.domain.ckr import RETRIED, explain
from hsmctl.domain.key import CLASSES, Identity, Key, KeySpec
from hsmctl.domain.sync import Inventory, Replica
from hsmctl.errors import Conflict, Denied, DeviceError, HsmctlError, PinRefused, Unreachable
from hsmctl.ports import Clock, Login, Token
from hsmctl.ports_key import TokenObjects, TokenSpeed, TokenUses

if TYPE_CHECKING:
    from hsmctl.adapters.hosted import Hosts

Gate = Callable[[Replica, Login, float], AbstractContextManager[None]]
"""Holds a login until it may be made, and learns from how it ends; the number is the deadline."""


def _open_gate(*_: object) -> AbstractContextManager[None]:
    """Every login may be made."""
    return nullcontext()


class AgentTokens:
    """Opens tokens by the replica's address: `module:` in a child process, `ssh:` on a host, `tls:` on a lab node."""

    def __init__(
        self,
        clock: Clock,
        locks: Path,
        authority: Path | None = None,
        *,
        gate: Gate = _open_gate,
        hosts: Hosts | None = None,
        command: tuple[str, ...] = AGENT,
        grace: float = 2.0,
    ) -> None:
        """Nothing is opened or read yet.

        Args:
            clock: says when an inventory was taken.
            locks: the folder of the locks that keep two processes from one SoftHSM folder.
            authority: the cluster's CA certificate, a PEM file; it alone is trusted by `tls:`.
            gate: what a login goes through; the way to the HSM is open by then, so a dead one holds nobody up.
            hosts: connects to client hosts; without it there are none.
            command: runs an agent; module and lock file are appended.
            grace: seconds an agent has to leave its last call before it is killed.
        """
        self._clock = clock
        self._locks = locks
        self._authority = authority
        self._gate = gate
        self._hosts = hosts
        self._command = command
        self._grace = grace

    @contextmanager
    def open(self, replica: Replica, login: Login, deadline: float) -> Iterator[Token]:
        """A conversation with the replica, logged in; it ends when the context does."""
        address = parse_address(replica.address)
        with _translated(replica.name):
            channel = self._channel(address, deadline)
        try:
            token = _AgentToken(replica.name, login.user, channel, deadline, self._clock)
            token.greet()
            with self._gate(replica, login, deadline):
                token.log_in(login, _wanted(address))
            yield token
        finally:
            channel.close()

    def _channel(self, address: Address, deadline: float) -> Channel:
        """The bytes' way to the agent."""
        match address:
            case NodeAddress():
                return open_node(address, self._authority, deadline)
            case ModuleAddress():
                return open_module(address, self._locks, deadline, self._command, self._grace)
        if self._hosts is None:
            raise Conflict(f"no client {address.host}", "there are no client hosts", "hsmctl config show")
        from hsmctl.adapters.hosted import open_hosted

        return open_hosted(address, self._hosts, deadline)


def _wanted(address: Address) -> Mapping[str, str | int]:
    """Which token of a library is meant; a lab node has but one for each user."""
    match address:
        case ModuleAddress():
            return address.token
        case HostedAddress():
            return address.module.token
    return {}


class _AgentToken:
    """The port Token over a channel; after Unreachable it is closed, so that no late answer meets another question."""

    def __init__(self, name: str, user: str, channel: Channel, deadline: float, clock: Clock) -> None:
        self._name = name
        self._user = user
        self._channel = channel
        self._deadline = deadline
        self._clock = clock
        self._limit = LOGIN_LIMIT
        self._asked = 0
        self._vendor = ""
        self.objects: TokenObjects = AgentObjects(self._answer, self._listed)
        self.uses: TokenUses = AgentUses(self._answer, self._listed)
        self.speed: TokenSpeed = AgentSpeed(self._answer)

    def greet(self) -> None:
        """Make sure that both ends speak the same, and that it is the HSM it should be.

        Raises:
            Unreachable: it is another one, or speaks otherwise.
        """
        ours = {"protocol": PROTOCOL, "version": __version__}
        with self._conversing():
            answer = next(self._ask("hello", ours))
            if {name: answer.get(name) for name in ours} != ours:
                raise Malformed(f"it speaks protocol {answer.get('protocol')} of hsmctl {answer.get('version')}")
            if answer.get("hsm_id") not in (None, self._name):
                raise Unreachable(
                    f"no answer from {self._name}", f"{answer['hsm_id']} answers in its place", "hsmctl hsm list"
                )

    def log_in(self, login: Login, token: Mapping[str, str | int]) -> None:
        """Log in, once.

        Raises:
            PinRefused: the PIN was refused.
            Denied: the user cannot log in for another reason.
        """
        with self._conversing():
            asked = {"user": login.user, "password": login.password.reveal(), "token": token}
            self._vendor = str(next(self._ask("login", asked)).get("manufacturer", ""))
        self._limit = LIMIT

    def inventory(self) -> Inventory:
        """Every token object the user may see, in one bulk pass."""
        return self._list("inventory", {})

    def prove(
        self, nonce: bytes, only: Collection[Identity] | None = None, per_second: float | None = None
    ) -> Inventory:
        """The inventory with a proof of every object."""
        names = None if only is None else [(_NUMBERS[name[0]], name.key_id.hex(), name.label.hex()) for name in only]
        return self._list("prove", {"nonce": nonce.hex(), "only": names, "per_second": per_second})

    def generate(self, spec: KeySpec) -> tuple[Key, ...]:
        """The new objects, as the token lists them afterwards."""
        wanted = {
            "kind": spec.kind,
            "size": spec.size,
            "label": spec.label.hex(),
            "id": spec.key_id.hex(),
            "extractable": spec.extractable,
            "attributes": spec.attributes,
        }
        with self._conversing():
            return keys_of(next(self._ask("generate", wanted)), self._vendor)

    def _answer(self, op: str, args: Mapping[str, object]) -> Mapping[str, Any]:
        """The one answer to a request; an HSM that is busy is asked again where nothing can have changed."""
        for pause in (*_PAUSES, None):
            try:
                with self._conversing():
                    return next(self._ask(op, args))
            except DeviceError as error:
                if pause is None or op not in _REPEATABLE or error.ckr not in RETRIED:
                    raise
            self._clock.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _listed(self, reply: Mapping[str, Any]) -> tuple[Key, ...]:
        """The keys of a reply."""
        with self._conversing():
            return keys_of(reply, self._vendor)

    def _list(self, op: str, args: Mapping[str, object]) -> Inventory:
        """A listing, whose replies are many."""
        taken_at = self._clock.now()
        keys: list[Key] = []
        total: int | None = None
        with self._conversing():
            for part in self._ask(op, args):
                keys += keys_of(part, self._vendor)
                total = part.get("total")
        return Inventory(keys=tuple(keys), taken_at=taken_at, user=self._user, total=total, vendor=self._vendor)

    @contextmanager
    def _conversing(self) -> Iterator[None]:
        """Foreign errors become ours, and the conversation ends where it can no longer be trusted."""
        try:
            with _translated(self._name):
                yield
        except Unreachable:
            self._channel.close()
            raise

    def _ask(self, op: str, args: Mapping[str, object]) -> Iterator[Mapping[str, Any]]:
        """The `ok` values of the replies to one request; all of them are to be read."""
        self._asked += 1
        left = max(0, int((self._deadline - time.monotonic()) * 1000))
        write_frame(self._channel.write, {"id": self._asked, "op": op, "args": args, "deadline_ms": left})
        more = True
        while more:
            reply = read_frame(self._channel.read_exactly, self._limit)
            match reply:
                case None:
                    raise ConnectionResetError("it ended the connection")
                case {"error": {"ckr": str(ckr), "what": str(what)}}:
                    raise self._refusal(ckr, what)
                case {"id": self._asked, "ok": dict(answer)}:
                    more = bool(reply.get("more"))
                    yield answer
                case _:
                    raise Malformed("an answer to another question")

    def _refusal(self, ckr: str, what: str) -> HsmctlError:
        """What an error reply means to the operator."""
        if not ckr:
            return Unreachable(f"no answer from {self._name}", what, _HINT)
        if "_PIN_" in ckr:
            kind = PinRefused if ckr.startswith("CKR_PIN_") else Denied
            return kind(
                f"{self._name} refused the login of {self._user or 'the user'}",
                ckr,
                "check the password before the next attempt: five wrong ones lock a user",
            )
        known = explain(ckr)
        name = known.name if known else ckr
        return DeviceError(f"{self._name} refused", f"{what}: {name}", known.next_step if known else _HINT, ckr=name)


_HINT = "hsmctl doctor"
_REPEATABLE = frozenset({"find", "read", "wrap", "token", "use", "verify"})
"""The operations that change nothing."""
_PAUSES = (0.1, 0.3, 0.9)
"""Seconds before a busy HSM is asked again; how often SDK 5 does is not documented (UNCONFIRMED)."""
_NUMBERS = {object_class: number for number, object_class in CLASSES.items()}


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """What goes wrong on the way to a token means that it could not be found out."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(
            f"{name} is not the HSM it should be",
            f"its certificate is not of the cluster's CA: {error.verify_message}",
            "hsmctl hsm list",
        ) from error
    except TimeoutError as error:
        raise Unreachable(f"no answer from {name} in time", str(error), _HINT) from error
    except (OSError, Malformed) as error:
        raise Unreachable(f"no answer from {name}", str(error), _HINT) from error
