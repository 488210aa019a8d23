"""HSM ports for tests: listeners on loopback addresses that behave as HSMs, middleboxes and broken paths do."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from certificates import LIFE, Issuer, certificate, pem
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

PORT = 2223
Serve = Callable[[socket.socket], None]
"""What a listener does with a connection."""
_numbers = count(1)


def new_address() -> str:
    """A loopback address where nothing listens."""
    number = next(_numbers)
    address = f"127.93.{number // 250}.{number % 250 + 1}"
    try:
        socket.create_server((address, PORT)).close()
    except OSError:  # another run of the tests has it
        return new_address()
    return address


def certified(path: Path, organization: str, common_name: str, issuer: Issuer | None = None) -> Path:
    """A file with a new key and its certificate, signed by itself or by an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    signer = issuer.certificate.subject if issuer else name
    wanted = certificate(name, key.public_key(), signer, datetime.now(UTC), ca=issuer is None, days=LIFE)
    issued = wanted.sign(issuer.key if issuer else key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_text(private.decode() + pem(issued))
    return path


def fingerprint(path: Path) -> str:
    """SHA-256 of the certificate in a file, in hex."""
    return x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(SHA256()).hex()


def tls(
    file: Path, verify: ssl.VerifyMode = ssl.CERT_OPTIONAL, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> Serve:
    """A TLS server with a key and certificate, which asks for the client's; CERT_REQUIRED insists on it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.load_verify_locations(file)
    context.verify_mode = verify
    context.maximum_version = version

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(1)

    return serve


def silence(connection: socket.socket) -> None:
    """A middlebox that takes the connection and passes nothing on."""
    while connection.recv(1024):
        pass


def hanging_up(connection: socket.socket) -> None:
    """A server that wants nobody."""
    connection.recv(1)


def babble(connection: socket.socket) -> None:
    """A server of another protocol."""
    connection.sendall(b"220 mail.example.com ESMTP\r\n")
    connection.recv(1)


@contextmanager
def listening(serve: Serve, address: str = "") -> Iterator[str]:
    """The address of a listener that serves each connection in a thread of its own."""
    address = address or new_address()
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((address, PORT), backlog=256))

        def answer(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.settimeout(10)
                serve(connection)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        stack.callback(accepting.join)
        stack.callback(listener.shutdown, socket.SHUT_RDWR)
        yield address


@contextmanager
def black_hole(address: str = "") -> Iterator[str]:
    """The address of a listener whose queue is full, so that the kernel drops what comes as a closed filter would."""
    address = address or new_address()
    with ExitStack() as stack:
        stack.enter_context(socket.create_server((address, PORT), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((address, PORT))
        yield address
