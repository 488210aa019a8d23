"""ProxyCommand: a program of the user's whose input and output are the connection, AWS SSM's session for one.

paramiko's own runs it without the shell that OpenSSH uses, spins where the program has ended, stops it when its unread
complaints fill a pipe, and never reaps it; so this one is ours.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress

_GRACE_SECONDS = 2.0


class ProxyCommand:
    """The running program; `socket` is the connection."""

    def __init__(self, command: str) -> None:
        """Start it.

        Raises:
            OSError: the shell cannot be run.
        """
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (close() closes it)
        self.socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (OpenSSH runs the user's ProxyCommand the same way)
                [os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._complaints,
                process_group=0,
            )

    def complaint(self) -> str:
        """The last line the program wrote to standard error."""
        said = os.pread(self._complaints.fileno(), 64 * 1024, 0).decode(errors="backslashreplace")
        return said.strip().rpartition("\n")[2]

    def close(self) -> None:
        """End it, in the background: it may take its time. Harmless when repeated."""
        if not self._complaints.closed:
            self.socket.close()
            self._complaints.close()
            threading.Thread(target=self._reap, name=f"reap {self._process.pid}").start()

    def _reap(self) -> None:
        """SIGTERM to the program and its children, SIGKILL after the grace."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
