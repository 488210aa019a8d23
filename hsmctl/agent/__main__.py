"""`python -m hsmctl.agent MODULE [LOCK]`: one PKCS#11 module behind frames on standard input and output.

A module can hang, can crash and is initialized once for a process, so it has this process for itself. A PIN arrives in
a frame only, and core dumps are off. SIGTERM ends the process after the current call into the module, never inside it.
LOCK is held as long as the module is SoftHSM, which destroys tokens where two processes log in to one folder.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from types import FrameType

from hsmctl import __version__
from hsmctl.agent.frame import LOGIN_LIMIT, Malformed, ReadExactly, Write, read_frame, write_frame
from hsmctl.agent.inventory import Conversation, Module, Refused, serve
from hsmctl.agent.listing import LISTINGS
from hsmctl.agent.operations import OPERATIONS
from hsmctl.agent.start import started


def main(path: str, lock: str | None = None) -> None:
    """Answer until standard input ends."""
    signal.signal(signal.SIGTERM, _leave)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    read_exactly, write = _own_streams()
    try:
        module = _start(path, lock)
    except Refused as refused:
        _refuse(read_exactly, write, refused)
        return
    try:
        conversation = Conversation(module, version=__version__, operations=OPERATIONS, listings=LISTINGS)
        serve(read_exactly, write, conversation)
    except (Malformed, OSError) as error:
        sys.exit(f"the conversation ended: {error}")
    finally:
        module.finalize()


def _start(path: str, lock: str | None) -> Module:
    """The module, initialized; the lock outlasts the parent where a call hangs."""
    if lock:
        return started(path, os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    module = Module(path)
    module.initialize()
    return module


def _own_streams() -> tuple[ReadExactly, Write]:
    """Standard input and output for the frames alone: what a module prints goes to standard error."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)

    def write(data: bytes) -> None:
        outgoing.write(data)
        outgoing.flush()

    return incoming.read, write


def _refuse(read_exactly: ReadExactly, write: Write, refused: Refused) -> None:
    """Answer the first request, whatever it is, with the reason why there is no module."""
    request = read_frame(read_exactly, LOGIN_LIMIT)
    if request:
        write_frame(write, refused.reply(request.get("id")))


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """End in good order; Python calls this between two calls into the module."""
    sys.exit()


if __name__ == "__main__":
    main(*sys.argv[1:])
