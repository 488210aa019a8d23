"""A token agent on a client host: its sources and then frames go through one SSH session, and nothing stays there.

Knows what is sent and how the session's bytes become a channel. Refuses to put anything that varies into the command.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hsmctl import __version__
from hsmctl.adapters.address import HostedAddress
from hsmctl.agent import ckr, frame, hosted, inventory, listing, proof, start
from hsmctl.ports_host import ByteStream

_logger = logging.getLogger(__name__)
COMMAND = ("python3", "-I", "-S", "-c", hosted.BOOT)
"""What runs on the host; it is the same every time."""
_AFTERWARDS = 30.0
"""Seconds after the deadline at which an agent that hangs in a module ends itself."""


class Process(ByteStream, Protocol):
    """A program on a client host: its standard input and output."""

    def complaint(self) -> str:
        """The last thing it said on standard error."""
        ...


class Host(Protocol):
    """A client host that runs programs."""

    def open_process(self, command: tuple[str, ...], deadline: float) -> Process:
        """The program, running.

        Raises:
            Unreachable: the host opens no session.
        """
        ...

    def close(self) -> None:
        """End the connection to the host."""
        ...


Hosts = Callable[[str, float], Host]
"""Connects to the client host of a name before a deadline."""


def open_hosted(address: HostedAddress, hosts: Hosts, deadline: float) -> HostedChannel:
    """A channel to an agent on a client host.

    Raises:
        HsmctlError: the host cannot be logged in to.
    """
    host = hosts(address.host, deadline)
    try:
        process = host.open_process(COMMAND, deadline)
        process.send(_introduction(address, deadline), deadline)
    except BaseException:
        host.close()
        raise
    return HostedChannel(host, process, deadline)


class HostedChannel:
    """transport.Channel over a program on a client host."""

    def __init__(self, host: Host, process: Process, deadline: float) -> None:
        self._host = host
        self._process = process
        self._deadline = deadline
        self._arrived = bytearray()

    def read_exactly(self, count: int) -> bytes:
        """The next `count` bytes; never fewer."""
        while len(self._arrived) < count:
            part = self._process.receive(self._deadline)
            if part is None:
                raise TimeoutError("no answer in time")
            if not part:
                raise ConnectionResetError(self._process.complaint() or "its agent ended")
            self._arrived += part
        found = bytes(self._arrived[:count])
        del self._arrived[:count]
        return found

    def write(self, data: bytes) -> None:
        """Send all of it."""
        self._process.send(data, self._deadline)

    def close(self) -> None:
        """End the program, which leaves after its current call, and the connection."""
        self._process.close()
        self._host.close()


def _introduction(address: HostedAddress, deadline: float) -> bytes:
    """The line that says what comes, and the sources."""
    modules = (ckr, frame, inventory, proof, listing, start, hosted)
    sources = [(module.__name__, _source(module.__file__)) for module in modules]
    digest = hashlib.sha256(b"".join(source for _, source in sources)).hexdigest()
    _logger.info("the agent sent to %s has the SHA-256 %s", address.host, digest)
    header = {
        "sources": [(name, len(source)) for name, source in sources],
        "module": address.module.path,
        "environment": dict(address.module.environment),
        "version": __version__,
        "seconds": max(0.0, deadline - time.monotonic()) + _AFTERWARDS,
    }
    return json.dumps(header).encode() + b"\n" + b"".join(source for _, source in sources)


def _source(file: str | None) -> bytes:
    return Path(str(file)).read_bytes()
