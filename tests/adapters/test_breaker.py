"""Proves that a refused PIN costs one attempt, whoever tries, until the secret changes or the breaker is reset."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from softhsm_token import USER, make_token
from token_world import FixedClock, ModuleWorld, module_replica
from world import CLUSTER, FakeClock

from hsmctl.adapters.breaker import FRESH_SECONDS, FileBreaker
from hsmctl.adapters.clock import SystemClock
from hsmctl.adapters.token import AgentTokens
from hsmctl.domain.sync import Replica
from hsmctl.errors import Conflict, Denied, DeviceError, HsmctlError, PinRefused, Unreachable
from hsmctl.ports import Login
from hsmctl.secret import Secret

PIN = "open sesame"
LOGIN = Login("ops_cu", Secret(PIN))
ONE, TWO = (Replica(name=name, realm=CLUSTER) for name in ("hsm-1", "hsm-2"))
PATIENCE = 20.0

TEN = """
import os, sys, time
from pathlib import Path
from hsmctl.adapters.breaker import FileBreaker
from hsmctl.adapters.clock import SystemClock
from hsmctl.domain.sync import Replica
from hsmctl.errors import Denied, PinRefused
from hsmctl.ports import Login
from hsmctl.secret import Secret

folder = Path(sys.argv[1])

def try_once(name):
    gate = FileBreaker(folder, SystemClock()).gate
    try:
        with gate(Replica(name=name, realm="cluster-x"), Login("ops_cu", Secret("wrong")), time.monotonic() + 20):
            with (folder / "attempts").open("a") as log:
                log.write(f"{name}\\n")
            raise PinRefused(name)
    except Denied as error:
        print(error, flush=True)

start, go = os.pipe()
for number in range(10):
    if os.fork() == 0:
        os.close(go)
        os.read(start, 1)
        try_once(f"hsm-{number}")
        os._exit(0)
os.close(go)
for _ in range(10):
    assert os.wait()[1] == 0
