"""SSH connections hop by hop: first hop, host key, login, next hop through it.

A connection to a jump host is shared by everything behind it, also its failure, and ends with its last user: twenty
clients behind one bastion are one login there. A jump host is only a way; what it reaches itself says nothing about the
host behind it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import paramiko

from hsmctl.adapters.host_key import check_host_key, known_lines
from hsmctl.adapters.ssh_config import SshAddress, SshConfig, SshSettings
from hsmctl.adapters.ssh_login import log_in
from hsmctl.adapters.ssh_proxy import ProxyCommand
from hsmctl.adapters.ssh_transport import SshTransport, closing_at
from hsmctl.domain.evidence import Failed, Ok, Outcome
from hsmctl.domain.probe import Closed
from hsmctl.errors import HsmctlError, Unreachable, UsageError

CONNECT_SECONDS = 5.0
MAX_HOPS = 5
"""The host itself and four jump hosts before it."""

_Route = tuple[SshSettings, ...]
"""Every hop in order; the last one is the host itself."""
_Socket = socket.socket | paramiko.Channel


@dataclass(frozen=True, slots=True)
class Connection:
    """A logged-in connection and everything it holds on to."""

    transport: SshTransport
    round_trip: float
    """Seconds to the host and back."""
    _held: ExitStack

    def close(self) -> None:
        """End it, and the connections before it that nobody else uses. Harmless when repeated."""
        self._held.close()


class SshRoutes:
    """Opens connections to hosts as OpenSSH's configuration describes them."""

    def __init__(self, config: SshConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._shared: dict[_Route, _Shared] = {}

    def connect(self, address: SshAddress, deadline: float) -> Connection:
        """A connection to the host, through its jump hosts.

        Raises:
            Unreachable: a hop did not answer.
            Denied: a hop's host key is not trusted, or it refused the login.
            UsageError: the configuration makes no sense, or a hop is a Windows host.
        """
        return self._open(self._route(address, deadline), deadline)

    def _route(self, address: SshAddress, deadline: float, hops: int = 1) -> _Route:
        """The hops; only the first jump host may have jump hosts of its own (ssh(1), -J)."""
        settings = self._config.settings(address, deadline)
        if not settings.proxy_jump:
            return (settings,)
        hops += len(settings.proxy_jump)
        if hops > MAX_HOPS:
            why = f"more than {MAX_HOPS - 1} jump hosts, or a loop"
            raise UsageError(f"no way to {address.host}", why, f"ssh -G {address.host}")
        first, *others = settings.proxy_jump
        between = (self._config.settings(other, deadline) for other in others)
        return (*self._route(first, deadline, hops), *between, settings)

    def _open(self, route: _Route, deadline: float) -> Connection:
        """The last hop, through those before it."""
        settings = route[-1]
        held = ExitStack()
        try:
            sock, complaint = self._way(route, deadline, held)
            held.callback(sock.close)
            with _translated(settings, complaint):
                transport = SshTransport(sock)
                held.callback(transport.close)
                _greet(transport, settings, deadline)
                with closing_at(deadline, transport):
                    log_in(transport, settings, deadline)
                    return Connection(transport, transport.settle(), held)
        except BaseException:
            held.close()
            raise

    def _way(self, route: _Route, deadline: float, held: ExitStack) -> tuple[_Socket, Callable[[], str]]:
        """What the SSH protocol is to run over, and what its program has complained about."""
        settings = route[-1]
        with _translated(settings, str):
            if len(route) > 1:
                before = held.enter_context(self._sharing(route[:-1], deadline))
                return _through(before, settings, deadline), str
            if settings.proxy_command:
                proxy = ProxyCommand(settings.proxy_command)
                held.callback(proxy.close)
                return proxy.socket, proxy.complaint
            return _tcp(settings, deadline), str

    @contextmanager
    def _sharing(self, route: _Route, deadline: float) -> Iterator[SshTransport]:
        """The connection to a jump host, for as long as the context lasts."""
        with self._lock:
            shared = self._shared.setdefault(route, _Shared())
            shared.users += 1
        try:
            yield shared.connection(lambda: self._open(route, deadline)).transport
        finally:
            with self._lock:
                shared.users -= 1
                if last := not shared.users:
                    del self._shared[route]
            if last:
                shared.close()


@dataclass
class _Shared:
    """A connection to a jump host, or why there is none, and how many use it."""

    users: int = 0
    _outcome: Outcome[Connection] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def connection(self, connect: Callable[[], Connection]) -> Connection:
        """The connection, made by whoever comes first; its failure is everybody's who waits for it."""
        with self._lock:
            if self._outcome is None:
                try:
                    self._outcome = Ok(connect())
                except HsmctlError as error:
                    self._outcome = Failed(error)
        if isinstance(self._outcome, Failed):
            raise self._outcome.error
        return self._outcome.value

    def close(self) -> None:
        """End the connection, if there is one."""
        if isinstance(self._outcome, Ok):
            self._outcome.value.close()


def _tcp(settings: SshSettings, deadline: float) -> socket.socket:
    """The first hop."""
    seconds = min(settings.connect_timeout or CONNECT_SECONDS, deadline - time.monotonic())
    sock = socket.create_connection((settings.hostname, settings.port), timeout=max(0.001, seconds))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _through(before: SshTransport, settings: SshSettings, deadline: float) -> paramiko.Channel:
    """The next hop, through the one before it."""
    seconds = settings.connect_timeout or CONNECT_SECONDS
    way = before.open_tcp(settings.hostname, settings.port, min(deadline, time.monotonic() + seconds))
    if isinstance(way, Closed):
        raise Unreachable(f"{settings.alias} cannot be reached through its jump host", way.detail, _hint(settings))
    return way


def _greet(transport: SshTransport, settings: SshSettings, deadline: float) -> None:
    """Shake hands with the server, and make sure that it is the host and one that hsmctl works with."""
    known = known_lines(settings)
    types = [line.key.key_type for line in known if not line.marker]
    check_host_key(settings, known, transport.shake_hands(types, deadline))
    if "windows" in transport.remote_version.lower():
        why = "hsmctl works with client hosts that have a POSIX shell"
        raise UsageError(f"{settings.alias} is a Windows host", why, "run hsmctl net probe --local on a host beside it")


@contextmanager
def _translated(settings: SshSettings, complaint: Callable[[], str]) -> Iterator[None]:
    """What goes wrong on the way to a host means that it could not be asked."""
    try:
        yield
    except (paramiko.SSHException, OSError) as error:
        why = complaint() or getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreachable(f"{settings.alias} cannot be reached at {settings}", why, _hint(settings)) from error


def _hint(settings: SshSettings) -> str:
    return f"ssh -v {settings.alias}"
