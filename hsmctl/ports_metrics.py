"""How metrics leave: over HTTP for Prometheus, or as a file for its node exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hsmctl.domain.metrics import Family


class Exporter(Protocol):
    """Writes metrics in Prometheus's exposition format."""

    def serve(
        self, address: str, port: int, read: Callable[[], Sequence[Family]]
    ) -> AbstractContextManager[tuple[str, int]]:
        """Answer scrapes while the context lasts, each with what `read` returns at once; where it listens.

        Raises:
            Conflict: the address is taken or not ours.
        """
        ...

    def write(self, path: Path, families: Sequence[Family]) -> int:
        """Put the file there, whole or not at all, for everybody to read; how many series are in it.

        Raises:
            UsageError: it cannot be written there.
        """
        ...
