"""Proves what a probe says about HSM ports and other ones, from this machine and through a real sshd alike."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from certificates import root
from hsm_port import (
    PORT,
    Serve,
    babble,
    black_hole,
    certified,
    fingerprint,
    hanging_up,
    listening,
    new_address,
    silence,
    tls,
)
from sshd import prepared, running
from tls_files import Authority

from hsmctl.adapters.clock import SystemClock
from hsmctl.adapters.machine import LocalHost, Machines
from hsmctl.adapters.outer_tls import sent_certificate
from hsmctl.adapters.probe import Patience, TlsProber
from hsmctl.adapters.ssh_config import SshAddress
from hsmctl.domain.probe import Answer, Closed, Method, ProbeResult, ProbeTarget
from hsmctl.errors import Unreachable, UsageError
from hsmctl.ports_host import ByteStream, ClientHost, Finished

PATIENT = Patience()
QUICK = Patience(open=0.3, handshake=0.3)
"""For what is not going to answer."""
HSM = "hsm-aaaaaaaaaaa"


class LaterClock(SystemClock):
    """A clock that is years ahead of the certificates."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=36500)


@pytest.fixture(scope="module", params=["local", "ssh"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientHost]:
    if request.param == "local":
        yield LocalHost()
        return
    folder = tmp_path_factory.mktemp("client")
    with running(prepared(folder / "server")) as server:
        (folder / "ssh_config").write_text(server.client_config("app1"))
        machines = Machines({"app1": SshAddress(host="app1")}, folder / "ssh_config")
        remote = machines.connect("app1", soon())
        yield remote
        remote.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("certificates")
    customer = Authority(folder, "customer-ca")
    return {
        "aws": certified(folder / "aws.pem", "AWS", "CloudHSM"),
        "stranger": certified(folder / "stranger.pem", "Example", "proxy"),
        "customer": customer.path,
        "custom": customer.issue("custom"),
        "other": Authority(folder, "other-ca").issue("other"),
        "pretender": certified(folder / "pretender.pem", "AWS", "CloudHSM", root("pretender-ca", datetime.now(UTC))),
    }


def soon(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


def probe(host: ClientHost, address: str, customer: Path | None = None, patience: Patience = PATIENT) -> ProbeResult:
    return TlsProber(SystemClock(), customer, patience).probe(host, ProbeTarget(HSM, address, PORT), soon())


@pytest.mark.parametrize("verify", [ssl.CERT_OPTIONAL, ssl.CERT_REQUIRED], ids=["asks", "insists"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("shown", "answer"),
    [
        ("aws", Answer.OPEN_TLS_SERVER),
        ("custom", Answer.OPEN_TLS_SERVER),
        ("stranger", Answer.OPEN_TLS_UNTRUSTED),
        ("other", Answer.OPEN_TLS_UNTRUSTED),
        ("pretender", Answer.OPEN_TLS_UNTRUSTED),
    ],
)
def test_a_tls_server_is_judged_by_its_certificate_whatever_it_thinks_of_having_none_from_us(
    host: ClientHost,
    files: dict[str, Path],
    shown: str,
    answer: Answer,
    verify: ssl.VerifyMode,
    version: ssl.TLSVersion,
) -> None:
    with listening(tls(files[shown], verify, version)) as address:
        result = probe(host, address, files["customer"])

    assert result.answer is answer
    assert result.fingerprint == fingerprint(files[shown])
    assert (len(result.opens), result.losses, result.method) == (3, 0, Method.CHANNEL)
    assert result.handshake is not None
    assert result.p50 is not None
    assert result.p95 is not None
    assert 0 <= result.p50 <= result.p95 < 1


def test_a_customers_certificate_counts_only_where_the_customers_ca_is_known_and_until_it_expires(
    host: ClientHost, files: dict[str, Path]
) -> None:
    with listening(tls(files["custom"])) as address:
        assert probe(host, address).answer is Answer.OPEN_TLS_UNTRUSTED
        late = TlsProber(LaterClock(), files["customer"]).probe(host, ProbeTarget(HSM, address, PORT), soon())
    assert (late.answer, late.detail) == (Answer.OPEN_TLS_UNTRUSTED, "CN=custom, out of date")


def test_only_the_first_connection_shakes_hands(host: ClientHost, files: dict[str, Path]) -> None:
    hellos: list[int] = []
    serve = tls(files["aws"])

    def counting(connection: socket.socket) -> None:
        if connection.recv(1, socket.MSG_PEEK):
            hellos.append(1)
            serve(connection)

    with listening(counting) as address:
        assert len(probe(host, address).opens) == 3
    assert len(hellos) == 1


@pytest.mark.parametrize(
    ("serve", "answer"),
    [(silence, Answer.OPEN_TLS_TIMED_OUT), (hanging_up, Answer.OPEN_NO_TLS), (babble, Answer.OPEN_NO_TLS)],
)
def test_what_opens_and_is_no_tls_server_is_told_apart(host: ClientHost, serve: Serve, answer: Answer) -> None:
    with listening(serve) as address:
        result = probe(host, address, patience=QUICK if serve is silence else PATIENT)
    assert (result.answer, result.fingerprint) == (answer, None)


def test_a_closed_port_is_refused_and_not_asked_again(host: ClientHost) -> None:
    result = probe(host, new_address())
    assert (result.answer, result.detail, result.losses) == (Answer.REFUSED, "Connection refused", 1)
    assert result.p50 is None


def test_a_dropped_connection_is_tried_once_more_and_then_timed_out(host: ClientHost) -> None:
    began = time.monotonic()
    with black_hole() as address:
        result = probe(host, address, patience=QUICK)
    assert (result.answer, result.losses) == (Answer.TIMED_OUT, 2)
    assert 0.6 <= time.monotonic() - began < 3


@pytest.mark.parametrize("port", [black_hole, partial(listening, silence)], ids=["opening", "handshake"])
def test_a_deadline_that_comes_first_is_no_time_out_of_the_hsm(
    host: ClientHost, port: Callable[[], AbstractContextManager[str]]
) -> None:
    patient = TlsProber(SystemClock(), None, Patience(open=30, handshake=30))
    with port() as address:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="too little time"):
            patient.probe(host, ProbeTarget(HSM, address, PORT), soon(0.3))
    assert time.monotonic() - began < 3


def test_a_shell_on_the_host_knocks_at_all_ports_at_once(host: ClientHost) -> None:
    with listening(silence) as opened, black_hole() as lost:
        targets = [ProbeTarget(HSM, address, PORT) for address in (lost, opened, new_address(), "255.255.255.255")]
        began = time.monotonic()
        results = TlsProber(SystemClock(), None, Patience(open=1)).probe_by_command(host, targets, soon())
        took = time.monotonic() - began
    answers = [Answer.TIMED_OUT, Answer.OPEN, Answer.REFUSED, Answer.UNREACHABLE]
    assert [result.answer for result in results] == answers
    assert [result.target for result in results] == targets
    assert {result.method for result in results} == {Method.COMMAND}
    assert took < 3


class Liar:
    """A host whose shell says what it likes."""

    name = "liar"
    round_trip = 0.0

    def __init__(self, stdout: bytes, stderr: bytes = b"") -> None:
        self.finished = Finished(0, stdout, stderr)

    def run(self, command: Sequence[str], stdin: bytes, deadline: float) -> Finished:
        return self.finished

    def open_stream(self, address: str, port: int, deadline: float) -> ByteStream | Closed:
        raise AssertionError

    def close(self) -> None:
        raise AssertionError


def test_a_host_without_the_tools_is_no_answer_about_hsms() -> None:
    liar = Liar(b"", b"motd\nenv: 'bash': No such file or directory\n")
    with pytest.raises(Unreachable, match="'bash': No such file or directory"):
        TlsProber(SystemClock(), None).probe_by_command(liar, [ProbeTarget(HSM, "127.0.0.1", PORT)], soon())


@pytest.mark.parametrize("lines", [b"", b"7\t0\t1\t2\t\n", b"0\n", b"0\t0\t1\n", b"\xff\n", b"0\tx\ty\tz\tw\tv\n"])
def test_nonsense_from_a_host_is_never_an_open_port(lines: bytes) -> None:
    (result,) = TlsProber(SystemClock(), None).probe_by_command(
        Liar(b"hsmctl-probe 1\n" + lines), [ProbeTarget(HSM, "127.0.0.1", PORT)], soon()
    )
    assert result.answer is Answer.FAILED


def test_a_ca_file_that_is_none_is_said_before_anything_is_probed(tmp_path: Path) -> None:
    for content in (None, "nothing of the kind"):
        file = tmp_path / "ca.pem"
        if content:
            file.write_text(content)
        with pytest.raises(UsageError, match="no certificate of the customer's CA"):
            TlsProber(SystemClock(), file)


def test_a_certificate_is_found_in_the_clear_part_of_a_handshake_however_it_is_cut() -> None:
    certificate = b"\x00\x00\x05" + b"first" + b"\x00\x00\x06" + b"second"
    body = len(certificate).to_bytes(3) + certificate
    messages = b"\x02\x00\x00\x02hi" + b"\x0b" + len(body).to_bytes(3) + body + b"\x0e\x00\x00\x00"
    for cut in range(1, len(messages)):
        parts = (messages[:cut], messages[cut:])
        records = b"".join(b"\x16\x03\x03" + len(part).to_bytes(2) + part for part in parts)
        assert sent_certificate(records + b"\x15\x03\x03\x00\x02\x02\x28") == b"first"
    for cut in range(len(messages) - 4):
        assert sent_certificate(b"\x16\x03\x03" + cut.to_bytes(2) + messages[:cut]) == b""
