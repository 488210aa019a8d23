"""Proves over OpenSSH's own server that a client host's token is listed by an agent that is sent there and leaves."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from softhsm_token import LABEL, MODULE, PASSWORD, USER, make_token
from sshd import Sshd, prepared, running
from token_world import NOW, FixedClock

from hsmctl.adapters.hosted import COMMAND
from hsmctl.adapters.machine import Machines
from hsmctl.adapters.ssh import SshHost
from hsmctl.adapters.ssh_config import SshAddress
from hsmctl.adapters.token import AgentTokens
from hsmctl.domain.evidence import Ok
from hsmctl.domain.key import Key, KeyKind, KeySpec
from hsmctl.domain.sync import Reading, Replica, Verdict, compare
from hsmctl.errors import Conflict, Denied, Unreachable
from hsmctl.ports import Login
from hsmctl.secret import Secret

PATIENCE = 20.0
LOGIN = Login(USER, Secret(PASSWORD))
NONCE = bytes(range(32))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running(prepared(tmp_path_factory.mktemp("server"))) as sshd:
        yield sshd


class Site:
    """Two SoftHSM folders, each with its configuration, on this machine and on app1 alike."""

    def __init__(self, folder: Path, server: Sshd) -> None:
        self.configurations = [make_token(folder / name) for name in ("east", "west")]
        (folder / "ssh_config").write_text(server.client_config("app1"))
        machines = Machines({"app1": SshAddress(host="app1")}, folder / "ssh_config")

        def connect(name: str, deadline: float) -> SshHost:
            host = machines.connect(name, deadline)
            assert isinstance(host, SshHost)
            return host

        self.tokens = AgentTokens(FixedClock(), folder / "locks", hosts=connect)

    def replica(self, place: int, *, hosted: bool = True, module: str = MODULE) -> Replica:
        configuration = quote(f"SOFTHSM2_CONF={self.configurations[place]}", safe="")
        where = "ssh:app1:" if hosted else "module:"
        return Replica(name=f"token-{place}", address=f"{where}{module}?token={LABEL}&env={configuration}")

    def make(self, place: int, label: str) -> tuple[Key, ...]:
        spec = KeySpec(kind=KeyKind.AES, size="256", label=label.encode(), key_id=label.encode())
        with self.tokens.open(self.replica(place, hosted=False), LOGIN, soon()) as token:
            return token.generate(spec)

    def read(self, replica: Replica) -> Reading:
        with self.tokens.open(replica, LOGIN, soon()) as token:
            return Reading(replica, Ok(token.inventory()))


@pytest.fixture
def site(tmp_path: Path, server: Sshd, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.delenv("SOFTHSM2_CONF", raising=False)
    return Site(tmp_path, server)


def soon() -> float:
    return time.monotonic() + PATIENCE


def test_one_library_with_two_configurations_here_and_on_a_host_is_compared_in_one_check(site: Site) -> None:
    site.make(0, "both")
    hosted, local, other = site.replica(0), site.replica(0, hosted=False), site.replica(1)

    assert compare([site.read(hosted), site.read(local)]).differences == ()
    report = compare([site.read(hosted), site.read(other)])
    assert report.verdict is Verdict.NOT_IN_SYNC
    assert [str(row.identity) for row in report.differences] == ["both"]


def test_keys_on_a_host_prove_themselves(site: Site) -> None:
    site.make(0, "proved")
    answers = []
    for hosted in (True, False):
        with site.tokens.open(site.replica(0, hosted=hosted), LOGIN, soon()) as token:
            answers.append(token.prove(NONCE))
    assert answers[0] == answers[1]
    assert answers[0].taken_at == NOW
    assert [key.proof for key in answers[0].keys if key.proof and key.proof.value]


def test_nothing_that_varies_stands_in_the_command_and_nothing_is_written_on_the_host(
    site: Site, server: Sshd, caplog: pytest.LogCaptureFixture
) -> None:
    site.make(0, "key")
    tokens, before = site.configurations[0].parent / "tokens", set(server.folder.rglob("*"))
    files = {path.name for path in tokens.rglob("*")}
    with caplog.at_level(logging.INFO, logger="hsmctl"):  # a command run before in this process sets its own level
        site.read(site.replica(0))

    assert {path.name for path in tokens.rglob("*")} == files
    assert set(server.folder.rglob("*")) == before
    assert not any(secret in " ".join(COMMAND) for secret in (PASSWORD, USER, MODULE, LABEL))
    assert "SHA-256" in caplog.text
    assert PASSWORD not in caplog.text


def test_what_goes_wrong_on_a_host_is_said_in_its_own_words(site: Site) -> None:
    with pytest.raises(Unreachable, match=r"cannot load /no/such\.so"):
        site.read(site.replica(0, module="/no/such.so"))
    with pytest.raises(Denied), site.tokens.open(site.replica(0), Login(USER, Secret("wrong")), soon()):
        pass
    with pytest.raises(Conflict, match="no client app2"):
        site.read(Replica(name="x", address="ssh:app2:/usr/lib/p11.so"))


def test_the_agent_leaves_with_its_conversation(site: Site) -> None:
    site.read(site.replica(0))
    deadline = time.monotonic() + PATIENCE
    while running_agents():
        assert time.monotonic() < deadline, "an agent stayed behind"


def running_agents() -> list[str]:
    """The command lines of agents on hosts."""
    commands = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                commands.append((entry / "cmdline").read_bytes())
            except OSError:  # it has just ended
                continue
    mark = COMMAND[-1].encode()
    return [command.decode() for command in commands if mark in command and command.startswith(b"python3\0")]
