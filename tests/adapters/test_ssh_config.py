"""Proves that a host's settings are those that OpenSSH itself would use, with and without its program."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hsmctl.adapters.ssh_config import SshAddress, SshConfig, SshSettings
from hsmctl.errors import Unreachable, UsageError

NO_SSH = "no-such-ssh"


def read(folder: Path, text: str, address: SshAddress | None = None, program: str = "ssh") -> SshSettings:
    (folder / "config").write_text(text)
    config = SshConfig(folder / "config", program)
    return config.settings(address or SshAddress(host="app1"), time.monotonic() + 10)


def test_everything_that_is_configured_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", str(tmp_path))
    settings = read(
        tmp_path,
        f"""
        Host app1
          HostName 10.0.0.5
          Port 2200
          User ops
          IdentityFile ~/.ssh/id_%n_%h_%p_%r
          IdentityFile "${{KEYS}}/with a blank"
          CertificateFile %d/cert-%%
          IdentitiesOnly yes
          IdentityAgent {tmp_path}/agent
          UserKnownHostsFile "{tmp_path}/a b" {tmp_path}/c
          GlobalKnownHostsFile none
          HostKeyAlias pool
          ProxyJump me@bast1:2222,[2001:db8::1]:23,bast3
          ConnectTimeout 7
          StrictHostKeyChecking no
        """,
    )
    home = Path.home()
    assert settings == SshSettings(
        alias="app1",
        hostname="10.0.0.5",
        port=2200,
        user="ops",
        identity_files=(home / ".ssh/id_app1_10.0.0.5_2200_ops", tmp_path / "with a blank"),
        certificate_files=(home / "cert-%",),
        identities_only=True,
        identity_agent=f"{tmp_path}/agent",
        known_hosts=(tmp_path / "a b", tmp_path / "c"),
        host_key_alias="pool",
        proxy_jump=(
            SshAddress(host="bast1", user="me", port=2222),
            SshAddress(host="2001:db8::1", port=23),
            SshAddress(host="bast3"),
        ),
        proxy_command="",
        connect_timeout=7.0,
    )
    assert str(settings) == "ops@10.0.0.5:2200"


def test_a_proxy_command_gets_its_tokens_and_keeps_its_quotes(tmp_path: Path) -> None:
    command = """sh -c "aws ssm start-session --target %h --parameters 'portNumber=%p' %% ~ ${X}" """
    settings = read(tmp_path, f"Host app1\n  HostName i-0123456789abcdef0\n  ProxyCommand {command}\n")
    wanted = """sh -c "aws ssm start-session --target i-0123456789abcdef0 --parameters 'portNumber=22' % ~ ${X}\""""
    assert settings.proxy_command == wanted


def test_include_and_match_count_as_they_do_for_ssh(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("Match host 10.0.0.7 user ops\n  Port 2207\n")
    text = f"Host app1\n  HostName 10.0.0.7\n  User ops\nInclude {tmp_path}/more\n"
    assert read(tmp_path, text).port == 2207


@pytest.mark.parametrize("program", ["ssh", NO_SSH])
def test_what_was_typed_beats_the_configuration(tmp_path: Path, program: str) -> None:
    address = SshAddress(host="app1", user="joe", port=33)
    settings = read(tmp_path, "Host app1\n  User ops\n  Port 22\n", address, program)
    assert (settings.user, settings.port, settings.hostname) == ("joe", 33, "app1")


def test_the_agent_is_the_one_of_the_environment_unless_the_configuration_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("OTHER_AGENT", "/run/other")
    assert read(tmp_path, "").identity_agent == "/run/agent"
    assert read(tmp_path, "IdentityAgent none\n").identity_agent == ""
    assert read(tmp_path, "IdentityAgent SSH_AUTH_SOCK\n").identity_agent == "/run/agent"
    assert read(tmp_path, "IdentityAgent $OTHER_AGENT\n").identity_agent == "/run/other"


def test_without_the_program_a_plain_file_is_read_the_same(tmp_path: Path) -> None:
    text = f"""
    Host app*
      HostName 10.0.0.5
      IdentityFile {tmp_path}/id
      UserKnownHostsFile {tmp_path}/known {tmp_path}/known2
      GlobalKnownHostsFile /etc/ssh/ssh_known_hosts
      ProxyJump bast1,bast2
      IdentitiesOnly yes
    """
    assert read(tmp_path, text, program=NO_SSH) == read(tmp_path, text)


def test_without_the_program_defaults_are_those_of_the_manual(tmp_path: Path) -> None:
    settings = read(tmp_path, "", program=NO_SSH)
    assert settings.known_hosts[0] == Path.home() / ".ssh/known_hosts"
    assert Path.home() / ".ssh/id_ed25519" in settings.identity_files


@pytest.mark.parametrize("line", ["Include /nowhere", "Match exec true", "  match all"])
def test_without_the_program_a_file_that_would_be_read_wrongly_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError, match="OpenSSH's own ssh") as refusal:
        read(tmp_path, f"{line}\nHost app1\n  Port 23\n", program=NO_SSH)
    assert refusal.value.hint == "apt-get install openssh-client"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Nonsense yes\n", "Nonsense|bad configuration"),
        ("RevokedHostKeys /etc/ssh/revoked\n", "RevokedHostKeys"),
        ("IdentityFile /keys/%C\n", "%C"),
        ("IdentityFile ${NOT_SET_ANYWHERE}/id\n", "NOT_SET_ANYWHERE"),
        ("User '$(reboot)'\n", "characters that are in no name"),
    ],
)
def test_what_hsmctl_cannot_do_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        read(tmp_path, text)


@pytest.mark.parametrize("program", ["ssh", NO_SSH])
@pytest.mark.parametrize("host", ["-oProxyCommand=reboot", "a b", "a;b", "$(reboot)"])
def test_a_host_name_never_becomes_an_option_or_a_command(tmp_path: Path, host: str, program: str) -> None:
    with pytest.raises(UsageError):
        read(tmp_path, "HostName 10.0.0.5\nProxyCommand connect %n\n", SshAddress(host=host), program)


def test_an_ssh_that_hangs_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o700)
    began = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        SshConfig(None, os.fspath(program)).settings(SshAddress(host="app1"), began + 0.2)
    assert time.monotonic() - began < 2
