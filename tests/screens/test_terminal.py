"""Proves on a real terminal that however hsmctl ui ends, it leaves the terminal as it was."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ENTERED, LEFT = b"\x1b[?1049h", b"\x1b[?1049l"
CURSOR_SHOWN, MOUSE_OFF = b"\x1b[?25h", b"\x1b[?1000l"


class Terminal:
    """Our end of a terminal, and the process at the other."""

    def __init__(self, fd: int, process: subprocess.Popen[bytes]) -> None:
        self.fd, self.process, self.seen = fd, process, b""

    def until(self, marker: bytes, seconds: float = 60) -> None:
        """Read until it was written."""
        end = time.monotonic() + seconds
        while marker not in self.seen:
            assert time.monotonic() < end, self.seen[-500:]
            self._read()

    def ended(self) -> int:
        """Read to the end; the exit code."""
        end = time.monotonic() + 60
        while self.process.poll() is None:
            assert time.monotonic() < end, self.seen[-500:]
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def stopped(self) -> None:
        """Read until the process does not run any more: a shell takes nothing up again before."""
        end = time.monotonic() + 60
        while Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < end, self.seen[-500:]
            self._read()

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> bool:
        if not select.select([self.fd], [], [], 0.1)[0]:
            return False
        try:
            new = os.read(self.fd, 65_536)
        except OSError:  # the other end is closed
            return False
        self.seen += new
        return bool(new)


@contextmanager
def running(folder: Path, *, closing: str = "", **environ: str) -> Iterator[Terminal]:
    """`hsmctl ui`, or a program that runs it, in a context that leads nowhere, at 60 x 20."""
    config = folder / "config.toml"
    config.write_text('[context.nowhere]\nendpoint_url = "http://127.0.0.1:9"\nregion = "eu-central-1"\n')
    env = os.environ | {"TERM": "xterm-256color", "HSMCTL_CONFIG": str(config), "HSMCTL_STATE_HOME": str(folder)}
    env |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "HSMCTL_CONTEXT": "nowhere", **environ}
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", closing] if closing else [sys.executable, "-m", "hsmctl", "ui"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True)
    terminal = Terminal(ours, process)
    terminal.resize(20, 60)
    os.close(theirs)
    try:
        yield terminal
    finally:
        process.kill()
        process.wait()
        if terminal.fd >= 0:
            os.close(terminal.fd)


def restored(seen: bytes) -> bool:
    """Whether the alternate screen was left, the cursor shown and the mouse let go, in the end."""
    return seen.rindex(LEFT) > seen.rindex(ENTERED) and CURSOR_SHOWN in seen and MOUSE_OFF in seen


@pytest.mark.parametrize(
    ("environ", "leave", "code"),
    [
        ({}, b"q", 0),
        ({"NO_COLOR": "1"}, signal.SIGTERM, 128 + signal.SIGTERM),
        ({"TERM": "linux", "COLORTERM": ""}, b"q", 0),
    ],
    ids=["q, resized while loading", "a signal, no colour", "sixteen colours"],
)
def test_the_terminal_is_as_it_was(
    tmp_path: Path, environ: dict[str, str], leave: bytes | signal.Signals, code: int
) -> None:
    with running(tmp_path, **environ) as terminal:
        for size in ((5, 20), (50, 200), (1, 1), (20, 60)):
            terminal.resize(*size)
            os.kill(terminal.process.pid, signal.SIGWINCH) if terminal.seen else None
        terminal.until(b"fleet")
        for size in ((5, 20), (50, 200), (24, 80)):
            terminal.resize(*size)
        if isinstance(leave, bytes):
            os.write(terminal.fd, b"\x03" + leave)
        else:
            os.kill(terminal.process.pid, leave)
        assert terminal.ended() == code
        assert restored(terminal.seen)
        assert b"Traceback" not in terminal.seen


def test_a_terminal_that_is_gone_ends_it(tmp_path: Path) -> None:
    with running(tmp_path) as terminal:
        terminal.until(b"fleet")
        os.close(terminal.fd)
        terminal.fd = -1
        assert terminal.process.wait(30) == 128 + signal.SIGHUP


_UNDRAWN = """
import os, pty, sys
from hsmctl.screens.heed import let_go
ours, theirs = pty.openpty()
os.dup2(theirs, 1)
os.close(theirs)
sys.stdout.write("a frame")
os.close(ours)
if sys.argv[1:]:
    let_go()
sys.exit(129)
"""
"""Ends with a frame that its terminal, which is gone, does not take."""


@pytest.mark.parametrize(("how", "code"), [([], 120), (["let go"], 128 + signal.SIGHUP)])
def test_a_frame_nobody_takes_does_not_change_how_it_ends(how: list[str], code: int) -> None:
    environ = {**os.environ, "PYTHONUNBUFFERED": ""}  # only what is buffered is left to the interpreter

    assert subprocess.run([sys.executable, "-c", _UNDRAWN, *how], env=environ, check=False).returncode == code


_CLOSING = """
import os, sys, threading
from hsmctl.__main__ import main
threading.Timer(1.0, os.close, [0]).start()
sys.argv = ["hsmctl", "ui"]
main()
"""
"""Runs hsmctl, and closes its standard input meanwhile."""


@pytest.mark.parametrize("how", ["closed", "empty"])
def test_without_standard_input_it_does_not_begin(tmp_path: Path, how: str) -> None:
    shell = "exec {} -m hsmctl ui {}".format(sys.executable, "<&-" if how == "closed" else "</dev/null")
    with running(tmp_path, closing=f"import os; os.execvp('sh', ['sh', '-c', {shell!r}])") as terminal:
        assert terminal.ended() == 2
        assert b"it needs a terminal" in terminal.seen
        assert ENTERED not in terminal.seen
        assert b"Traceback" not in terminal.seen


def test_standard_input_that_is_closed_meanwhile_ends_it_in_good_order(tmp_path: Path) -> None:
    with running(tmp_path, closing=_CLOSING) as terminal:
        terminal.until(ENTERED)
        assert terminal.ended() == 128 + signal.SIGHUP
        assert restored(terminal.seen)
        assert b"Traceback" not in terminal.seen


def test_a_hangup_ends_it_in_good_order(tmp_path: Path) -> None:
    with running(tmp_path) as terminal:
        terminal.until(b"fleet")
        os.kill(terminal.process.pid, signal.SIGHUP)
        assert terminal.ended() == 128 + signal.SIGHUP
        assert restored(terminal.seen)


def test_stopped_and_taken_up_again_it_hands_the_terminal_over_and_draws_anew(tmp_path: Path) -> None:
    with running(tmp_path) as terminal:
        terminal.until(b"fleet")
        os.kill(terminal.process.pid, signal.SIGTSTP)
        terminal.until(LEFT)
        terminal.until(CURSOR_SHOWN)
        terminal.stopped()
        terminal.seen = b""
        os.kill(terminal.process.pid, signal.SIGCONT)
        terminal.until(ENTERED)
        terminal.until(b"fleet")
        os.write(terminal.fd, b"q")
        assert terminal.ended() == 0
        assert restored(terminal.seen)
