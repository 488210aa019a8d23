"""Proves with kill -9 that a copy or rotation cut off is finished by the next run, and nothing is left or doubled."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from mortal import Copies, main, spawned


def near(words: Sequence[str], calls: int, environ: Mapping[str, str]) -> tuple[int, str, str]:
    """A command in this process, or as one of its own where it is to be killed."""
    if calls:
        return spawned(words, calls, environ)
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in environ.items():
            patch.setenv(name, value)
        code = main(0, list(words))
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(("kind", "calls"), [("aes", 14), ("ec", 30)])
def test_a_copy_killed_with_keys_on_their_way_is_finished(tmp_path: Path, kind: str, calls: int) -> None:
    copies = Copies(tmp_path, kind, run=near)
    assert copies.killed(calls)
    assert copies.listed() != copies.before
    copies.finished()


def test_a_rotation_killed_once_the_key_is_made_makes_no_second_and_disables_the_old(tmp_path: Path) -> None:
    copies, here = Copies(tmp_path, run=near), ("--on", "alpha")
    copies.hsmctl("key", "generate", "aes", "--label", "old", *here)
    before = copies.listed()["alpha"]
    assert copies.killed(6, "key", "rotate", "old", "--label", "new", "--disable-old", *here)
    assert len(made := copies.listed()["alpha"] - before) == 1
    begun = copies.hsmctl("operation", "list", "-o", "name").split()
    copies.hsmctl("operation", "resume", *begun)
    assert copies.listed()["alpha"] - before == made
    shown = copies.hsmctl("key", "show", "old", *here, "-o", "json", "--query", "key.attributes")
    assert "encrypt" not in shown
