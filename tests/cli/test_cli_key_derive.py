"""Proves that HKDF makes a file or a key and never both, that a key is looked for everywhere, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transcript import hsmctl
from world import HSMS, World, aes

from hsmctl.errors import ExitCode

HKDF = ("key", "derive", "db-kek-000", "--hkdf", "sha256", "--info", "tenant 42")


def test_a_secret_in_the_clear_is_a_new_file_for_its_owner(tmp_path: Path) -> None:
    out = tmp_path / "secret.bin"
    ran = hsmctl(World(), *HKDF, "--bits", "128", "--out", str(out))
    assert (ran.code, ran.out) == (0, f"◍ {out}: 16 bytes, hkdf sha256 with db-kek-000\n")
    assert (out.stat().st_size, out.stat().st_mode & 0o777) == (16, 0o600)
    assert hsmctl(World(), *HKDF, "--out", str(out)).code == ExitCode.CONFLICT


def test_a_key_is_made_of_it_that_every_hsm_lists_and_the_journal_names() -> None:
    world = World()
    ran = hsmctl(world, *HKDF, "--label", "tenant-42", "--for", "data", "-o", "json")
    told = json.loads(ran.out)["data"]
    assert ran.code == 0, ran.err
    assert (told["made"]["label"], told["written_to"], told["seen_on"]) == ("tenant-42", "", list(HSMS))
    assert {"encrypt", "decrypt", "sensitive"} <= {*told["made"]["attributes"]}
    assert [record["kind"] for record in world.journal.written] == ["key-derive"]
    assert hsmctl(world, *HKDF, "--label", "tenant-42").code == ExitCode.CONFLICT


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--hkdf", "sha256"),
        ("--hkdf", "sha256", "--peer", "x", "--out", "y"),
        ("--hkdf", "sha256", "--label", "x", "--out", "y"),
        ("--peer", "x", "--label", "y"),
        ("--hkdf", "sha256", "--out", "y", "--bits", "12"),
        ("--hkdf", "sha256", "--out", "y", "--salt", "xyz"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_used(words: tuple[str, ...]) -> None:
    world = World([aes("master")])
    assert hsmctl(world, "key", "derive", "master", *words).code == ExitCode.USAGE
    assert world.journal.written == []
