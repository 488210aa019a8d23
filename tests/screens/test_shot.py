"""Proves that a place is drawn into a file without a terminal, and that nothing odd is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hsmctl.screens.app import HsmctlApp
from hsmctl.screens.shot import drawn
from transcript import hsmctl
from world import World

from hsmctl.errors import ExitCode, UsageError


async def test_a_place_is_drawn_once_everything_has_answered() -> None:
    picture = await drawn(HsmctlApp(World().hsmctl()), "sync", (100, 30), [])
    assert picture.startswith("<svg")
    assert "no&#160;difference&#160;seen" in picture
    picture = await drawn(HsmctlApp(World().hsmctl()), "lab", (100, 30), ["down"])
    assert "hsm-aaaaaaaaaaa" in picture


async def test_nothing_is_called_so() -> None:
    with pytest.raises(UsageError, match="no screen nonsense"):
        await drawn(HsmctlApp(World().hsmctl()), "nonsense", (80, 24), [])


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--screenshot", "fleet"], ExitCode.USAGE, "go together"),
        (["--screenshot", "fleet", "-o", "FILE", "--size", "9x9"], ExitCode.USAGE, "no size such as 120x40"),
        (["--screenshot", "fleet", "-o", "THERE"], ExitCode.CONFLICT, "it exists"),
        (["--screenshot", "fleet", "-o", "/no/such/folder/x.svg"], ExitCode.USAGE, "its folder does not exist"),
        (["--screenshot", "fleet", "-o", "/dev/null/x.svg"], ExitCode.USAGE, "its folder does not exist"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, arguments: list[str], code: ExitCode, says: str) -> None:
    (tmp_path / "there.svg").write_text("mine")
    named = {"FILE": str(tmp_path / "new.svg"), "THERE": str(tmp_path / "there.svg")}
    ran = hsmctl(World(), "ui", *(named.get(argument, argument) for argument in arguments))
    assert ran.code == code
    assert says in ran.err
    assert (tmp_path / "there.svg").read_text() == "mine"
