"""Proves that lint is a check with a verdict."""

from __future__ import annotations

from hostile import hostile
from transcript import hsmctl
from world import World

from hsmctl.errors import ExitCode


def test_what_is_high_is_the_answer_no() -> None:
    ran = hsmctl(hostile(), "key", "lint")
    assert ran.code == ExitCode.NO
    assert "KY-01" in ran.out
    assert "\x1b" not in ran.out
    assert hsmctl(hostile(), "key", "lint", "--allow", "=*", "--rule", "KY-01").code == ExitCode.OK
    assert hsmctl(World(), "key", "lint").code == ExitCode.OK


def test_monitoring_reads_it_too() -> None:
    ran = hsmctl(hostile(), "key", "lint", "-o", "nagios")
    assert ran.code == 2
    assert ran.out.startswith("LAB KEY CRITICAL - ")
    assert len(ran.out.splitlines()) == 1
