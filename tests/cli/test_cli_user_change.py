"""Proves that users are changed by plans that look first, reach every HSM or say so, and go on after a cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from approval_files import write_key
from transcript import Ran, hsmctl
from world import CLUSTER, HSMS, FakeClock, World

from hsmctl.domain.cluster import HsmState
from hsmctl.domain.interlock import KeyStore
from hsmctl.errors import ExitCode

END = CLUSTER[-6:]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_key(tmp_path / "approver.pem")


class BusyClock(FakeClock):
    """A clock during whose waits something is done, once each time it is due."""

    def __init__(self, *when: Callable[[], object]) -> None:
        super().__init__()
        self.when = list(when)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.when:
            self.when.pop(0)()


def with_approvers(world: World, *names: str) -> World:
    """The world with these admins, registered, beside `admin`."""
    for users in world.consoles.cluster.users.values():
        users["admin"] = replace(users["admin"], quorum=True)
        users.update(dict.fromkeys(names, users["admin"]))
    return world


def held(world: World, name: str) -> list[str]:
    return [hsm for hsm in HSMS if name in world.consoles.cluster.users[hsm]]


def create(world: World, folder: Path, *more: str) -> Ran:
    return hsmctl(world, "user", "create", "alice", "--role", "crypto-user", *more, folder=folder)


def test_a_user_is_made_on_every_hsm_and_looked_at(tmp_path: Path) -> None:
    world = World()
    ran = create(world, tmp_path, "-o", "json")
    assert ran.code == ExitCode.OK
    assert held(world, "alice") == list(HSMS)
    found = ran.document["data"]["found"]
    assert (found["coverage"], found["look_again_at"]) == ("full", "2026-11-23 02:25 UTC")


def test_the_password_is_in_no_journal_and_no_output(tmp_path: Path) -> None:
    world = World()
    ran = create(world, tmp_path)
    assert "correct horse" not in ran.out + ran.err + json.dumps(list(world.journal.records()), default=str)


@pytest.mark.parametrize("trouble", ["disconnected", "stale", "joining"])
def test_nothing_is_written_while_an_hsm_would_miss_it(trouble: str, tmp_path: Path) -> None:
    world = World()
    cluster = world.plane.held[CLUSTER]
    if trouble == "disconnected":
        world.consoles.cluster.connected.discard(HSMS[1])
    elif trouble == "stale":
        world.consoles.cluster.addresses = ("127.16.1.10", "10.9.9.9")
    else:
        leaving = replace(cluster.hsms[0], state=HsmState.DELETE_IN_PROGRESS)
        world.plane.held[CLUSTER] = replace(cluster, hsms=(leaving, *cluster.hsms[1:]))
    ran = create(world, tmp_path)
    assert ran.code == ExitCode.CONFLICT
    assert "way out:" in ran.err
    assert held(world, "alice") == world.consoles.cluster.attempts == []


def test_a_cut_in_the_middle_is_found_and_finished_by_the_next_run(tmp_path: Path) -> None:
    world = World()
    world.consoles.cluster.cut_after = 1
    cut = create(world, tmp_path)
    assert cut.code == ExitCode.UNKNOWN
    assert held(world, "alice") == [HSMS[0]]

    world.consoles.cluster.cut_after = None
    again = create(world, tmp_path)
    assert again.code == ExitCode.CONFLICT  # what is half done is not planned once more
    (operation,) = hsmctl(world, "operation", "list", "-o", "name", folder=tmp_path).out.split()
    resumed = hsmctl(world, "operation", "resume", operation, folder=tmp_path)
    assert resumed.code == ExitCode.OK
    assert "the others get it with the same password" in resumed.err
    assert held(world, "alice") == list(HSMS)


def test_a_cut_after_the_last_hsm_is_seen_to_have_happened(tmp_path: Path) -> None:
    world = World()
    session = world.consoles.cluster
    each = session.each

    def cut(change: object) -> None:
        each(change)
        session.cut_after = 0
        each(change)

    session.each = cut  # type: ignore[method-assign]
    assert create(world, tmp_path).code == ExitCode.UNKNOWN
    session.cut_after = None
    attempts = len(session.attempts)
    (operation,) = hsmctl(world, "operation", "list", "-o", "name", folder=tmp_path).out.split()
    assert hsmctl(world, "operation", "resume", operation, folder=tmp_path).code == ExitCode.OK
    assert len(session.attempts) == attempts  # nobody had to log in to see it


def test_a_missing_user_is_repaired_by_making_it_again(tmp_path: Path) -> None:
    world = World()
    del world.consoles.cluster.users[HSMS[2]]["crypto_user"]
    ran = hsmctl(world, "user", "repair", "crypto_user", folder=tmp_path)
    assert ran.code == ExitCode.OK
    assert held(world, "crypto_user") == list(HSMS)


def test_a_missing_user_is_replicated_and_nothing_else_is(tmp_path: Path) -> None:
    world = World()
    words = ("user", "replicate", "crypto_user")
    assert hsmctl(world, *words, folder=tmp_path).code == ExitCode.CONFLICT  # every HSM has it
    before = dict(world.consoles.cluster.users[HSMS[0]])
    del world.consoles.cluster.users[HSMS[2]]["crypto_user"]
    ran = hsmctl(world, *words, folder=tmp_path)
    assert (ran.code, "with its current password" in ran.err) == (ExitCode.OK, True)
    assert (held(world, "crypto_user"), world.consoles.cluster.users[HSMS[0]]) == (list(HSMS), before)


def test_a_registration_that_differs_is_its_owners_business(tmp_path: Path) -> None:
    world = with_approvers(World(), "bob")
    users = world.consoles.cluster.users[HSMS[2]]
    users["bob"] = replace(users["bob"], quorum=False)
    ran = hsmctl(world, "user", "repair", "bob", folder=tmp_path)
    assert (ran.code, "hsmctl quorum register bob" in ran.err) == (ExitCode.CONFLICT, True)


def test_another_role_somewhere_is_repaired_only_when_the_right_one_is_named_and_confirmed(tmp_path: Path) -> None:
    world = World()
    users = world.consoles.cluster.users[HSMS[2]]
    users["crypto_user"] = replace(users["crypto_user"], role="admin")
    assert hsmctl(world, "user", "repair", "crypto_user", folder=tmp_path).code == ExitCode.USAGE
    words = ("user", "repair", "crypto_user", "--role", "crypto-user")
    assert hsmctl(world, *words, folder=tmp_path).code == ExitCode.USAGE
    assert hsmctl(world, *words, "--confirm", END, folder=tmp_path).code == ExitCode.OK
    assert {world.consoles.cluster.users[hsm]["crypto_user"].role for hsm in HSMS} == {"crypto-user"}


def test_a_locked_user_is_let_in_and_an_unlocked_one_left_alone(tmp_path: Path) -> None:
    world = World()
    users = world.consoles.cluster.users[HSMS[0]]
    users["crypto_user"] = replace(users["crypto_user"], failures=5)
    assert hsmctl(world, "user", "unlock", "crypto_user", folder=tmp_path).code == ExitCode.OK
    assert world.consoles.cluster.users[HSMS[0]]["crypto_user"].failures == 0
    assert hsmctl(world, "user", "unlock", "crypto_user", folder=tmp_path).code == ExitCode.CONFLICT


def test_an_admin_who_is_not_sound_is_mended_by_another(tmp_path: Path) -> None:
    world = with_approvers(World(), "alice")
    users = world.consoles.cluster.users[HSMS[0]]
    users["admin"] = replace(users["admin"], failures=5)
    ran = hsmctl(world, "user", "repair", "crypto_user", folder=tmp_path)
    assert (ran.code, "hint: --admin alice" in ran.err) == (ExitCode.CONFLICT, True)
    assert hsmctl(world, "user", "repair", "admin", "--admin", "alice", folder=tmp_path).code == ExitCode.OK


def test_deleting_is_confirmed_by_the_cluster_and_leaves_enough_approvers(tmp_path: Path) -> None:
    world = with_approvers(World(), "alice", "bob")
    assert hsmctl(world, "user", "delete", "crypto_user", folder=tmp_path).code == ExitCode.USAGE
    assert hsmctl(world, "user", "delete", "crypto_user", "--confirm", END, folder=tmp_path).code == ExitCode.OK
    world.consoles.cluster.values["quorum"] = 2
    for verb in (["delete", "bob", "--confirm", END], ["change-password", "bob"]):
        ran = hsmctl(world, "user", *verb, folder=tmp_path)
        assert ran.code == ExitCode.CONFLICT
        assert "this would leave 2 approvers: the largest quorum value is 2, so 3 must be left" in ran.err
    assert held(world, "bob") == list(HSMS)


@pytest.mark.parametrize("name", ["app_user", "kmsuser"])
def test_nobody_touches_the_services_users(name: str, tmp_path: Path) -> None:
    world = World()
    for users in world.consoles.cluster.users.values():
        users["kmsuser"] = users["crypto_user"]
    store = KeyStore(store_id="cks-1", name="prod-store", cluster_id=CLUSTER, state="connected")
    world.estate.stores = (store,)
    ran = hsmctl(world, "user", "change-password", name, folder=tmp_path)
    assert ran.code == ExitCode.CONFLICT
    assert world.consoles.cluster.attempts == []


def test_a_refused_password_changes_nothing_and_closes_the_operation(tmp_path: Path) -> None:
    world = World()
    for users in world.consoles.cluster.users.values():
        users["admin"] = replace(users["admin"], password="another one")
    assert create(world, tmp_path).code == ExitCode.DENIED
    assert hsmctl(world, "operation", "list", "-o", "name", folder=tmp_path).out == ""


def test_a_second_factor_comes_and_goes(key: Path, tmp_path: Path) -> None:
    world = World()
    assert hsmctl(world, "user", "mfa", "enrol", "crypto_user", "--key", str(key), folder=tmp_path).code == ExitCode.OK
    assert hsmctl(world, "user", "list", "-o", "json").document["data"]["users"][2]["mfa"] == "enabled"
    assert hsmctl(world, "user", "mfa", "remove", "crypto_user", folder=tmp_path).code == ExitCode.OK
    assert hsmctl(world, "user", "mfa", "remove", "crypto_user", folder=tmp_path).code == ExitCode.CONFLICT


def test_a_user_is_made_with_two_signatures_after_a_token_that_nobody_signed(key: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "approve.json"

    def sign(name: str) -> None:
        ran = hsmctl(world, "quorum", "sign", str(bundle), "--user", name, "--key", str(key), folder=tmp_path)
        assert (ran.code, "create alice as crypto-user" in ran.err) == (ExitCode.OK, True)

    nothing = [lambda: None] * 600
    world = with_approvers(World(clock=BusyClock(*nothing, lambda: sign("bob"), lambda: sign("carol"))), "bob", "carol")
    world.consoles.cluster.values["user"] = 2
    assert create(world, tmp_path).code == ExitCode.CONFLICT  # nobody said where the bundle goes
    ran = create(world, tmp_path, "--bundle", str(bundle))
    assert ran.code == ExitCode.OK
    assert "the token has ended with 0 of 2 signatures: a new one, sign again" in ran.err
    assert held(world, "alice") == list(HSMS)


def test_a_bundle_is_signed_before_its_end_and_by_a_key_of_ones_own(key: Path, tmp_path: Path) -> None:
    bundle, world = tmp_path / "approve.json", with_approvers(World(), "bob")
    world.consoles.cluster.values["user"] = 2
    create(world, tmp_path, "--bundle", str(bundle))  # nobody signs in an hour
    world.clock.sleep(5)
    late = hsmctl(world, "quorum", "sign", str(bundle), "--user", "bob", "--key", str(key), folder=tmp_path)
    assert (late.code, "the token of this bundle: it ended" in late.err) == (ExitCode.CONFLICT, True)
    fresh = World()
    open_key = tmp_path / "open.pem"
    open_key.write_bytes(key.read_bytes())
    for path, code in ((open_key, ExitCode.DENIED), (tmp_path / "none.pem", ExitCode.USAGE)):
        ran = hsmctl(fresh, "quorum", "sign", str(bundle), "--user", "bob", "--key", str(path), folder=tmp_path)
        assert ran.code == code


def test_quorum_values_need_one_approver_more(key: Path, tmp_path: Path) -> None:
    world = with_approvers(World(), "bob")
    ran = hsmctl(world, "quorum", "set", "user", "2", folder=tmp_path)
    assert (ran.code, "3 registered admins are needed" in ran.err) == (ExitCode.CONFLICT, True)
    for users in world.consoles.cluster.users.values():
        users["carol"] = replace(users["bob"], quorum=False)
    assert hsmctl(world, "quorum", "register", "carol", "--key", str(key), folder=tmp_path).code == ExitCode.OK
    assert hsmctl(world, "quorum", "set", "user", "2", folder=tmp_path).code == ExitCode.OK
    status = hsmctl(world, "quorum", "status")
    assert status.code == ExitCode.OK
    assert "◍ 3 of 3 admins can approve; 3 are needed so that one may be lost" in status.out


def test_open_tokens_are_shown_and_deleted(tmp_path: Path) -> None:
    world = World()
    assert "makes its own: --bundle FILE" in hsmctl(world, "quorum", "token").err
    world.consoles.cluster.tokens["x"] = ("admin", "user")
    assert "0 of 0" in hsmctl(world, "quorum", "token").out
    assert "0 of 0" in hsmctl(world, "quorum", "status").out
    assert hsmctl(world, "quorum", "delete", "--everybody", folder=tmp_path).code == ExitCode.OK
    assert "open tokens" not in hsmctl(world, "quorum", "status").out
