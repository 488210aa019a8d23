"""Proves that `explain` says what a pasted error means, and no where nothing in it is known."""

from __future__ import annotations

from transcript import hsmctl
from world import World

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
