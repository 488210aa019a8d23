"""A client host over SSH: commands run on it and connections opened from it.

Knows which of paramiko's waits have no end and gives them one. Refuses to log what it sends, and to put anything that
varies into a command's words.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from contextlib import closing, suppress

import paramiko

from hsmctl.adapters.ssh_route import Connection
from hsmctl.adapters.ssh_transport import closing_at
from hsmctl.adapters.terminal import SshTerminal
from hsmctl.domain.probe import Closed
from hsmctl.errors import Unreachable
from hsmctl.ports_host import Finished

_CHUNK = 64 * 1024
_OUTPUT_LIMIT = 16 * 1024 * 1024
_GLANCE_SECONDS = 0.1
"""How long standard error may wait while standard output is silent."""


class SshHost:
    """ports.ClientHost over one SSH connection."""

    def __init__(self, name: str, connection: Connection) -> None:
        self.name = name
        self.round_trip = connection.round_trip
        self._connection = connection

    def run(self, command: Sequence[str], stdin: bytes, deadline: float) -> Finished:
        """What a command came back with."""
        transport = self._connection.transport
        try:
            with closing(transport.open_session(timeout=max(0.0, deadline - time.monotonic()))) as channel:
                finished = _run(channel, shlex.join(command), stdin, deadline)
        except paramiko.ChannelException as error:
            raise self._unanswered(command, "its sshd opens no session (MaxSessions)", deadline) from error
        except (paramiko.SSHException, OSError) as error:
            raise self._unanswered(command, str(error), deadline) from error
        if time.monotonic() >= deadline or not transport.is_active():  # then it was cut off, not finished
            raise self._unanswered(command, "the SSH connection ended", deadline)
        return finished

    def open_stream(self, address: str, port: int, deadline: float) -> SshStream | Closed:
        """A TCP connection made by the host's sshd, or why there is none."""
        try:
            way = self._connection.transport.open_tcp(address, port, deadline)
        except paramiko.SSHException as error:
            raise Unreachable(f"{self.name} is gone", str(error), "try again") from error
        return way if isinstance(way, Closed) else SshStream(way)

    def open_terminal(self, command: Sequence[str], deadline: float) -> SshTerminal:
        """A program behind a terminal of the host; its words are seen by everybody there, so they are constant.

        Raises:
            Unreachable: the host opens none.
        """
        try:
            channel = self._connection.transport.open_session(timeout=max(0.0, deadline - time.monotonic()))
            return SshTerminal(channel, shlex.join(command))
        except (paramiko.SSHException, OSError) as error:
            raise self._unanswered(command, str(error), deadline) from error

    def open_process(self, command: Sequence[str], deadline: float) -> SshProcess:
        """A program of the host, its words constant as those of `run`.

        Raises:
            Unreachable: the host opens no session.
        """
        try:
            channel = self._connection.transport.open_session(timeout=max(0.0, deadline - time.monotonic()))
            with closing_at(deadline, channel):
                channel.exec_command(shlex.join(command))
        except (paramiko.SSHException, OSError) as error:
            raise self._unanswered(command, str(error), deadline) from error
        return SshProcess(channel)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _unanswered(self, command: Sequence[str], why: str, deadline: float) -> Unreachable:
        late = time.monotonic() >= deadline
        return Unreachable(
            f"no answer from {command[0]} on {self.name}", "it took too long" if late else why, "try again"
        )


class SshStream:
    """ports.ByteStream over an SSH channel."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def send(self, data: bytes, deadline: float) -> None:
        """Send all of it."""
        self._channel.settimeout(max(0.0, deadline - time.monotonic()))
        with suppress(paramiko.SSHException, OSError):
            self._channel.sendall(data)

    def receive(self, deadline: float) -> bytes | None:
        """What has arrived; empty at the end, None at the deadline."""
        left = deadline - time.monotonic()
        if left <= 0:  # also where bytes keep coming
            return None
        self._channel.settimeout(left)
        try:
            return self._channel.recv(_CHUNK)
        except TimeoutError:
            return None
        except (paramiko.SSHException, OSError):
            return b""

    def close(self) -> None:
        """End it."""
        with suppress(paramiko.SSHException, OSError):
            self._channel.close()


class SshProcess(SshStream):
    """A program on the host: its standard input and output."""

    def complaint(self) -> str:
        """The last thing it said on standard error, as far as that has arrived."""
        said = b""
        while self._channel.recv_stderr_ready():
            said += self._channel.recv_stderr(_CHUNK)
        return said.decode(errors="backslashreplace").strip().rpartition("\n")[2]


def _run(channel: paramiko.Channel, command: str, stdin: bytes, deadline: float) -> Finished:
    """The command's answer, or what there was of it at the deadline."""
    with closing_at(deadline, channel):
        channel.exec_command(command)
        with suppress(OSError):  # a command may end without reading its input
            channel.sendall(stdin)
        channel.shutdown_write()
        stdout, stderr = _output(channel)
        return Finished(channel.recv_exit_status(), stdout, stderr)


def _output(channel: paramiko.Channel) -> tuple[bytes, bytes]:
    """Standard output and standard error until both end.

    They share a window, so a program that fills one would wait for ever for a reader of the other.
    """
    stdout, stderr = bytearray(), bytearray()
    channel.settimeout(_GLANCE_SECONDS)
    more = True
    while more:
        with suppress(TimeoutError):
            more = bool(part := channel.recv(_CHUNK))
            stdout += part
        while channel.recv_stderr_ready():
            stderr += channel.recv_stderr(_CHUNK)
        if len(stdout) + len(stderr) > _OUTPUT_LIMIT:
            raise paramiko.SSHException(f"more than {_OUTPUT_LIMIT} bytes")
    return bytes(stdout), bytes(stderr)
