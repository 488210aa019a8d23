"""Answers about networks in a file, so that the next run need not ask again within the minute.

The file is its owner's alone and holds each answer with its time. It is a convenience: one that cannot be read is an
empty one, and one that cannot be written is none. What is written was redacted when it was read from AWS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from hsmctl.domain.network import OLDEST, NetworkAnswer
from hsmctl.ports import Clock
from hsmctl.private import write_private

_FORMAT = 1


class FileNetworkCache:
    """ports.NetworkCache in one file, read once a run; of two runs that write, the later wins."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Name the file; nothing is read yet."""
        self._path = path
        self._clock = clock

    def answer(self, key: str) -> NetworkAnswer | None:
        """What was kept under the key, whatever its age."""
        return self._answers.get(key)

    def keep(self, answers: Mapping[str, NetworkAnswer]) -> None:
        """Hold these for the next run and forget the outdated."""
        now = self._clock.now()
        self._answers.update(answers)
        young = {key: answer for key, answer in self._answers.items() if now - answer.fetched_at <= OLDEST}
        rows = {
            key: {"fetched_at": answer.fetched_at.isoformat(), "rows": answer.rows} for key, answer in young.items()
        }
        with suppress(OSError):
            write_private(self._path, json.dumps({"format": _FORMAT, "answers": rows}).encode())

    @cached_property
    def _answers(self) -> dict[str, NetworkAnswer]:
        try:
            document = json.loads(self._path.read_bytes())
            if document["format"] != _FORMAT:
                return {}
            return {key: _read(entry) for key, entry in document["answers"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}


class NoNetworkCache:
    """ports.NetworkCache that holds nothing: for the lab, which answers at once and whose network changes at a word."""

    def answer(self, key: str) -> NetworkAnswer | None:  # noqa: ARG002 - the port's signature
        """Nothing was kept."""
        return None

    def keep(self, answers: Mapping[str, NetworkAnswer]) -> None:
        """Let them go."""


def _read(entry: Mapping[str, Any]) -> NetworkAnswer:
    """An answer as it was kept; one of another shape was written by somebody else."""
    rows, fetched_at = entry["rows"], datetime.fromisoformat(entry["fetched_at"])
    if fetched_at.tzinfo is None or not all(isinstance(row, dict) for row in rows):
        raise ValueError("not an answer")
    return NetworkAnswer(rows=tuple(rows), fetched_at=fetched_at)
