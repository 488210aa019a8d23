"""Proves that what a token calls its keys reaches no terminal, markup or log as it is, and how a bad token ends."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from transcript import Ran, hsmctl
from world import HSMS, World

from hsmctl.domain.key import Identity, ObjectClass
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
)
COMMANDS = (("key", "list"), ("key", "find", "class:secret"), ("key", "lint"), ("sync", "check"))


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


@pytest.mark.parametrize("label", LABELS[:5], ids=range(5))
def test_errors_and_plans_name_it_safely(label: bytes) -> None:
    for command in (
        ("key", "delete", "id:00", "--dry-run"),
        ("key", "disable", "id:00"),
        ("key", "sign", "id:00", "-"),
    ):
        assert safe(hsmctl(hostile(label), "key", *command))


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
