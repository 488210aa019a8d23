"""Proves the emulated cloudhsm-cli over the network: HSM processes, launchers, a real sshd, a terminal."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from certificates import csr, root
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from live import LiveLab, replica, until

from hsmctl.domain.cluster import ClusterState
from hsmctl.domain.key import KeyKind
from hsmctl.lab.folder import LabFolder
from hsmctl.ports import LabFault, LabOptions, Login
from hsmctl.secret import Secret

PASSWORD = "correct horse"
ADMIN = {"CLOUDHSM_ROLE": "admin", "CLOUDHSM_PIN": f"admin:{PASSWORD}"}
OPS = {"CLOUDHSM_ROLE": "crypto-user", "CLOUDHSM_PIN": f"ops_cu:{PASSWORD}"}
BOB = ("--username", "bob", "--role", "crypto-user")


class ClientHost:
    """The client host of a lab whose cluster is claimed, and activated by its own cloudhsm-cli."""

    def __init__(self, lab: LiveLab) -> None:
        self.lab = lab
        self.root = lab.folder / "client" / "opt" / "cloudhsm"
        self.cluster_id = lab.claim()
        shutil.copyfile(lab.folder / "ca" / "customer-ca.pem", self.root / "etc" / "customerCA.crt")
        self.configure()

    def configure(self) -> None:
        self.program("configure-cli", "--cluster-id", self.cluster_id)

    def program(self, name: str, *words: str, env: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": os.environ["PATH"], **env}
        command = [str(self.root / "bin" / name), *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    def run(self, *words: str, env: Mapping[str, str] = ADMIN) -> Any:  # noqa: ANN401 - JSON
        """The data of one command that succeeds."""
        done = self.program("cloudhsm-cli", *words, env=env)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return json.loads(done.stdout)["data"]

    def coverage(self, username: str) -> str:
        users = self.run("user", "list", env={})["users"]
        return next(str(user["cluster-coverage"]) for user in users if user["username"] == username)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientHost]:
    live = LiveLab(tmp_path_factory.mktemp("lab"), LabOptions(hsms=2, zones=2, seed_keys=0))
    try:
        live.start()
        yield ClientHost(live)
    finally:
        live.program.reset()


def test_activation_by_the_client_makes_the_cluster_active(host: ClientHost) -> None:
    assert host.lab.cluster().state is ClusterState.INITIALIZED
    assert host.run("user", "list", env={})["users"][0]["role"] == "unactivated-admin"
    assert host.run("cluster", "activate", "--password", PASSWORD, env={}) == "Cluster activation successful"
    until(lambda: host.lab.cluster().state is ClusterState.ACTIVE)
    assert host.run("user", "list", env={})["users"][0]["role"] == "admin"


def test_a_key_on_one_hsm_alone_is_refused_unless_nobody_looks(host: ClientHost) -> None:
    (host.root / "etc" / "lab.json").write_text('{"availability_seconds": 0}')
    host.run("user", "create", "--username", "ops_cu", "--role", "crypto-user", "--password", PASSWORD)
    make = ("key", "generate-symmetric", "aes", "--label", "lonely", "--key-length-bytes", "32")
    refused = host.program("cloudhsm-cli", *make, env=OPS)
    assert "must be available on at least 2 HSMs" in refused.stdout
    host.program("configure-cli", "--disable-key-availability-check")
    assert host.run(*make, env=OPS)["key"]["key-info"]["cluster-coverage"] == "full"


def test_a_user_made_while_another_works_opens_a_place_for_keys_and_breaks_nothing(host: ClientHost) -> None:
    with host.lab.tokens().open(*_opening(host, "ops_cu")) as token:
        before = token.inventory().keys
        host.run("user", "create", *BOB, "--password", PASSWORD)
        assert token.inventory().keys == before != ()
    with host.lab.tokens().open(*_opening(host, "bob")) as token:
        assert token.inventory().keys == ()


def test_an_interactive_session_outlives_the_users_it_makes(host: ClientHost) -> None:
    create = "user create --role crypto-user --password 'correct horse' --username"
    login = f"login --username admin --role admin --password '{PASSWORD}'"
    typed = "\n".join((login, f"{create} one", f"{create} two", "user list", "quit", ""))
    command = [str(host.root / "bin" / "cloudhsm-cli"), "interactive"]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count('"error_code": 0') == 4
    assert '"username": "two"' in done.stdout.rpartition("aws-cloudhsm > ")[0].rpartition("aws-cloudhsm > ")[2]


def test_a_joined_hsm_is_known_only_after_configuring_and_misses_what_was_done_meanwhile(host: ClientHost) -> None:
    host.lab.add("us-east-1b")
    assert len(host.run("cluster", "hsm-info", env={})["hsms"]) == 1
    host.run("user", "create", "--username", "late", "--role", "crypto-user", "--password", PASSWORD)
    host.configure()
    assert len(host.run("cluster", "hsm-info", env={})["hsms"]) == 2
    assert (host.coverage("bob"), host.coverage("late")) == ("full", "inconsistent")
    host.run("user", "create", "--username", "late", "--role", "crypto-user", "--password", PASSWORD)
    assert host.coverage("late") == "full"


def test_keys_are_listed_by_page_shared_changed_and_deleted_everywhere(host: ClientHost) -> None:
    host.program("configure-cli", "--enable-key-availability-check")
    first = host.lab.hsms()[0]
    login = Login(user="ops_cu", password=Secret(PASSWORD))
    (host.lab.folder / "secrets" / "ops_cu").write_text(PASSWORD)  # where `generate` looks
    for number in range(11):
        host.lab.generate(first, KeyKind.AES, "256", f"page-{number:02d}")
    page = host.run("key", "list", env=OPS)
    rest = host.run("key", "list", "--starting-token", page["next_token"], env=OPS)
    assert (page["total_key_count"], page["returned_key_count"], page["next_token"]) == (12, 10, "10")
    assert (rest["returned_key_count"], "next_token" in rest) == (2, False)

    host.run("key", "share", "--filter", "attr.label=page-00", *BOB, env=OPS)
    bob = {**OPS, "CLOUDHSM_PIN": f"bob:{PASSWORD}"}
    (seen,) = host.run("key", "list", "--verbose", env=bob)["matched_keys"]
    assert seen["key-info"]["key-owners"] == [{"username": "ops_cu", "key-coverage": "full"}]
    assert seen["key-info"]["shared-users"] == [{"username": "bob", "key-coverage": "full"}]

    host.run("key", "set-attribute", "--filter", "attr.label=page-01", "--name", "label", "--value", "new", env=OPS)
    host.run("key", "delete", "--filter", "attr.label=page-02", env=OPS)
    labels = [{str(key.identity) for key in host.lab.inventory(hsm, login).keys} for hsm in host.lab.hsms()]
    expected = {"lonely", "new", "page-00", *(f"page-{number:02d}" for number in range(3, 11))}
    assert labels == [expected, expected]


def test_pairs_sign_and_wrapped_keys_come_back(host: ClientHost, tmp_path: Path) -> None:
    pair = ("--public-label", "pub", "--private-label", "priv", "--private-attributes", "sign=true")
    host.run(
        "key",
        "generate-asymmetric-pair",
        "ec",
        "--curve",
        "secp256r1",
        *pair,
        "--public-attributes",
        "verify=true",
        env=OPS,
    )
    (tmp_path / "data").write_text("data")
    what = ("--hash-function", "sha256", "--data-path", str(tmp_path / "data"))
    made = host.run("crypto", "sign", "ecdsa", "--key-filter", "attr.label=priv", *what, env=OPS)["signature"]
    verify = ("crypto", "verify", "ecdsa", "--key-filter", "attr.label=pub", *what, "--signature", made)
    assert host.run(*verify, env=OPS) == {"message": "Signature verified successfully"}
    public = tmp_path / "public.pem"
    host.run("key", "generate-file", "--encoding", "pem", "--path", str(public), "--filter", "attr.label=pub", env=OPS)
    take = ("key", "import", "pem", "--path", str(public), "--label", "pub2", "--key-type-class", "ec-public")
    taken = host.run(*take, "--attributes", "verify=true", env=OPS)["key"]
    assert (taken["attributes"]["class"], taken["attributes"]["local"]) == ("public-key", False)
    assert host.run(*verify[:4], "attr.label=pub2", *verify[5:], env=OPS) == {
        "message": "Signature verified successfully"
    }
    kek = ("key", "generate-symmetric", "aes", "--label", "kek", "--key-length-bytes", "32")
    host.run(*kek, "--attributes", "wrap=true", "unwrap=true", env=OPS)
    payload = ("key", "generate-symmetric", "generic-secret", "--label", "mac", "--key-length-bytes", "24")
    host.run(*payload, env=OPS)
    under = ("--payload-filter", "attr.label=mac", "--wrapping-filter", "attr.label=kek")
    wrapped = host.run("key", "wrap", "aes-zero-pad", *under, env=OPS)["wrapped_key_data"]
    again = ("--key-type-class", "generic-secret", "--label", "mac2", "--data", wrapped)
    key = host.run("key", "unwrap", "aes-zero-pad", "--filter", "attr.label=kek", *again, env=OPS)["key"]
    attributes = key["attributes"]
    assert (attributes["key-length-bytes"], attributes["local"], attributes["key-type"]) == (
        24,
        False,
        "generic-secret",
    )


def test_faults_show_as_inconsistent_and_never_as_full(host: ClientHost) -> None:
    second = host.lab.hsms()[1].hsm_id
    for fault in (
        LabFault(name="key-missing", hsm=second, key="kek"),
        LabFault(name="key-different", hsm=second, key="page-00"),
        LabFault(name="user-role", hsm=second, user="bob"),
    ):
        host.lab.program.inject(fault, None)
    listed = host.run("key", "list", "--verbose", "--max-items", "100", env=OPS)["matched_keys"]
    odd = {
        key["attributes"]["label"]: (key["key-info"]["cluster-coverage"], key["attributes"]["check-value"])
        for key in listed
        if "inconsistent" in json.dumps(key)
    }
    assert odd["kek"][0] == "inconsistent"
    assert odd["page-00"] == ("full", "inconsistent")
    roles = {user["username"]: user["role"] for user in host.run("user", "list", env={})["users"]}
    assert roles["bob"] == "inconsistent"
    host.lab.program.clear(None)


def test_another_ca_is_no_connection(host: ClientHost, tmp_path: Path) -> None:
    trusted = host.root / "etc" / "customerCA.crt"
    right = trusted.read_bytes()
    trusted.write_bytes((host.lab.folder / "pki" / "aws-root.pem").read_bytes())
    done = host.program("cloudhsm-cli", "user", "list")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", 'Error: "HSM is disconnected"\n')
    assert "certificate verify failed" in (host.root / "run" / "cloudhsm-cli.log").read_text()
    trusted.write_bytes(right)


def test_a_terminal_is_asked_without_an_echo_and_over_ssh(host: ClientHost) -> None:
    config = host.lab.folder / "client" / "ssh_config"
    cli = host.root / "bin" / "cloudhsm-cli"
    login = ["ssh", "-F", str(config), "-tt", "app1", f"{cli} login --username admin --role admin"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(login, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    seen = _read_until(ours, b"Enter password:")
    os.write(ours, PASSWORD.encode() + b"\n")
    seen += _read_until(ours, b"}\r\n}\r\n")
    assert process.wait(20) == 0
    assert PASSWORD.encode() not in seen
    assert b'"error_code": 0' in seen
    os.close(ours)


def test_policies_and_users_are_in_a_clone(host: ClientHost) -> None:
    host.run("quorum", "token-sign", "set-quorum-value", "--service", "quorum", "--value", "2")
    added = host.lab.add("us-east-1a")
    host.configure()
    assert host.run("quorum", "token-sign", "list-quorum-values", env={}) == {"user": 0, "quorum": 2, "cluster": 0}
    assert LabFolder(host.lab.folder).node(added[0]).policies.exists()


def test_who_shows_no_certificate_is_cut_off_once_that_is_enforced_and_the_oracle_is_not(
    host: ClientHost, tmp_path: Path
) -> None:
    moment = datetime.now(UTC)
    authority = root("clients", moment)
    (tmp_path / "anchor.pem").write_text(authority.pem)
    key = ec.generate_private_key(ec.SECP256R1())
    own = (tmp_path / "client.pem", tmp_path / "client.key")
    own[0].write_text(authority.sign(csr(key), moment))
    own[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    mtls = ("cluster", "mtls")
    host.run(*mtls, "register-trust-anchor", "--path", str(tmp_path / "anchor.pem"))
    refused = host.program("cloudhsm-cli", *mtls, "set-enforcement", "--level", "cluster", env=ADMIN)
    assert "Current connection must be mtls" in refused.stdout

    files = ("--client-cert-hsm-tls-file", str(own[0]), "--client-key-hsm-tls-file", str(own[1]))
    plain = (host.root / "etc" / "cloudhsm-cli.cfg").read_bytes()
    host.program("configure-cli", *files)
    host.run(*mtls, "set-enforcement", "--level", "cluster")
    hsms = len(host.lab.hsms())
    assert len(host.run("cluster", "hsm-info", env={})["hsms"]) == hsms
    mutual = (host.root / "etc" / "cloudhsm-cli.cfg").read_bytes()
    (host.root / "etc" / "cloudhsm-cli.cfg").write_bytes(plain)
    assert host.program("cloudhsm-cli", "user", "list").stderr == 'Error: "HSM is disconnected"\n'
    with host.lab.tokens().open(*_opening(host, "ops_cu")) as token:
        assert token.inventory().keys
    (host.root / "etc" / "cloudhsm-cli.cfg").write_bytes(mutual)
    host.run(*mtls, "set-enforcement", "--level", "none")


def _opening(host: ClientHost, user: str) -> Any:  # noqa: ANN401 - the arguments of Tokens.open
    return replica(host.lab.hsms()[0]), Login(user=user, password=Secret(PASSWORD)), time.monotonic() + 20


def _read_until(terminal: int, end: bytes) -> bytes:
    seen = b""
    while end not in seen:
        seen += os.read(terminal, 4096)
    return seen
