"""Proves that both TLS layers carry any bytes, that the inner one decides whom to trust, and that every wait ends."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tls_files import Authority

from hsmctl.agent.stream import Stream, accept, connect

PATIENCE = 30.0
Serve = Callable[[Stream], None]


def server_context(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def client_context(authority: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if authority:
        context.load_verify_locations(authority)
    else:
        context.verify_mode = ssl.CERT_NONE
    return context


class Server:
    """Accepts one connection with both layers, and keeps what became of it."""

    def __init__(self, folder: Path, serve: Serve) -> None:
        self.authority = Authority(folder, "customer-ca")
        self._outer = server_context(Authority(folder, "aws").issue("outer"))
        self._inner = server_context(self.authority.issue("hsm"))
        self._serve = serve
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.error: OSError | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def connect(self, authority: Path | None = None, deadline: float | None = None) -> Stream:
        inner = client_context(authority or self.authority.path)
        return connect("127.0.0.1", self.port, client_context(None), inner, deadline or time.monotonic() + PATIENCE)

    def end(self) -> None:
        self._thread.join(PATIENCE)
        self._listening.close()

    def _run(self) -> None:
        try:
            stream = accept(self._listening.accept()[0], self._outer, self._inner, PATIENCE)
        except OSError as error:
            self.error = error
            return
        self._serve(stream)
        stream.close()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[[Serve], Server]]:
    servers: list[Server] = []

    def start(serve: Serve) -> Server:
        servers.append(Server(tmp_path, serve))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


def echo(stream: Stream) -> None:
    while size := stream.read_exactly(4):
        stream.write(stream.read_exactly(int.from_bytes(size, "big")))


def nothing(stream: Stream) -> None:
    stream.read_exactly(1)


@pytest.mark.parametrize("size", [0, 1, 16 * 1024, 3_000_001])
def test_any_number_of_bytes_arrives(serving: Callable[[Serve], Server], size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    stream = serving(echo).connect()
    stream.write(size.to_bytes(4, "big") + data[:size])

    assert stream.read_exactly(size) == data[:size]
    stream.close()


def test_fewer_bytes_arrive_only_at_the_end(serving: Callable[[Serve], Server]) -> None:
    stream = serving(lambda server: server.write(b"torn")).connect()

    assert stream.read_exactly(10) == b"torn"
    assert stream.read_exactly(10) == b""
    stream.close()


def test_a_certificate_of_another_ca_is_refused(serving: Callable[[Serve], Server], tmp_path: Path) -> None:
    server = serving(nothing)
    (tmp_path / "else").mkdir()

    with pytest.raises(ssl.SSLCertVerificationError):
        server.connect(Authority(tmp_path / "else", "customer-ca").path)


def test_an_answer_that_does_not_come_is_given_up_at_the_deadline(serving: Callable[[Serve], Server]) -> None:
    stream = serving(nothing).connect()
    stream.deadline = time.monotonic() + 0.05

    with pytest.raises(TimeoutError):
        stream.read_exactly(1)
    with pytest.raises(TimeoutError, match="deadline has passed"):
        stream.write(b"late")
    stream.close()


def test_a_server_that_says_nothing_is_given_up_at_the_deadline() -> None:
    context = client_context(None)
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(TimeoutError):
        connect("127.0.0.1", mute.getsockname()[1], context, context, time.monotonic() + 0.05)


def test_a_client_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    context = server_context(Authority(tmp_path, "aws").issue("outer"))

    with ours, pytest.raises(TimeoutError):
        accept(theirs, context, context, 0.05)
    assert theirs.fileno() == -1


def test_closing_wakes_the_thread_that_waits(serving: Callable[[Serve], Server]) -> None:
    streams: list[Stream] = []
    waiting, woken = threading.Event(), threading.Event()

    def wait(server: Stream) -> None:
        streams.append(server)
        waiting.set()
        with contextlib.suppress(OSError):
            server.read_exactly(1)
        woken.set()

    client = serving(wait).connect()
    assert waiting.wait(PATIENCE)
    streams[0].close()

    assert woken.wait(PATIENCE)
    client.close()
