"""The network side of one HSM: a listener on its ENI's address, two layers of TLS, one thread for each connection.

The outer layer shows AWS's self-signed certificate and asks for the client's; the inner one shows the HSM's own, which
chains to the cluster's customer CA once the cluster is claimed.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsmctl import __version__
from hsmctl.agent import stream
from hsmctl.agent.frame import Malformed
from hsmctl.agent.inventory import Module, Operation, Refused, Session, serve
from hsmctl.agent.proof import LISTINGS
from hsmctl.lab.black_hole import close_to_clients, open_to_clients, own_side
from hsmctl.lab.limit import check_size
from hsmctl.lab.policy import Enforcement
from hsmctl.lab.reception import Reception

if TYPE_CHECKING:
    from hsmctl.lab.node import Node

PORT = 2223
"""Where an HSM listens (user guide, security groups)."""
_HANDSHAKE_SECONDS = 10.0


class Listener:
    """Accepts connections to one HSM for as long as its process lives."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._listening: socket.socket | None = None
        self._plain: set[stream.Stream] = set()
        """Connections that showed no client certificate, the lab's own left out."""
        self._count_lock = threading.Lock()
        self.connections = 0
        """How many clients are connected now."""
        self.face_clients()
        self.certify()
        node.administration.on_policy = self.certify

    def face_clients(self) -> None:
        """Meet clients from now on as the folder says: with which outer certificate, and whether at all."""
        folder = self._node.folder
        shown = folder.foreign_certificate if folder.foreign_certificate.exists() else folder.outer_certificate
        self._outer = _context(shown)
        self._outer.load_verify_locations(shown)
        self._outer.verify_mode = ssl.CERT_OPTIONAL
        if self._listening:
            meet = close_to_clients if folder.closed.exists() else open_to_clients
            meet(self._listening)

    def certify(self) -> None:
        """Show the HSM's certificate of its folder from now on, a false one first; without any, AWS's again.

        Clients are asked for certificates of the trust anchors, and cut off without one where that is enforced
        (cloudhsm_cli-cluster-mtls-set-enforcement). The lab's own connections are not.
        """
        folder, policies = self._node.folder, self._node.administration.policies
        shown = next((path for path in (folder.false_certificate, folder.certificate) if path.exists()), None)
        self._inner = self._near = _context(shown) if shown else self._outer
        enforced = policies.enforcement is Enforcement.CLUSTER
        if shown and policies.anchors:
            self._inner = _context(shown)
            self._inner.verify_mode = ssl.CERT_REQUIRED if enforced else ssl.CERT_OPTIONAL
            self._inner.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            self._inner.load_verify_locations(cadata="".join(each.certificate for each in policies.anchors))
        if enforced:
            for plain in tuple(self._plain):
                plain.close()

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address is not this machine's, or taken.
        """
        self._listening = socket.create_server((self._node.record.place.address, PORT), backlog=128)
        self.face_clients()
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count one connection meanwhile."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._count_lock:
            self.connections += change

    def _accept(self, listening: socket.socket) -> None:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        """Talk to one client until it leaves; one that does not speak our protocols is left."""
        with closing(connection), self._counted():
            try:
                near = connection.getpeername()[0] == own_side(connection.getsockname()[0])
                inner = self._near if near else self._inner
                with closing(stream.accept(connection, self._outer, inner, _HANDSHAKE_SECONDS)) as layers:
                    self._talk(layers, near=near)
            except (OSError, Malformed, Refused):
                return

    def _talk(self, layers: stream.Stream, *, near: bool) -> None:
        """Answer until the client leaves, or is cut off because client certificates are demanded from now on."""
        mutual = layers.peer_certificate is not None
        if not (mutual or near):
            self._plain.add(layers)
        try:
            visit = _Visit(self._node, layers.write, mutual=mutual)
            serve(layers.read_exactly, visit.write, visit.conversation)
        finally:
            self._plain.discard(layers)


class _Visit:
    """One connection: who logged in, and what it changed."""

    def __init__(self, node: Node, write: Callable[[bytes], None], *, mutual: bool) -> None:
        self._node = node
        self._write = write
        self._guest = node.administration.new_guest(mutual=mutual)
        self._reported = 0
        self.conversation = Reception(
            node.module,
            version=__version__,
            operations={
                **{name: _agent(name) for name in _HARMLESS},
                **{name: self._reporting(_agent(name), self._check) for name in _CREATING},
                **{name: self._reporting(_agent(name), _unchecked, destroys=True) for name in _DESTROYING},
            },
            listings=LISTINGS,
            authenticate=self._authenticate,
            total=node.total,
            lock=node.lock,
            hsm_id=node.record.place.hsm_id,
            hsm=node.administration,
            guest=self._guest,
        )
        node.administration.enter(self.conversation)

    def write(self, data: bytes) -> None:
        """Answer, once the siblings have what the request changed."""
        self._node.wait_replicated(self._reported)
        time.sleep(self._node.delay)
        self._write(data)

    def _authenticate(self, user: str, password: str, token: Mapping[str, Any]) -> tuple[int, str]:
        return self._node.authenticate(self._guest, user, password, token.get("tokens"))

    def _check(self, arguments: Mapping[str, Any]) -> None:
        """Refuse a key that CloudHSM would refuse, or that has no room."""
        check_size(arguments)
        self._node.room.check(arguments)

    def _reporting(self, operation: Operation, check: _Check, *, destroys: bool = False) -> Operation:
        """The operation, which reports the object files that appeared, or are gone."""

        def run(module: Module, session: Session, arguments: Mapping[str, Any]) -> Mapping[str, object]:
            check(arguments)
            making = self._node.begin(self._guest.user, destroys=destroys)
            try:
                return operation(module, session, arguments)
            finally:
                self._reported = self._node.finish(making)

        return run


def _agent(name: str) -> Operation:
    """The agent's operation of this name, imported on first use: a node that lists and replicates needs none."""

    def run(module: Module, session: Session, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        from hsmctl.agent.operations import OPERATIONS

        return OPERATIONS[name](module, session, arguments)

    return run


def _unchecked(_: Mapping[str, Any]) -> None:
    """Nothing stands against it."""


_Check = Callable[[Mapping[str, Any]], None]
"""Raises Refused where the arguments ask for what CloudHSM does not do."""
_CREATING = ("generate", "create", "unwrap", "derive")
_DESTROYING = ("destroy",)
_HARMLESS = (
    *("find", "read", "wrap", "token", "use", "verify", "mac-begin", "mac-update", "mac-end"),
    *("bench-key", "bench", "probe"),
)
"""The operations that leave the token as it is. There is none that changes an attribute, as CloudHSM's library has no
C_SetAttributeValue for keys."""


def _context(certificate: Path) -> ssl.SSLContext:
    """A server's context with a key and certificate of one file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
