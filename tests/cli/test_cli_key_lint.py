"""Proves that lint is a check with a verdict, and that the bill of materials is what CycloneDX's schema asks for."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from transcript import hsmctl
from world import HSMS, World, aes

from hsmctl.errors import ExitCode


def hostile() -> World:
    """A world whose labels are everything a label should not be."""
    labels = ["=cmd()", "a[/x]b", "line\nbreak", "\x1b[31mred", "x" * 4096]
    keys = [aes(label, extractable=not place) for place, label in enumerate(labels)]
    keys.append(replace(keys[1], identity=keys[1].identity._replace(label=b"\xff\xfe")))
    world = World(keys=keys)
    for name in HSMS:
        world.tokens.held[name] = list(keys)
    return world


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


def test_the_bill_is_valid_whatever_the_labels(tmp_path: Path) -> None:
    out = tmp_path / "cbom.json"
    ran = hsmctl(hostile(), "key", "inventory", "--format", "cyclonedx", "--out", str(out))
    assert ran.code == ExitCode.OK, ran.err
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(out.read_text()) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str('{"bomFormat": "nonsense"}') is not None


def test_a_spreadsheet_runs_nothing(tmp_path: Path) -> None:
    out = tmp_path / "keys.csv"
    hsmctl(hostile(), "key", "inventory", "--out", str(out))
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 6
    assert "'=cmd()" in {each["label"] for each in rows}
    assert hsmctl(World(), "key", "inventory", "--out", str(out)).code == ExitCode.CONFLICT
