"""A module of one's own: initialized, and SoftHSM only while nobody else on this machine is logged in to its folder.

Two logins at once destroy a SoftHSM token. Python 3.9 and the standard library: it is sent to client hosts.
"""

from __future__ import annotations

import fcntl
import os
import sys

from hsmctl.agent.inventory import Module


def started(path: str, lock: int) -> Module:
    """The module, initialized; `lock` is an open file, locked for the rest of this process's life if it is SoftHSM.

    Only an initialized library says who made it, and SoftHSM reads every object when it starts: whoever gets the lock
    at once starts it once, and others have to look first. Another make's lock is given back, and never waited for.

    Raises:
        Refused: it cannot be loaded, or does not start.
    """
    module = Module(path)
    held = _locked(lock, fcntl.LOCK_NB)
    module.initialize()
    if not module.manufacturer().startswith("SoftHSM"):
        os.close(lock)
    elif not held:
        module.finalize()
        sys.stderr.write("waiting for another process that uses this SoftHSM folder\n")
        sys.stderr.flush()
        _locked(lock)
        module.initialize()
    return module


def _locked(lock: int, how: int = 0) -> bool:
    """Whether the lock was got."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | how)
    except BlockingIOError:
        return False
    return True
