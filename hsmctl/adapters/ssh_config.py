"""OpenSSH's client configuration for one host, as OpenSSH itself reads it: `ssh -G` is asked.

Where there is no ssh program, paramiko's parser reads the file, and files it would read wrongly are refused: it ignores
Include, and takes Match keywords it does not know for true. StrictHostKeyChecking is not read at all: hsmctl is always
strict.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hsmctl.errors import Denied, Unreachable, UsageError

_HINT = "ssh -G HOST shows what OpenSSH makes of the configuration"
_Options = Mapping[str, tuple[str, ...]]
"""Keyword, in lower case, to each of its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SshAddress:
    """A host as the user names it; what is not given comes from OpenSSH's configuration."""

    host: str
    """A host name, an address, or an alias of the configuration."""
    user: str = ""
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSettings:
    """Everything needed to connect to one host."""

    alias: str
    hostname: str
    port: int
    user: str
    identity_files: tuple[Path, ...]
    certificate_files: tuple[Path, ...]
    identities_only: bool
    identity_agent: str
    """The path of the agent's socket; empty where there is none."""
    known_hosts: tuple[Path, ...]
    host_key_alias: str
    proxy_jump: tuple[SshAddress, ...]
    proxy_command: str
    connect_timeout: float | None
    """Seconds, if the configuration limits them."""

    def __str__(self) -> str:
        return f"{self.user}@{self.hostname}:{self.port}"


class SshConfig:
    """Reads the configuration: the given file alone, or the user's and the system's as `ssh` does."""

    def __init__(self, file: Path | None = None, program: str = "ssh") -> None:
        self._file = file
        self._program = program

    def settings(self, address: SshAddress, deadline: float) -> SshSettings:
        """The settings of a host.

        Raises:
            UsageError: the configuration is refused, or asks for something that hsmctl does not do.
            Denied: the configuration may not be read.
            Unreachable: ssh did not answer before the deadline; canonical names may need DNS.
        """
        options = self._ask_ssh(address, deadline)
        if options is None:
            options = self._parse(address)
        if _one(options, "revokedhostkeys", "none") != "none":
            raise UsageError(address.host, "RevokedHostKeys is not read by hsmctl", "use @revoked lines in known_hosts")
        return _settings(address, options)

    def _ask_ssh(self, address: SshAddress, deadline: float) -> _Options | None:
        """What `ssh -G` says, or None if there is no such program."""
        command = [self._program, "-G"]
        command += ["-F", str(self._file)] if self._file else []
        command += ["-l", address.user] if address.user else []
        command += ["-p", str(address.port)] if address.port else []
        command += ["--", address.host]  # -- keeps a name from being an option
        try:
            run = subprocess.run(  # noqa: S603 - the words come from the user's own settings
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="surrogateescape",
                timeout=max(0.0, deadline - time.monotonic()),
                check=False,
            )
        except FileNotFoundError:
            return None
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"no SSH settings for {address.host}", "ssh -G did not end in time", _HINT) from error
        if run.returncode:
            raise UsageError(f"no SSH settings for {address.host}", run.stderr.strip().rpartition("\n")[2], _HINT)
        return _gathered(run.stdout)

    def _parse(self, address: SshAddress) -> _Options:
        """What paramiko makes of the file, in the shape of `ssh -G`."""
        import paramiko

        text = _text(self._file or Path.home() / ".ssh" / "config")
        if re.search(r"^\s*(include|match)\b", text, re.IGNORECASE | re.MULTILINE):
            why = "Include and Match are read by OpenSSH's own ssh, which is not here"
            raise UsageError(f"no SSH settings for {address.host}", why, "apt-get install openssh-client")
        try:
            found: Mapping[str, object] = paramiko.SSHConfig.from_text(text).lookup(address.host)
        except paramiko.ConfigParseError as error:
            raise UsageError(f"no SSH settings for {address.host}", str(error), _HINT) from error
        options = {
            key: tuple(map(str, value)) if isinstance(value, list) else (str(value),) for key, value in found.items()
        }
        typed = {"user": address.user, "port": str(address.port or "")}
        return {**_DEFAULTS, **options, **{key: (value,) for key, value in typed.items() if value}}


_DEFAULTS: _Options = {
    "identityfile": ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"),
    "userknownhostsfile": ("~/.ssh/known_hosts ~/.ssh/known_hosts2",),
    "globalknownhostsfile": ("/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2",),
}
"""What `ssh -G` says where the configuration is silent (ssh_config(5))."""


def _gathered(lines: str) -> _Options:
    """The output of `ssh -G`: a keyword and a value a line, repeated for lists."""
    options: dict[str, tuple[str, ...]] = {}
    for line in lines.splitlines():
        keyword, _, value = line.partition(" ")
        options[keyword] = (*options.get(keyword, ()), value)
    return options


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise Denied(str(path), error.strerror or str(error), f"ls -l {path}") from error


