"""Proves how every change is shown, confirmed, narrated, cut off and taken up again on the command line."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from operation_world import BEGUN, OTHER, with_operation
from transcript import Ran, hsmctl
from world import CLUSTER, ZONES, World, lab_context

from hsmctl.domain.cluster import Hsm
from hsmctl.domain.operation import OperationState
from hsmctl.errors import ExitCode, Unreachable


def test_a_dry_run_is_the_plan_and_changes_nothing(tmp_path: Path) -> None:
    world = World()
    ran = hsmctl(world, "hsm", "add", "--zone", ZONES[0], "--dry-run", folder=tmp_path)

    assert (ran.code, ran.err) == (ExitCode.OK, "")
    assert ran.out.splitlines()[0] == f"add 1 HSM to {CLUSTER}"
    assert "1 create an HSM in eu-central-1a" in ran.out
    assert "2 wait until the HSM is ACTIVE (usually 6 min)" in ran.out
    assert (world.journal.written, len(world.plane.held[CLUSTER].hsms)) == ([], 3)
    data = hsmctl(world, "hsm", "add", "--dry-run", "-o", "json", folder=tmp_path).document["data"]
    assert "cloudhsm:CreateHsm" in data["permissions"]
    assert (data["ready"], data["destructive"]) == (True, False)


def test_a_change_narrates_on_standard_error_and_answers_with_what_it_made(tmp_path: Path) -> None:
    ran = hsmctl(World(), "hsm", "add", "-o", "name", folder=tmp_path)

    assert (ran.code, ran.out) == (ExitCode.OK, "hsm-new00000003\n")
    assert "  1 create an HSM in eu-central-1a" in ran.err.splitlines()
    assert "    hsm-new00000003 is create_in_progress" in ran.err.splitlines()


class Broken(World):
    """A world whose AWS stops answering once an HSM was asked for, or whose operator presses Ctrl-C then."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.trouble: BaseException | None = error
        create = self.plane.create_hsm

        def lost(cluster_id: str, zone: str, address: str | None = None) -> Hsm:
            made = create(cluster_id, zone, address)
            if self.trouble:
                raise self.trouble
            return made

        self.plane.create_hsm = lost  # type: ignore[method-assign]


def resumed(world: Broken, ran: Ran, folder: Path) -> Ran:
    """The next run, told by the first how to go on."""
    world.trouble = None
    (line,) = [line for line in ran.err.splitlines() if "hsmctl operation resume" in line]
    words = line.partition("hsmctl ")[2].split()[:3]
    return hsmctl(world, *words, "-o", "json", folder=folder)


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), ExitCode.INTERRUPTED), (Unreachable("no answer"), ExitCode.UNKNOWN)]
)
def test_cut_off_it_says_how_to_go_on_and_going_on_makes_no_second_hsm(
    error: BaseException, code: ExitCode, tmp_path: Path
) -> None:
    world = Broken(error)
    ran = hsmctl(world, "hsm", "add", folder=tmp_path)
    assert ran.code == code
    assert hsmctl(world, "hsm", "add", folder=tmp_path).code == ExitCode.CONFLICT

    after = resumed(world, ran, tmp_path)
    assert after.code == ExitCode.OK
    assert after.document["data"]["found"]["hsm_0"] == "hsm-new00000003"
    assert len(world.plane.held[CLUSTER].hsms) == 4


def test_operations_are_listed_shown_and_abandoned(tmp_path: Path) -> None:
    world = with_operation(World())
    listed = hsmctl(world, "operation", "list", folder=tmp_path)
    assert "open     1/2" in listed.out
    shown = hsmctl(world, "operation", "show", BEGUN[:9], folder=tmp_path)
    assert "◍ 1 create an HSM" in shown.out
    assert "! 2 wait until it is ACTIVE (uncertain)" in shown.out
    assert f"hsmctl operation resume {BEGUN}" in shown.out

    given_up = hsmctl(world, "operation", "abandon", BEGUN, "--reason", "by hand", "-o", "json", folder=tmp_path)
    assert given_up.document["data"]["reason"] == "by hand"
    assert "no operations are open" in hsmctl(world, "operation", "list", folder=tmp_path).err
    rows = hsmctl(world, "operation", "list", "--all", "-o", "json", folder=tmp_path).document["data"]
    assert [(row["target"], row["state"]) for row in rows] == [(OTHER, OperationState.ABANDONED)]
    assert hsmctl(world, "operation", "list", "--all", folder=tmp_path).out.splitlines()[1].startswith("?")


def test_what_is_to_come_has_no_sign(tmp_path: Path) -> None:
    world = with_operation(World())
    del world.journal.written[3:]
    shown = hsmctl(world, "operation", "show", BEGUN, folder=tmp_path).out
    assert "◍ 1 create an HSM" in shown
    assert "\n  2 wait until it is ACTIVE\n" in shown


def test_a_cluster_without_a_working_hsm_is_signed_as_status_signs_it() -> None:
    world = World()
    world.plane.held[CLUSTER] = replace(world.plane.held[CLUSTER], hsms=())
    assert hsmctl(world, "cluster", "list").out.splitlines()[1].startswith("✖")


def test_a_protected_context_is_changed_only_with_a_reason_that_is_kept(tmp_path: Path) -> None:
    world, protected = World(), replace(lab_context(), protect=True)
    assert hsmctl(world, "hsm", "add", context=protected, folder=tmp_path).code == ExitCode.DENIED
    assert hsmctl(world, "hsm", "add", "--dry-run", context=protected, folder=tmp_path).code == ExitCode.OK
    broken = hsmctl(world, "hsm", "add", "--break-glass", "outage 4711", context=protected, folder=tmp_path)
    assert broken.code == ExitCode.OK
    assert world.journal.written[0]["break_glass"] == "outage 4711"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "code"), [("3d4e5f\n", None), ("yes\n", ExitCode.DENIED), ("", ExitCode.DENIED)])
def test_what_cannot_be_undone_is_confirmed_by_typing(
    typed: str, code: ExitCode | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hsmctl.cli.plan import confirm
    from hsmctl.errors import Denied

    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    if code:
        with pytest.raises(Denied, match="not confirmed"):
            confirm("delete it", "3d4e5f", None)
    else:
        confirm("delete it", "3d4e5f", None)
    assert "Type 3d4e5f to go on" in capsys.readouterr().err
