"""Proves that live HSMs are in sync where all keys prove themselves, and that using keys shows what lists do not."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from live import SECONDS, LiveLab, replica

from hsmctl.cli.root import run
from hsmctl.domain.key import PAIRED, KeyKind, KeySpec
from hsmctl.lab import command
from hsmctl.lab.fault import asked
from hsmctl.lab.folder import LabFolder
from hsmctl.lab.objectfile import parse
from hsmctl.lab.softhsm import object_files, remove_object
from hsmctl.ports import LabOptions
from hsmctl.services.lab import seed_specs

CKA_CLASS = 0
_USES = {"secret": {"sign": True, "verify": True}}
HMAC = KeySpec(kind=KeyKind.GENERIC, size="256", label=b"hmac", key_id=b"hmac", attributes=_USES)
SEEDS = {(spec.kind, spec.size): spec for spec in (*seed_specs(200), HMAC)}
"""A key of each kind and curve: those a lab begins with, and one for HMAC."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveLab]:
    """Three HSMs with seed keys."""
    live = LiveLab(tmp_path_factory.mktemp("lab"), LabOptions(hsms=3, zones=3, seed_keys=0))
    try:
        live.start()
        live.create()
        (first,) = live.hsms()
        with live.tokens().open(replica(first), live.login(), time.monotonic() + SECONDS) as token:
            for spec in SEEDS.values():
                token.generate(spec)
        live.add("us-east-1b", "us-east-1c")
        yield live
    finally:
        live.program.reset()


def check(lab: LiveLab, *options: str) -> tuple[int, Any]:
    """What `hsmctl sync check` in the lab's context answers: its exit code and its data."""
    answer = io.StringIO()
    environ = {"HSMCTL_LAB_HOME": str(lab.folder), "HSMCTL_STATE_HOME": str(lab.folder / "state")}
    with redirect_stdout(answer), redirect_stderr(io.StringIO()):
        code = run(["sync", "check", "--via", "lab-node", "-o", "json", *options], None, environ)
    return code, json.loads(answer.getvalue())["data"]


def test_every_seed_key_proves_itself_on_every_hsm(lab: LiveLab) -> None:
    code, data = check(lab, "--deep", "--require", "proved", "--require-scope", "full")
    assert (code, data["verdict"], data["unproven"], data["reasons"]) == (0, "in sync", 0, {})
    assert (
        data["proved"] == data["scope"]["total"] == 3 + 1 + 2 + 5 * 2
    )  # AES and HMAC keys, the halves of an RSA pair, of EC pairs
    assert check(lab)[1]["verdict"] == "no difference seen"


def test_a_twin_of_every_kind_under_the_same_label_is_told_from_a_clone(lab: LiveLab) -> None:
    folder, (first, odd, third) = LabFolder(lab.folder), lab.hsms()
    for spec in SEEDS.values():
        command.inject(folder, asked("key-different", hsm=odd.hsm_id, key=spec.label.decode()), None)
    code, data = check(lab, "--deep")
    halves = sorted((key["label"], key["object_class"]) for key in data["differences"])
    meant = [("private-key", "public-key") if spec.kind in PAIRED else ("secret-key",) for spec in SEEDS.values()]
    assert code == 1
    assert halves == sorted(
        (s.label.decode(), half) for s, each in zip(SEEDS.values(), meant, strict=True) for half in each
    )
    told = {first.hsm_id: "proved", odd.hsm_id: "different", third.hsm_id: "proved"}
    assert [key["cells"] for key in data["differences"]] == [told] * len(halves)
    command.clear(folder, None)
    assert check(lab, "--deep")[1]["verdict"] == "in sync"


def make_pair(lab: LiveLab, folder: Path) -> tuple[str, str]:
    """The files of the public and the private half of a new pair, the same on every HSM."""
    before = set(object_files(folder))
    lab.generate(lab.hsms()[0], KeyKind.EC, "P-521", "twin")
    made = set(object_files(folder)) - before
    public, private = sorted(made, key=lambda name: parse((folder / name).read_bytes()).number(CKA_CLASS) or 0)
    return public, private


def test_a_private_half_of_another_pair_on_one_hsm_is_found_by_using_it(lab: LiveLab) -> None:
    first, odd, third = lab.hsms()
    folders = {hsm: lab.folder / "nodes" / hsm.hsm_id / "tokens" / "ops_cu" for hsm in (first, odd, third)}
    (_, private), (other_public, other_private) = (make_pair(lab, folders[first]) for _ in range(2))
    for hsm, unwanted in ((first, other_private), (odd, private), (third, other_private)):
        remove_object(folders[hsm], other_public)
        remove_object(folders[hsm], unwanted)

    assert check(lab)[1]["differences"] == []
    code, data = check(lab, "--deep")
    assert (code, data["verdict"]) == (1, "not in sync")
    (found,) = data["differences"]
    assert (found["object_class"], found["label"]) == ("private-key", "twin")
    assert found["cells"] == {first.hsm_id: "proved", odd.hsm_id: "different", third.hsm_id: "proved"}
