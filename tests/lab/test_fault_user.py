"""Proves that each fault of a user shows on its HSM alone, in what cloudhsm-cli lists, and is undone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cli_lab import PASSWORD, CliLab

from hsmctl.lab.fault import FaultBook, asked
from hsmctl.lab.fault_user import UserFaults
from hsmctl.lab.folder import LabFolder
from hsmctl.lab.user import Role, User, Verdict

BENT, SOUND = "10.0.2.10", "10.0.1.10"


@pytest.fixture
def lab(tmp_path: Path) -> CliLab:
    made = CliLab(tmp_path)
    made.add(SOUND, BENT)
    for hsm in made.hsms.values():
        hsm.users.add("ops_cu", Role.CRYPTO_USER, PASSWORD)
    return made


@pytest.fixture
def faults(lab: CliLab, tmp_path: Path) -> UserFaults:
    """The faults of a lab whose HSM of this id is the second of the client's."""
    folder = LabFolder(tmp_path / "faulty")
    node = folder.node("hsm-b")
    node.path.parent.mkdir(parents=True)
    node.path.symlink_to(lab.nodes[BENT].folder.path)

    def put(_: str, name: str, user: User | None, place: int) -> None:
        lab.hsms[BENT].users.put(name, user, place)

    return UserFaults(lab=folder, book=FaultBook(folder.faults), put=put, default="ops_cu")


@pytest.mark.parametrize(
    ("name", "member", "shown"),
    [
        ("user-missing", "cluster-coverage", "inconsistent"),
        ("user-locked", "locked", "inconsistent"),
        ("user-role", "role", "inconsistent"),
        ("user-mfa", "mfa", [{"strategy": "token-sign", "status": "inconsistent"}]),
        ("user-quorum", "quorum", [{"strategy": "token-sign", "status": "inconsistent"}]),
    ],
)
def test_a_fault_is_seen_and_undone(lab: CliLab, faults: UserFaults, name: str, member: str, shown: object) -> None:
    before = lab.user("ops_cu")
    fault = faults.book.add(faults.prepare(asked(name, hsm="hsm-b")))
    faults.settle(fault)
    assert lab.user("ops_cu") == {**before, member: shown}
    faults.book.remove(fault.fault_id)
    faults.settle(fault)
    assert lab.user("ops_cu") == before


def test_another_password_is_not_seen_and_refused_where_it_is_tried(lab: CliLab, faults: UserFaults) -> None:
    before = lab.user("ops_cu")
    faults.settle(faults.book.add(faults.prepare(asked("user-password", hsm="hsm-b"))))
    assert lab.user("ops_cu") == before
    verdicts = [lab.hsms[each].users.authenticate("ops_cu", PASSWORD) for each in (SOUND, BENT)]
    assert verdicts == [Verdict.OK, Verdict.INCORRECT]


def test_a_registered_user_loses_the_registration(lab: CliLab, faults: UserFaults) -> None:
    for hsm in lab.hsms.values():
        hsm.users.store(replace(hsm.users.named("ops_cu"), quorum=True, public_key="a key"))
    faults.settle(faults.book.add(faults.prepare(asked("user-quorum", hsm="hsm-b"))))
    assert [hsm.users.named("ops_cu").quorum for hsm in lab.hsms.values()] == [True, False]
