"""Proves that, whatever the labels, the inventory is a sheet that runs nothing and a bill that CycloneDX accepts."""

from __future__ import annotations

import csv
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hostile import hostile
from transcript import hsmctl
from world import World

from hsmctl.errors import ExitCode


def test_kinds_are_counted() -> None:
    ran = hsmctl(hostile(), "key", "inventory")
    assert ran.code == ExitCode.OK
    assert ran.out.splitlines()[1].split() == ["AES-256", "secret-key", "6", "1"]
    assert "6 objects seen as " in ran.out


def test_the_bill_is_valid_whatever_the_labels() -> None:
    ran = hsmctl(hostile(), "key", "inventory", "-o", "cyclonedx")
    assert ran.code == ExitCode.OK, ran.err
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(ran.out) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str('{"bomFormat": "nonsense"}') is not None


def test_a_spreadsheet_runs_nothing() -> None:
    ran = hsmctl(hostile(), "key", "inventory", "-o", "csv")
    rows = list(csv.DictReader(ran.out.splitlines()))
    assert len(rows) == 6
    assert "'=cmd()" in {each["label"] for each in rows}


def test_a_file_is_whole_new_and_what_standard_output_would_be(tmp_path: Path) -> None:
    out = tmp_path / "keys.csv"
    ran = hsmctl(hostile(), "key", "inventory", "-o", "csv", "--out", str(out))
    assert ran.out == ""
    assert "6 objects seen as " in ran.err
    assert out.read_text() == hsmctl(hostile(), "key", "inventory", "-o", "csv").out
    again = hsmctl(World(), "key", "inventory", "-o", "csv", "--out", str(out))
    assert again.code == ExitCode.CONFLICT
    assert len(out.read_text().splitlines()) == 7


def test_its_formats_are_no_other_commands() -> None:
    assert hsmctl(hostile(), "key", "list", "-o", "csv").code == ExitCode.USAGE
    assert hsmctl(hostile(), "key", "inventory", "-o", "xml").code == ExitCode.USAGE
