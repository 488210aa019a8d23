#!/usr/bin/env python3
"""How fast the screens are, on a real pseudo-terminal: `scripts/bench ui` runs this.

First frames are whole processes, ours against a bare Textual app in turn. Keys are timed from the byte that goes in to
the first byte that comes out, in an app over a world in memory whose clock stands still, so that nothing else draws.
"""

import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = str(ROOT / ".venv" / "bin" / "python")
HSMCTL = str(ROOT / ".venv" / "bin" / "hsmctl")
PRESSES = 200
BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("fleet")

Bare().run()
"""


def main() -> None:
    if len(sys.argv) == 2:
        child(sys.argv[1])
        return
    first_frame()
    for scene, what in (
        ("matrix", "matrix of 32 x 16,666 = 533,312 cells (goal 20 ms)"),
        ("keys", "key browser of 16,666 rows (goal 20 ms)"),
        ("hang", "matrix while an HSM hangs for 60 s and AWS throttles (goal 50 ms)"),
    ):
        keys(scene, what)


def first_frame(pairs: int = 15) -> None:
    """Whole processes from their start to the first frame's text, in turn."""
    env = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    ours, bare = [HSMCTL, "ui"], [PYTHON, "-c", BARE]
    with a_lab() as lab:
        taken = [(until(ours, env | lab, b"fleet"), until(bare, env, b"fleet")) for _ in range(pairs)][1:]
    for what, place in (("wall", 0), ("CPU", 1)):
        ratio = statistics.median(our[place] / their[place] for our, their in taken)
        our, their = (statistics.median(column[place] for column in columns) for columns in zip(*taken, strict=True))
        print(
            f"first frame, {what}: {our * 1000:.0f} ms, bare Textual: {their * 1000:.0f} ms, "
            f"ratio {ratio:.2f} (goal 1.3)"
        )


def keys(scene: str, what: str) -> None:
    """Times of one key after the other, once the scene is whole."""
    with terminal([PYTHON, __file__, scene], os.environ | {"TERM": "xterm-256color", "TEXTUAL_FPS": "120"}) as (
        pid,
        fd,
    ):
        wait_for(fd, b"READY", 120)
        began = cpu(pid)
        times = [press(fd, b"j" if count % 40 < 30 else b"k") for count in range(PRESSES)]
        each = (cpu(pid) - began) / PRESSES
        memory = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    times.sort()
    p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    print(
        f"{what}: key to repaint p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms "
        f"worst {times[-1] * 1000:.1f} ms; {each * 1000:.1f} ms of CPU a key, {memory:.0f} MiB"
    )


def until(command: list[str], env: dict[str, str], marker: bytes) -> tuple[float, float]:
    """Seconds from the start of a process to a text on its terminal, and those of CPU it took."""
    began = time.perf_counter()
    with terminal(command, env) as (pid, fd):
        wait_for(fd, marker, 60)
        return time.perf_counter() - began, cpu(pid)


def cpu(pid: int) -> float:
    """Seconds of CPU the process has used, which another process on the machine does not change."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def press(fd: int, key: bytes) -> float:
    """Seconds from a key to what it draws."""
    while select.select([fd], [], [], 0.02)[0]:
        os.read(fd, 65_536)
    began = time.perf_counter()
    os.write(fd, key)
    if not select.select([fd], [], [], 10)[0]:
        sys.exit("no answer to a key in 10 s")
    return time.perf_counter() - began


def wait_for(fd: int, marker: bytes, seconds: float) -> None:
    """Read until a text has come."""
    seen, end = b"", time.monotonic() + seconds
    while marker not in seen:
        if time.monotonic() > end or not select.select([fd], [], [], seconds)[0]:
            sys.exit(f"{marker!r} did not come: {seen[-2000:]!r}")
        seen += os.read(fd, 65_536)


@contextmanager
def terminal(command: list[str], env: dict[str, str]) -> Iterator[tuple[int, int]]:
    """A process on a terminal of its own: its id, and the other end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True)
    os.close(theirs)
    try:
        yield process.pid, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@contextmanager
