"""Proves that what a token calls its keys reaches no terminal, markup or log as it is, and how a bad token ends."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest
from transcript import Ran, hsmctl
from world import HSMS, World

from hsmctl.cli.table import display_width
from hsmctl.domain.key import Identity, ObjectClass, text
from hsmctl.domain.key_name import KeyName
from hsmctl.errors import ExitCode, PinRefused, Unreachable

LABELS = (
    b"a [/x] [bold]b",
    b"line\nbreak\r\ttab",
    b"\x1b[2J\x1b]0;title\x07",
    b"\xff\xfe no UTF-8",
    "right\u202eto left\u2028".encode(),
    b"x" * 4096,
    b"",
    b'"quoted", and =cmd()',
    "宽".encode() * 1000,
)
COMMANDS = (
    ("key", "list"),
    ("key", "find", "class:secret"),
    ("key", "lint"),
    ("key", "inventory"),
    ("sync", "check", "--via", "lab-node"),
    ("sync", "diff", *HSMS[:2]),
)


def hostile(*labels: bytes) -> World:
    world = World()
    (like, *_) = world.keys
    for hsm in HSMS:
        world.tokens.held[hsm] = [
            replace(like, identity=Identity(ObjectClass.SECRET, bytes([place]), label))
            for place, label in enumerate(labels or LABELS)
        ]
    return world


def safe(ran: Ran) -> bool:
    """Whether nothing in it moves a cursor or ends a line that is not its end."""
    return all(line.isprintable() for line in (ran.out + ran.err).split("\n"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("form", ["table", "wide", "json", "jsonl", "name"])
def test_labels_are_shown_escaped(command: tuple[str, ...], form: str) -> None:
    ran = hsmctl(hostile(), *command, "-o", form)
    assert ran.code in (ExitCode.OK, ExitCode.NO, ExitCode.PARTIAL)
    assert safe(ran)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_label_makes_a_line_longer_than_a_terminal(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    world = hostile()
    for key in world.tokens.held[HSMS[0]][:]:
        if len(key.identity.label) > 1000:
            world.tokens.held[HSMS[0]].remove(key)
    ran = hsmctl(world, *command, "--no-color", terminal=True)
    assert ran.out
    assert max(map(display_width, ran.out.splitlines())) <= 96


@pytest.mark.parametrize("form", ["nagios", "prometheus", "junit"])
@pytest.mark.parametrize("command", [("key", "lint"), ("sync", "check")], ids=" ".join)
def test_labels_are_escaped_for_monitoring(command: tuple[str, ...], form: str) -> None:
    assert safe(hsmctl(hostile(), *command, "-o", form))


def test_a_table_has_a_line_for_each_and_json_has_the_bytes() -> None:
    lines = hsmctl(hostile(), "key", "list").out.splitlines()
    assert len([line for line in lines if "secret-key" in line]) == len(LABELS)
    assert max(map(len, lines)) < 200
    rows = hsmctl(hostile(), "key", "list", "-o", "json").document["data"]["keys"]
    assert {bytes.fromhex(row["label_bytes"]) for row in rows} == {*LABELS}
    assert json.dumps(rows).isascii()


@pytest.mark.parametrize("label", LABELS, ids=range(len(LABELS)))
def test_one_is_shown_by_its_id_and_named_by_its_uri(label: bytes) -> None:
    world = hostile(label)
    shown = hsmctl(world, "key", "show", "id:00")
    assert shown.code == ExitCode.OK
    assert safe(shown)
    uri = hsmctl(world, "key", "show", "id:00", "-o", "name").out.strip()
    assert hsmctl(world, "key", "show", uri).code == ExitCode.OK


@pytest.mark.parametrize("label", LABELS, ids=range(len(LABELS)))
@pytest.mark.parametrize(
    "command",
    [
        ("key", "disable", "id:00", "--dry-run"),
        ("key", "rename", "id:00", "short", "--dry-run"),
        ("key", "rotate", "id:00", "--label", "new", "--dry-run"),
        ("key", "export", "id:00"),
        ("key", "generate", "aes", "--label", "new", "--id", "00"),
    ],
    ids=" ".join,
)
def test_errors_and_plans_name_it_safely_and_in_a_few_words(command: tuple[str, ...], label: bytes) -> None:
    ran = hsmctl(hostile(label), *command)
    assert ran.code in (ExitCode.OK, ExitCode.CONFLICT, ExitCode.USAGE)
    assert safe(ran)
    assert text(label)[:8] in (ran.out + ran.err).replace("%20", " ")
    assert max(map(len, (ran.out + ran.err).splitlines())) < 3000


def test_a_step_that_names_a_hostile_label_is_one_word_to_a_shell() -> None:
    label = b"'$(reboot)'; #"
    ran = hsmctl(hostile(label), "key", "rotate", "id:00", "--label", "new", "--dry-run")
    (step,) = (line for line in ran.out.splitlines() if "hsmctl key disable" in line)
    words = shlex.split(step.partition("hsmctl key disable ")[2])
    assert [KeyName.parse(word).uri.label for word in words] == [label]


def test_a_wrong_pin_is_told_once_and_tried_on_no_other() -> None:
    world = World()
    world.tokens.errors = {hsm: PinRefused(f"{hsm} refused the login", "CKR_PIN_INCORRECT") for hsm in HSMS}
    ran = hsmctl(world, "key", "list")
    assert ran.code == ExitCode.DENIED
    assert [hsm for hsm in HSMS if hsm in ran.err] == [HSMS[0]]


def test_a_token_that_disappears_is_no_short_list() -> None:
    world = World()
    world.tokens.errors = {hsm: Unreachable(f"no answer from {hsm}", "it ended the connection") for hsm in HSMS}
    ran = hsmctl(world, "key", "list")
    assert ran.code == ExitCode.UNKNOWN
    assert ran.out == ""
