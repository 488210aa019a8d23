"""What is left of a bug: a traceback in the state folder, for its owner alone, without secrets or values of locals."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Mapping

from hsmctl.cli.logs import redacted
from hsmctl.errors import HsmctlError
from hsmctl.private import write_private


def explained(bug: Exception, environ: Mapping[str, str], say: Callable[[str], None]) -> HsmctlError:
    """The bug as an error that names the file of its traceback; what cannot be kept in a file is said line by line."""
    from hsmctl.settings_loader import folders

    text = redacted("".join(traceback.format_exception(bug)))
    why = redacted(f"{type(bug).__name__}: {bug}")
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = folders(environ).state_folder / "crashes" / f"{stamp}-{os.getpid()}.txt"
    try:
        write_private(path, text.encode(errors="backslashreplace"))
    except OSError:
        for line in text.splitlines():
            say(line)
        return HsmctlError("this is a bug in hsmctl", why, "report it with the lines above")
    return HsmctlError("this is a bug in hsmctl", why, f"report it with {path}")
