"""Proves that known_hosts is read as ssh-keygen reads it, and that only a known key passes."""

from __future__ import annotations

import base64
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from sshd import make_key, public

from hsmctl.adapters.host_key import HostKey, check_host_key, known_lines
from hsmctl.adapters.ssh_config import SshSettings
from hsmctl.errors import Denied, ExitCode

HOST = SshSettings(
    alias="app1",
    hostname="app1.example.com",
    port=2200,
    user="ops",
    identity_files=(),
    certificate_files=(),
    identities_only=False,
    identity_agent="",
    known_hosts=(),
    host_key_alias="",
    proxy_jump=(),
    proxy_command="",
    connect_timeout=None,
)
NAME = "[app1.example.com]:2200"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("keys")
    kinds = {"right": "ed25519", "wrong": "ed25519", "other": "ecdsa"}
    return {name: public(make_key(folder / name, kind)) for name, kind in kinds.items()}


def shown(line: str) -> HostKey:
    kind, blob = line.split()[:2]
    return HostKey(kind, base64.b64decode(blob))


def settings(folder: Path, text: str) -> SshSettings:
    file = folder / "known_hosts"
    file.write_text(text)
    return replace(HOST, known_hosts=(file, folder / "not there"))


def check(folder: Path, text: str, key: str) -> None:
    host = settings(folder, text)
    check_host_key(host, known_lines(host), shown(key))


FIELDS = [
    NAME,
    "other,[app1.example.com]:2200",
    "[*.example.com]:2200",
    "[app?.example.com]:*",
    "*",
    "[APP1.example.com]:2200",
    "*,![app1.example.com]:2200",
    "![app1.example.com]:2200,*",
    "!*.org,[app1.example.com]:2200",
    "![app1.example.com]:2200",
    "app1.example.com",
    "[app1.example.com]:22",
    "[app1.example.com]:220",
    "[ap]p1.example.com]:2200",
    "[app1xexample.com]:2200",
]


@pytest.mark.parametrize("field", FIELDS)
def test_patterns_match_where_ssh_keygen_says_so(field: str, keys: dict[str, str], tmp_path: Path) -> None:
    host = settings(tmp_path, f"{field} {keys['right']}\n")
    judge = subprocess.run(["ssh-keygen", "-F", NAME, "-f", str(host.known_hosts[0])], capture_output=True, check=False)
    assert bool(known_lines(host)) is (judge.returncode == 0)


def test_a_file_hashed_by_ssh_keygen_is_read(keys: dict[str, str], tmp_path: Path) -> None:
    host = settings(tmp_path, f"{NAME} {keys['right']}\nelsewhere {keys['wrong']}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(host.known_hosts[0])], capture_output=True, check=True)
    assert NAME not in host.known_hosts[0].read_text()
    assert [line.key for line in known_lines(host)] == [shown(keys["right"])]


@pytest.mark.parametrize(
    "text",
    [
        "{name} {right}\n",
        "@cert-authority *.example.com {wrong}\n@revoked * {other}\n{name} {right}\n",
        "@cert-authority [*.example.com]:2200 {wrong}\n{name} {right}\n",
        "  {name}   \t{right}   a comment\n",
        "# hm\n\n{name}\nrubbish\n{name} ssh-ed25519 !!!\n|1|rubbish {right}\n@odd {name} {right}\n{name} {right}\n",
        "{name} {wrong}\n{name} {right}\n",
        "{name} {other}\n{name} {right}\n",
    ],
    ids=["plain", "markers first", "authority matches too", "blanks", "rubbish", "two keys", "two kinds"],
)
def test_a_known_key_passes_whatever_stands_before_it(text: str, keys: dict[str, str], tmp_path: Path) -> None:
    check(tmp_path, text.format(name=NAME, **keys), keys["right"])


def test_an_unknown_key_is_refused_with_its_fingerprint_and_the_command_that_adds_it(
    keys: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(Denied) as refusal:
        check(tmp_path, f"elsewhere {keys['right']}\n", keys["right"])

    printed = subprocess.run(["ssh-keygen", "-l", "-f", "-"], input=keys["right"], capture_output=True, text=True)
    assert printed.stdout.split()[1] in refusal.value.why
    assert refusal.value.exit_code is ExitCode.DENIED
    subprocess.run(["sh", "-c", refusal.value.hint.partition(": ")[2]], check=True)
    check(tmp_path, (tmp_path / "known_hosts").read_text(), keys["right"])


def test_a_changed_key_is_refused_with_both_fingerprints_and_the_line(keys: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(Denied, match="the host key has changed") as refusal:
        check(tmp_path, f"# old\n{NAME} {keys['wrong']}\n", keys["right"])

    assert refusal.value.exit_code is ExitCode.DENIED
    assert shown(keys["right"]).fingerprint in refusal.value.why
    assert f"known_hosts:2 says {shown(keys['wrong']).fingerprint}" in refusal.value.why
    forget = refusal.value.hint.partition(": ")[2]
    assert shlex.split(forget) == ["ssh-keygen", "-R", NAME, "-f", str(tmp_path / "known_hosts")]


@pytest.mark.parametrize("order", ["@revoked * {right}\n{name} {right}\n", "{name} {right}\n@revoked * {right}\n"])
def test_a_revoked_key_is_refused_though_it_is_known(order: str, keys: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(Denied, match="revokes"):
        check(tmp_path, order.format(name=NAME, **keys), keys["right"])


def test_a_key_known_only_through_an_authority_is_refused_and_says_why(keys: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(Denied, match="does not verify host certificates"):
        check(tmp_path, f"@cert-authority * {keys['wrong']}\n", keys["right"])


def test_an_authority_is_no_host_key(keys: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(Denied, match="does not verify host certificates"):
        check(tmp_path, f"@cert-authority * {keys['right']}\n", keys["right"])


def test_a_key_of_another_kind_than_the_known_one_is_unknown(keys: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(Denied, match="only its ecdsa-sha2-nistp256 key is known"):
        check(tmp_path, f"{NAME} {keys['other']}\n", keys["right"])


def test_an_alias_stands_for_the_name_and_port_22_is_not_written(keys: dict[str, str], tmp_path: Path) -> None:
    host = settings(tmp_path, f"pool {keys['right']}\nplain.example.com {keys['wrong']}\n")
    assert len(known_lines(replace(host, host_key_alias="Pool"))) == 1
    assert len(known_lines(replace(host, hostname="plain.example.com", port=22))) == 1
    assert len(known_lines(replace(host, hostname="plain.example.com"))) == 0


def test_a_file_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(Denied, match="Is a directory"):
        known_lines(replace(HOST, known_hosts=(tmp_path,)))
