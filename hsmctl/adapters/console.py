"""The port Consoles: cloudhsm-cli on client hosts, this machine among them.

Everything is asked in interactive sessions: one for what needs no login, kept while the console is open, because every
new process connects to every HSM anew; and one for each login. A password is sent at its prompt: the other way that
cloudhsm-cli has, two variables of the environment, can be read by others of the same user and by root. `user list` is
read before every login.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import cached_property
from typing import Protocol

from hsmctl.adapters import cloudhsm_cli as read
from hsmctl.adapters.client_files import HostFiles, parse_configuration
from hsmctl.adapters.cloudhsm_message import Answer
from hsmctl.adapters.console_session import CliSession
from hsmctl.adapters.conversation import PASSWORD, Conversation
from hsmctl.adapters.terminal import Terminal
from hsmctl.domain.client import Configuration
from hsmctl.domain.mtls import Anchor
from hsmctl.domain.probe import LOCAL
from hsmctl.domain.quorum import QuorumToken
from hsmctl.domain.sync import Replica
from hsmctl.domain.user import UNACTIVATED, HsmInfo, HsmUser, Role, check_may_log_in, find
from hsmctl.errors import Conflict, Denied, HsmctlError, PinRefused, Unreachable, UsageError
from hsmctl.ports import Clock, Login
from hsmctl.ports_cli import Factor
from hsmctl.ports_host import ClientHost
from hsmctl.secret import Secret
from hsmctl.settings_entry import ClientEntry

SECONDS = 150.0
"""What one command may take: the key availability check alone gives up after 87 s (measured)."""
CONNECT_SECONDS = 30.0
_CLI = "/opt/cloudhsm/bin/cloudhsm-cli"
_FOLDER = "/opt/cloudhsm/etc"

Gate = Callable[[Replica, Login, float], AbstractContextManager[None]]
"""Lets one login through, or refuses it (adapters.breaker)."""


class TerminalHost(ClientHost, Protocol):
    """A client host that can run a program behind a terminal."""

    def open_terminal(self, command: Sequence[str], deadline: float) -> Terminal:
        """The program, running."""
        ...


class TerminalHosts(Protocol):
    """The client hosts, by name."""

    def connect(self, name: str, deadline: float) -> TerminalHost:
        """The host, ready."""
        ...


class CliConsoles:
    """ports_cli.Consoles."""

    def __init__(self, hosts: TerminalHosts, entries: Sequence[ClientEntry], gate: Gate, clock: Clock) -> None:
        self._hosts = hosts
        self._entries = {entry.name: entry for entry in entries if entry.host or entry.name == LOCAL}
        self._gate = gate
        self._clock = clock

    def names(self) -> tuple[str, ...]:
        """The hosts that can be logged in to, and this machine where the context says it has a client."""
        return tuple(self._entries)

    @contextmanager
    def open(self, host: str, cluster_id: str) -> Iterator[CliConsole]:
        """cloudhsm-cli of a host, for one cluster."""
        if host not in self._entries:
            raise Conflict(f"no client {host}", f"the context has {', '.join(self._entries) or 'none'}", _HINT)
        entry = self._entries[host]
        with ExitStack() as stack:
            machine = stack.enter_context(closing(self._hosts.connect(host, time.monotonic() + CONNECT_SECONDS)))
            files = stack.enter_context(closing(HostFiles(machine, self._clock)))
            yield CliConsole(machine, files, entry, cluster_id, self._gate, self._clock, stack)


_HINT = "add it to [[context.NAME.clients]] with its host"


class CliConsole:
    """ports_cli.Console over one connected host."""

    def __init__(
        self,
        machine: TerminalHost,
        files: HostFiles,
        entry: ClientEntry,
        cluster_id: str,
        gate: Gate,
        clock: Clock,
        stack: ExitStack,
    ) -> None:
        """Nothing is asked yet; what is opened is closed with `stack`."""
        self._machine = machine
        self._files = files
        self._cli = entry.cli or _CLI
        self._config = f"{entry.config_folder or _FOLDER}/cloudhsm-cli.cfg"
        self._cluster_id = cluster_id
        self._gate = gate
        self._clock = clock
        self._stack = stack
        self.host = entry.name

    def hsms(self) -> tuple[HsmInfo, ...]:
        """The HSMs this host is connected to."""
        return read.hsms(self._run("cluster hsm-info"))

    def users(self) -> tuple[HsmUser, ...]:
        """Every user."""
        return read.users(self._run("user list"))

    def anchors(self) -> tuple[Anchor, ...]:
        """The trust anchors of clients."""
        return read.anchors(self._run("cluster mtls list-trust-anchors"))

    def quorum(self) -> tuple[Mapping[str, int | None], Sequence[QuorumToken]]:
        """How many approvals each service needs, and the open tokens."""
        values = read.quorum_values(self._run("quorum token-sign list-quorum-values"))
        return values, read.quorum_tokens(self._run("quorum token-sign list"))

    def configuration(self) -> Configuration:
        """What cloudhsm-cli on this host is configured to reach."""
        return self._configuration

    def activate(self, password: Secret) -> None:
        """Give the first admin a password."""
        if all(user.role != UNACTIVATED for user in self.users()):
            raise Conflict(f"{self._cluster_id} is activated already", "its admin has a password", "hsmctl user list")
        with self._conversation() as conversation:
            conversation.ask("cluster activate", {PASSWORD: password})

    @contextmanager
    def login(self, login: Login, role: Role, factor: Factor | None = None) -> Iterator[CliSession]:
        """A session of the user."""
        user = find(self.users(), login.user)
        check_may_log_in(user, role)
        if user.mfa and factor is None:
            raise Denied(f"user {user.name}", "it has a second factor", "name its private key: --admin-key FILE")
        with self._conversation() as conversation:
            session = CliSession(conversation, self._files, login.user)
            realm = Replica(name=self.host, realm=self._cluster_id)
            with self._gate(realm, login, self._clock.monotonic() + SECONDS):
                _log_in(session, login, role, factor)
            yield session

    def _run(self, words: str) -> Answer:
        """One command that needs no login."""
        return self._reader.ask(words)

    @cached_property
    def _reader(self) -> Conversation:
        """The session of those that nobody logs in for."""
        return self._stack.enter_context(self._conversation())

    @contextmanager
    def _conversation(self) -> Iterator[Conversation]:
        """An interactive session."""
        words = (self._cli, "interactive", *self._which)
        with ExitStack() as stack:
            terminal = self._machine.open_terminal(words, time.monotonic() + CONNECT_SECONDS)
            stack.callback(terminal.close)
            conversation = Conversation(terminal, self._clock, SECONDS)
            stack.callback(conversation.close)
            yield conversation

    @cached_property
    def _configuration(self) -> Configuration:
        found = parse_configuration(f"{self.host}: {self._config}", self._files.read(self._config))
        if found.of(self._cluster_id) is None:
            known = ", ".join(each.cluster_id or "one without a name" for each in found.clusters) or "none"
            raise Conflict(
                f"{self._cluster_id} is not configured on {self.host}",
                f"{self._config} has {known}",
                f"hsmctl client configure {self.host}",
            )
        return found

    @property
    def _which(self) -> tuple[str, ...]:
        """The words that choose the cluster, needed only where there are several."""
        return ("--cluster-id", self._cluster_id) if len(self._configuration.clusters) > 1 else ()


def _log_in(session: CliSession, login: Login, role: Role, factor: Factor | None) -> None:
    """Send the password once.

    Raises:
        PinRefused: the cluster refused it, or said something else that is not plainly about the way there.
    """
    try:
        session.log_in(login, role, factor)
    except (Unreachable, UsageError):
        raise
    except HsmctlError as error:
        why = f"{error.why}; attempts left: unknown"
        raise PinRefused(f"user {login.user}", why, "hsmctl user list shows whether it is locked") from error
