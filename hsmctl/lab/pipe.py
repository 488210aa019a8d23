"""What an HSM's process and the supervisor say to each other: one JSON object a line, both ways."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO


class Pipe:
    """The process's end."""

    def __init__(self, commands: BinaryIO, answers: BinaryIO) -> None:
        self._commands = commands
        self._answers = answers
        self._lock = threading.Lock()

    def say(self, message: Mapping[str, object]) -> None:
        """Send a message; a supervisor that is gone is noticed at the other end."""
        with self._lock:
            try:
                self._answers.write(json.dumps(message).encode() + b"\n")
                self._answers.flush()
            except BrokenPipeError:
                return

    def commands(self) -> Iterator[dict[str, Any]]:
        """Every command until the supervisor hangs up."""
        for line in self._commands:
            yield json.loads(line)
