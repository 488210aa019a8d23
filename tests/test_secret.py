"""Proves that a secret is never shown, and that each source gives it only to whom it should."""

from __future__ import annotations

import copy
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from hsmctl.errors import Denied, HsmctlError, Unreachable, UsageError
from hsmctl.private import write_private
from hsmctl.secret import Answers, Secret, Source, SourceKind, parse_source, read_secret, redact
from hsmctl.wiring.ceremony import passphrases

VALUE = "correct horse"


def never() -> Secret:
    raise AssertionError("asked")


def read(kind: SourceKind, *where: str, seconds: float = 30.0) -> str:
    return read_secret(Source(kind, where), never, seconds=seconds).reveal()


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret(VALUE)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", "%s" % secret, repr([secret])]  # noqa: UP031
    assert not [text for text in shown if VALUE in text]
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            copier(secret)
    with pytest.raises(TypeError):
        vars(secret)


def test_secrets_compare_by_value_and_to_nothing_else() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("a").fingerprint(b"k") == Secret("a").fingerprint(b"k") != Secret("a").fingerprint(b"l")


def test_redacting_takes_out_every_living_secret_and_forgets_dead_ones() -> None:
    value = "battery staple"
    one, two = Secret(value), Secret(value)
    assert redact(f"pin {value}!") == "pin •••!"
    del one
    assert redact(value) == "•••"
    del two
    assert redact(value) == value


def test_a_prompt_is_the_front_ends_business() -> None:
    assert read_secret(Source(SourceKind.PROMPT), lambda: Secret("typed")).reveal() == "typed"


@pytest.mark.parametrize(("content", "secret"), [("pin", "pin"), ("pin\n", "pin"), (" p n \n", " p n ")])
def test_a_private_file_gives_its_content_without_the_last_newline(tmp_path: Path, content: str, secret: str) -> None:
    write_private(tmp_path / "pin", content.encode())
    assert read(SourceKind.FILE, str(tmp_path / "pin")) == secret


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_others_can_touch_is_denied_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "pin"
    path.write_text(VALUE)
    path.chmod(mode)
    with pytest.raises(Denied) as caught:
        read(SourceKind.FILE, str(path))
    assert caught.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize("raw", [b"", b"\n", b"\xff\xfe"])
def test_nothing_or_noise_is_no_secret(tmp_path: Path, raw: bytes) -> None:
    write_private(tmp_path / "pin", raw)
    with pytest.raises(UsageError):
        read(SourceKind.FILE, str(tmp_path / "pin"))


def test_a_missing_file_or_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        tmp_path.chmod(0o700)
        with pytest.raises(UsageError, match=str(path)):
            read(SourceKind.FILE, str(path))


def test_a_descriptor_is_read_to_its_end() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"pin\n")
    os.close(writer)
    assert read(SourceKind.FD, str(reader)) == "pin"
    os.close(reader)
    with pytest.raises(UsageError):
        read(SourceKind.FD, str(reader))


def test_a_command_gives_its_first_line() -> None:
    assert read(SourceKind.COMMAND, sys.executable, "-c", "print('pin'); print('more')") == "pin"


def test_no_shell_reads_the_words() -> None:
    assert (
        read(SourceKind.COMMAND, sys.executable, "-c", "import sys; print(sys.argv[1])", "$HOME;`id`") == "$HOME;`id`"
    )


@pytest.mark.parametrize(
    ("words", "seconds", "error"),
    [
        (["-c", f"import sys; print('{VALUE}'); sys.exit(f'no {VALUE}')"], 30.0, Denied),
        (["-c", "print()"], 30.0, UsageError),
        (["-c", "import sys; sys.stdin.read(); import time; time.sleep(60)"], 0.2, Unreachable),
    ],
    ids=["fails", "says nothing", "hangs"],
)
def test_a_command_that_fails_says_so_without_repeating_its_words(
    words: list[str], seconds: float, error: type[HsmctlError]
) -> None:
    with pytest.raises(error) as caught:
        read(SourceKind.COMMAND, sys.executable, *words, seconds=seconds)
    assert VALUE not in str(caught.value) + caught.value.hint


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="/no/such"):
        read(SourceKind.COMMAND, "/no/such")


