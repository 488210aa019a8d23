"""The port Clients: what a client host has of Client SDK 5, read by one constant command, and its configure tools.

Knows the files of the client (user guide, pkcs11-library-install and configure-sdk-5: one configuration a component).
Configurations are changed by the configure tools alone.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

from hsmctl.adapters.client_files import HostFiles, parse_configuration
from hsmctl.adapters.console import CONNECT_SECONDS, TerminalHosts
from hsmctl.domain.client import CLI, CLI_FOLDER, ClientState, Component
from hsmctl.domain.probe import LOCAL
from hsmctl.errors import Conflict, Denied, HsmctlError, Unreachable, UsageError
from hsmctl.ports import Clock
from hsmctl.settings_entry import ClientEntry
from hsmctl.words import printable

_LOOK = (
    "sh",
    "-c",
    """IFS= read -r etc; echo "time $(date -u +%s)"
for f in "$etc"/cloudhsm-*.cfg; do
  [ -e "$f" ] && echo "file $(stat -c %a "$f") $(base64 -w0 < "$f" 2>/dev/null || echo -) $f"
done
for c in cli pkcs11 dyn openssl-provider jce; do
  v=$(dpkg-query -W -f '${Version}' cloudhsm-$c 2>/dev/null || rpm -q --qf '%{VERSION}' cloudhsm-$c 2>/dev/null) \\
    && echo "version $c $v"
done
exit 0""",
)
_CONFIGURE = ("sh", "-c", 'set -f; IFS= read -r tool && IFS= read -r words && exec "$tool" $words')
_CLOSE = ("sh", "-c", 'IFS= read -r path && chmod go-w -- "$path"')
_KEY = ("sh", "-c", 'IFS= read -r path; test -r "$path" || exit 3; ! grep -q ENCRYPTED -- "$path"')
_OPTIONS = frozenset({"-a", "--client-cert-hsm-tls-file", "--client-key-hsm-tls-file", "--default-retry-mode"})
_VALUE = re.compile(r"[A-Za-z0-9_./:@+][A-Za-z0-9_./:@+-]*")
_INSTALL = (
    "sh",
    "-c",
    'IFS= read -r path && cat > "$path.hsmctl" && chmod 644 "$path.hsmctl" && mv "$path.hsmctl" "$path"',
)


class HostClients:
    """ports_client.Clients."""

    def __init__(self, hosts: TerminalHosts, entries: Sequence[ClientEntry], clock: Clock) -> None:
        self._hosts = hosts
        self._entries = {entry.name: entry for entry in entries if entry.host or entry.name == LOCAL}
        self._clock = clock

    def names(self) -> tuple[str, ...]:
        """The hosts that can be logged in to, and this machine where the context says it has a client."""
        return tuple(self._entries)

    def look(self, host: str) -> ClientState:
        """What the host has."""
        with self._files(host) as (files, entry):
            done = files.run(_LOOK, f"{entry.config_folder or CLI_FOLDER}\n".encode())
            if done.status:
                raise Unreachable(host, done.stderr.decode(errors="replace").strip(), "run hsmctl client check again")
            lines = [line.split(" ", 3) for line in done.stdout.decode(errors="replace").splitlines()]
            components = tuple(_components(lines))
            if not components:
                folder = entry.config_folder or CLI_FOLDER
                raise Conflict(f"no CloudHSM client on {host}", f"no configuration in {folder}", "name config_folder")
            return ClientState(
                host=host,
                components=components,
                ca_files={path: _read(files, path) for path in _ca_files(components)},
                time=_moment(lines),
            )

    def read(self, host: str, path: str) -> str:
        """The text of a file that a configuration names."""
        with self._files(host) as (files, _):
            return files.read(path)

    def configure(self, host: str, component: str, options: Sequence[str]) -> None:
        """Run the component's own configure tool with these options of it."""
        for word in options:
            if word not in _OPTIONS and not _VALUE.fullmatch(word):
                raise UsageError(f"'{printable(word)}'", "hsmctl passes on plain words only", "choose a plainer path")
        with self._files(host) as (files, entry):
            tool = PurePosixPath(entry.cli or CLI).parent / f"configure-{component}"
            done = files.run(_CONFIGURE, f"{tool}\n{' '.join(options)}\n".encode())
            if done.status:
                raise _refused(host, str(tool), done.stderr.decode(errors="replace"))

    def check_key(self, host: str, path: str) -> None:
        """Whether a private key can be used by the client."""
        with self._files(host) as (files, _):
            status = files.run(_KEY, f"{path}\n".encode()).status
        if status:
            why = "this user may not read it, or there is none" if status == 3 else "it has a passphrase"
            raise Conflict(f"{host}: {path}", why, "the client needs a private key without one, in a mode of 0600")

    def close_file(self, host: str, path: str) -> None:
        """Let nobody but its owner change a file."""
        with self._files(host) as (files, _):
            done = files.run(_CLOSE, f"{path}\n".encode())
        if done.status:
            raise _refused(host, path, done.stderr.decode(errors="replace"))

    def install_ca(self, host: str, path: str, certificate: str) -> None:
        """Put a CA certificate where configurations look for it."""
        with self._files(host) as (files, _):
            done = files.run(_INSTALL, f"{path}\n{certificate}".encode())
            if done.status:
                raise _refused(host, path, done.stderr.decode(errors="replace"))

    @contextmanager
    def _files(self, host: str) -> Iterator[tuple[HostFiles, ClientEntry]]:
        if host not in self._entries:
            known = ", ".join(self._entries) or "none"
            raise Conflict(f"no client {host}", f"the context has {known}", "add it to [[context.NAME.clients]]")
        with (
            closing(self._hosts.connect(host, time.monotonic() + CONNECT_SECONDS)) as machine,
            closing(HostFiles(machine, self._clock)) as files,
        ):
            yield files, self._entries[host]


