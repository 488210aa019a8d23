"""Where a token's agent is and how its bytes get here: a child process for a module, two TLS layers for a lab node.

Knows processes, sockets, certificates and deadlines. Refuses to know what the bytes say. A deadline is a point on
`time.monotonic`, looked at again before every wait.
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from hsmctl.adapters.address import ModuleAddress, NodeAddress
from hsmctl.agent.stream import connect
from hsmctl.errors import UsageError
from hsmctl.private import private_folder

_logger = logging.getLogger(__name__)
_RUNNING: set[_Child] = set()
"""The children that have not been reaped yet."""


class Channel(Protocol):
    """Bytes to and from an agent until a deadline; methods raise OSError, TimeoutError included."""

    def read_exactly(self, count: int) -> bytes:
        """The next `count` bytes; fewer only where the stream ends."""
        ...

    def write(self, data: bytes) -> None:
        """Send all of it."""
        ...

    def close(self) -> None:
        """End it; nothing more arrives. Harmless when repeated."""
        ...


def open_node(address: NodeAddress, authority: Path | None, deadline: float) -> Channel:
    """A channel to a lab node that showed a certificate of the cluster's CA.

    Raises:
        UsageError: there is no CA to trust.
        OSError: nobody answered in time, or its certificate is another's.
    """
    try:
        if authority is None:
            raise FileNotFoundError("no file is configured")
        outer, inner = _contexts(authority, authority.stat().st_mtime_ns)
    except OSError as error:
        what = f"no certificate of the cluster's CA: {authority}" if authority else "no certificate of the cluster's CA"
        raise UsageError(what, str(error), "hsmctl config show") from error
    return connect(address.host, address.port, outer, inner, deadline, _lab_side(address.host))


@lru_cache(maxsize=8)
def _contexts(authority: Path, _written: int) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The outer layer, whose certificate AWS signed itself, and the inner one, which says who it is; for all HSMs.

    Raises:
        OSError: the file holds no certificate, or cannot be read.
    """
    inner = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    inner.check_hostname = False
    inner.load_verify_locations(authority)
    outer = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outer.check_hostname = False
    outer.verify_mode = ssl.CERT_NONE
    return outer, inner


def _lab_side(host: str) -> str:
    """The address from which a lab's own connections come: nodes let it pass where clients are cut off; else any."""
    first, second, *_ = f"{host}..".split(".")
    return f"127.{second}.0.1" if first == "127" and second else ""


AGENT = (sys.executable, "-P", "-m", "hsmctl.agent")
"""The agent's command; -P, so that a folder called hsmctl where the operator stands is not run with a PIN."""


def open_module(
    address: ModuleAddress, locks: Path, deadline: float, command: tuple[str, ...] = AGENT, grace: float = 2.0
) -> Channel:
    """A channel to a new child process that has the module for itself."""
    environment = {**os.environ, **address.environment}
    lock = private_folder(locks) / f"{_digest(address.path, environment)}.lock"
    return _Child((*command, address.path, str(lock)), environment, deadline, grace)


def _digest(path: str, environment: Mapping[str, str]) -> str:
    """One name for one module with one configuration (SoftHSM's comes from SOFTHSM2_CONF)."""
    configuration = environment.get("SOFTHSM2_CONF", "")
    both = os.path.realpath(path), configuration and os.path.realpath(configuration)
    return hashlib.sha256("\0".join(both).encode()).hexdigest()[:32]


@atexit.register
def _reap_left() -> None:
    """End the agents whose readers were left behind at a deadline: the interpreter goes, and nobody else would."""
    left = tuple(_RUNNING)
    for child in left:
        child.end()
    for child in left:
        child.reap()


class _Child:
    """A process with its standard input and output on a socket pair, in a process group of its own."""

    def __init__(self, command: tuple[str, ...], environment: Mapping[str, str], deadline: float, grace: float) -> None:
        self._deadline = deadline
        self._grace = grace
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (close() closes it)
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (the operator names the module)
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._complaints,
                env=environment,
                process_group=0,
            )
        self._open = True
        _RUNNING.add(self)

    def read_exactly(self, count: int) -> bytes:
        """The next `count` bytes; never fewer, because a child does not leave before its parent does."""
        parts = bytearray()
        while len(parts) < count:
            self._limit()
            try:
                part = self._socket.recv(count - len(parts))
            except TimeoutError as error:
                raise TimeoutError(self._complaint() or "no answer in time") from error
            if not part:
                raise ConnectionResetError(self._complaint() or "its process ended")
            parts += part
        return bytes(parts)

    def write(self, data: bytes) -> None:
        """Send all of it."""
        self._limit()
        self._socket.sendall(data)

    def close(self) -> None:
        """Let the process end, in the background: it may be in a call that takes long or for ever."""
        if self._open:
            self._open = False
            self._socket.close()
            self._complaints.close()
            threading.Thread(target=self.reap, name=f"reap {self._process.pid}").start()

    def reap(self) -> None:
        """SIGTERM, which the agent obeys after the current call; SIGKILL after the grace."""
        self.end()
        try:
            self._process.wait(self._grace)
        except subprocess.TimeoutExpired:
            _logger.warning(
                "token agent %d was killed in a call that did not return; if that was a login, SoftHSM may have lost"
                " the token: %s",
                self._process.pid,
                self._process.args,
            )
            self._process.kill()
            self._process.wait()
        _RUNNING.discard(self)

    def end(self) -> None:
        """Ask the process to leave after its current call."""
        self._process.terminate()

    def _limit(self) -> None:
        """Let the next wait end at the deadline."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no time is left")
        self._socket.settimeout(left)

    def _complaint(self) -> str:
        """The last thing the process said on standard error."""
        said = os.pread(self._complaints.fileno(), 64 * 1024, 0).decode(errors="backslashreplace")
        return said.strip().rpartition("\n")[2]
