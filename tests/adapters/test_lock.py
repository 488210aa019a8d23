"""Proves that one process at a time changes a cluster, that the other is told who does, and that a death frees it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hsmctl.adapters.lock import FileLocks
from hsmctl.errors import Conflict

HOLD = (
    "import sys; from pathlib import Path; from hsmctl.adapters.lock import FileLocks\n"
    "with FileLocks(Path(sys.argv[1])).hold('cluster-a'): print('held', flush=True); sys.stdin.read()"
)


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def test_a_held_lock_is_refused_and_names_its_holder(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(Conflict, match=f"process {process.pid} "), FileLocks(tmp_path).hold("cluster-a"):
            pass
        with FileLocks(tmp_path).hold("cluster-b"):
            pass


def test_a_killed_holder_frees_it(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with FileLocks(tmp_path).hold("cluster-a"):
            pass


def test_it_is_free_again_after_its_context_even_after_an_error(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path / "state" / "locks")
    with pytest.raises(ZeroDivisionError), locks.hold("cluster-a"):
        raise ZeroDivisionError
    with locks.hold("cluster-a"):
        pass


def test_two_holds_in_one_process_exclude_each_other(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)
    with locks.hold("cluster-a"), pytest.raises(Conflict), locks.hold("cluster-a"):
        pass


def test_the_folder_and_its_parents_are_private(tmp_path: Path) -> None:
    with FileLocks(tmp_path / "state" / "locks").hold("cluster-a"):
        pass
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "locks" / "cluster-a.lock").stat().st_mode & 0o777 == 0o600
