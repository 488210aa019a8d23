"""The lab's client host: OpenSSH's own sshd on loopback, as the user that runs the lab, with files of its own.

Knows keys, configurations and the life of the process. Its host key, the user's key, known_hosts and an ssh_config that
leads to it are in one folder; the home of whoever logs in is there too. Refuses to know what is done on it.
"""

from __future__ import annotations

import getpass
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from hsmctl.errors import Conflict
from hsmctl.lab.cli_config import Installation
from hsmctl.lab.folder import write_private

NAME = "app1"
"""The client host's name in the lab's context and in its ssh_config."""
ADDRESS = "127.0.0.1"
_SSHD = Path("/usr/sbin/sshd")
_DYING_WITH_US = ("/usr/bin/setpriv", "--pdeathsig", "TERM")
_PRIVILEGE_FOLDER = Path("/run/sshd")
_START_SECONDS = 5.0

_log = logging.getLogger(__name__)


def available() -> bool:
    """Whether this machine has an sshd."""
    return _SSHD.exists() and Path(_DYING_WITH_US[0]).exists()


def check_available() -> None:
    """Refuse a machine without an sshd.

    Raises:
        Conflict: there is none.
    """
    if not available():
        raise Conflict("no client host", f"{_SSHD} is not installed", "apt-get install openssh-server")


class ClientHost:
    """The client host of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._starter = ThreadPoolExecutor(1, "client-host")
        self.port = 0
        """Where it listens; 0 before it did."""

    @property
    def ssh_config(self) -> Path:
        """The configuration that leads to it under its name."""
        return self._folder / "ssh_config"

    @property
    def installation(self) -> Installation:
        """CloudHSM's client software on it."""
        return Installation(self._folder / "opt" / "cloudhsm")

    def described(self) -> Mapping[str, object]:
        """It, as the lab's status shows it."""
        return {
            "name": NAME,
            "state": self.state,
            "address": ADDRESS,
            "port": self.port,
            "ssh_config": str(self.ssh_config),
            "cli": str(self.installation.bin / "cloudhsm-cli"),
        }

    @property
    def state(self) -> str:
        """running, dead, or missing where this machine has no sshd."""
        if self._process is None:
            return "dead" if available() else "missing"
        return "running" if self._process.poll() is None else "dead"

    def start(self) -> None:
        """Run it, if this machine has an sshd and it does not run; the log says why it does not."""
        # It gets SIGTERM when the thread ends that started it, which is why that one lasts as long as the supervisor.
        self._starter.submit(self._start).result()

    def stop(self) -> None:
        """End it and everything that was started on it; it is not started again."""
        self._starter.shutdown()
        if self._process is None:
            return
        for pid in _descendants(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        self._process.terminate()
        self._process.wait()
        self._process = None

    def _start(self) -> None:
        if self.state != "dead":
            return
        if os.geteuid() == 0:
            _PRIVILEGE_FOLDER.mkdir(mode=0o755, exist_ok=True)  # sshd separates privileges there where root runs it
        self._make_keys()
        self.port = self._free_port()
        self._configure()
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - words of our own
                [*_DYING_WITH_US, str(_SSHD), "-D", "-e", "-f", str(self._folder / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if not self._listens():
            _log.error("the client host does not listen: %s", (self._folder / "log").read_text()[-500:])

    def _make_keys(self) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

        for name in ("host_key", "user_key"):
            if not (self._folder / f"{name}.pub").exists():
                key = Ed25519PrivateKey.generate()
                private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
                public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
                write_private(self._folder / name, private)
                write_private(self._folder / f"{name}.pub", public + b"\n")
        (self._folder / "home").mkdir(mode=0o700, exist_ok=True)

    def _free_port(self) -> int:
        """The port it had before, if that is free: known_hosts and people know it."""
        file = self._folder / "port"
        wanted = int(file.read_text()) if file.exists() else 0
        try:
            port = _bindable(wanted)
        except OSError:
            port = _bindable(0)
        write_private(file, str(port).encode())
        return port

    def _configure(self) -> None:
        """Write what server and client read."""
        folder, user = self._folder, getpass.getuser()
        public = (folder / "host_key.pub").read_text()
        write_private(folder / "known_hosts", f"[{ADDRESS}]:{self.port} {public}".encode())
        server = (
            f"ListenAddress {ADDRESS}:{self.port}",
            f'HostKey "{folder}/host_key"',
            f'AuthorizedKeysFile "{folder}/user_key.pub"',
            f"AllowUsers {user}",
            f'SetEnv HOME="{folder}/home"',  # keeps the shell from the user's own start-up files
            "AuthenticationMethods publickey",
            "PidFile none",
            "UsePAM no",
            "StrictModes no",  # the lab's folder may be below one that others may write to
            "MaxSessions 100",
        )
        client = (
            f"Host {NAME}",
            f"  HostName {ADDRESS}",
            f"  Port {self.port}",
            f"  User {user}",
            f'  IdentityFile "{folder}/user_key"',
            "  IdentitiesOnly yes",
            f'  UserKnownHostsFile "{folder}/known_hosts"',
            "  GlobalKnownHostsFile none",
        )
        write_private(folder / "sshd_config", "\n".join((*server, "")).encode())
        write_private(self.ssh_config, "\n".join((*client, "")).encode())

    def _listens(self) -> bool:
        """Whether it takes connections, waiting for it a little."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.state == "running":
            try:
                socket.create_connection((ADDRESS, self.port)).close()
            except ConnectionRefusedError:
                time.sleep(0.01)
            else:
                return True
        return False


def _bindable(port: int) -> int:
    with socket.create_server((ADDRESS, port)) as listening:
        number: int = listening.getsockname()[1]
    return number


def _descendants(pid: int) -> list[int]:
    """A process's children and theirs; a session of sshd's outlives the sshd that took it."""
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*children, *(other for child in children for other in _descendants(child))]
