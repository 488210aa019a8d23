"""Proves that one HSM process logs in, makes and lists keys over both TLS layers, reports them, and ends cleanly."""

from __future__ import annotations

import json
import os
import queue
import secrets
import signal
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pytest
from live import until

from hsmctl.adapters.clock import SystemClock
from hsmctl.adapters.token import AgentTokens
from hsmctl.domain.key import KeyKind, KeySpec
from hsmctl.domain.sync import Replica
from hsmctl.errors import Denied, DeviceError, Unreachable
from hsmctl.lab import owner, provision
from hsmctl.lab.folder import LabFolder, NodeFolder
from hsmctl.lab.machines import Place
from hsmctl.lab.objectfile import CKA_CLASS, parse
from hsmctl.lab.process import NodeProcess
from hsmctl.lab.record import NodeRecord
from hsmctl.lab.user import Users
from hsmctl.ports import Login, Token
from hsmctl.secret import Secret

PASSWORD = "correct horse"
# Outside 127.16 to 127.250, which belong to labs; another run on this machine is most likely elsewhere.
ADDRESS = f"127.{secrets.choice((*range(2, 16), 251, 252))}.{secrets.randbelow(256)}.{2 + secrets.randbelow(250)}"


class Running:
    """One HSM that runs without a supervisor."""

    def __init__(self, path: Path) -> None:
        self.folder = LabFolder(path).node("hsm-lonely")
        place = Place(cluster_id="cluster-x", hsm_id="hsm-lonely", zone="us-east-1a", address=ADDRESS)
        record = NodeRecord(place=place, token_key=secrets.token_hex(32))
        self.folder.backups.mkdir(parents=True)
        provision.build_empty(self.folder, record)
        Users(self.folder.users).activate(PASSWORD)
        for name in ("ops_cu", "app_cu"):
            provision.add_crypto_user(self.folder, name, PASSWORD)
        self.events: queue.Queue[Mapping[str, Any]] = queue.Queue()
        self.answers = True
        """Whether reports are answered, as a supervisor does when every sibling has what they are about."""
        self.logins: list[tuple[str, str]] = []
        self.start()

    def start(self) -> None:
        self.process = NodeProcess(self.folder.path, self._heard)
        assert self.process.wait_ready(20)

    def _heard(self, process: NodeProcess, event: Mapping[str, Any]) -> None:
        if event["event"] == "login":
            self.logins.append((event["user"], event["response"]))
            return
        self.events.put(event)
        if "number" in event and self.answers:
            process.tell("replicated", number=event["number"], settled=True)

    def open(
        self, user: str = "ops_cu", password: str = PASSWORD, name: str = "hsm-lonely"
    ) -> AbstractContextManager[Token]:
        # Nobody claimed the cluster, so the inner layer shows the outer certificate, which is its own authority.
        tokens = AgentTokens(SystemClock(), self.folder.path / "locks", self.folder.outer_certificate)
        login = Login(user=user, password=Secret(password))
        return tokens.open(Replica(name=name, address=f"tls:{ADDRESS}:2223"), login, time.monotonic() + 20)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    hsm = Running(tmp_path_factory.mktemp("lab"))
    yield hsm
    hsm.process.quit(5)


SPEC = KeySpec(kind=KeyKind.EC, size="P-256", label=b"pair", key_id=b"\1")


def test_a_key_pair_is_made_listed_reported_and_owned(running: Running) -> None:
    with running.open() as token:
        made = token.generate(SPEC)
        listed = token.inventory()
    with running.open("app_cu") as token:
        others = token.inventory()
    assert set(made) <= set(listed.keys)
    assert (len(made), listed.total) == (2, len(listed.keys))
    assert (others.keys, others.total) == ((), listed.total)
    event = running.events.get(timeout=5)
    assert running.logins == [("ops_cu", "CKR_OK"), ("app_cu", "CKR_OK")]
    assert (event["event"], event["user"], len(event["names"])) == ("created", "ops_cu", 2)
    assert all((running.folder.tokens / "ops_cu" / name).exists() for name in event["names"])


@pytest.mark.parametrize(("kind", "size"), [(KeyKind.RSA, "1024"), (KeyKind.RSA, "2100"), (KeyKind.EC, "P-192")])
def test_a_size_that_cloudhsm_does_not_make_is_refused(running: Running, kind: KeyKind, size: str) -> None:
    spec = KeySpec(kind=kind, size=size, label=b"odd", key_id=b"odd")
    with running.open() as token, pytest.raises(DeviceError, match="CKR_KEY_SIZE_RANGE"):
        token.generate(spec)


def test_a_login_without_a_user_is_refused(running: Running) -> None:
    with pytest.raises(Denied, match="refused"), running.open(""):
        pass


def test_login_is_refused_and_locks_out_even_after_a_restart(running: Running) -> None:
    for user in ("nobody", "admin"):
        with pytest.raises(Denied, match="refused"), running.open(user):
            pass
    for _ in range(5):
        with pytest.raises(Denied, match=r"refused.*CKR_PIN_INCORRECT"), running.open("app_cu", "wrong wrong"):
            pass
    running.process.quit(5)
    running.start()
    with pytest.raises(Denied, match="CKR_PIN_LOCKED"), running.open("app_cu"):
        pass
    with running.open() as token:
        token.inventory()


