"""Proves the edge: every kind of error has its exit code and its form on each output, and a bug leaves a safe trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transcript import Ran, hsmctl
from world import World

from hsmctl.domain.cluster import Cluster
from hsmctl.errors import Conflict, Denied, DeviceError, ExitCode, HsmctlError, Partial, Unreachable, UsageError
from hsmctl.secret import Secret

ERRORS = [
    (HsmctlError("a thing", "a reason", "a step"), 3, "unknown"),
    (UsageError("a thing", "a reason", "a step"), 2, "usage"),
    (Unreachable("a thing", "a reason", "a step"), 3, "unknown"),
    (Denied("a thing", "a reason", "a step"), 4, "denied"),
    (Conflict("a thing", "a reason", "a step"), 5, "conflict"),
    (Partial("a thing", "a reason", "a step"), 6, "partial"),
    (DeviceError("a thing", "a reason", "a step", ckr="CKR_DEVICE_ERROR"), 7, "CKR_DEVICE_ERROR"),
]


class Failing(World):
    """A world whose control plane answers with one exception."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()

        def clusters(ids: object = ()) -> tuple[Cluster, ...]:
            raise error

        vars(self.plane)["clusters"] = clusters


@pytest.mark.parametrize(("error", "code", "word"), ERRORS, ids=[type(error).__name__ for error, _, _ in ERRORS])
def test_each_error_has_its_code_and_its_form(error: HsmctlError, code: int, word: str) -> None:
    table = hsmctl(Failing(error), "cluster", "list")
    assert (table.code, table.out) == (code, "")
    assert table.err == "hsmctl: a thing: a reason\nhint: a step\n"

    document = hsmctl(Failing(error), "-o", "json", "cluster", "list")
    assert (document.code, document.out) == (code, "")
    assert json.loads(document.err) == {
        "error": {"code": word, "message": "a thing: a reason", "hint": "a step", "exit": code}
    }

    monitored = hsmctl(Failing(error), "sync", "check", "-onagios")
    assert (monitored.code, monitored.err) == (3, "")
    assert monitored.out == "LAB SYNC UNKNOWN - a thing: a reason (a step)\n"


def test_exit_codes_are_what_they_always_were() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "NO": 1,
        "USAGE": 2,
        "UNKNOWN": 3,
        "DENIED": 4,
        "CONFLICT": 5,
        "PARTIAL": 6,
        "DEVICE": 7,
        "BUG": 70,
        "INTERRUPTED": 130,
    }


def test_an_interruption_is_130() -> None:
    assert hsmctl(Failing(KeyboardInterrupt()), "cluster", "list").code == 130
    assert hsmctl(Failing(KeyboardInterrupt()), "sync", "check", "-o", "nagios").code == 3


def test_an_error_that_moves_the_cursor_or_breaks_a_monitoring_line_does_neither() -> None:
    error = Unreachable("hsm\x1b[2J", "two\nlines | and=data")
    assert hsmctl(Failing(error), "cluster", "list").err == "hsmctl: hsm\\x1b[2J: two\\x0alines | and=data\n"
    monitored = hsmctl(Failing(error), "sync", "check", "-o", "nagios").out
    assert monitored == "LAB SYNC UNKNOWN - hsm\\x1b[2J: two\\x0alines / and=data\n"


def bug(folder: Path) -> Ran:
    secret = Secret("correct-horse-7")
    return hsmctl(Failing(RuntimeError(f"with {secret.reveal()} pin=4711")), "cluster", "list", folder=folder)


def test_a_bug_is_70_and_leaves_a_private_traceback_without_secrets(tmp_path: Path) -> None:
    ran = bug(tmp_path / "state")
    (trace,) = (tmp_path / "state" / "crashes").iterdir()

    assert (ran.code, ran.out) == (ExitCode.BUG, "")
    assert ran.err.splitlines() == [
        "hsmctl: this is a bug in hsmctl: RuntimeError: with ••• pin=•••",
        f"hint: report it with {trace}",
    ]
    assert trace.stat().st_mode & 0o777 == 0o600
    assert trace.parent.stat().st_mode & 0o777 == 0o700
    assert "RuntimeError" in trace.read_text()
    assert "correct-horse-7" not in trace.read_text()
    assert "4711" not in trace.read_text()


def test_where_a_traceback_cannot_be_kept_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = bug(tmp_path / "file" / "state")
    assert ran.code == ExitCode.BUG
    assert "Traceback (most recent call last):" in ran.err
    assert "correct-horse-7" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "why", "hint"),
    [
        (["clster"], "what was typed: no such command 'clster'", "did you mean cluster?"),
        (["cluster", "lst"], "cluster: no such command 'lst'", "did you mean list?"),
        (["sync", "check", "--replca"], "sync check: no such option '--replca'", "did you mean --replica?"),
        (["cluster", "list", "--qqq"], "cluster list: no such option '--qqq'", "hsmctl cluster list --help"),
        (["cluster", "list", "-o", "yaml"], "cluster list: invalid value for '-o' / '--output'", "cluster list --help"),
        (["cluster", "show", "a", "b"], "cluster show: got unexpected extra argument (b)", "hsmctl cluster show"),
        (["cluster", "list", "-o", "nagios"], "-o nagios: this command checks nothing", "sync check"),
    ],
)
def test_what_cannot_be_understood_is_a_usage_error(arguments: list[str], why: str, hint: str) -> None:
    ran = hsmctl(World(), *arguments)
    told = ran.out if "nagios" in arguments else ran.err
    assert ran.code == (3 if "nagios" in arguments else 2)
    assert why in told
    assert hint in told


def test_a_usage_error_is_unknown_to_monitoring_and_json_to_programs() -> None:
    monitored = hsmctl(World(), "sync", "check", "-o", "nagios", "--nope")
    assert (monitored.code, monitored.out[:14]) == (3, "SYNC UNKNOWN -")
    assert json.loads(hsmctl(World(), "cluster", "list", "--nope", "--output=json").err)["error"]["exit"] == 2


def test_the_shared_options_work_before_the_noun_and_after_the_verb() -> None:
    for arguments in (
        ["-o", "name", "hsm", "list"],
        ["hsm", "list", "-o", "name"],
        ["-ojson", "hsm", "list", "-oname"],
    ):
        assert hsmctl(World(), *arguments).out.startswith("hsm-aaaaaaaaaaa\n")


def test_a_noun_alone_shows_its_verbs_and_nothing_at_all_the_nouns() -> None:
    for arguments, shown in ((["cluster"], "  show  "), ([], "  cluster  ")):
        ran = hsmctl(World(), *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert shown in ran.err
