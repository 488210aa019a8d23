"""Proves that what HSMs disagree about of a key is mended by a plan that holds the cluster; material never is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from transcript import Ran, hsmctl
from world import CLUSTER, World

from hsmctl.domain.coverage import ReportedKey
from hsmctl.errors import ExitCode

REFERENCE = "0x00000000001a2b3c"
KEY = ReportedKey(
    reference=REFERENCE,
    label="kek",
    coverage="full",
    owners={"crypto_user": "full"},
    shared={"app_cu": "inconsistent"},
    differing=("wrap",),
    attributes={"label": "kek", "key-reference": REFERENCE, "wrap": "inconsistent", "sign": True},
)


def world(key: ReportedKey = KEY) -> World:
    made = World()
    made.consoles.cluster.keys = (key,)
    return made


def repair(made: World, folder: Path, *words: str) -> Ran:
    return hsmctl(made, "sync", "repair", *words, folder=folder)


def test_an_attribute_is_set_everywhere_once_the_cluster_is_held(tmp_path: Path) -> None:
    made = world(replace(KEY, shared={}))
    ran = repair(made, tmp_path, "kek", "--set", "wrap=true", "-o", "json")
    assert ran.code == ExitCode.OK
    assert ran.err.index(f"1 hold {CLUSTER}") < ran.err.index(f"2 set wrap of kek ({REFERENCE}) to true")
    (key,) = made.consoles.cluster.keys
    assert (key.attributes["wrap"], key.differing) == (True, ())
    assert "HSMs disagree about a key" in hsmctl(made, "sync", "hold", "list", folder=tmp_path).out
    assert repair(made, tmp_path, "kek", "--set", "wrap=true").code == ExitCode.CONFLICT  # they agree now


@pytest.mark.parametrize(("option", "left"), [("--share", {"app_cu": "full"}), ("--unshare", {})])
def test_sharing_is_mended_one_way_or_the_other(option: str, left: dict[str, str], tmp_path: Path) -> None:
    made = world(replace(KEY, differing=()))
    assert repair(made, tmp_path, REFERENCE, option, "app_cu").code == ExitCode.OK
    assert made.consoles.cluster.keys[0].shared == left


def test_what_is_mended_halfway_is_said(tmp_path: Path) -> None:
    ran = repair(world(), tmp_path, "kek", "--share", "app_cu")
    assert (ran.code, "HSMs still disagree: wrap" in ran.err) == (ExitCode.PARTIAL, True)


@pytest.mark.parametrize(
    ("key", "words", "code", "says"),
    [
        (replace(KEY, coverage="inconsistent"), ("--set", "wrap=true"), ExitCode.CONFLICT, "material is not mended"),
        (replace(KEY, manage_quorum=2), ("--set", "wrap=true"), ExitCode.CONFLICT, "needs 2 approvals"),
        (KEY, ("--set", "sign=true"), ExitCode.CONFLICT, "the HSMs agree: true"),
        (KEY, ("--set", "extractable=true"), ExitCode.USAGE, "that is not mended"),
        (KEY, ("--set", "check-value=0x00"), ExitCode.USAGE, "that is not mended"),
        (KEY, ("--share", "other"), ExitCode.CONFLICT, "not with them"),
        (KEY, (), ExitCode.USAGE, "one thing is mended at a time"),
    ],
)
def test_nothing_else_is_touched(
    key: ReportedKey, words: tuple[str, ...], code: ExitCode, says: str, tmp_path: Path
) -> None:
    made = world(key)
    ran = repair(made, tmp_path, "kek", *words)
    assert (ran.code, says in ran.err, made.consoles.cluster.keys) == (code, True, (key,))
    assert hsmctl(made, "sync", "hold", "list", folder=tmp_path).out == ""