def _one(options: _Options, keyword: str, default: str = "") -> str:
    return options.get(keyword, (default,))[0]


def _settings(address: SshAddress, options: _Options) -> SshSettings:
    """The options as values, tokens expanded."""
    host = _checked_name(address.host, address.host)
    hostname = _checked_name(host, _one(options, "hostname", host))
    user = _checked_name(host, _one(options, "user") or getpass.getuser())
    port = _port(host, _one(options, "port", "22"))
    tokens = _tokens(host, hostname, port, user, _one(options, "hostkeyalias"))
    timeout = _one(options, "connecttimeout", "none")
    return SshSettings(
        alias=host,
        hostname=hostname,
        port=port,
        user=user,
        identity_files=_files(options.get("identityfile", ()), tokens),
        certificate_files=_files(options.get("certificatefile", ()), tokens),
        identities_only=_one(options, "identitiesonly") == "yes",
        identity_agent=_agent(_one(options, "identityagent", "SSH_AUTH_SOCK"), tokens),
        known_hosts=_files(
            _paths(_one(options, "userknownhostsfile")) + _paths(_one(options, "globalknownhostsfile")), tokens
        ),
        host_key_alias=_one(options, "hostkeyalias"),
        proxy_jump=_jumps(_one(options, "proxyjump", "none")),
        proxy_command=_command(_one(options, "proxycommand", "none"), tokens),
        connect_timeout=float(timeout) if timeout.isdecimal() else None,
    )


def _paths(value: str) -> list[str]:
    """The paths of a list; `ssh -G` prints them unquoted, so a blank inside one is told by what follows it."""
    return re.split(r" +(?=[/~$%])", value)


def _files(values: Iterable[str], tokens: Mapping[str, str]) -> tuple[Path, ...]:
    return tuple(Path(_path(value, tokens)) for value in values if value not in ("", "none"))


def _agent(value: str, tokens: Mapping[str, str]) -> str:
    """The agent's socket (ssh_config(5), IdentityAgent)."""
    if value == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK", "")
    if value.startswith("$") and not value.startswith("${"):
        return os.environ.get(value[1:], "")
    return "" if value == "none" else _path(value, tokens)


def _command(value: str, tokens: Mapping[str, str]) -> str:
    """The command; its ~ and variables are the shell's business."""
    return "" if value in ("none", "None") else _expanded(value, tokens)


def _jumps(value: str) -> tuple[SshAddress, ...]:
    return () if value == "none" else tuple(map(_jump, value.split(",")))


def _jump(word: str) -> SshAddress:
    """`[user@]host[:port]`, an IPv6 address in brackets, or the same as an ssh: URI."""
    found = re.fullmatch(r"(?:ssh://)?(?:(.+)@)?(?:\[([^]]+)\]|([^:]+))(?::(\d+))?/?", word.strip())
    if found is None:
        raise UsageError(f"ProxyJump {word}", "it is not [user@]host[:port]", _HINT)
    user, bracketed, bare, port = found.groups()
    return SshAddress(host=bracketed or bare, user=user or "", port=_port(word, port) if port else None)


def _port(host: str, value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise UsageError(f"no SSH settings for {host}", f"{value} is no port", _HINT)
    return int(value)


def _checked_name(host: str, name: str) -> str:
    """The name, unless a shell would see more than a name in it: ProxyCommand may quote it (CVE-2023-51385)."""
    if name.startswith("-") or re.search(r"""['`"$\\;&<>|(){}\s\x00-\x1f]""", name):
        raise UsageError(f"no SSH settings for {host}", f"{name!r} contains characters that are in no name", _HINT)
    return name


def _tokens(host: str, hostname: str, port: int, user: str, alias: str) -> Mapping[str, str]:
    """The %-tokens, which `ssh -G` leaves as they are (ssh_config(5), TOKENS)."""
    local_name = socket.gethostname()
    return {
        "%": "%",
        "d": str(Path.home()),
        "h": hostname,
        "i": str(os.getuid()),
        "k": alias or host,
        "L": local_name.partition(".")[0],
        "l": local_name,
        "n": host,
        "p": str(port),
        "r": user,
        "u": getpass.getuser(),
    }


def _path(value: str, tokens: Mapping[str, str]) -> str:
    """A path with its ~, ${variables} and %-tokens replaced."""
    try:
        named = re.sub(r"\$\{(\w+)\}", lambda found: os.environ[found[1]], value)
    except KeyError as error:
        raise UsageError(value, f"the variable {error.args[0]} is not set", _HINT) from None
    return _expanded(str(Path(named).expanduser()), tokens)


def _expanded(value: str, tokens: Mapping[str, str]) -> str:
    """The text with its %-tokens replaced."""
    try:
        return re.sub("%(.)", lambda found: tokens[found[1]], value)
    except KeyError as error:
        raise UsageError(value, f"hsmctl does not know %{error.args[0]}", _HINT) from None
