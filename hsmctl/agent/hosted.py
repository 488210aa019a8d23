"""The agent on a client host, where nothing of hsmctl is installed and nothing is written.

Its sources come over standard input, after one line of JSON that says what comes; then come frames. Python 3.9 and the
standard library are enough. It lists, and lets keys prove themselves; it changes nothing.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Mapping
from typing import Any

from hsmctl.agent.frame import LOGIN_LIMIT, Malformed, ReadExactly, Write, read_frame, write_frame
from hsmctl.agent.inventory import Conversation, Module, Refused, serve
from hsmctl.agent.listing import LISTINGS
from hsmctl.agent.start import started

BOOT = """
import json, sys, types
stdin = sys.stdin.buffer
header = json.loads(stdin.readline())
for name, size in header["sources"]:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(stdin.read(size), name, "exec"), module.__dict__)
module.main(header, stdin.read)
"""
"""The program that `python3 -c` is given: the same for every host, module and user."""


def main(header: Mapping[str, Any], read_exactly: ReadExactly) -> None:
    """Answer until standard input ends; `header` says which `module`, its `environment`, our `version` and `seconds`.

    A module that hangs does not stay behind: some time after `seconds` the process ends wherever it is.
    """
    signal.setitimer(signal.ITIMER_REAL, header["seconds"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.update(header["environment"])
    write = _own_output()
    try:
        module = _start(header["module"])
    except Refused as refused:
        if request := read_frame(read_exactly, LOGIN_LIMIT):
            write_frame(write, refused.reply(request.get("id")))
        return
    try:
        serve(read_exactly, write, Conversation(module, version=header["version"], listings=LISTINGS))
    except (Malformed, OSError) as error:
        sys.exit(f"the conversation ended: {error}")
    finally:
        module.finalize()


def _start(path: str) -> Module:
    """The module, initialized; the library's own file is what is locked, because nothing is written here.

    Raises:
        Refused: it cannot be loaded, or does not start.
    """
    try:
        return started(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise Refused("", f"cannot load {path}: {error}") from error


def _own_output() -> Write:
    """Standard output for the frames alone: what a module prints goes to standard error."""
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def write(data: bytes) -> None:
        outgoing.write(data)
        outgoing.flush()

    return write
