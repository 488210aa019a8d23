"""Proves that logins happen at the terminal's prompt and nowhere else, locally and over a real sshd, and once only."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sshd
from sshd import Sshd, prepared, running

from hsmctl.adapters.breaker import FileBreaker
from hsmctl.adapters.clock import SystemClock
from hsmctl.adapters.console import CliConsole, CliConsoles
from hsmctl.adapters.machine import Machines
from hsmctl.adapters.ssh_config import SshAddress
from hsmctl.domain.user import Role
from hsmctl.errors import Conflict, Denied, HsmctlError, PinRefused, Unreachable
from hsmctl.ports import Login
from hsmctl.ports_cli import Factor
from hsmctl.secret import Secret
from hsmctl.settings_entry import ClientEntry

CLUSTER = "cluster-a2b3c4d5e6f"
PASSWORD = "planted-admin-secret"  # where this is found, something has leaked
FRESH = "planted-new-secret"
ADMIN = Login("admin", Secret(PASSWORD))


@dataclass
class Host:
    """A client host whose cloudhsm-cli is `talking_cli`."""

    folder: Path
    name: str
    ssh_config: Path | None = None

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def attempts(self) -> int:
        path = self.folder / "attempts"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def consoles(self) -> CliConsoles:
        entry = ClientEntry(
            name=self.name,
            host="" if self.name == "local" else "app1",
            cli=str(self.folder / "cloudhsm-cli"),
            config_folder=str(self.folder),
        )
        clock = SystemClock()
        gate = FileBreaker(self.folder / "breaker", clock, turn=60).gate
        return CliConsoles(Machines({"app1": SshAddress(host="app1")}, self.ssh_config), [entry], gate, clock)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running(prepared(tmp_path_factory.mktemp("sshd"))) as listening:
        yield listening


@pytest.fixture(params=["local", "app1"])
def host(request: pytest.FixtureRequest, tmp_path: Path, server: Sshd) -> Host:
    program = Path(__file__).parents[1] / "talking_cli.py"
    start = tmp_path / "cloudhsm-cli"
    start.write_text(f"#!{sys.executable} -IS\n" + program.read_text())
    start.chmod(0o755)
    entry = {"hsm_ca_file": "ca", "cluster_id": CLUSTER, "servers": [{"hostname": "10.0.0.9", "port": 2223}]}
    (tmp_path / "cloudhsm-cli.cfg").write_text(json.dumps({"clusters": [{"type": "hsm1", "cluster": entry}]}))
    (tmp_path / "state").write_text(f"admin:{PASSWORD}\n")
    config = tmp_path / "ssh_config"
    config.write_text(server.client_config("app1"))
    return Host(tmp_path, request.param, config)


def opened(host: Host) -> Iterator[CliConsole]:
    with host.consoles().open(host.name, CLUSTER) as console:
        yield console


@pytest.fixture
def console(host: Host) -> Iterator[CliConsole]:
    yield from opened(host)


def test_users_are_read_without_a_login(console: CliConsole, host: Host) -> None:
    assert [(user.name, user.coverage) for user in console.users()] == [("admin", "full")]
    assert host.attempts == 0


def test_a_user_is_made_at_the_prompts(console: CliConsole, host: Host) -> None:
    with console.login(ADMIN, Role.ADMIN) as session:
        session.create_user("alice", Role.CRYPTO_USER, Secret(FRESH))
    assert f"alice:{FRESH}" in host.state.read_text()
    assert host.attempts == 1


def test_a_registration_token_is_signed_on_the_way(console: CliConsole, host: Host) -> None:
    with console.login(ADMIN, Role.ADMIN) as session:
        session.register_approver(Factor("PEM", lambda digest: digest[::-1]))
    (token,) = json.loads((host.folder / "signed").read_text())["tokens"]
    assert token["signed"] == token["unsigned"]  # 32 zero bytes, reversed


def test_a_refused_password_costs_one_attempt_whoever_tries_again(console: CliConsole, host: Host) -> None:
    wrong = Login("admin", Secret("guessed-wrong"))
    with pytest.raises(PinRefused, match="Login failed"), console.login(wrong, Role.ADMIN):
        raise AssertionError
    with pytest.raises(Denied, match="refused at"), console.login(wrong, Role.ADMIN):
        raise AssertionError
    assert host.attempts == 1


@pytest.mark.parametrize(("flag", "says"), [("lock", "locked; attempts left: unknown"), ("torn", "not the same user")])
def test_nobody_logs_in_as_a_user_who_is_not_sound(console: CliConsole, host: Host, flag: str, says: str) -> None:
    host.state.write_text(f"{flag}\n" + host.state.read_text())
    with pytest.raises(Denied, match=says), console.login(ADMIN, Role.ADMIN):
        raise AssertionError
    assert host.attempts == 0


def test_a_terminal_that_shows_the_password_is_told_of(console: CliConsole, host: Host) -> None:
    host.state.write_text("echo\n" + host.state.read_text())
    with (
        pytest.raises(HsmctlError, match="the terminal printed the password") as caught,
        console.login(ADMIN, Role.ADMIN),
    ):
        raise AssertionError
    assert PASSWORD not in str(caught.value)


def test_a_question_nobody_expects_is_not_answered(console: CliConsole, host: Host) -> None:
    host.state.write_text("unknown\n" + host.state.read_text())
    with pytest.raises(Unreachable, match="it asks: Enter signed token file path"), console.login(ADMIN, Role.ADMIN):
        raise AssertionError


def test_a_connection_lost_in_the_middle_is_no_refusal(console: CliConsole, host: Host) -> None:
    with console.login(ADMIN, Role.ADMIN) as session:
        host.state.write_text("die\n" + host.state.read_text())
        with pytest.raises(Unreachable, match="before its answer"):
            session.create_user("alice", Role.CRYPTO_USER, Secret(FRESH))


def test_no_process_list_shows_a_secret(console: CliConsole) -> None:
    seen: list[str] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            listed = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout
            seen.extend(line for line in listed.splitlines() if PASSWORD in line or FRESH in line)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with console.login(ADMIN, Role.ADMIN) as session:
            session.create_user("alice", Role.CRYPTO_USER, Secret(FRESH))
    finally:
        over.set()
        watcher.join()
    assert seen == []


def test_temporary_files_are_gone_afterwards(host: Host) -> None:
    with host.consoles().open(host.name, CLUSTER) as console, console.login(ADMIN, Role.ADMIN) as session:
        session.register_approver(Factor("PEM", lambda digest: digest))
        path = Path(session._files._folder)
        assert path.is_dir()
    assert not path.exists()


def test_a_host_without_the_client_or_the_cluster_says_so(host: Host) -> None:
    with (
        host.consoles().open(host.name, "cluster-zzzzzzzzzzz") as console,
        pytest.raises(Conflict, match="not configured"),
    ):
        console.users()
    (host.folder / "cloudhsm-cli").unlink()
    with host.consoles().open(host.name, CLUSTER) as console, pytest.raises(Conflict, match="no cloudhsm-cli"):
        console.users()


def test_a_changed_host_key_ends_it_before_anything_is_sent(host: Host, server: Sshd, tmp_path: Path) -> None:
    if host.name == "local":
        host = Host(host.folder, "app1", host.ssh_config)
    other = sshd.make_key(tmp_path / "other")
    known = tmp_path / "known_hosts"
    known.write_text(f"{server.name} {sshd.public(other)}\n")
    assert host.ssh_config is not None
    host.ssh_config.write_text(server.client_config("app1").replace(str(server.known_hosts), str(known)))
    with pytest.raises(Denied, match="host key"), host.consoles().open(host.name, CLUSTER):
        raise AssertionError
    assert host.attempts == 0
