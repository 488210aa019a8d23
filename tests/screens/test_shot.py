"""Proves that a place is drawn into a file without a terminal, and that nothing odd is."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
from hsmctl.screens.app import HsmctlApp
from hsmctl.screens.shot import drawn
from transcript import hsmctl
from world import World

from hsmctl.domain.cluster import Cluster
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


def test_what_libraries_complain_of_goes_to_the_log(tmp_path: Path) -> None:
    world = World()
    clusters = world.plane.clusters

    def noisy(ids: Sequence[str] = ()) -> tuple[Cluster, ...]:
        logging.getLogger("urllib3.connectionpool").warning("Connection pool is full")
        return clusters(ids)

    world.plane.clusters = noisy  # type: ignore[method-assign]
    ran = hsmctl(world, "ui", "--screenshot", "fleet", "-o", str(tmp_path / "fleet.svg"), folder=tmp_path)
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    assert "Connection pool is full" in (tmp_path / "ui.log").read_text()
