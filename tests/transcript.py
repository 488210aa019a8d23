"""A command line run in this process over a world in memory: what was written where, and the exit code."""

from __future__ import annotations

import atexit
import io
import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from world import World

from hsmctl.bootstrap import Hsmctl
from hsmctl.cli.root import run
from hsmctl.settings import Context

_OURS = tempfile.mkdtemp(prefix="hsmctl-tests-")
atexit.register(shutil.rmtree, _OURS, ignore_errors=True)
SCRATCH = Path(_OURS) / "hsmctl"
"""Where a run without a folder of its own keeps its state."""


class Screen(io.StringIO):
    """A stream that says what kind it is."""

    def __init__(self, *, terminal: bool, encoding: str) -> None:
        super().__init__()
        self._terminal = terminal
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._terminal


@dataclass(frozen=True)
class Ran:
    """What one run left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Standard output, read as JSON."""
        return json.loads(self.out)


def hsmctl(
    world: World,
    *arguments: str,
    context: Context | None = None,
    folder: Path = SCRATCH,
    terminal: bool = False,
    encoding: str = "utf-8",
    environ: Mapping[str, str] | None = None,
) -> Ran:
    """Run `hsmctl ARGUMENTS` over the world; the environment holds nothing but where its folders are."""
    stdout, stderr = (Screen(terminal=terminal, encoding=encoding) for _ in range(2))
    variables = {"HSMCTL_STATE_HOME": str(folder), "HSMCTL_CONFIG": str(folder / "config.toml"), **(environ or {})}

    def connect(*_: object) -> Hsmctl:
        return world.hsmctl(context, folder=folder)

    with redirect_stdout(stdout), redirect_stderr(stderr):
        code = run(arguments, connect, variables)
    return Ran(code, stdout.getvalue(), stderr.getvalue())
