"""The way into the PKCS#11 module of one HSM's process: one call at a time, each seeing what the folders hold.

Refuses to know what the calls do.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hsmctl.lab.softhsm import bump


class Gate:
    """The one lock around every call into the module; whoever enters finds SoftHSM knowing what the folders hold.

    SoftHSM looks at a folder again only when its counter was raised. Whoever takes a file away or puts one back by hand
    does not raise it, so the folder's time of change decides; and SoftHSM itself, when it makes an object, takes the
    counter for its own and misses what arrived shortly before, so every making is followed by a look.
    """

    def __init__(self, tokens: Path) -> None:
        self._tokens = tokens
        self._lock = threading.Lock()
        self._seen: dict[Path, int] = {}

    def __enter__(self) -> None:
        self._lock.acquire()
        for token, changed in self._changes():
            if self._seen.get(token) != changed:
                with suppress(OSError):  # locked or gone: looked at again next time
                    bump(token)
                    self._seen[token] = changed

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def look_again(self) -> None:
        """Have SoftHSM look at every folder before the next call; called with the lock held."""
        self._seen.clear()

    def close(self) -> None:
        """Let nobody enter any more."""
        self._lock.acquire()

    def _changes(self) -> Iterator[tuple[Path, int]]:
        """Each token's folder, and when an entry of it last appeared or vanished."""
        with suppress(FileNotFoundError), os.scandir(self._tokens) as entries:
            for entry in entries:
                yield Path(entry.path), entry.stat().st_mtime_ns
