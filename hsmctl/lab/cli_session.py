"""One run of the emulated cloudhsm-cli: which clusters it is connected to, as whom, and what files it was given.

In single-command mode credentials come from CLOUDHSM_ROLE and CLOUDHSM_PIN, and everything ends with the command; an
interactive session keeps its connections, and with them logins and quorum tokens (user guide, cloudhsm_cli-modes).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hsmctl.lab.cli_answer import Early, Failed
from hsmctl.lab.cli_cluster import Connected, Credentials, Dial
from hsmctl.lab.cli_config import Installation, chosen, read
from hsmctl.lab.cli_grammar import Asked
from hsmctl.lab.cli_line import Line
from hsmctl.lab.cli_prompt import Prompt

CONNECT_SECONDS = 5.0
AVAILABILITY_SECONDS = 2.0


@dataclass(slots=True, kw_only=True)
class Session:
    """One run of the tool."""

    installation: Installation
    environ: Mapping[str, str]
    prompt: Prompt
    cluster_id: str = ""
    """What an interactive session was started with."""
    interactive: bool = False
    dial: Dial = Line
    _connected: dict[str, Connected] = field(default_factory=dict)
    _who: dict[str, Credentials] = field(default_factory=dict)

    def cluster(self, asked: Asked) -> Connected:
        """The cluster a command is about, connected.

        Raises:
            Early: it is not configured, or none of its HSMs is reached.
        """
        return self.connect(asked.text("cluster-id"))

    def connect(self, cluster_id: str) -> Connected:
        """A cluster of the configuration, connected; the only one where none is named.

        Raises:
            Early: it is not configured, or none of its HSMs is reached.
        """
        wanted = chosen(read(self.installation.configuration("cli")), cluster_id or self.cluster_id)
        name = wanted.cluster_id or ""
        if name in self._connected and not self._connected[name].lines:
            self.forget(name)
        if name not in self._connected:
            self._connected[name] = Connected(wanted, self.dial, CONNECT_SECONDS)
        return self._connected[name]

    def admitted(self, asked: Asked) -> Connected:
        """The cluster a command is about, logged in to as the environment says; an interactive session logs in itself.

        Raises:
            Early: none of its HSMs is reached.
            Failed: the login is refused.
        """
        return self.admit(asked.text("cluster-id"), "")

    def admit(self, cluster_id: str, prefix: str) -> Connected:
        """A cluster, logged in to with the credentials of this prefix in the environment.

        Raises:
            Early: none of its HSMs is reached, or the environment makes no sense.
            Failed: the login is refused.
        """
        cluster = self.connect(cluster_id)
        if not self.interactive and self.who(cluster) is None and (who := self._from_environment(prefix)):
            self.log_in(cluster, who)
        return cluster

    def log_in(self, cluster: Connected, who: Credentials) -> None:
        """Log in, from now on.

        Raises:
            Failed: somebody is logged in, or the login is refused.
        """
        if self.who(cluster):
            raise Failed("A user is already logged in. Please logout first")
        cluster.login(who)
        self._who[cluster.cluster.cluster_id or ""] = who

    def log_out(self, cluster: Connected) -> None:
        """Log out."""
        cluster.logout()
        self._who.pop(cluster.cluster.cluster_id or "", None)

    def who(self, cluster: Connected) -> Credentials | None:
        """Who is logged in."""
        return self._who.get(cluster.cluster.cluster_id or "")

    def forget(self, name: str) -> None:
        """Let the next command connect anew."""
        self._connected.pop(name).close()
        self._who.pop(name, None)

    def close(self) -> None:
        """End every connection."""
        for name in tuple(self._connected):
            self.forget(name)

    def approval(self, asked: Asked) -> dict[str, object]:
        """The signed quorum token of `--approval`, as HSMs take it; nothing where it was not typed.

        Raises:
            Failed: it cannot be read.
        """
        if not asked.typed("approval"):
            return {}
        document = self.document(asked.text("approval"))
        approval = {"data": document.get("approval_data"), "signatures": document.get("signatures")}
        return {"approval": approval}

    def document(self, path: str) -> dict[str, Any]:
        """A JSON object of a file.

        Raises:
            Failed: it cannot be read, or holds something else.
        """
        try:
            found = json.loads(self.file(path))
        except ValueError as error:
            raise Failed(f"Failed to parse token file {path}: {error}") from error
        if not isinstance(found, dict):
            raise Failed(f"Failed to parse token file {path}")
        return found

    def file(self, path: str) -> bytes:
        """What a file holds.

        Raises:
            Failed: it cannot be read.
        """
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise Failed(f"Failed to read file {path}: {error.strerror}") from error

    def write(self, path: str, data: bytes) -> None:
        """Write a file.

        Raises:
            Failed: it cannot be written.
        """
        try:
            Path(path).write_bytes(data)
        except OSError as error:
            raise Failed(f"Failed to write file {path}: {error.strerror}") from error

    @property
    def availability_seconds(self) -> float:
        """How long it takes to find out that a key is on too few HSMs; the real client's 87 s are not the lab's."""
        path = self.installation.etc / "lab.json"
        settings = json.loads(path.read_text()) if path.exists() else {}
        return float(settings.get("availability_seconds", AVAILABILITY_SECONDS))

    def _from_environment(self, prefix: str) -> Credentials | None:
        role, pin = (self.environ.get(f"{prefix}CLOUDHSM_{name}") for name in ("ROLE", "PIN"))
        if not (role and pin):
            return None
        username, colon, password = pin.partition(":")
        if not colon or role not in ("admin", "crypto-user"):
            raise Early(f"{prefix}CLOUDHSM_PIN must be <username>:<password> and {prefix}CLOUDHSM_ROLE a role")
        return Credentials(username, role, password)


def token_file(numbers: list[str]) -> bytes:
    """A file of numbers to be signed (user guide, reference-mfa-cloudhsm-cli)."""
    tokens = [{"unsigned": number, "signed": ""} for number in numbers]
    return json.dumps({"version": "2.0", "tokens": tokens}, indent=2).encode()


def joined(numbers: list[str]) -> bytes:
    """The approval data of a quorum token: what every HSM gave, one after the other."""
    return b"".join(map(base64.b64decode, numbers))
