"""A token agent that can be told to misbehave.

`peer.py MODE MODULE LOCK` answers on standard input and output, `peer.py MODE MODULE LOCK OUTER INNER` behind TLS on a
port it prints. Every C_Login leaves a line in $PEER_LOGINS.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from hsmctl import __version__
from hsmctl.agent.frame import LIMIT, LOGIN_LIMIT, PROTOCOL, ReadExactly, Write, read_frame, write_frame
from hsmctl.agent.inventory import Conversation, Module, ReadPage, Session, serve
from hsmctl.agent.listing import LISTINGS
from hsmctl.agent.operations import OPERATIONS
from hsmctl.agent.stream import accept

HELLO = {"protocol": PROTOCOL, "version": __version__}
FIRST_REPLIES: dict[str, dict[str, Any]] = {
    "other protocol": {"id": 1, "ok": {**HELLO, "protocol": PROTOCOL + 1}},
    "another question": {"id": 99, "ok": HELLO},
    "wordless": {"id": 1},
    "too large": {"id": 1, "ok": {**HELLO, "padding": "x" * LOGIN_LIMIT}},
}


class Watched(Module):
    """Counts its logins, and listens to its mode."""

    mode = ""

    def login(self, session: Session, pin: str) -> None:
        with Path(os.environ["PEER_LOGINS"]).open("a") as log:
            log.write("C_Login\n")
        super().login(session, pin)

    def batches(
        self, session: Session, size: int = 500, read: ReadPage | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        for number, batch in enumerate(super().batches(session, 1, read)):
            if self.mode == "hangs" and number == 2:
                hang()
            if self.mode == "dies" and number == 2:
                os._exit(3)
            if self.mode == "nonsense":
                batch[0]["label"] = "no hex"
            yield batch


def hang() -> NoReturn:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    while True:
        signal.pause()


def talk(mode: str, module: Module, read_exactly: ReadExactly, write: Write) -> None:
    if mode == "mute":
        hang()
    if mode in FIRST_REPLIES:
        read_frame(read_exactly, LIMIT)
        write_frame(write, FIRST_REPLIES[mode])
        read_frame(read_exactly, LIMIT)
        return
    version = "0.0.0" if mode == "other version" else __version__
    hsm_id = "hsm-other" if mode == "replaced" else None
    conversation = Conversation(module, version=version, operations=OPERATIONS, listings=LISTINGS, hsm_id=hsm_id)
    serve(read_exactly, write, conversation)


def listen(mode: str, module: Module, outer: str, inner: str) -> None:
    contexts = [ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2)]
    for context, path in zip(contexts, (outer, inner), strict=True):
        context.load_cert_chain(path)
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=answer, args=(mode, module, connection, *contexts), daemon=True).start()


def answer(mode: str, module: Module, connection: socket.socket, outer: ssl.SSLContext, inner: ssl.SSLContext) -> None:
    try:
        stream = accept(connection, outer, inner, 30)
    except OSError:
        return
    talk(mode, module, stream.read_exactly, stream.write)
    stream.close()


def main(mode: str, path: str, _lock: str, *certificates: str) -> None:
    module = Watched(path)
    module.mode = mode
    module.initialize()
    if certificates:
        listen(mode, module, *certificates)
    else:
        talk(mode, module, sys.stdin.buffer.read, write_out)


def write_out(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
