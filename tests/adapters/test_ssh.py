"""Proves against OpenSSH's own server: trust, login, jump hosts, commands and parallel channels over SSH."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import paramiko
import pytest
from hsm_port import PORT, babble, black_hole, listening, new_address
from sshd import USER, Sshd, make_key, prepared, public, running

from hsmctl.adapters.machine import LocalHost, Machines
from hsmctl.adapters.ssh_config import SshAddress
from hsmctl.adapters.ssh_transport import SshTransport
from hsmctl.domain.probe import LOCAL, Answer, Closed
from hsmctl.errors import Conflict, Denied, ExitCode, Unreachable, UsageError
from hsmctl.ports_host import ClientHost, Finished

PATIENCE = 10.0
SECRET = b"a secret on standard input"


@pytest.fixture(autouse=True)
def _no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running(prepared(tmp_path_factory.mktemp("server"))) as sshd:
        yield sshd


@contextmanager
def connected(folder: Path, server: Sshd, *more: str) -> Iterator[ClientHost]:
    """The host app1, by a configuration of its own."""
    with ExitStack() as stack:
        (host,) = connect(folder, stack, {"app1": server.client_config("app1", *more)})
        yield host


def connect(folder: Path, stack: ExitStack, blocks: Mapping[str, str], *others: str) -> list[ClientHost]:
    """Hosts by their blocks of one configuration; `others` are blocks of jump hosts."""
    (folder / "ssh_config").write_text("".join([*blocks.values(), *others]))
    machines = Machines({name: SshAddress(host=name) for name in blocks}, folder / "ssh_config")
    hosts: list[ClientHost] = [machines.connect(name, soon()) for name in blocks]
    for host in hosts:
        stack.callback(host.close)
    return hosts


def soon(seconds: float = PATIENCE) -> float:
    return time.monotonic() + seconds


# Commands


@pytest.fixture(params=["ssh", "local"])
def host(request: pytest.FixtureRequest, server: Sshd, tmp_path: Path) -> Iterator[ClientHost]:
    if request.param == "local":
        yield LocalHost()
    else:
        with connected(tmp_path, server) as remote:
            yield remote


def test_a_command_gets_its_words_and_input_and_gives_all_it_has(host: ClientHost) -> None:
    script = 'printf "%s|" "$@"; cat; echo oops >&2; exit 3'
    finished = host.run(["sh", "-c", script, "x", "a b", "it's", "$HOME", "*"], SECRET, soon())
    assert finished == Finished(3, b"a b|it's|$HOME|*|" + SECRET, b"oops\n")


def test_a_command_may_fill_both_outputs_and_ignore_its_input(host: ClientHost) -> None:
    script = "head -c 5000000 /dev/zero >&2; head -c 5000000 /dev/zero"
    finished = host.run(["sh", "-c", script], bytes(1000), soon())
    assert (finished.status, len(finished.stdout), len(finished.stderr)) == (0, 5000000, 5000000)


def test_a_command_that_is_not_there_says_so(host: ClientHost) -> None:
    finished = host.run(["no-such-command"], b"", soon())
    assert finished.status == 127
    assert b"no-such-command" in finished.stderr


def test_a_command_that_hangs_is_given_up_at_the_deadline_and_the_host_remains(host: ClientHost) -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable, match="took too long"):
        host.run(["sleep", "5"], b"", soon(0.3))
    assert time.monotonic() - began < 3
    assert host.run(["echo", "there"], b"", soon()).stdout == b"there\n"


def test_a_command_cut_off_by_the_end_of_the_connection_is_no_answer(server: Sshd, tmp_path: Path) -> None:
    with connected(tmp_path, server) as host, pytest.raises(Unreachable, match="no answer from sh"):
        host.run(["sh", "-c", "echo half; kill -9 $PPID"], b"", soon())


def test_a_server_that_opens_no_session_is_no_answer(tmp_path: Path) -> None:
    with running(prepared(tmp_path / "server", "MaxSessions 0")) as server, connected(tmp_path, server) as host:
        with pytest.raises(Unreachable, match="MaxSessions"):
            host.run(["true"], b"", soon())
        assert isinstance(host.open_stream(new_address(), PORT, soon()), Closed)


def test_what_goes_to_standard_input_is_in_no_log_and_no_argument(
    server: Sshd, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with connected(tmp_path, server) as host:
        listed = host.run(["sh", "-c", "cat >/dev/null; cat /proc/[0-9]*/cmdline"], SECRET, soon())
    assert b"cmdline" in listed.stdout
    assert SECRET not in listed.stdout
    assert SECRET.decode() not in caplog.text
    assert SECRET.decode() not in server.log


# Trust


def test_an_unknown_host_is_refused_before_anything_is_said_to_it(tmp_path: Path) -> None:
    with running(prepared(tmp_path / "server")) as server:
        server.known_hosts.write_text("")
        with pytest.raises(Denied) as refusal, connected(tmp_path, server):
            pass
        assert "publickey" not in server.log
        fingerprint = subprocess.run(
            ["ssh-keygen", "-l", "-f", f"{server.host_key}.pub"], capture_output=True, text=True
        )
        assert fingerprint.stdout.split()[1] in refusal.value.why
        subprocess.run(["sh", "-c", refusal.value.hint.partition(": ")[2]], check=True)
        with connected(tmp_path, server) as host:
            assert host.name == "app1"


def test_a_changed_host_key_is_refused_whatever_the_configuration_says(tmp_path: Path) -> None:
    with running(prepared(tmp_path / "server")) as server:
        server.trust(public(make_key(tmp_path / "old")))
        with (
            pytest.raises(Denied, match="the host key has changed") as refusal,
            connected(tmp_path, server, "StrictHostKeyChecking no"),
        ):
            pass
    assert refusal.value.exit_code is ExitCode.DENIED


def test_a_server_is_asked_for_the_kind_of_key_that_is_known(tmp_path: Path) -> None:
    server = prepared(tmp_path / "server")
    rsa = make_key(server.folder / "rsa", "rsa")
    server.extra += (f"HostKey {rsa}",)
    server.trust(public(rsa))
    with running(server), connected(tmp_path, server) as host:
        assert host.run(["true"], b"", soon()).status == 0


def test_a_windows_host_is_plainly_refused(tmp_path: Path) -> None:
    server = prepared(tmp_path / "server", "VersionAddendum OpenSSH_for_Windows_9.5")
    with running(server), pytest.raises(UsageError, match="app1 is a Windows host"), connected(tmp_path, server):
        pass


# Login


@contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[Path]:
    """The socket of an agent that holds these keys."""
    path = folder / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        while not path.exists():
            time.sleep(0.01)
        environment = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        for key in keys:
            subprocess.run(["ssh-add", "-q", str(key)], env=environment, check=True)
        yield path
    finally:
        process.terminate()
        process.wait()


def test_the_agents_key_is_used_where_the_file_is_gone(server: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "lent", "ecdsa")
    server.authorized_keys.write_text(f"{public(server.user_key)}\n{public(key)}\n")
    with agent(tmp_path, key) as path:
        key.unlink()
        config = server.client_config("app1", f"IdentityAgent {path}").replace(str(server.user_key), str(key))
        with ExitStack() as stack:
            (host,) = connect(tmp_path, stack, {"app1": config})
            assert host.run(["true"], b"", soon()).status == 0


def test_a_full_agent_does_not_keep_the_configured_key_from_being_tried(server: Sshd, tmp_path: Path) -> None:
    others = [make_key(tmp_path / f"other{number}") for number in range(8)]
    with agent(tmp_path, *others) as path, connected(tmp_path, server, f"IdentityAgent {path}") as host:
        assert host.run(["true"], b"", soon()).status == 0


def test_an_agent_with_the_wrong_keys_is_not_emptied_on_the_server(server: Sshd, tmp_path: Path) -> None:
    others = [make_key(tmp_path / f"other{number}") for number in range(8)]
    config = server.client_config("app1").replace(str(server.user_key), str(tmp_path / "none"))
    with agent(tmp_path, *others) as path, ExitStack() as stack:
        with pytest.raises(Denied, match="5 keys were refused; only 5 keys are tried"):
            connect(tmp_path, stack, {"app1": f"IdentityAgent {path}\n{config}"})
        with pytest.raises(Denied, match="there is no key to offer"):
            connect(tmp_path, stack, {"app1": f"IdentityAgent {path}\nIdentitiesOnly yes\n{config}"})


@pytest.mark.parametrize("where", ["file", "agent"])
def test_a_users_certificate_is_shown(where: str, tmp_path: Path) -> None:
    server = prepared(tmp_path / "server")
    authority = make_key(tmp_path / "authority")
    key = make_key(tmp_path / "certified")
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "ops", "-n", USER, f"{key}.pub"]
    subprocess.run(sign, check=True)
    certificate = (tmp_path / "certified-cert.pub").rename(
        tmp_path / ("shown.pub" if where == "file" else "certified-cert.pub")
    )
    server.extra += (f"TrustedUserCAKeys {authority}.pub",)
    server.authorized_keys.write_text("")
    with running(server), ExitStack() as stack:
        if where == "agent":
            options = (f"IdentityAgent {stack.enter_context(agent(tmp_path, key))}",)
            key = tmp_path / "absent"
        else:
            options = (f"CertificateFile {certificate}",)
        config = server.client_config("app1", *options).replace(str(server.user_key), str(key))
        (host,) = connect(tmp_path, stack, {"app1": config})
        assert host.run(["true"], b"", soon()).status == 0


def test_a_key_that_cannot_be_used_is_named_in_the_refusal(server: Sshd, tmp_path: Path) -> None:
    locked, open_to_all = make_key(tmp_path / "locked", passphrase="open sesame"), make_key(tmp_path / "open")
    open_to_all.chmod(0o644)
    config = server.client_config("app1", f"IdentityFile {open_to_all}").replace(str(server.user_key), str(locked))
    with ExitStack() as stack, pytest.raises(Denied) as refusal:
        connect(tmp_path, stack, {"app1": config})
    assert f"{locked} is encrypted and not in the agent: ssh-add {locked}" in refusal.value.why
    assert f"others may read {open_to_all}" in refusal.value.why


def test_a_server_that_wants_more_than_a_key_is_not_retried(tmp_path: Path) -> None:
    server = prepared(tmp_path / "server", "AuthenticationMethods publickey,keyboard-interactive")
    server.extra += ("KbdInteractiveAuthentication yes",)
    with running(server), pytest.raises(Denied, match="after the key it asks for"), connected(tmp_path, server):
        pass


# Ways


def test_a_bastion_is_logged_in_to_once_for_all_that_is_behind_it(server: Sshd, tmp_path: Path) -> None:
    with running(prepared(tmp_path / "bastion")) as bastion, ExitStack() as stack:
        blocks = {name: server.client_config(name, "ProxyJump bastion") for name in ("app1", "app2", "app3")}
        hosts = connect(tmp_path, stack, blocks, bastion.client_config("bastion"))
        assert [host.run(["echo", host.name], b"", soon()).stdout for host in hosts] == [
            b"app1\n",
            b"app2\n",
            b"app3\n",
        ]
        assert bastion.log.count("Accepted publickey") == 1
        hosts[0].close()
        assert hosts[1].run(["true"], b"", soon()).status == 0


def test_jump_hosts_are_taken_in_their_order_and_each_is_checked(server: Sshd, tmp_path: Path) -> None:
    with running(prepared(tmp_path / "first")) as first, running(prepared(tmp_path / "second")) as second:
        blocks = first.client_config("first"), second.client_config("second")
        with ExitStack() as stack:
            (host,) = connect(
                tmp_path, stack, {"app1": server.client_config("app1", "ProxyJump first,second")}, *blocks
            )
            assert host.run(["true"], b"", soon()).status == 0
            assert "Accepted publickey" in first.log
            assert "Accepted publickey" in second.log
        second.known_hosts.write_text("")
        with ExitStack() as stack, pytest.raises(Denied, match="second is not trusted"):
            connect(tmp_path, stack, {"app1": server.client_config("app1", "ProxyJump first,second")}, *blocks)


def test_a_loop_of_jump_hosts_is_refused(server: Sshd, tmp_path: Path) -> None:
    blocks = server.client_config("a", "ProxyJump b"), server.client_config("b", "ProxyJump a")
    with ExitStack() as stack, pytest.raises(UsageError, match="or a loop"):
        connect(tmp_path, stack, {"app1": server.client_config("app1", "ProxyJump a")}, *blocks)


def test_a_host_its_jump_host_cannot_reach_is_named(server: Sshd, tmp_path: Path) -> None:
    with running(prepared(tmp_path / "bastion")) as bastion, ExitStack() as stack:
        config = server.client_config("app1", "ProxyJump bastion").replace("127.0.0.1", new_address())
        with pytest.raises(Unreachable, match="app1 cannot be reached through its jump host: Connection refused"):
            connect(tmp_path, stack, {"app1": config}, bastion.client_config("bastion"))


def test_a_proxy_command_is_the_connection(tmp_path: Path) -> None:
    server = prepared(tmp_path / "server")
    command = f"/usr/sbin/sshd -i -f {server.server_config()}"
    with connected(tmp_path, server, f"ProxyCommand {command}") as host:
        assert host.run(["echo", "there"], b"", soon()).stdout == b"there\n"


def test_a_proxy_command_that_fails_is_quoted(server: Sshd, tmp_path: Path) -> None:
    command = "sh -c 'echo TargetNotConnected: %h is not connected >&2; exit 254'"
    began = time.monotonic()
    with (
        pytest.raises(Unreachable, match=r"TargetNotConnected: 127\.0\.0\.1 is not connected"),
        connected(tmp_path, server, f"ProxyCommand {command}"),
    ):
        pass
    assert time.monotonic() - began < 2


def test_a_server_that_says_nothing_is_given_up_at_the_deadline(server: Sshd, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        config = server.client_config("app1").replace(str(server.port), str(mute.getsockname()[1]))
        (tmp_path / "ssh_config").write_text(config)
        machines = Machines({"app1": SshAddress(host="app1")}, tmp_path / "ssh_config")
        began = time.monotonic()
        with pytest.raises(Unreachable, match="app1 cannot be reached"):
            machines.connect("app1", soon(0.4))
        assert time.monotonic() - began < 3


def test_names_are_those_of_the_context_and_of_this_machine() -> None:
    machines = Machines({"app1": SshAddress(host="app1")})
    assert machines.connect(LOCAL, soon()).name == LOCAL
    with pytest.raises(Conflict, match="the context has app1"):
        machines.connect("app2", soon())


# Channels


def test_96_parallel_opens_are_each_told_their_own_fate(tmp_path: Path) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(listening(babble)) for _ in range(24)]
        lost = [stack.enter_context(black_hole()) for _ in range(24)]
        refused, prohibited = ([new_address() for _ in range(24)] for _ in range(2))
        permitted = " ".join(f"{address}:{PORT}" for address in [*opened, *lost, *refused])
        server = stack.enter_context(running(prepared(tmp_path / "server", f"PermitOpen {permitted}")))
        host = stack.enter_context(connected(tmp_path, server))
        wanted = dict.fromkeys(opened, "opened")
        wanted |= dict.fromkeys(lost, Answer.TIMED_OUT)
        wanted |= dict.fromkeys(refused, Answer.REFUSED)
        wanted |= dict.fromkeys(prohibited, Answer.PROHIBITED)
        mixed = [address for group in zip(opened, lost, refused, prohibited, strict=True) for address in group]
        deadline = soon(2.0)

        def fate(address: str) -> str:
            way = host.open_stream(address, PORT, deadline)
            return way.answer if isinstance(way, Closed) else "opened"

        with ThreadPoolExecutor(96) as pool:
            assert dict(zip(mixed, pool.map(fate, mixed), strict=True)) == wanted
        assert time.monotonic() - deadline < 1


def test_a_route_that_is_missing_on_the_host_is_unreachable(server: Sshd, tmp_path: Path) -> None:
    with connected(tmp_path, server) as host:
        way = host.open_stream("255.255.255.255", PORT, soon())
    assert isinstance(way, Closed)
    assert way.answer is Answer.UNREACHABLE


def test_a_server_that_forwards_nothing_says_nothing_about_hsms(tmp_path: Path) -> None:
    server = prepared(tmp_path / "server", "DisableForwarding yes")
    with running(server), connected(tmp_path, server) as host:
        way = host.open_stream(new_address(), PORT, soon())
    assert isinstance(way, Closed)
    assert way.answer is Answer.PROHIBITED


def test_a_lost_connection_is_the_hosts_failure_not_the_targets(server: Sshd, tmp_path: Path) -> None:
    with connected(tmp_path, server) as host:
        host.close()
        with pytest.raises(Unreachable, match="app1 is gone"):
            host.open_stream(new_address(), PORT, soon())


def test_paramiko_still_calls_what_is_overridden() -> None:
    for name in ("_next_channel", "_parse_channel_open_failure", "get_exception"):
        assert callable(getattr(paramiko.Transport, name))
        assert getattr(SshTransport, name) is not getattr(paramiko.Transport, name)
