"""Proves that `login` shows which PINs were refused, lets them be tried again, and keeps a record of that."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from transcript import hsmctl
from world import CLUSTER, HSMS, FakeClock, World

from hsmctl.adapters.breaker import FileBreaker
from hsmctl.domain.sync import Replica
from hsmctl.errors import ExitCode, PinRefused
from hsmctl.ports import Login
from hsmctl.secret import Secret


def refuse(folder: Path, user: str, replica: Replica) -> None:
    guard = FileBreaker(folder, FakeClock())
    with suppress(PinRefused), guard.gate(replica, Login(user, Secret("open sesame")), 1.0):
        raise PinRefused(replica.name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The state of a machine on which two PINs were refused."""
    refuse(tmp_path, "ops_cu", Replica(name=HSMS[0], realm=CLUSTER))
    refuse(tmp_path, "app_cu", Replica(name="onprem-1"))
    return tmp_path


def test_status_lists_who_was_refused_where_and_when(folder: Path) -> None:
    ran = hsmctl(World(), "login", "status", folder=folder)
    assert ran.code == ExitCode.OK
    assert [line.split() for line in ran.out.splitlines()] == [
        ["USER", "OF", "REFUSED", "BY", "AT"],
        ["✖", "ops_cu", CLUSTER, HSMS[0], "2026-11-23", "02:10:00", "UTC"],
        ["✖", "app_cu", "onprem-1", "onprem-1", "2026-11-23", "02:10:00", "UTC"],
    ]


def test_nothing_that_comes_from_a_pin_is_shown(folder: Path) -> None:
    document = hsmctl(World(), "login", "status", "-o", "json", folder=folder).document
    assert {name for row in document["data"] for name in row} == {"user", "realm", "refused_by", "refused_at"}


def test_reset_of_a_user_leaves_the_others_and_is_recorded(folder: Path) -> None:
    world = World()
    ran = hsmctl(world, "login", "reset", "ops_cu", folder=folder)
    assert ran.code == ExitCode.OK
    assert ran.out == f"the PIN of ops_cu of {CLUSTER}, refused by {HSMS[0]}, may be tried again\n"
    assert hsmctl(World(), "login", "status", "-o", "name", folder=folder).out == "app_cu\n"
    assert world.journal.written == [
        {"kind": "login-reset", "logins": [{"realm": CLUSTER, "user": "ops_cu", "refused_by": HSMS[0]}]}
    ]


def test_reset_without_a_user_is_for_all_and_the_second_has_nothing_to_do(folder: Path) -> None:
    world = World()
    assert hsmctl(world, "login", "reset", "-o", "name", folder=folder).out == "ops_cu\napp_cu\n"
    again = hsmctl(world, "login", "reset", folder=folder)
    assert (again.code, again.out, again.err) == (ExitCode.OK, "", "no PIN was refused: there is nothing to reset\n")
    assert len(world.journal.written) == 1
    assert hsmctl(World(), "login", "status", folder=folder).err == "no PIN was refused\n"


def test_a_user_nobody_refused_is_an_error_that_names_those_who_were(folder: Path) -> None:
    ran = hsmctl(World(), "login", "reset", "ops", folder=folder)
    assert ran.code == ExitCode.CONFLICT
    assert ran.err.splitlines() == [
        "hsmctl: user ops: no PIN of theirs was refused, only of app_cu, ops_cu",
        "hint: hsmctl login status",
    ]
