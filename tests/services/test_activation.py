"""Proves that a password is in its sink before the HSM hears of it, wherever the process dies, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import world
from plan_world import opened
from world import CLUSTER

from hsmctl.adapters.sink import sink
from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.cluster import Cluster, ClusterState
from hsmctl.domain.operation import OperationState
from hsmctl.errors import Conflict, Denied, Unreachable, UsageError
from hsmctl.secret import Secret
from hsmctl.services.activation import PASSWORD_LENGTH, new_password


class Killed(BaseException):
    """The end of the process."""


@dataclass
class FakeActivation:
    """ports_activation.Activation of one HSM, which makes the cluster ACTIVE and knows who is admin."""

    plane: world.FakePlane
    passwords: dict[str, str] = field(default_factory=dict)
    logins: list[str] = field(default_factory=list)
    activations: int = 0

    def activate(self, cluster: Cluster, password: Secret) -> None:
        if self.passwords:
            raise Conflict("already activated")
        self.activations += 1
        self.passwords["admin"] = password.reveal()
        self.plane.held[CLUSTER] = replace(self.plane.held[CLUSTER], state=ClusterState.ACTIVE)

    def activated(self, cluster: Cluster) -> bool:
        return bool(self.passwords)

    def login(self, cluster: Cluster, admin: str, password: Secret) -> None:
        if self.passwords.get(admin) != password.reveal():
            raise Denied("wrong password")
        self.logins.append(admin)

    def create_admin(self, cluster: Cluster, admin: str, password: Secret, name: str, new: Secret) -> None:
        self.login(cluster, admin, password)
        if name in self.passwords:
            raise Conflict("it exists")
        self.passwords[name] = new.reveal()

    def admins(self, cluster: Cluster) -> tuple[str, ...]:
        return tuple(self.passwords)


class MortalJournal(world.MemoryJournal):
    """A journal whose process dies at one of its records, before or after it is written."""

    left, late = 0, False

    def append(self, kind: str, fields: Mapping[str, object]) -> None:
        self.left -= 1
        if self.left == 0 and not self.late:
            raise Killed
        super().append(kind, fields)
        if self.left == 0:
            raise Killed


def initialized() -> Cluster:
    cluster = world.three_hsms()
    return replace(cluster, state=ClusterState.INITIALIZED, hsms=cluster.hsms[:1])


def prepared(folder: Path) -> tuple[world.World, Hsmctl, FakeActivation]:
    outside = world.World(plane=world.FakePlane(initialized()), journal=MortalJournal())
    facade = outside.hsmctl(folder=folder)
    hsm = FakeActivation(outside.plane)
    vars(facade)["activation"] = replace(facade.activation, activation=hsm)
    return outside, facade, hsm


def run(facade: Hsmctl, folder: Path) -> None:
    """Activate, or go on with an activation that is open."""
    open_ones = [each for each in facade.operations.all() if each.state is OperationState.OPEN]
    playbook = facade.playbook("cluster")
    if open_ones:
        list(facade.operations.resume(open_ones[0].operation_id, playbook, confirmed=True))
    elif facade.cluster.only(None).state is ClusterState.INITIALIZED:
        words = (f"file:{folder / 'admin'}", f"file:{folder / 'anna'}")
        list(facade.operations.apply(facade.activation.plan(facade.cluster.only(None), *words, "anna"), playbook))


def test_both_admins_are_proved_and_their_passwords_are_in_their_sinks(tmp_path: Path) -> None:
    outside, facade, hsm = prepared(tmp_path)
    run(facade, tmp_path)
    for name, file in (("admin", "admin"), ("anna", "anna")):
        assert (tmp_path / file).read_text() == hsm.passwords[name] + "\n"
        assert (tmp_path / file).stat().st_mode & 0o777 == 0o600
    assert hsm.passwords["admin"] != hsm.passwords["anna"]
    assert hsm.logins == ["admin", "admin", "anna"]
    written = json.dumps(list(outside.journal.records()))
    assert not any(password in written for password in hsm.passwords.values())


def test_killed_at_any_record_the_password_is_never_lost_and_the_hsm_hears_one(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    outside, facade, _ = prepared(tmp_path / "whole")
    run(facade, tmp_path / "whole")
    for place in range(1, len(outside.journal.written) + 1):
        for late in (False, True):
            folder = tmp_path / f"{place}-{late}"
            folder.mkdir()
            outside, facade, hsm = prepared(folder)
            assert isinstance(outside.journal, MortalJournal)
            outside.journal.left, outside.journal.late = place, late
            with pytest.raises(Killed):
                run(facade, folder)
            outside.journal.left = 0
            run(facade, folder)
            assert hsm.activations == 1
            assert {name: (folder / name).read_text().strip() for name in ("admin", "anna")} == hsm.passwords


def test_where_the_answer_was_lost_the_sink_still_has_the_password(tmp_path: Path) -> None:
    _, facade, hsm = prepared(tmp_path)
    activate = hsm.activate

    def lost(cluster: Cluster, password: Secret) -> None:
        activate(cluster, password)
        raise Unreachable("no answer")

    hsm.activate = lost  # type: ignore[method-assign]
    with pytest.raises(Unreachable):
        run(facade, tmp_path)
    run(facade, tmp_path)
    assert (hsm.activations, hsm.logins[-1]) == (1, "anna")


@pytest.mark.parametrize(
    ("first", "second", "name", "says"),
    [
        ("", "file:/x", "anna", "no sink, no activation"),
        ("file:/x", "", "anna", "two sinks"),
        ("file:/x", "file:/x", "anna", "two sinks"),
        ("file:/x", "file:/y", "admin", "another name"),
        ("file:/x", "file:/y", "a:b", "another name"),
        ("paper", "file:/y", "anna", "neither a file"),
    ],
)
def test_without_two_sinks_and_a_second_name_nothing_begins(
    first: str, second: str, name: str, says: str, tmp_path: Path
) -> None:
    _, facade, hsm = prepared(tmp_path)
    with pytest.raises(UsageError, match=says):
        facade.activation.plan(facade.cluster.only(None), first, second, name)
    assert hsm.activations == 0


def test_a_sink_that_holds_something_is_not_overwritten(tmp_path: Path) -> None:
    _, facade, _ = prepared(tmp_path)
    (tmp_path / "admin").write_text("somebody's")
    (tmp_path / "admin").chmod(0o600)
    with pytest.raises(Conflict, match="never overwritten"):
        run(facade, tmp_path)
    with pytest.raises(Conflict, match="never overwritten"):
        sink(f"file:{tmp_path / 'admin'}").put(new_password())


def test_a_place_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Denied):
        sink(f"file:{tmp_path / 'none' / 'admin'}").put(new_password())


def test_only_an_initialized_cluster_is_activated(tmp_path: Path) -> None:
    _, facade = opened(world.three_hsms(), tmp_path)
    with pytest.raises(Conflict, match="only INITIALIZED"):
        facade.activation.plan(facade.cluster.only(None), "file:/x", "file:/y", "anna")


def test_a_password_is_long_random_and_fit_for_pkcs11() -> None:
    made = {new_password().reveal() for _ in range(50)}
    assert len(made) == 50
    assert all(len(each) == PASSWORD_LENGTH and each.isalnum() for each in made)


def test_a_client_host_that_does_not_reach_the_hsm_is_known_before_a_password_is_made(tmp_path: Path) -> None:
    _, facade, hsm = prepared(tmp_path)

    def lost(cluster: Cluster) -> bool:
        raise Unreachable("cloudhsm-cli", "it was never given an address", "hsmctl client configure HOST")

    hsm.activated = lost  # type: ignore[method-assign]
    with pytest.raises(Conflict, match="reaches the HSM"):
        run(facade, tmp_path)
    assert not (tmp_path / "admin").exists()
