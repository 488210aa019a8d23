"""Whether a host is the one it should be: known_hosts, read as sshd(8) describes it.

paramiko's own reader stops at the first @cert-authority or @revoked line or doubled space and forgets what follows, and
never matches a wildcard; so this one is ours. Nothing is ever added: an unknown key is refused with its fingerprint and
the command that adds it. Host certificates are not verified: paramiko offers no way to.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hsmctl.adapters.ssh_config import SshSettings
from hsmctl.errors import Denied


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key as SSH sends it (RFC 4253, 6.6)."""

    key_type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As OpenSSH prints it: SHA256: and base64 without padding."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.key_type} {base64.b64encode(self.blob).decode()}"


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A line of known_hosts that speaks of the host in question."""

    file: Path
    line: int
    marker: str
    """@cert-authority, @revoked or nothing."""
    key: HostKey


def known_name(settings: SshSettings) -> str:
    """What known_hosts calls a host: its alias, or its name, with the port unless that is 22."""
    if settings.host_key_alias:
        return settings.host_key_alias.lower()
    name = settings.hostname.lower()
    return name if settings.port == 22 else f"[{name}]:{settings.port}"


def known_lines(settings: SshSettings) -> tuple[KnownHost, ...]:
    """Every line about the host, in its files' order.

    Raises:
        Denied: a file is there and may not be read.
    """
    name = known_name(settings)
    return tuple(line for file in settings.known_hosts for line in _lines(file, name))


def check_host_key(settings: SshSettings, known: Sequence[KnownHost], shown: HostKey) -> None:
    """Accept the key that a host has shown.

    Raises:
        Denied: it is revoked, another one is known, or none is.
    """
    what = f"{settings.alias} is not trusted"
    said = f"it shows {shown.key_type} {shown.fingerprint}"
    same = [line for line in known if line.key.blob == shown.blob]
    for line in same:
        if line.marker == "@revoked":
            why = f"{said}, which {line.file}:{line.line} revokes"
            raise Denied(what, why, "do not connect: ask who revoked the key")
    plain = [line for line in known if not line.marker]
    if any(line in plain for line in same):
        return
    for line in plain:
        if line.key.key_type == shown.key_type:
            why = f"{said}, and {line.file}:{line.line} says {line.key.fingerprint}: the host key has changed"
            forget = f"ssh-keygen -R {shlex.quote(known_name(settings))} -f {shlex.quote(str(line.file))}"
            raise Denied(what, why, f"find out why before you forget the old key: {forget}")
    raise Denied(what, f"{said}, {_unknown(known)}", f"if that is its fingerprint: {_adding(settings, shown)}")


def _unknown(known: Sequence[KnownHost]) -> str:
    """Why the lines about a host do not help."""
    if any(line.marker == "@cert-authority" for line in known):
        return "and hsmctl does not verify host certificates: the key itself has to be known"
    if types := ", ".join(line.key.key_type for line in known if not line.marker):
        return f"and only its {types} key is known"
    return "and no key of this host is known"


def _adding(settings: SshSettings, shown: HostKey) -> str:
    """The command that makes a key known."""
    file = settings.known_hosts[0] if settings.known_hosts else Path("~/.ssh/known_hosts")
    return f"echo {shlex.quote(f'{known_name(settings)} {shown}')} >> {shlex.quote(str(file))}"


def _lines(file: Path, name: str) -> Iterator[KnownHost]:
    """The lines of a file that match the name; what makes no sense is passed over, as OpenSSH does."""
    try:
        text = file.read_text(errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise Denied(str(file), error.strerror or str(error), f"ls -l {file}") from error
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()  # OpenSSH takes any number of blanks between fields
        marker = words.pop(0) if words and words[0] in ("@cert-authority", "@revoked") else ""
        if len(words) < 3 or words[0][0] in "#@" or not _matches(words[0], name):
            continue
        try:
            yield KnownHost(file, number, marker, HostKey(words[1], base64.b64decode(words[2], validate=True)))
        except binascii.Error:
            continue


def _matches(field: str, name: str) -> bool:
    """Whether the first field of a line means the name: a hash of it, or patterns of which none excludes it."""
    if field.startswith("|1|"):
        return _hashed(field, name)
    fitting = [pattern for pattern in field.lower().split(",") if _fits(pattern.removeprefix("!"), name)]
    return bool(fitting) and not any(pattern.startswith("!") for pattern in fitting)


def _hashed(field: str, name: str) -> bool:
    """`|1|salt|HMAC-SHA1 of the name`, as HashKnownHosts writes it."""
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in field.split("|")[2:])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


def _fits(pattern: str, name: str) -> bool:
    """OpenSSH's patterns: * and ? only; brackets are part of a name with a port, not a set."""
    wanted = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(wanted, name, re.DOTALL) is not None
