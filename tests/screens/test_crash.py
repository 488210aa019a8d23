"""Proves that a bug in a screen ends in one line and a file, with the terminal in order and no value of a local."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hsmctl.screens.app import HsmctlApp
from world import World

PROGRAM = """
import sys
sys.path[:0] = {path!r}
from world import World
from hsmctl.cli.root import run
world = World()
def clusters(ids=()):
    pin = "s3cret-" + str(7 * 6)
    raise ZeroDivisionError("a bug")
world.plane.clusters = clusters
sys.exit(run(["ui"], lambda settings, ask: world.hsmctl(folder=settings.state_folder)))
"""


def test_a_bug_leaves_the_terminal_in_order_and_says_where_its_traceback_is(tmp_path: Path) -> None:
    code, screen = _ran(
        PROGRAM.format(path=sys.path), {"HSMCTL_STATE_HOME": str(tmp_path), "HSMCTL_CONFIG": os.devnull}
    )
    (trace,) = tmp_path.rglob("crashes/*.txt")
    said = screen.rpartition("\x1b[?1049l")[2]
    assert code == 70
    assert "hsmctl: this is a bug in hsmctl: ZeroDivisionError: a bug" in said
    assert str(trace) in said
    assert "ZeroDivisionError" in trace.read_text()
    assert "s3cret-42" not in screen + trace.read_text()


async def test_the_app_keeps_the_bug_and_prints_no_locals(capfd: pytest.CaptureFixture[str]) -> None:
    app = HsmctlApp(World().hsmctl(), every=0)
    with pytest.raises(ZeroDivisionError):
        await _crashed(app)
    assert isinstance(app.bug, ZeroDivisionError)
    assert "s3cret" not in "".join(capfd.readouterr())


async def _crashed(app: HsmctlApp) -> None:
    async with app.run_test() as pilot:
        app.call_later(_fails)
        await pilot.pause()


def _fails() -> None:
    pin = "s3cret"
    raise ZeroDivisionError(f"a bug{pin[:0]}")


def _ran(program: str, environ: dict[str, str]) -> tuple[int, str]:
    """The exit code of a program on a terminal of its own, and everything it wrote there."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", **environ},
        start_new_session=True,
    )
    os.close(slave)
    written = bytearray()
    with suppress(OSError):
        while piece := os.read(master, 1 << 16):
            written += piece
    os.close(master)
    return child.wait(30), written.decode(errors="replace")
