"""What was done to moto's services, in one file: every call that changed something, with the seed it ran with.

The same calls with the same seeds make the same identifiers again, so replaying them is how a lab remembers. A line
that a killed lab did not finish was never answered and is dropped. Refuses to know what the calls mean.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hsmctl.lab.wire import Call

_READS = ("describe", "list", "get", "search", "lookup", "filter", "simulate", "head", "scan", "query", "select")
_WRITES = frozenset({"GetSessionToken", "GetFederationToken"})
"""Operations that change something although their names say otherwise: they give out access keys."""
_KEPT_HEADERS = frozenset({"authorization", "content-type", "host"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One call and the seed of its random numbers."""

    call: Call
    seed: int


def changes(call: Call) -> bool:
    """Whether a call may change something."""
    operation = call.operation
    if " " in operation:
        return call.method not in ("GET", "HEAD", "OPTIONS")
    return operation in _WRITES or not operation.lower().startswith(_READS)


class MotoJournal:
    """The journal of one lab, oldest first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._whole = False
        """Whether an unfinished line, if there was one, is gone."""

    def __bool__(self) -> bool:
        """Whether there is anything to replay."""
        return self._path.exists()

    def entries(self) -> Iterator[Entry]:
        """What was done."""
        if not self._path.exists():
            return
        lines = self._path.read_bytes().split(b"\n")
        for line in lines[:-1]:  # what follows the last line's end was not finished
            raw = json.loads(line)
            raw["call"]["body"] = b64decode(raw["call"]["body"])
            yield Entry(Call(**raw["call"]), raw["seed"])

    def add(self, entry: Entry) -> None:
        """Keep one more, durably."""
        call = asdict(entry.call)
        call["body"] = b64encode(entry.call.body).decode()
        call["headers"] = {name: value for name, value in entry.call.headers.items() if _needed(name)}
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a+b") as stream:
            if not self._whole:
                stream.seek(0)
                stream.truncate(stream.read().rfind(b"\n") + 1)
                self._whole = True
            stream.write(json.dumps({"seed": entry.seed, "call": call}).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())


def _needed(header: str) -> bool:
    """Whether a service may look at a header again; a session token is a secret and is not looked at."""
    return header in _KEPT_HEADERS or (header.startswith("x-amz-") and header != "x-amz-security-token")
