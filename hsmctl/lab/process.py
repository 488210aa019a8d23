"""The supervisor's end of one HSM process: starts it, sends commands, hands on its events, ends it.

Refuses to know what the commands mean and what other HSMs there are.
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from hsmctl.errors import Unreachable

Event = Mapping[str, Any]

_log = logging.getLogger(__name__)


class NodeProcess:
    """One HSM process, from its start to its end."""

    def __init__(self, folder: Path, on_event: Callable[[NodeProcess, Event], None]) -> None:
        """Start the process; `on_event` gets it and its events, in order, on a thread of its own."""
        self._name = folder.name
        self._on_event = on_event
        self._lock = threading.Lock()
        self._awaited: dict[int, Future[Mapping[str, Any]]] = {}
        self._number = 0
        self._ready = threading.Event()
        self._process = subprocess.Popen(  # noqa: S603 - our own program and a folder we made
            [sys.executable, "-P", "-m", "hsmctl.lab.node", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._commands, self._answers = _pipes(self._process)
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def stopped(self) -> bool:
        """Whether a signal stopped it (SIGSTOP), so that it does nothing at all."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return stat.rpartition(")")[2].split()[0] == "T"

    def wait_ready(self, seconds: float) -> bool:
        """Whether the HSM listens, waiting at most `seconds` for it."""
        return self._ready.wait(seconds) and self.alive

    def call(self, command: str, seconds: float, **arguments: object) -> Mapping[str, Any]:
        """The answer to a command.

        Raises:
            Unreachable: it did not answer within `seconds`, has ended, or could not do it.
        """
        future: Future[Mapping[str, Any]] = Future()
        with self._lock:
            self._number += 1
            number = self._number
            self._awaited[number] = future
        self.tell(command, id=number, **arguments)
        try:
            answer = future.result(seconds)
        except TimeoutError:
            raise Unreachable(f"{self._name} did not answer", f"no answer to {command}", "hsmctl lab status") from None
        finally:
            del self._awaited[number]
        if "error" in answer:
            raise Unreachable(f"{self._name} failed to {command}", answer["error"], "hsmctl lab logs")
        ok: Mapping[str, Any] = answer["ok"]
        return ok

    def tell(self, command: str, **arguments: object) -> None:
        """Send a command and wait for nothing; commands are obeyed in order, early ones when the HSM is ready."""
        line = json.dumps({"command": command, **arguments}).encode() + b"\n"
        with self._lock, suppress(BrokenPipeError, ValueError):
            self._commands.write(line)
            self._commands.flush()

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal, if it has not ended."""
        self._process.send_signal(number)

    def quit(self, seconds: float) -> None:
        """End the process after its current call, frozen or not; kill it where that takes longer than `seconds`."""
        self._hang_up()
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            _log.warning("%s did not end within %s s and was killed", self._name, seconds)
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        """Hand on what the process says until it ends; one that is not listened to any more must end."""
        try:
            with self._answers:
                for line in self._answers:
                    self._heard(json.loads(line))
        finally:
            self._hang_up()
            code = self._process.wait()
            _log.info("%s (pid %s) ended with %s", self._name, self.pid, code)
            self._ready.set()
            for awaited in list(self._awaited.values()):
                awaited.set_result({"error": "it ended"})

    def _heard(self, message: Mapping[str, Any]) -> None:
        if message.get("event") == "ready":
            self._ready.set()
        elif "event" in message:
            self._on_event(self, message)
        elif awaited := self._awaited.get(message["answer"]):
            awaited.set_result(message)

    def _hang_up(self) -> None:
        with self._lock, suppress(BrokenPipeError):
            self._commands.close()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """Both pipes of a process that was started with two."""
    if process.stdin is None or process.stdout is None:
        raise AssertionError("the process was started without pipes")
    return process.stdin, process.stdout
