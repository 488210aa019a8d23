"""Proves what only a real process shows: start-up that loads nothing, a reader that leaves, a full disk, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FunctionType

import pytest

from hsmctl import __version__
from hsmctl.__main__ import interrupt

HEAVY = ("textual", "boto3", "botocore", "pkcs11", "paramiko", "rich", "cryptography", "jmespath", "keyring")
PROGRAM = [sys.executable, "-m", "hsmctl"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which there is no configuration and no AWS."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    return {**kept, "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["cluster", "list", "--help"], ["config", "path"], ["cluster", "nope"]]
)
def test_what_needs_no_library_loads_none(arguments: list[str], environ: dict[str, str]) -> None:
    code = (
        "import sys; from hsmctl.__main__ import main\n"
        f"sys.argv = ['hsmctl', *{arguments!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "LOADED"


def test_version_does_not_even_load_click(environ: dict[str, str]) -> None:
    code = "import sys; from hsmctl.__main__ import main; sys.argv = ['hsmctl', '--version']; main(); "
    code += "print('click' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [f"hsmctl {__version__}", "False"]


def test_a_reader_that_leaves_ends_it_like_any_unix_program(environ: dict[str, str]) -> None:
    run = subprocess.Popen(
        [*PROGRAM, "--help"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pipesize=4096
    )
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    assert run.stderr.read() == b""
    assert run.wait() == -signal.SIGPIPE
    run.stderr.close()


def test_an_answer_that_cannot_be_written_is_not_success(environ: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run(
            [*PROGRAM, "config", "path"], env=environ, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert run.returncode == 3
    assert run.stderr == b"hsmctl: standard output: No space left on device\n"


def test_a_label_the_terminal_lacks_is_escaped_not_an_error(environ: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "schlüssel"
    variables = environ | {"HSMCTL_CONFIG": str(folder / "config.toml"), "PYTHONIOENCODING": "ascii"}
    run = subprocess.run([*PROGRAM, "config", "path"], env=variables, capture_output=True, check=True)
    assert b"schl\\xfcssel" in run.stdout


def test_no_prompt_without_a_terminal(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[context.t]\n[[context.t.tokens]]\nname = "a"\nmodule = "/x.so"\npassword = { prompt = true }\n'
    )
    variables = environ | {"HSMCTL_CONFIG": str(tmp_path / "config.toml")}
    run = subprocess.run(
        [*PROGRAM, "-c", "t", "key", "list"], env=variables, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert run.returncode == 2
    assert b"no terminal to ask at" in run.stderr


def test_an_interrupted_prompt_is_130(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[context.t]\n[[context.t.tokens]]\nname = "a"\nmodule = "/x.so"\nuser = "u"\n'
    )
    variables = environ | {"HSMCTL_CONFIG": str(tmp_path / "config.toml")}
    # A test run in the background of a shell ignores SIGINT, and what it starts would inherit that.
    code = (
        "import os, pty, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, *PROGRAM, "-c", "t", "key", "list"],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert run.stdin is not None
    assert run.stdout is not None
    shown = b""
    while b"password of u: " not in shown and (more := os.read(run.stdout.fileno(), 1024)):
        shown += more
    run.stdin.write(b"\x03")
    run.stdin.flush()
    assert run.wait(30) == 130
    run.stdin.close()
    run.stdout.close()


def test_completion_offers_nouns(environ: dict[str, str]) -> None:
    variables = environ | {"_HSMCTL_COMPLETE": "bash_complete", "COMP_WORDS": "hsmctl -o json cl", "COMP_CWORD": "3"}
    run = subprocess.run(PROGRAM, env=variables, capture_output=True, text=True, check=True)
    assert run.stdout == "plain,cluster\nplain,client\n"


def test_an_interrupt_waits_until_the_import_system_can_take_it() -> None:
    done: list[int] = []
    source = "import signal; signal.raise_signal(signal.SIGINT); done.append(1)"
    importing = FunctionType(compile(source, "<frozen importlib._bootstrap>", "exec"), {"done": done})
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        importing()
        with pytest.raises(KeyboardInterrupt):
            threading.Event().wait(10)
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == [1]
