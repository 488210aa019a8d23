"""A client host for tests: OpenSSH's real sshd on loopback, with keys, configuration and port of its own."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SSHD = "/usr/sbin/sshd"
USER = getpass.getuser()


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A new private key; its public half is beside it."""
    bits = ["-b", "2048"] if kind == "rsa" else []  # larger ones take a second to find
    command = ["ssh-keygen", "-q", "-t", kind, *bits, "-N", passphrase, "-C", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def public(path: Path) -> str:
    """The public half of a key as known_hosts and authorized_keys have it."""
    return Path(f"{path}.pub").read_text().strip()


@dataclass
class Sshd:
    """What a test may want to know of a server, and the client's files for it."""

    folder: Path
    port: int
    host_key: Path
    user_key: Path
    extra: tuple[str, ...] = ()
    known_hosts: Path = field(init=False)
    authorized_keys: Path = field(init=False)

    def __post_init__(self) -> None:
        self.known_hosts = self.folder / "known_hosts"
        self.authorized_keys = self.folder / "authorized_keys"
        self.authorized_keys.write_text(public(self.user_key) + "\n")
        self.trust(public(self.host_key))

    @property
    def name(self) -> str:
        """What known_hosts calls the server."""
        return f"[127.0.0.1]:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def trust(self, *keys: str) -> None:
        """Make these keys, and no others, known."""
        self.known_hosts.write_text("".join(f"{self.name} {key}\n" for key in keys))

    def client_config(self, alias: str, *more: str) -> str:
        """The block of an ssh_config that reaches the server."""
        lines = (
            "HostName 127.0.0.1",
            f"Port {self.port}",
            f"User {USER}",
            f"IdentityFile {self.user_key}",
            f"UserKnownHostsFile {self.known_hosts}",
            "GlobalKnownHostsFile none",
            *more,
        )
        return f"Host {alias}\n" + "".join(f"  {line}\n" for line in lines)

    def server_config(self) -> Path:
        path = self.folder / "sshd_config"
        lines = (
            *self.extra,  # first, because sshd takes the first value it sees
            f"ListenAddress {self.name}",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.authorized_keys}",
            "PidFile none",
            "UsePAM no",
            "StrictModes no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "LogLevel VERBOSE",
            f"SetEnv HOME={self.folder}",  # keeps the shell from the user's own start-up files
        )
        path.write_text("\n".join(lines) + "\n")
        return path


def prepared(folder: Path, *extra: str) -> Sshd:
    """A server that is not running yet; `extra` are lines of its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd wants it when root runs it
    return Sshd(folder, free_port(), make_key(folder / "host"), make_key(folder / "user"), extra)


@contextmanager
def running(server: Sshd) -> Iterator[Sshd]:
    """The server, listening; its configuration is written now."""
    command = [SSHD, "-D", "-e", "-f", str(server.server_config())]
    with (server.folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_until_listening(server, process)
        yield server
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _wait_until_listening(server: Sshd, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", server.port)).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
    raise AssertionError(server.log)
