"""Two TLS layers on one TCP connection, as CloudHSM has them, with a deadline on every wait.

Knows how the inner layer travels inside the outer one: `ssl` cannot wrap its own socket twice, so the inner layer works
on memory and what it produces is carried by hand. Refuses to know whom to trust: both contexts come from the caller.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time

_CHUNK = 64 * 1024


class Stream:
    """The plain text inside both layers; blocking, for one thread.

    Every method raises TimeoutError at the deadline, ssl.SSLError where TLS fails, OSError where the connection does.
    """

    def __init__(self, outer: ssl.SSLSocket, inner: ssl.SSLContext, deadline: float | None, *, server: bool) -> None:
        """Agree on the inner layer, inside the outer one."""
        self._outer = outer
        self._arriving = ssl.MemoryBIO()
        self._leaving = ssl.MemoryBIO()
        self._inner = inner.wrap_bio(self._arriving, self._leaving, server_side=server)
        self.deadline = deadline
        """The point on `time.monotonic` at which every wait is given up, or None to wait for ever."""
        self._agree()

    @property
    def peer_certificate(self) -> bytes | None:
        """The certificate the peer showed inside, DER; None where it showed none."""
        return self._inner.getpeercert(binary_form=True)

    def read_exactly(self, count: int) -> bytes:
        """The next `count` bytes; fewer only where the peer has ended the stream."""
        parts = bytearray()
        while len(parts) < count:
            try:
                part = self._inner.read(count - len(parts))
            except ssl.SSLWantReadError:
                self._receive()
                continue
            except ssl.SSLEOFError:
                break
            if not part:
                break
            parts += part
        return bytes(parts)

    def write(self, data: bytes) -> None:
        """Send all of it."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._inner.write(rest) :]
        self._send()

    def close(self) -> None:
        """End the connection, also for a thread that waits in it."""
        with contextlib.suppress(OSError):
            self._outer.shutdown(socket.SHUT_RDWR)
        self._outer.close()

    def _agree(self) -> None:
        """Shake hands."""
        while True:
            try:
                self._inner.do_handshake()
            except ssl.SSLWantReadError:
                self._receive()
            else:
                self._send()
                return

    def _receive(self) -> None:
        """Say what is to be said, then hand what the peer says to the inner layer."""
        self._send()
        _limit(self._outer, self.deadline)
        data = self._outer.recv(_CHUNK)
        if data:
            self._arriving.write(data)
        else:
            self._arriving.write_eof()

    def _send(self) -> None:
        """Hand what the inner layer produced to the outer one."""
        data = self._leaving.read()
        if data:
            _limit(self._outer, self.deadline)
            self._outer.sendall(data)


def connect(
    host: str, port: int, outer: ssl.SSLContext, inner: ssl.SSLContext, deadline: float, source: str = ""
) -> Stream:
    """A stream to a server, from this address if one is given; both layers are agreed on before the deadline.

    Raises:
        TimeoutError: the deadline came first.
        ssl.SSLCertVerificationError: a context does not accept the server's certificate.
        OSError: there is no connection.
    """
    plain = socket.create_connection((host, port), timeout=_left(deadline), source_address=(source, 0))
    return _layered(plain, outer, inner, deadline, server=False)


def accept(sock: socket.socket, outer: ssl.SSLContext, inner: ssl.SSLContext, timeout: float) -> Stream:
    """The stream of a client whose connection was accepted; afterwards it waits for ever, unless given a deadline.

    Raises:
        TimeoutError: both layers were not agreed on within `timeout` seconds.
        OSError: TLS failed, or the connection did; it is closed.
    """
    stream = _layered(sock, outer, inner, time.monotonic() + timeout, server=True)
    stream.deadline = None
    return stream


def _layered(
    plain: socket.socket, outer: ssl.SSLContext, inner: ssl.SSLContext, deadline: float, *, server: bool
) -> Stream:
    """Both layers on a connection, which is closed if one fails."""
    wrapped = plain
    try:
        _limit(plain, deadline)
        wrapped = outer.wrap_socket(plain, server_side=server)
        wrapped.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Stream(wrapped, inner, deadline, server=server)
    except OSError:
        wrapped.close()
        raise


def _limit(sock: socket.socket, deadline: float | None) -> None:
    """Let the socket's next wait end at the deadline."""
    sock.settimeout(None if deadline is None else _left(deadline))


def _left(deadline: float) -> float:
    """Seconds until the deadline.

    Raises:
        TimeoutError: there are none.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left