def a_lab() -> Iterator[dict[str, str]]:
    """A small lab, because the first frame must not wait for it either."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="hsmctl-bench-") as folder:
        home = {"HSMCTL_LAB_HOME": f"{folder}/lab", "HSMCTL_STATE_HOME": f"{folder}/state", "HSMCTL_CONTEXT": "lab"}
        env = os.environ | home
        command = [HSMCTL, "lab", "up", "--hsms", "1", "--seed-keys", "0"]
        subprocess.run(command, check=True, env=env, capture_output=True)
        try:
            yield home
        finally:
            subprocess.run([HSMCTL, "lab", "reset", "--yes"], check=True, env=env, capture_output=True)


def child(scene: str) -> None:
    """An app over a world in memory, which says READY in its title line once the scene is whole."""
    sys.path[:0] = [str(ROOT / "tests")]
    from hsmctl.screens.app import HsmctlApp
    from hsmctl.screens.place import Place
    from world import CLUSTER

    from hsmctl.errors import Unreachable

    world, many = world_of(scene)

    class Scene(HsmctlApp):
        CSS_PATH = ROOT / "screens" / "hsmctl.tcss"

        async def on_ready(self) -> None:
            self.run_worker(self.set_the_scene(), group="scene")

        async def set_the_scene(self) -> None:
            await until_true(lambda: bool(self.survey.estate.checks.get(CLUSTER)))
            if scene == "hang":
                world.plane.error = Unreachable("DescribeClusters", "throttled", "try again in a minute")
                self.look()
                await until_true(lambda: answered(self.survey.estate.checks[CLUSTER]) == many - 1)
            else:
                await until_true(lambda: not self.survey.estate.checks[CLUSTER].running)
            self.go("key" if scene == "keys" else "sync", self.survey.estate.cluster(CLUSTER))
            await until_true(lambda: isinstance(self.screen, Place) and len(self.screen.table.rows.items) > 0)
            if scene != "keys":
                self.screen.action_all()
            await until_true(lambda: self.screen.table.counts[0] > 900)
            os.write(2, b"\x1b]0;READY\x07")  # the title of the terminal

    def answered(check) -> int:  # noqa: ANN001 - a Check
        return len(check.judgement.report.readings) if check.judgement else 0

    async def until_true(holds) -> None:  # noqa: ANN001 - a function of nothing
        import asyncio

        while not holds():  # noqa: ASYNC110 - what is waited for are many things
            await asyncio.sleep(0.1)

    Scene(world.hsmctl(), every=3_600.0, heeds=True).run()


def world_of(scene: str):  # noqa: ANN201 - a World of the tests, and how many HSMs it has
    """The world of a scene: every HSM lacks a key of its own, and in `hang` the fourth does not answer for a minute."""
    import threading
    from dataclasses import replace

    from world import CLUSTER, World, hsm, seed_keys, three_hsms

    count, many = (16_666, 32) if scene != "hang" else (1_000, 8)
    world = World(keys=seed_keys(count))
    zones = ("eu-central-1a", "eu-central-1b", "eu-central-1c")
    hsms = tuple(hsm(f"hsm-{n:011d}", zones[n % 3], f"127.16.{n % 3}.{n}") for n in range(many))
    world.plane.held = {CLUSTER: replace(three_hsms(), hsms=hsms)}
    world.tokens.held = {each.hsm_id: list(world.keys) for each in hsms}
    for place, each in enumerate(hsms):
        world.tokens.held[each.hsm_id].pop(7 * place)
    if scene == "hang":
        opened = world.tokens.open

        def hanging(replica, login, deadline):  # noqa: ANN001, ANN202
            if replica.name == hsms[3].hsm_id:
                threading.Event().wait(60)
            return opened(replica, login, deadline)

        world.tokens.open = hanging  # type: ignore[method-assign]
    return world, many


if __name__ == "__main__":
    main()