def _components(lines: Sequence[Sequence[str]]) -> Iterator[Component]:
    """Each configuration that was found, with the version of its package where one is installed."""
    versions = {line[1]: line[2] for line in lines if line[0] == "version" and len(line) > 2}
    for line in lines:
        if line[0] == "file" and len(line) == 4:
            name = PurePosixPath(line[3]).stem.removeprefix("cloudhsm-")
            yield _component(name, line[3], int(line[1], 8), line[2], versions.get(name, ""))


def _component(name: str, path: str, mode: int, encoded: str, version: str) -> Component:
    base = Component(name=name, path=path, version=version, mode=mode)
    try:
        text = base64.b64decode(encoded, validate=True).decode(errors="replace")
        return replace(base, configuration=parse_configuration(path, text))
    except binascii.Error:
        return replace(base, problem="this user may not read it")
    except Conflict as error:
        return replace(base, problem=error.why)


def _ca_files(components: Sequence[Component]) -> list[str]:
    found = [cluster.ca_file for each in components if each.configuration for cluster in each.configuration.clusters]
    return [path for path in dict.fromkeys(found) if path]


def _read(files: HostFiles, path: str) -> str:
    """The file's text; empty where it cannot be read, which is a finding of its own."""
    try:
        return files.read(path)
    except (Conflict, Denied):
        return ""


def _moment(lines: Sequence[Sequence[str]]) -> datetime:
    seconds = next((int(line[1]) for line in lines if line[0] == "time"), 0)
    return datetime.fromtimestamp(seconds, UTC)


def _refused(host: str, what: str, said: str) -> HsmctlError:
    reason = " ".join(said.split())[:300] or "it failed and did not say why"
    if "ermission denied" in said:
        return Denied(f"{host}: {what}", reason, "log in as a user that may configure the CloudHSM client")
    return Conflict(f"{host}: {what}", reason, "run it by hand on that host")
