"""A program behind a pseudo-terminal: on this machine, or over SSH.

Knows that such a program asks for passwords at its terminal and nowhere else. Echo is switched off before it starts, so
that what is sent is not printed; the terminal is wide, so that nothing is wrapped, and dumb, so that nothing is drawn.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import paramiko

from hsmctl.errors import Unreachable

COLUMNS = 1000
ROWS = 50
KIND = "dumb"
_CHUNK = 64 * 1024
_END_SECONDS = 2.0
_LOOK_SECONDS = 0.1
"""How long the end of a silent program may go unnoticed."""


class Terminal(Protocol):
    """A running program; it ends when its terminal is closed."""

    def send(self, data: bytes) -> None:
        """Type it; where nobody reads any more, `receive` says so."""
        ...

    def receive(self, deadline: float) -> bytes:
        """What it has printed, at least a byte; empty where it has ended.

        Raises:
            Unreachable: nothing came before the deadline.
        """
        ...

    def close(self) -> None:
        """Hang up. Harmless when repeated."""
        ...


class LocalTerminal:
    """Terminal on this machine."""

    def __init__(self, command: Sequence[str]) -> None:
        # The slave stays open: without anybody at it, reading the master fails before the program has begun.
        self._master, self._slave = os.openpty()
        _prepare(self._slave)
        # The shell leads a session without a terminal, and the first one it opens becomes its own.
        self._process = subprocess.Popen(  # noqa: S603 - the caller's words are constant
            ["/bin/sh", "-c", 'tty=$1; shift; exec "$@" <>"$tty" >&0 2>&0', "sh", os.ttyname(self._slave), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TERM": KIND},
            start_new_session=True,
        )

    def send(self, data: bytes) -> None:
        """Type it."""
        with suppress(OSError):
            os.write(self._master, data)

    def receive(self, deadline: float) -> bytes:
        """What it has printed; empty where it has ended."""
        while time.monotonic() < deadline:
            ended = self._process.poll() is not None  # asked first: what it printed last is still there then
            ready, _, _ = select.select([self._master], [], [], 0.0 if ended else _LOOK_SECONDS)
            if ready:
                return os.read(self._master, _CHUNK)
            if ended:
                return b""
        raise _late()

    def close(self) -> None:
        """Hang up: the program gets SIGHUP, and SIGKILL where that does not move it."""
        if self._master < 0:
            return
        for descriptor in (self._master, self._slave):
            os.close(descriptor)
        self._master = -1
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class SshTerminal:
    """Terminal on a client host, over a channel that has one."""

    def __init__(self, channel: paramiko.Channel, command: str) -> None:
        self._channel = channel
        channel.get_pty(KIND, COLUMNS, ROWS)
        channel.exec_command(f"stty -echo && exec {command}")

    def send(self, data: bytes) -> None:
        """Type it."""
        with suppress(paramiko.SSHException, OSError):
            self._channel.sendall(data)

    def receive(self, deadline: float) -> bytes:
        """What it has printed; empty where it, or the connection, has ended."""
        self._channel.settimeout(max(0.0, deadline - time.monotonic()))
        try:
            return self._channel.recv(_CHUNK)
        except TimeoutError as error:
            raise _late() from error
        except (paramiko.SSHException, OSError):
            return b""

    def close(self) -> None:
        """Hang up."""
        with suppress(paramiko.SSHException, OSError):
            self._channel.close()


def _prepare(slave: int) -> None:
    """No echo, and wide."""
    mode = termios.tcgetattr(slave)
    mode[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, mode)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))


def _late() -> Unreachable:
    return Unreachable("no answer from cloudhsm-cli", "it took too long", "hsmctl net probe, then try again")
