"""Proves that the agent's process keeps its PIN to itself, waits its turn and leaves when it is told."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import LOGIN
from softhsm_token import MODULE, PASSWORD, make_token

from hsmctl import __version__
from hsmctl.agent.frame import LIMIT, PROTOCOL, read_frame, write_frame

PATIENCE = 30.0


class Agent:
    """A running agent and the frames to talk to it."""

    def __init__(self, configuration: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "hsmctl.agent", *arguments],
            env={"SOFTHSM2_CONF": str(configuration)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self._input, self._output, self.complaints = self.process.stdin, self.process.stdout, self.process.stderr

    def ask(self, op: str, **args: object) -> dict[str, Any]:
        self.tell(op, **args)
        reply = read_frame(self._output.read, LIMIT)
        assert reply
        return reply

    def tell(self, op: str, **args: object) -> None:
        write_frame(self._input.write, {"id": 1, "op": op, "args": args, "deadline_ms": 1000})
        self._input.flush()

    def greet(self) -> dict[str, Any]:
        return self.ask("hello", protocol=PROTOCOL, version=__version__)

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    return make_token(tmp_path / "softhsm")


@pytest.fixture
def agent(configuration: Path, tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(configuration, MODULE, str(tmp_path / "lock"))
    yield agent
    agent.end()


def test_a_pin_is_in_no_argument_no_variable_and_no_core_dump(agent: Agent) -> None:
    agent.greet()
    assert agent.ask("login", **LOGIN)["ok"]["label"] == "replica"
    proc = Path(f"/proc/{agent.process.pid}")

    assert PASSWORD.encode() not in (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
    (core,) = [line for line in (proc / "limits").read_text().splitlines() if line.startswith("Max core file size")]
    assert core.split()[4:6] == ["0", "0"]


def test_it_leaves_when_it_is_told(agent: Agent) -> None:
    agent.greet()
    agent.process.send_signal(signal.SIGTERM)

    assert agent.process.wait(PATIENCE) == 0
    assert agent.complaints.read() == b""


def test_it_leaves_when_nobody_asks_any_more(agent: Agent) -> None:
    agent.greet()
    agent.process.communicate(timeout=PATIENCE)

    assert agent.process.returncode == 0


def test_it_leaves_with_a_word_when_it_is_asked_nonsense(agent: Agent) -> None:
    _, complaint = agent.process.communicate(b"\xff\xff\xff\xff", timeout=PATIENCE)

    assert agent.process.returncode == 1
    assert complaint == b"the conversation ended: a frame of 4294967295 bytes where 4096 are allowed\n"


def test_it_waits_for_the_lock_before_it_touches_softhsm(agent: Agent, configuration: Path, tmp_path: Path) -> None:
    agent.greet()
    second = Agent(configuration, MODULE, str(tmp_path / "lock"))
    second.tell("hello", protocol=PROTOCOL, version=__version__)
    assert second.complaints.readline() == b"waiting for another process that uses this SoftHSM folder\n"
    agent.end()

    reply = read_frame(second.process.stdout.read, LIMIT) if second.process.stdout else None
    assert reply
    assert reply["ok"]["version"] == __version__
    second.end()


def test_the_lock_is_free_again_even_after_a_kill(agent: Agent, tmp_path: Path) -> None:
    agent.greet()
    agent.end()
    with (tmp_path / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert os.fstat(lock.fileno()).st_mode & 0o777 == 0o600


def test_a_module_that_does_not_start_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "broken.conf").write_text(f"directories.tokendir = {tmp_path}/missing\n")
    agent = Agent(tmp_path / "broken.conf", MODULE)

    assert agent.greet()["error"] == {"ckr": "CKR_GENERAL_ERROR", "what": "C_Initialize failed"}
    agent.end()
