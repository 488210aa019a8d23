"""A command line run at a terminal of its own, as somebody sits there: questions are answered, the rest is kept."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Typed:
    """What stood on the terminal in the end."""

    code: int
    text: str


def typed(
    command: Sequence[str], answers: Mapping[str, str], environ: Mapping[str, str] | None = None, seconds: float = 120
) -> Typed:
    """Run the command; a question that ends with one of the keys and a colon is answered."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True, preexec_fn=_own(slave)
    )
    os.close(slave)
    text, answered, deadline = "", 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        ready, _, _ = select.select([master], [], [], 0.2)
        if ready:
            try:
                text += os.read(master, 65536).decode(errors="replace")
            except OSError:
                break
        elif process.poll() is not None:
            break
        question = re.search(r"([^\n]+): ?\Z", text[answered:])
        reply = question and next((answers[key] for key in answers if question[1].endswith(key)), None)
        if reply is not None:
            answered = len(text)
            os.write(master, f"{reply}\n".encode())
    os.close(master)
    return Typed(process.wait(5), text.replace("\r\n", "\n"))


def _own(terminal: int) -> Callable[[], object]:
    """Makes the terminal the new session's own, where passwords are asked."""
    import fcntl
    import termios

    return lambda: fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
