"""Files on a client host: the client's configuration, and what cloudhsm-cli reads and writes for one session.

Commands are constant words; paths and contents go through standard input, where nobody but the command sees them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hsmctl.domain.client import Configuration, ConfiguredCluster
from hsmctl.errors import Conflict, Denied, HsmctlError, Unreachable
from hsmctl.ports import Clock
from hsmctl.ports_host import ClientHost, Finished

SECONDS = 30.0

_READ = ("sh", "-c", 'IFS= read -r path && cat -- "$path"')
_WRITE = ("sh", "-c", 'umask 077; IFS= read -r path && cat > "$path"')
_MAKE = ("sh", "-c", "umask 077; mktemp -d")
_REMOVE = ("sh", "-c", 'IFS= read -r path && rm -rf -- "$path"')


class HostFiles:
    """Files on one host; the temporary folder is made when it is first needed and removed by `close`."""

    def __init__(self, host: ClientHost, clock: Clock) -> None:
        self._host = host
        self._clock = clock
        self._folder = ""
        self._number = 0

    def read(self, path: str) -> str:
        """The file's text.

        Raises:
            Conflict: there is no such file.
            Denied: this user may not read it.
        """
        done = self.run(_READ, f"{path}\n".encode())
        if done.status:
            raise _unreadable(self._host.name, path, done.stderr.decode(errors="replace"))
        return done.stdout.decode(errors="replace")

    def put(self, text: str) -> str:
        """A new file with this text, for this user alone; its path."""
        path = self.fresh()
        self.write(path, text)
        return path

    def write(self, path: str, text: str) -> None:
        """Write the file anew.

        Raises:
            Unreachable: it could not be written.
        """
        done = self.run(_WRITE, f"{path}\n{text}".encode())
        if done.status:
            raise Unreachable(f"{self._host.name}: {path}", done.stderr.decode(errors="replace").strip(), "df -h")

    def fresh(self) -> str:
        """A path at which nothing is yet."""
        if not self._folder:
            done = self.run(_MAKE, b"")
            if done.status:
                raise Unreachable(self._host.name, "it has no room for a temporary folder", "df -h /tmp")
            self._folder = done.stdout.decode().strip()
        self._number += 1
        return f"{self._folder}/{self._number}"

    def run(self, command: tuple[str, ...], stdin: bytes) -> Finished:
        """What a constant command came back with."""
        return self._host.run(command, stdin, self._clock.monotonic() + SECONDS)

    def close(self) -> None:
        """Remove what was made; a host that is gone keeps it, for this user alone."""
        if self._folder:
            folder, self._folder = self._folder, ""
            try:
                self.run(_REMOVE, f"{folder}\n".encode())
            except Unreachable:
                return


def parse_configuration(path: str, text: str) -> Configuration:
    """What a component's configuration says; members nobody here knows are left alone.

    Raises:
        Conflict: it is not the JSON that the configure tool writes.
    """
    try:
        raw = json.loads(text)
        clusters = tuple(_cluster(entry["cluster"]) for entry in raw["clusters"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Conflict(path, "it is not what the configure tool writes", "configure it anew") from error
    modes = [_retry(raw), *(_retry(entry["cluster"]) for entry in raw["clusters"])]
    return Configuration(clusters=clusters, retry_mode=next(filter(None, modes), ""))


def _cluster(raw: Mapping[str, Any]) -> ConfiguredCluster:
    servers = raw.get("servers", [])
    options = raw.get("options", {})
    return ConfiguredCluster(
        cluster_id=str(raw.get("cluster_id", "")),
        addresses=tuple(str(each["hostname"]) for each in servers if each.get("enable", True)),
        ca_file=str(raw.get("hsm_ca_file", "")),
        availability_check=not options.get("disable_key_availability_check", False),
        client_certificate=str(raw.get("client_cert_hsm_tls_path", "")),
        client_key=str(raw.get("client_key_hsm_tls_path", "")),
    )


def _retry(raw: Mapping[str, Any]) -> str:
    """The retry mode; the member's place is not documented (UNCONFIRMED), so only a word is taken."""
    found = raw.get("retry_mode", "")
    return found if isinstance(found, str) else ""


def _unreadable(host: str, path: str, said: str) -> HsmctlError:
    if "ermission denied" in said:
        return Denied(
            f"{host}: {path}", "this user may not read it", "log in as a user that may use the CloudHSM client"
        )
    why = "there is no such file" if "o such file" in said else said.strip() or "it cannot be read"
    return Conflict(f"{host}: {path}", why, "install the CloudHSM client, or name its folder: config_folder")
