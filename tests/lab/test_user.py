"""Proves that users are told apart, counted and locked out as CloudHSM does it, across restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from hsmctl.errors import Conflict, UsageError
from hsmctl.lab.user import MAX_FAILURES, Role, Users, Verdict

PASSWORD = "correct horse"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Users(tmp_path / "users.json").add("Ops_CU", Role.CRYPTO_USER, PASSWORD)
    return tmp_path / "users.json"


def test_a_new_hsm_has_an_admin_without_password_and_the_appliance_user(tmp_path: Path) -> None:
    users = Users(tmp_path / "users.json")
    assert [(user.name, user.role) for user in users.all()] == [
        ("admin", "unactivated-admin"),
        ("app_user", "internal(APPLIANCE_USER)"),
    ]
    assert users.authenticate("admin", "") is Verdict.INCORRECT


def test_names_are_compared_without_case_and_passwords_with(path: Path) -> None:
    users = Users(path)
    assert users.authenticate("OPS_cu", PASSWORD) is Verdict.OK
    assert users.authenticate("ops_cu", PASSWORD.upper()) is Verdict.INCORRECT
    assert users.authenticate("nobody", PASSWORD) is Verdict.INCORRECT


def test_five_wrong_passwords_lock_the_user_for_good(path: Path) -> None:
    for _ in range(MAX_FAILURES):
        assert Users(path).authenticate("ops_cu", "wrong wrong") is Verdict.INCORRECT
    assert Users(path).authenticate("ops_cu", PASSWORD) is Verdict.LOCKED


def test_a_right_password_clears_the_count(path: Path) -> None:
    users = Users(path)
    for password in ["wrong wrong"] * (MAX_FAILURES - 1) + [PASSWORD] + ["wrong wrong"] * (MAX_FAILURES - 1):
        users.authenticate("ops_cu", password)
    assert users.authenticate("ops_cu", PASSWORD) is Verdict.OK


def test_the_file_holds_no_password_and_is_private(path: Path) -> None:
    assert PASSWORD not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", "a" * 32, "with-hyphen", "a:b", "a b", "../up", "é"])
def test_names_cloudhsm_refuses_are_refused(path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        Users(path).add(name, Role.CRYPTO_USER, PASSWORD)


@pytest.mark.parametrize("password", ["", "1234567", "x" * 33, "with:colon"])
def test_passwords_cloudhsm_refuses_are_refused(path: Path, password: str) -> None:
    with pytest.raises(UsageError):
        Users(path).add("other", Role.CRYPTO_USER, password)


def test_nobody_exists_twice_and_nothing_is_activated_twice(path: Path) -> None:
    users = Users(path)
    with pytest.raises(Conflict):
        users.add("OPS_CU", Role.ADMIN, PASSWORD)
    users.activate(PASSWORD)
    assert users.authenticate("admin", PASSWORD) is Verdict.OK
    with pytest.raises(Conflict):
        Users(path).activate(PASSWORD)
