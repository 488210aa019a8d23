"""Proves that a login over PKCS#11 is not made for a user who is locked or differs, and is where nobody can look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from console_world import MemoryCluster, MemoryConsoles
from world import CLUSTER, HSMS, FakeClock

from hsmctl.domain.sync import Replica
from hsmctl.errors import Conflict, Denied, Unreachable
from hsmctl.ports import Login
from hsmctl.secret import Secret
from hsmctl.services.caution import Caution
from hsmctl.services.console import ConsoleService

REPLICA = Replica(name="cluster", address="module:/lib.so", realm=CLUSTER)
LOGIN = Login("crypto_user", Secret("correct horse"))


class Door:
    """A gate, the client host beside it, and who was let through."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster(hsms=HSMS, addresses=())
        self.through: list[str] = []
        self.asked = 0
        self.caution = Caution(self.console, self.behind, FakeClock())

    def console(self) -> ConsoleService:
        self.asked += 1
        return ConsoleService(consoles=MemoryConsoles(self.cluster))

    @contextmanager
    def behind(self, _: Replica, login: Login, __: float) -> Iterator[None]:
        self.through.append(login.user)
        yield

    def log_in(self, replica: Replica = REPLICA, login: Login = LOGIN) -> None:
        with self.caution.gate(replica, login, 1e9):
            pass


def test_a_sound_user_is_looked_at_once() -> None:
    door = Door()
    door.log_in()
    door.log_in()
    assert (door.through, door.asked) == (["crypto_user"] * 2, 1)


@pytest.mark.parametrize("trouble", ["locked", "missing"])
def test_nothing_is_sent_for_a_user_who_is_not_sound(trouble: str) -> None:
    door = Door()
    users = door.cluster.users[HSMS[1]] = dict(door.cluster.users[HSMS[1]])
    if trouble == "locked":
        users["crypto_user"] = replace(users["crypto_user"], failures=5)
    else:
        del users["crypto_user"]
    with pytest.raises(Denied, match="attempts left: unknown"):
        door.log_in()
    assert door.through == []


def test_who_is_no_crypto_user_is_told_so() -> None:
    door = Door()
    for login in (Login("nobody", LOGIN.password), Login("admin", LOGIN.password)):
        with pytest.raises(Conflict):
            door.log_in(login=login)
    assert door.through == []


def test_where_nobody_can_look_the_breaker_is_left_to_it() -> None:
    door = Door()
    door.cluster.down["app1"] = Unreachable("app1", "no answer")
    door.log_in()
    door.log_in(replace(REPLICA, realm=""))
    assert door.through == ["crypto_user"] * 2
