"""Kills of a lab's processes at any moment, and what must be there afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from live import LiveLab

from hsmctl.domain.cluster import Hsm
from hsmctl.domain.key import SIZES, Key, KeyKind
from hsmctl.errors import HsmctlError

VICTIMS = ("supervisor", "a node", "all nodes", "everything")
_MAKERS = 4
"""Clients that make keys at the same time."""


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    text: str


@dataclass
class Command:
    """`hsmctl`, as somebody at a terminal runs it, on one lab."""

    folder: Path
    running: subprocess.Popen[str] = field(init=False)

    def start(self, *words: str) -> None:
        environment = {**os.environ, "HSMCTL_LAB_HOME": str(self.folder / "lab"), "HSMCTL_CONTEXT": "lab"}
        homes = {f"XDG_{name}_HOME": str(self.folder / name) for name in ("STATE", "CONFIG")}
        self.running = subprocess.Popen(
            [sys.executable, "-P", "-m", "hsmctl", *words],
            env=environment | homes,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self) -> Said:
        text, _ = self.running.communicate(timeout=120)
        return Said(self.running.returncode, text)

    def __call__(self, *words: str) -> Said:
        self.start(*words)
        return self.end()


def kill(lab: Path, victim: str, chance: Random) -> list[int]:
    """Kill -9 what is there of the victim; whom it hit."""
    nodes = [pid for path in sorted(lab.glob("nodes/*/lock")) if (pid := owner(path))]
    supervisor = [pid for pid in (owner(lab / "supervisor.lock"),) if pid]
    hit = {
        "supervisor": supervisor,
        "a node": chance.sample(nodes, min(1, len(nodes))),
        "all nodes": nodes,
        "everything": supervisor + nodes,
    }[victim]
    for pid in hit:
        os.kill(pid, signal.SIGKILL)
    return hit


def owner(lock: Path) -> int | None:
    """The process a lock file names, if it lives; looked at from outside, for a probe might be in somebody's way."""
    try:
        pid, started = lock.read_text().split()
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return int(pid) if stat[19] == started and stat[0] != "Z" else None


class Makers:
    """Clients that make keys on every HSM until they are stopped, and remember what they were promised."""

    def __init__(self, live: LiveLab, hsms: list[Hsm], chance: Random) -> None:
        self.promised: set[Key] = set()
        self._live = live
        self._hsms = hsms
        self._stopped = threading.Event()
        self._seeds = [chance.random() for _ in range(_MAKERS)]

    @contextmanager
    def at_work(self, name: str) -> Iterator[None]:
        """Let them work meanwhile; what they make is called after the name."""
        with ThreadPoolExecutor(_MAKERS) as pool:
            made = [pool.submit(self._make, f"{name}-{each}", seed) for each, seed in enumerate(self._seeds)]
            try:
                yield
            finally:
                self._stopped.set()
        for each in made:
            _check(each)

    def _make(self, name: str, seed: float) -> None:
        chance, number = Random(seed), 0
        while not self._stopped.is_set():
            number += 1
            kind = chance.choice([KeyKind.AES, KeyKind.AES, KeyKind.EC, KeyKind.RSA])
            made = self._live.generate(chance.choice(self._hsms), kind, SIZES[kind][0], f"{name}-{number}")
            self.promised.update(made)


def _check(made: Future[None]) -> None:
    """A client whose HSM dies has an HsmctlError, and nothing else."""
    if error := made.exception():
        assert isinstance(error, HsmctlError), error
