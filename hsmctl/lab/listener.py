"""The network side of one HSM: a listener on its ENI's address, two layers of TLS, one thread for each connection.

The outer layer shows AWS's self-signed certificate and asks for the client's; the inner one shows the HSM's own, which
chains to the cluster's customer CA once the cluster is claimed.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsmctl import __version__
from hsmctl.agent import stream
from hsmctl.agent.inventory import Conversation, Malformed, Module, Operation, Refused, Session, serve
from hsmctl.lab.softhsm import object_files

if TYPE_CHECKING:
    from hsmctl.lab.node import Node

PORT = 2223
"""Where an HSM listens (user guide, security groups)."""
_HANDSHAKE_SECONDS = 10.0


class Listener:
    """Accepts connections to one HSM for as long as its process lives."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._outer = _context(node.folder.outer_certificate)
        self._outer.load_verify_locations(node.folder.outer_certificate)
        self._outer.verify_mode = ssl.CERT_OPTIONAL
        self.certify()

    def certify(self) -> None:
        """Show the HSM's certificate of its folder from now on; before there is one, AWS's is shown again."""
        certificate = self._node.folder.certificate
        self._inner = _context(certificate) if certificate.exists() else self._outer

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address is not this machine's, or taken.
        """
        listening = socket.create_server((self._node.record.place.address, PORT), backlog=128)
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        """Talk to one client until it leaves; one that does not speak our protocols is left."""
        with closing(connection):
            try:
                with closing(stream.accept(connection, self._outer, self._inner, _HANDSHAKE_SECONDS)) as layers:
                    visit = _Visit(self._node, layers.write)
                    serve(layers.read_exactly, visit.write, visit.conversation)
            except (OSError, Malformed, Refused):
                return


class _Visit:
    """One connection: who logged in, and what it changed."""

    def __init__(self, node: Node, write: Callable[[bytes], None]) -> None:
        self._node = node
        self._write = write
        self._user = ""
        self._reported = 0
        self.conversation = Conversation(
            node.module,
            version=__version__,
            operations={name: self._creating(operation) for name, operation in _CREATING.items()},
            authenticate=self._authenticate,
            total=node.total,
            lock=node.lock,
            hsm_id=node.record.place.hsm_id,
        )

    def write(self, data: bytes) -> None:
        """Answer, once the siblings have what the request changed."""
        self._node.wait_replicated(self._reported)
        self._write(data)

    def _authenticate(self, user: str, password: str, _: Mapping[str, Any]) -> tuple[int, str]:
        access = self._node.authenticate(user, password)
        self._user = user.lower()
        return access

    def _creating(self, operation: Operation) -> Operation:
        """The operation, which also reports the object files that appeared."""

        def run(module: Module, session: Session, arguments: Mapping[str, Any]) -> Mapping[str, object]:
            token = self._node.folder.tokens / self._user
            before = set(object_files(token))
            try:
                return operation(module, session, arguments)
            finally:
                if made := set(object_files(token)) - before:
                    self._reported = self._node.report("created", self._user, sorted(made))

        return run


def _generate(module: Module, session: Session, arguments: Mapping[str, Any]) -> Mapping[str, object]:
    """The agent's operation of this name, imported on first use because python-pkcs11 is large."""
    from hsmctl.agent.operations import generate

    return generate(module, session, arguments)


_CREATING: Mapping[str, Operation] = {"generate": _generate}
"""The operations that create objects."""


def _context(certificate: Path) -> ssl.SSLContext:
    """A server's context with a key and certificate of one file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
