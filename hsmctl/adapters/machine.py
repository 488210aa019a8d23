"""The machines that connections to HSMs can be tried from: this one, and the context's client hosts over SSH."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hsmctl.adapters.ssh import SshHost
from hsmctl.adapters.ssh_config import SshAddress, SshConfig
from hsmctl.adapters.ssh_route import SshRoutes
from hsmctl.adapters.terminal import LocalTerminal
from hsmctl.domain.probe import LOCAL, Answer, Closed, closed
from hsmctl.errors import Conflict, Unreachable
from hsmctl.ports_host import Finished

_CHUNK = 64 * 1024


class Machines:
    """ports.ClientHosts: this machine and the registered client hosts, by name."""

    def __init__(self, addresses: Mapping[str, SshAddress], ssh_config: Path | None = None) -> None:
        """Nothing is connected yet; `ssh_config` is read instead of the user's and the system's."""
        self._addresses = addresses
        self._routes = SshRoutes(SshConfig(ssh_config))

    def connect(self, name: str, deadline: float) -> LocalHost | SshHost:
        """The machine, ready."""
        if name == LOCAL:
            return LocalHost()
        if name not in self._addresses:
            raise Conflict(f"no client {name}", f"the context has {', '.join(self._addresses) or 'none'}", _HINT)
        return SshHost(name, self._routes.connect(self._addresses[name], deadline))


_HINT = "add it to [[context.NAME.clients]]"


class LocalHost:
    """ports.ClientHost on this machine."""

    name = LOCAL
    round_trip = 0.0

    def run(self, command: Sequence[str], stdin: bytes, deadline: float) -> Finished:
        """What a command came back with."""
        try:
            run = subprocess.run(  # noqa: S603 (the caller's words are constant)
                command, input=stdin, capture_output=True, timeout=_left(deadline), check=False, process_group=0
            )
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"no answer from {command[0]}", "it took too long", "try again") from error
        except OSError as error:
            return Finished(127, b"", f"{command[0]}: {error.strerror}".encode())  # as a shell says it
        return Finished(run.returncode, run.stdout, run.stderr)

    def open_stream(self, address: str, port: int, deadline: float) -> LocalStream | Closed:
        """A TCP connection of this machine, or why there is none."""
        try:
            return LocalStream(socket.create_connection((address, port), timeout=_left(deadline)))
        except OSError as error:
            return closed(error.strerror) if error.strerror else Closed(Answer.TIMED_OUT, "no answer in time")

    def open_terminal(self, command: Sequence[str], deadline: float) -> LocalTerminal:  # noqa: ARG002 - as over SSH
        """A program behind a terminal of this machine.

        Raises:
            Unreachable: this machine has no terminal left.
        """
        try:
            return LocalTerminal(command)
        except OSError as error:
            raise Unreachable(f"no terminal for {command[0]}", error.strerror or str(error), "try again") from error

    def close(self) -> None:
        """Nothing is held."""


class LocalStream:
    """ports.ByteStream over a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def send(self, data: bytes, deadline: float) -> None:
        """Send all of it."""
        self._socket.settimeout(_left(deadline))
        with suppress(OSError):
            self._socket.sendall(data)

    def receive(self, deadline: float) -> bytes | None:
        """What has arrived; empty at the end, None at the deadline."""
        left = deadline - time.monotonic()
        if left <= 0:  # also where bytes keep coming
            return None
        self._socket.settimeout(left)
        try:
            return self._socket.recv(_CHUNK)
        except TimeoutError as error:
            return b"" if error.errno else None  # the kernel gave the connection up
        except OSError:
            return b""

    def close(self) -> None:
        """End it."""
        self._socket.close()


def _left(deadline: float) -> float:
    """Seconds until the deadline; never 0, which would mean not to wait at all."""
    return max(0.001, deadline - time.monotonic())