class Backend(KeyringBackend):
    """A keyring that holds one password."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        return VALUE if (service, username) == ("hsmctl", "ops") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


class Encrypted(Backend):
    """One that keyring's own encrypted ones cannot be told from."""


Encrypted.__module__ = "keyring.backends.SecretService"


@pytest.fixture
def chosen() -> Iterator[None]:
    """Gives the desktop's keyring back afterwards."""
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("chosen")
def test_only_an_encrypted_keyring_is_asked() -> None:
    keyring.set_keyring(Encrypted())  # type: ignore[no-untyped-call]
    assert read(SourceKind.KEYRING, "hsmctl", "ops") == VALUE
    with pytest.raises(UsageError, match="nothing for hsmctl nobody"):
        read(SourceKind.KEYRING, "hsmctl", "nobody")
    keyring.set_keyring(Backend())  # type: ignore[no-untyped-call]
    with pytest.raises(Denied, match="does not encrypt"):
        read(SourceKind.KEYRING, "hsmctl", "ops")


@pytest.mark.parametrize(
    ("raw", "source"),
    [
        ({"prompt": True}, Source(SourceKind.PROMPT)),
        ({"file": "pin"}, Source(SourceKind.FILE, ("/etc/hsmctl/pin",))),
        ({"file": "/run/pin"}, Source(SourceKind.FILE, ("/run/pin",))),
        ({"fd": 3}, Source(SourceKind.FD, ("3",))),
        ({"keyring": ["hsmctl", "ops"]}, Source(SourceKind.KEYRING, ("hsmctl", "ops"))),
        ({"command": ["pass", "x"]}, Source(SourceKind.COMMAND, ("pass", "x"))),
    ],
)
def test_the_five_forms_of_a_source(raw: object, source: Source) -> None:
    assert parse_source(raw, "password", Path("/etc/hsmctl")) == source


@pytest.mark.parametrize(
    "raw",
    [
        VALUE,
        {"value": VALUE},
        {"prompt": False},
        {"prompt": True, "file": VALUE},
        {"file": ""},
        {"fd": True},
        {"fd": -1},
        {"keyring": [VALUE]},
        {"command": []},
        {"command": VALUE},
        {"command": ["x", 1]},
    ],
)
def test_anything_else_is_refused_without_repeating_it(raw: object) -> None:
    with pytest.raises(UsageError) as caught:
        parse_source(raw, "context.p.password", Path("/etc"))
    assert VALUE not in str(caught.value) + caught.value.hint


def test_what_was_asked_is_kept_until_it_is_forgotten() -> None:
    asked: list[str] = []
    answers, prompt = Answers(), Source(SourceKind.PROMPT)

    def ask(what: str) -> Secret:
        asked.append(what)
        return Secret(f"answer {len(asked)}")

    first = answers.of(prompt, "password of ann", ask)
    assert answers.of(prompt, "password of ann", ask) == first
    assert answers.of(prompt, "password of bob", ask) != first
    answers.forget()
    assert answers.of(prompt, "password of ann", ask) == Secret("answer 3")
    assert "answer" not in repr(answers)


def test_the_passphrase_of_a_key_yet_to_be_made_is_typed_twice(tmp_path: Path) -> None:
    typed = ["right", "rigth", "right", "right", "right"]
    read = passphrases(lambda _: Secret(typed.pop(0)))
    new = {"ca": "new", "key": str(tmp_path / "ca.key")}
    with pytest.raises(UsageError, match="the two differ"):
        read(new)
    assert read(new) == Secret("right")
    (tmp_path / "ca.key").touch()
    assert read(new) == Secret("right")
    assert typed == []
