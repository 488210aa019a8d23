"""Proves that `explain` says what a pasted error means, and no where nothing in it is known."""

from __future__ import annotations

import re

import pytest
from transcript import hsmctl
from world import World

from hsmctl.cli.root import root
from hsmctl.cli.verb import Noun
from hsmctl.domain.ckr import NAMES, meaning
from hsmctl.domain.message import CATALOGUE
from hsmctl.errors import ExitCode


def test_a_name_and_a_message() -> None:
    ran = hsmctl(World(), "explain", "CKR_PIN_LOCKED:", "HSM is disconnected")
    assert ran.code == ExitCode.OK
    assert [line.split("  ")[0] for line in ran.out.splitlines() if not line.startswith(" ")] == [
        "HSM is disconnected",
        "CKR_PIN_LOCKED (0x0A4)",
    ]
    assert "next: an admin sets a new password" in ran.out


def test_what_nobody_knows_is_no() -> None:
    ran = hsmctl(World(), "explain", "everything is fine")
    assert (ran.code, ran.out) == (ExitCode.NO, "")
    assert "nothing in it is known" in ran.err


STEPS = sorted({entry.next for entry in CATALOGUE} | {meaning(name).next for name in NAMES.values()})


@pytest.mark.parametrize("step", [step for step in STEPS if "hsmctl" in step])
def test_a_next_step_is_a_command_there_is(step: str) -> None:
    for noun, verb in re.findall(r"hsmctl ([a-z]+) ([a-z-]+)", step):
        found = root.commands.get(noun) or root.get_command(None, noun)  # type: ignore[arg-type]
        assert isinstance(found, Noun)
        assert verb in found.list_commands(None)
