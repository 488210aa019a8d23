"""Proves that the rules of the house hold: what may be imported when, what is shipped, what the README promises."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hsmctl

ROOT = Path(hsmctl.__file__).parents[1]
HEAVY = ("textual", "boto3", "botocore", "pkcs11", "paramiko", "rich", "cryptography", "moto", "hsmctl.lab")


@pytest.mark.parametrize("arguments", [["--version"], ["cluster", "list", "--help"], ["sync", "check", "--help"]])
def test_cold_start_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from hsmctl.__main__ import main\n"
        f"sys.argv = ['hsmctl', *{arguments!r}]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print('HEAVY', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "HEAVY"


def test_every_package_folder_is_shipped_and_nothing_else() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {
        "hsmctl" if path.parent == ROOT / "hsmctl" else f"hsmctl.{path.parent.name}"
        for path in [*(ROOT / "hsmctl").rglob("__init__.py"), *(ROOT / "screens").rglob("__init__.py")]
    }
    assert sorted(declared) == sorted(folders)
    assert "screens" not in sys.modules


def test_the_top_level_holds_what_was_asked_for_and_nothing_beside() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    top = {path.split("/")[0] for path in listed if not path.startswith(".")}
    assert top == {"pyproject.toml", "README.md", "hsmctl", "screens", "tests", "scripts"}


def test_nothing_shipped_names_a_package_index() -> None:
    pinned = (ROOT / "scripts" / "constraints.txt").read_text()
    assert "://" not in pinned
    assert all("==" in line for line in pinned.splitlines() if line)


def test_no_file_is_longer_than_the_house_allows() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in ("hsmctl", "screens")
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 500
    }
    assert long == {}
