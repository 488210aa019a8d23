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
from contextlib import closing, suppress
from typing import Protocol

import paramiko

from hsmctl.errors import Unreachable

COLUMNS = 1000
ROWS = 50
KIND = "dumb"
_CHUNK = 64 * 1024
_END_SECONDS = 2.0


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
        self._master, slave = os.openpty()
        with closing(os.fdopen(slave, "rb", buffering=0)):
            _prepare(slave)
            # The shell leads a session without a terminal, and the first one it opens becomes its own.
            self._process = subprocess.Popen(  # noqa: S603 - the caller's words are constant
                ["/bin/sh", "-c", 'tty=$1; shift; exec "$@" <>"$tty" >&0 2>&0', "sh", os.ttyname(slave), *command],
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
            ready, _, _ = select.select([self._master], [], [], min(0.2, max(0.0, deadline - time.monotonic())))
            if ready:
                try:
                    return os.read(self._master, _CHUNK)
                except OSError:  # EIO: the last program that had the terminal open is gone
                    return b""
            if self._process.poll() is not None:  # before it opened the terminal there was nobody to miss
                return b""
        raise _late()

    def close(self) -> None:
        """Hang up: the program gets SIGHUP, and SIGKILL where that does not move it."""
        if self._master < 0:
            return
        os.close(self._master)
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
