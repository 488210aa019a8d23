"""Logging in to an SSH server with the user's keys: the agent's and the files that the configuration names.

Passwords, forwarding of the agent and passphrases are refused: what is encrypted belongs in the agent. paramiko would
offer every key of the agent until the server hangs up, so the order and the number of attempts are ours.
"""

from __future__ import annotations

import base64
import binascii
import socket
import stat
import time
from collections.abc import Container, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    load_ssh_public_identity,
)
from paramiko.agent import AgentSSH
from paramiko.pkey import UnknownKeyType

from hsmctl.adapters.ssh_config import SshSettings
from hsmctl.adapters.ssh_transport import AUTH_SECONDS, SshTransport
from hsmctl.errors import Denied, Unreachable

ATTEMPTS = 5
"""One fewer than sshd's MaxAuthTries allows by default."""


def log_in(transport: SshTransport, settings: SshSettings, deadline: float) -> None:
    """Prove to the server that we are the user.

    Raises:
        Denied: no key was accepted.
        Unreachable: the server did not answer in time.
    """
    limit = min(deadline, time.monotonic() + AUTH_SECONDS)
    offers = _Offers(settings)
    with closing(_Agent(settings.identity_agent, limit)) as agent:
        for number, key in enumerate(offers.in_order(agent)):
            if number == ATTEMPTS:
                offers.left_out.append(f"only {ATTEMPTS} keys are tried: IdentitiesOnly and IdentityFile choose")
                break
            if _accepted(transport, settings, key, limit):
                return
            offers.refused += 1
    raise offers.denial()


def _accepted(transport: SshTransport, settings: SshSettings, key: paramiko.PKey, deadline: float) -> bool:
    """Whether the server takes the key, and asks for nothing more."""
    transport.auth_timeout = max(0.0, deadline - time.monotonic())
    try:
        wanted = transport.auth_publickey(settings.user, key)
    except paramiko.BadAuthenticationType as error:
        why = f"it takes {', '.join(error.allowed_types) or 'nothing'}, and hsmctl logs in with keys"
        raise Denied(f"{settings.alias} refused {settings.user}", why, f"ssh {settings.alias}") from error
    except paramiko.AuthenticationException as error:
        if time.monotonic() >= deadline:
            raise Unreachable(f"no answer from {settings.alias}", "the login took too long", "try again") from error
        return False
    if wanted:
        why = f"after the key it asks for {', '.join(wanted)}"
        raise Denied(f"{settings.alias} refused {settings.user}", why, "use a user that logs in with a key alone")
    return True


class _Agent(AgentSSH):
    """The user's SSH agent, on the socket that the configuration names and never waiting past the deadline.

    paramiko's own Agent knows SSH_AUTH_SOCK only, and waits for ever.
    """

    def __init__(self, path: str, deadline: float) -> None:
        super().__init__()
        if not path:
            return
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined] # private, so not in the stubs
        except (OSError, paramiko.SSHException):  # no agent is no error, as for OpenSSH
            connection.close()

    def close(self) -> None:
        """End the conversation."""
        self._close()  # type: ignore[attr-defined]


@dataclass
class _Offers:
    """The keys to offer, and what became of them."""

    settings: SshSettings
    refused: int = 0
    left_out: list[str] = field(default_factory=list)
    """A clause for each key that could not be offered."""

    def in_order(self, agent: AgentSSH) -> Iterator[paramiko.PKey]:
        """The keys that the configuration names, from the agent first, then the agent's others.

        OpenSSH offers the agent's others before the files; it has no limit of its own, and ours must not hide a file.
        """
        held = {key.blob: key for key in agent.get_keys()}
        others = dict(held)
        for file in self.settings.identity_files:
            public = _public_blob(Path(f"{file}.pub")) or _public_blob(file)
            key = others.pop(public, None) or self._from_file(file, held)
            if key is not None:
                yield key
        if not self.settings.identities_only:
            yield from others.values()

    def denial(self) -> Denied:
        """Why nobody was let in."""
        count = f"{self.refused} keys were" if self.refused != 1 else "one key was"
        why = "; ".join([f"{count} refused" if self.refused else "there is no key to offer", *self.left_out])
        return Denied(f"{self.settings.alias} refused {self.settings.user}", why, f"ssh {self.settings.alias}")

    def _from_file(self, file: Path, held: Container[bytes]) -> paramiko.PKey | None:
        """The private key in a file, with its certificate; None where there is none to use."""
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
        except OSError:  # of the default names most are not there
            return None
        if _public_blob(file):
            self.left_out.append(f"{file} is a public key and the agent does not have the private one")
        elif mode & 0o077:  # OpenSSH does not use such a key either
            self.left_out.append(f"others may read {file}")
        else:
            key = self._loaded(file)
            return key and (None if key.asbytes() in held else _certified(key, self.settings.certificate_files))
        return None

    def _loaded(self, file: Path) -> paramiko.PKey | None:
        """The private key in a file."""
        try:
            return paramiko.PKey.from_path(file)
        except (TypeError, paramiko.PasswordRequiredException):  # TypeError is how `cryptography` wants a passphrase
            self.left_out.append(f"{file} is encrypted and not in the agent: ssh-add {file}")
        except (ValueError, OSError, UnsupportedAlgorithm, UnknownKeyType, paramiko.SSHException) as error:
            self.left_out.append(f"{file} is not usable: {error}")
        return None


def _public_blob(file: Path) -> bytes:
    """The public key in a file, empty where there is none; IdentityFile may name a private key or a public one."""
    try:
        words = file.read_text(errors="replace").split(maxsplit=2)
        return base64.b64decode(words[1], validate=True) if words[0].startswith(("ssh-", "ecdsa-", "sk-")) else b""
    except (OSError, IndexError, binascii.Error):
        return b""


def _certified(key: paramiko.PKey, files: Iterable[Path]) -> paramiko.PKey:
    """The key with the certificate that was made for it, if one of the files is it."""
    for file in files:
        try:
            identity = load_ssh_public_identity(file.read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm):
            continue
        if isinstance(identity, SSHCertificate):
            plain = identity.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
            if plain.split()[1].decode() == key.get_base64():
                key.load_certificate(str(file))
    return key