"""
"""Ten processes that begin at the same moment, each with an HSM of its own and the same wrong PIN."""


def breaker(folder: Path) -> FileBreaker:
    return FileBreaker(folder, FakeClock())


def refuse(guard: FileBreaker, replica: Replica = ONE, login: Login = LOGIN, error: HsmctlError | None = None) -> None:
    """A login that ends with an error."""
    with suppress(HsmctlError), guard.gate(replica, login, 1.0):
        raise error or PinRefused(replica.name, "CKR_PIN_INCORRECT")


def may_try(guard: FileBreaker, replica: Replica = ONE, login: Login = LOGIN) -> bool:
    try:
        with guard.gate(replica, login, 1.0):
            return True
    except Denied:
        return False


def test_ten_processes_at_once_make_one_attempt(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", TEN, str(tmp_path)], capture_output=True, text=True, check=True)
    (tried,) = (tmp_path / "attempts").read_text().split()
    said = run.stdout.splitlines()
    assert len(said) == 10
    assert sum(f"by {tried}, so it is not tried again" in line for line in said) == 9


def test_the_refusal_says_when_and_by_whom_and_what_to_do(tmp_path: Path) -> None:
    refuse(breaker(tmp_path))
    with pytest.raises(Denied) as caught, breaker(tmp_path).gate(TWO, LOGIN, 1.0):
        pass
    why = "this PIN was refused at 2026-11-23 02:10:00 UTC by hsm-1, so it is not tried again"
    assert str(caught.value) == f"user ops_cu: {why}"
    assert caught.value.hint == "correct the PIN, or hsmctl login reset ops_cu"


def test_another_secret_user_or_realm_may_be_tried_and_the_old_secret_still_not(tmp_path: Path) -> None:
    refuse(breaker(tmp_path))
    for replica, login in (
        (ONE, Login("ops_cu", Secret("another"))),
        (ONE, Login("app_cu", Secret(PIN))),
        (Replica(name="onprem-1"), LOGIN),
    ):
        assert may_try(breaker(tmp_path), replica, login)
    assert not may_try(breaker(tmp_path), TWO)


def test_a_token_without_a_cluster_has_users_of_its_own(tmp_path: Path) -> None:
    refuse(breaker(tmp_path), Replica(name="onprem-1"))
    assert may_try(breaker(tmp_path), Replica(name="onprem-2"))
    assert not may_try(breaker(tmp_path), Replica(name="onprem-1"))


def test_what_is_reset_may_be_tried_again_and_the_rest_not(tmp_path: Path) -> None:
    other = Login("app_cu", Secret(PIN))
    refuse(breaker(tmp_path))
    refuse(breaker(tmp_path), login=other)
    first, second = breaker(tmp_path).refused()
    breaker(tmp_path).reset([first])

    assert (first.user, first.realm, first.replica, second.user) == ("ops_cu", CLUSTER, "hsm-1", "app_cu")
    assert breaker(tmp_path).refused() == (second,)
    assert may_try(breaker(tmp_path))
    assert not may_try(breaker(tmp_path), login=other)


@pytest.mark.parametrize("error", [Unreachable("hsm-1"), DeviceError("hsm-1"), Denied("hsm-1", "another reason")])
def test_only_a_refused_pin_trips_it(tmp_path: Path, error: HsmctlError) -> None:
    refuse(breaker(tmp_path), error=error)
    assert may_try(breaker(tmp_path))


def test_the_files_are_the_owners_and_hold_nothing_of_the_pin(tmp_path: Path) -> None:
    state = tmp_path / "state"
    refuse(breaker(state))
    files = {path.name: path for path in state.rglob("*")}

    assert {name for name in files if not name.startswith("login-")} == {
        "breaker.json",
        "breaker.key",
        "locks",
        "breaker.lock",
    }
    for path in (state, *files.values()):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert not [name for name, path in files.items() if path.is_file() and PIN.encode() in path.read_bytes()]
    (row,) = json.loads(files["breaker.json"].read_text())["refused"]
    assert row["fingerprint"] == Secret(PIN).fingerprint(files["breaker.key"].read_bytes())
    assert len(files["breaker.key"].read_bytes()) == 32


@pytest.mark.parametrize(
    ("content", "why"), [('{"v": 2}', "its format is 2, this hsmctl knows 1"), ("{", "damaged"), ("[]", "damaged")]
)
def test_a_file_it_does_not_understand_lets_nobody_in(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "breaker.json").write_text(content)
    with pytest.raises(Conflict, match=why), breaker(tmp_path).gate(ONE, LOGIN, 1.0):
        pytest.fail("it was let in")


def test_a_folder_it_cannot_write_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    with pytest.raises(Unreachable, match="File exists"), breaker(tmp_path / "state").gate(ONE, LOGIN, 1.0):
        pytest.fail("it was let in")


def test_the_first_login_goes_alone_and_the_others_together(tmp_path: Path) -> None:
    guard = FileBreaker(tmp_path, SystemClock(), turn=2 * PATIENCE)
    together = threading.Barrier(8)
    began: list[str] = []

    def log_in(name: str) -> list[str]:
        with guard.gate(Replica(name=name, realm=CLUSTER), LOGIN, time.monotonic() + PATIENCE):
            began.append(name)
            seen = list(began)
            if len(seen) > 1:
                together.wait(PATIENCE)
            return seen

    with ThreadPoolExecutor(9) as pool:
        seen = list(pool.map(log_in, [f"hsm-{number}" for number in range(9)]))
    assert sum(len(names) == 1 for names in seen) == 1


def test_an_accepted_login_is_soon_no_promise(tmp_path: Path) -> None:
    clock = FakeClock()
    guard = FileBreaker(tmp_path, clock)
    assert may_try(guard)

    def second_may_start_beside_the_first() -> bool:
        with guard.gate(ONE, LOGIN, clock.monotonic()):
            try:
                with guard.gate(TWO, LOGIN, clock.monotonic()):
                    return True
            except Unreachable:
                return False

    assert second_may_start_beside_the_first()
    clock.sleep(FRESH_SECONDS)
    assert not second_may_start_beside_the_first()


def test_a_login_without_an_answer_holds_the_others_up_for_its_turn_only(tmp_path: Path) -> None:
    guard = FileBreaker(tmp_path, SystemClock(), turn=0.05)
    with guard.gate(ONE, LOGIN, time.monotonic() + PATIENCE), guard.gate(TWO, LOGIN, time.monotonic() + PATIENCE):
        pass


def attempts(folder: Path, login: Login, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Opens a SoftHSM token through the breaker; how many logins it has met so far."""
    monkeypatch.setenv("PEER_LOGINS", str(folder / "logins"))
    world = ModuleWorld(folder)
    peer = str(Path(__file__).parent / "peer.py")
    guard = FileBreaker(folder, FixedClock())
    tokens = AgentTokens(
        SystemClock(), folder / "locks", gate=guard.gate, command=(sys.executable, peer, "honest"), grace=0.2
    )

    def tried() -> int:
        with suppress(Denied), tokens.open(module_replica(), login, time.monotonic() + PATIENCE):
            pass
        return world.logins()

    return tried


def test_a_real_token_is_asked_once_for_a_wrong_pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOFTHSM2_CONF", str(make_token(tmp_path / "softhsm")))
    tried = attempts(tmp_path, Login(USER, Secret("wrong")), monkeypatch)
    assert [tried(), tried()] == [1, 1]
