"""`ui`: opens the terminal UI on the same façade."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TextIO

from hsmctl.cli.session import Session
from hsmctl.cli.verb import verb
from hsmctl.errors import Denied, UsageError
from hsmctl.private import private_folder


@verb("ui", "hsmctl ui --lab", "hsmctl -c prod ui")
def noun(session: Session) -> int:
    """Open the terminal UI."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("ui", "it needs a terminal", "hsmctl sync check does the same check without one")
    facade = session.hsmctl
    with _log(facade.settings.state_folder) as stream:
        session.log_to(stream)
        # By name only: the packaging seam is what keeps commands free of Textual.
        return int(import_module("hsmctl.screens").run(facade))


def _log(folder: Path) -> TextIO:
    """The file that takes what would otherwise be written across the screen."""
    try:
        path = private_folder(folder) / "ui.log"
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "a")
    except OSError as error:
        raise Denied(str(folder), error.strerror or str(error), "name another in HSMCTL_STATE_HOME") from error
