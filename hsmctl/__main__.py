"""The program: `hsmctl` and `python -m hsmctl`; it knows the fastest way to say its version and how to end."""

from __future__ import annotations

import _thread
import gc
import io
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from hsmctl import __version__

_BEGAN = time.monotonic()


def main() -> None:
    """Run hsmctl and end the process with its exit code."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"hsmctl {__version__}\n")
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    # Answers are trees of many small values without cycles: looking for those took a tenth of a large one's time.
    gc.set_threshold(100_000, 20, 20)
    # A shell may start us with these closed; nobody then reads what is written.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 (open until the process ends)
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A label in letters that this terminal lacks is escaped, not an error.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        from hsmctl.cli.root import run

        code = run(sys.argv[1:], lived=_lived)
        gc.freeze()  # the interpreter would look once more through all that the process is about to leave
        sys.exit(code)
    except KeyboardInterrupt:
        # It came before there was anybody to say so, while the program was being read.
        sys.stderr.write("hsmctl: interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        # The reader has left: end as every Unix program does then.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)


def interrupt(_: int, frame: FrameType | None) -> None:
    """End by Ctrl-C, only not in the middle of the import system.

    That drops what is raised in some of its callbacks, with a traceback, and keeps the import lock held for good.
    """
    if frame is None or not frame.f_code.co_filename.startswith("<frozen importlib"):
        raise KeyboardInterrupt
    _thread.start_new_thread(_interrupt_again, ())


def _interrupt_again() -> None:
    time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)


def _lived() -> float:
    """Seconds since this process was started; without the interpreter's own start where the system does not tell."""
    try:
        told = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(told[19]) / os.sysconf("SC_CLK_TCK")
    except (AttributeError, OSError):
        return time.monotonic() - _BEGAN


if __name__ == "__main__":
    main()