def test_it_is_not_taken_for_another_hsm(running: Running) -> None:
    with pytest.raises(Unreachable, match="hsm-other"), running.open(name="hsm-other"):
        pass


def test_the_outer_layer_shows_awss_certificate_and_asks_for_the_clients(running: Running) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(running.folder.outer_certificate)
    with socket.create_connection((ADDRESS, 2223)) as plain, context.wrap_socket(plain) as layer:
        certificate = layer.getpeercert()
    assert certificate is not None
    assert certificate["subject"] == ((("organizationName", "AWS"),), (("commonName", "CloudHSM"),))


def test_a_client_that_speaks_otherwise_harms_nobody(running: Running) -> None:
    with socket.create_connection((ADDRESS, 2223)) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with suppress(ConnectionResetError):
            plain.recv(100)
    with running.open() as token:
        token.inventory()


def test_a_snapshot_holds_tokens_and_users(running: Running, tmp_path: Path) -> None:
    running.process.call("snapshot", 10, destination=str(tmp_path / "snapshot"))
    names = {str(path.relative_to(tmp_path / "snapshot")) for path in (tmp_path / "snapshot").rglob("*")}
    assert {"users.json", "tokens/ops_cu/token.object", "tokens/app_cu/generation"} <= names
    assert running.process.call("counts", 10)["users"] == ["admin", "app_user", "ops_cu", "app_cu"]


def test_a_command_it_cannot_obey_is_answered(running: Running) -> None:
    with pytest.raises(Unreachable, match="no command dance"):
        running.process.call("dance", 10)


def test_what_vanishes_and_comes_back_by_hand_is_noticed(running: Running) -> None:
    with running.open() as token:
        token.generate(SPEC)
        before = len(token.inventory().keys)
        taken = max((running.folder.tokens / "ops_cu").glob("*-*.object"), key=lambda path: path.stat().st_mtime_ns)
        aside = taken.rename(running.folder.path / taken.name)
        assert len(token.inventory().keys) == before - 1
        aside.rename(taken)
        assert len(token.inventory().keys) == before


def test_a_report_nobody_settled_is_repeated_by_the_next_process_until_it_is(running: Running) -> None:
    _drain(running)
    running.answers = False
    with running.open() as token:
        token.generate(SPEC)
    first = running.events.get(timeout=5)
    running.process.quit(5)
    running.answers = True
    for expected in ([first], []):
        running.start()
        assert [event for event in _drain(running) if "number" in event] == expected
        until(lambda: not list(running.folder.outbox.iterdir()))
        running.process.quit(5)
    running.start()


def test_a_call_that_was_cut_off_before_it_made_anything_leaves_nothing(running: Running) -> None:
    _drain(running)
    running.process.quit(5)
    (running.folder.outbox / "999").write_text(json.dumps({"user": "ops_cu", "names": None}))
    running.start()
    assert [event for event in _drain(running) if "number" in event] == []
    assert list(running.folder.outbox.iterdir()) == []


def test_a_pair_that_was_cut_off_after_its_public_half_is_in_quarantine(running: Running) -> None:
    token = running.folder.tokens / "ops_cu"
    before = set(token.glob("*-*.object"))
    with running.open() as client:
        client.generate(KeySpec(kind=KeyKind.EC, size="P-256", label=b"cut off", key_id=b"cut off"))
        listed = client.inventory().keys
    public, private = sorted(set(token.glob("*-*.object")) - before, key=_object_class)
    running.process.quit(5)
    (running.folder.outbox / "999").write_text(json.dumps({"user": "ops_cu", "names": None}))
    private.unlink()
    public.touch()
    running.start()
    assert [path.name for path in running.folder.quarantine.glob("*/*")] == [public.name]
    with running.open() as client:
        assert {key for key in listed if key.identity.label != b"cut off"} == set(client.inventory().keys)


def test_objects_of_a_call_that_was_cut_off_are_reported(running: Running) -> None:
    _drain(running)
    running.process.quit(5)
    (running.folder.outbox / "999").write_text(json.dumps({"user": "ops_cu", "names": None}))
    known = max((running.folder.tokens / "ops_cu").glob("*-*.object"), key=lambda path: path.stat().st_mtime_ns)
    whole, half = (known.with_name(f"{name}-made.object") for name in ("whole", "half"))
    whole.write_bytes(known.read_bytes())
    half.write_bytes(known.read_bytes()[:100])
    running.start()
    (event,) = (event for event in _drain(running) if "number" in event)
    assert (event["number"], event["names"]) == (999, [whole.name])


def test_nobody_else_gets_its_folder(running: Running) -> None:
    second = NodeProcess(running.folder.path, lambda *_: None)
    assert not second.wait_ready(20)
    with running.open() as token:
        token.inventory()


def test_a_frozen_owner_is_ended_and_the_folder_is_free(running: Running) -> None:
    held = NodeFolder(running.folder.path).lock
    process = running.process
    os.kill(process.pid, signal.SIGSTOP)
    ended = owner.end_owner(held)
    assert ended is not None
    assert ended.pid == process.pid
    until(lambda: not process.alive)
    assert not owner.is_owned(held)
    running.start()


def _drain(running: Running) -> list[Mapping[str, Any]]:
    """Every event so far."""
    events = []
    while not running.events.empty():
        events.append(running.events.get())
    return events


def _object_class(path: Path) -> int:
    return parse(path.read_bytes()).number(CKA_CLASS) or 0
