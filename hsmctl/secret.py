"""A value that is never shown, and where it comes from.

A `Secret` is not printed, logged, pickled, compared in variable time or kept in a traceback's repr; what settings hold
is its `Source`, and `read_secret` goes there at the moment the value is needed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import assert_never, final
from weakref import WeakValueDictionary

from hsmctl.errors import Denied, Unreachable, UsageError

_SHOWN = "•••"
_ENCRYPTED = frozenset({"SecretService", "libsecret", "kwallet", "macOS", "Windows"})
"""The modules of `keyring.backends` that keep passwords encrypted."""
_FORMS = '{ prompt = true }, { file = "…" }, { fd = 3 }, { keyring = ["service", "user"] }, { command = ["…"] }'


@final
class Secret:
    """A PIN, password or passphrase; only `reveal` hands it out, at the place that needs it."""

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        _LIVE[id(self)] = self

    def reveal(self) -> str:
        """The value itself, to be passed on at once and never kept."""
        return self._value

    def fingerprint(self, key: bytes) -> str:
        """A keyed digest, in hex, that tells equal secrets from different ones and gives nothing else away."""
        import hmac  # with OpenSSL behind it: 10 ms that a start without secrets does not need

        return hmac.digest(key, self._value.encode(), "sha256").hex()

    def __repr__(self) -> str:
        return f"Secret({_SHOWN})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        import hmac

        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


class Answers:
    """Secrets by where they come from, so that none is asked for twice; they are kept until they are forgotten."""

    def __init__(self) -> None:
        self._known: dict[tuple[Source, str], Secret] = {}

    def of(self, source: Source, prompt: str, ask: Callable[[str], Secret]) -> Secret:
        """The secret from its source; the prompt names whose it is, so that two users never share an answer.

        Raises:
            HsmctlError: as `read_secret`.
        """
        if (source, prompt) not in self._known:
            self._known[source, prompt] = read_secret(source, lambda: ask(prompt))
        return self._known[source, prompt]

    def forget(self) -> None:
        """Ask anew from now on: what was answered was for a change that has ended, or was refused."""
        self._known.clear()

    def __repr__(self) -> str:
        return f"Answers({len(self._known)})"


_LIVE: WeakValueDictionary[int, Secret] = WeakValueDictionary()
"""Every secret of this process by object id, for `redact`; equal secrets are kept apart, each dies when it will."""


class SourceKind(StrEnum):
    """Where a secret may come from; never a value in a file of settings, an argument or a log line."""

    PROMPT = "prompt"
    FILE = "file"
    FD = "fd"
    KEYRING = "keyring"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Source:
    """The place a secret is read from when it is needed."""

    kind: SourceKind
    where: tuple[str, ...] = ()
    """The file's path, the descriptor's number, keyring service and user, or the command's words."""


def redact(text: str) -> str:
    """The text with the value of every secret this process holds taken out.

    Values of less than four characters are left: they would take ordinary words with them.
    """
    for secret in tuple(_LIVE.values()):
        if len(secret.reveal()) >= 4:
            text = text.replace(secret.reveal(), _SHOWN)
    return text


def read_secret(source: Source, ask: Callable[[], Secret], *, seconds: float = 30.0) -> Secret:
    """The secret from its source; `ask` is how the front end prompts, `seconds` what a command may take.

    Raises:
        Denied: others may read the file, or the keyring keeps its passwords in the clear.
        UsageError: there is nothing at the source.
        Unreachable: the command did not end in time.
    """
    match source.kind:
        case SourceKind.PROMPT:
            return ask()
        case SourceKind.FILE:
            return _from_file(Path(source.where[0]))
        case SourceKind.FD:
            return _from_descriptor(int(source.where[0]))
        case SourceKind.KEYRING:
            service, user = source.where
            return _from_keyring(service, user)
        case SourceKind.COMMAND:
            return _from_command(source.where, seconds)
        case _:
            assert_never(source.kind)


def parse_source(raw: object, what: str, folder: Path) -> Source:
    """The source a settings file names as `{ prompt = true }`, `{ file = "…" }` and so on.

    `what` names the key for the error; a relative file is meant from `folder`.

    Raises:
        UsageError: it is not one of the five forms.
    """
    match raw:
        case {"prompt": True, **rest} if not rest:
            return Source(SourceKind.PROMPT)
        case {"file": str(path), **rest} if path and not rest:
            return Source(SourceKind.FILE, (str(folder / Path(path).expanduser()),))
        case {"fd": int(number), **rest} if not isinstance(number, bool) and number >= 0 and not rest:
            return Source(SourceKind.FD, (str(number),))
        case {"keyring": [str(service), str(user)], **rest} if not rest:
            return Source(SourceKind.KEYRING, (service, user))
        case {"command": [str(), *_] as words, **rest} if all(isinstance(word, str) for word in words) and not rest:
            return Source(SourceKind.COMMAND, tuple(words))
    # What stands there is not repeated: it may be the secret itself.
    raise UsageError(what, "it is not the source of a secret", f"write one of {_FORMS}")


def _from_file(path: Path) -> Secret:
    """The file's content without its last newline; checked on the open file, so that it cannot be swapped."""
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if status.st_uid not in (os.geteuid(), 0):
                raise Denied(str(path), f"it belongs to user id {status.st_uid}", f"chown {os.geteuid()} {path}")
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise Denied(str(path), "others may read or write it", f"chmod 600 {path}")
            return _secret(stream.read(), str(path))
    except OSError as error:
        raise UsageError(str(path), error.strerror or str(error), "put the secret there, with mode 600") from error


def _from_descriptor(number: int) -> Secret:
    """Everything the descriptor gives until its end."""
    try:
        with open(number, "rb", closefd=False) as stream:
            return _secret(stream.read(), f"descriptor {number}")
    except OSError as error:
        raise UsageError(f"descriptor {number}", error.strerror or str(error), f"hsmctl … {number}< FILE") from error


def _from_keyring(service: str, user: str) -> Secret:
    """What the first encrypted keyring of this desktop has."""
    import keyring
    from keyring.errors import KeyringError

    chosen = keyring.get_keyring()
    encrypted = [backend for backend in getattr(chosen, "backends", [chosen]) if _is_encrypted(backend)]
    if not encrypted:
        raise Denied("keyring", f"{chosen.name} does not encrypt", "use Secret Service, KWallet, or a file")
    try:
        found = [value for backend in encrypted if (value := backend.get_password(service, user))]
    except KeyringError as error:
        raise Denied("keyring", str(error), "unlock it") from error
    if not found:
        raise UsageError("keyring", f"nothing for {service} {user}", f"keyring set {service} {user}")
    return Secret(found[0])


def _is_encrypted(backend: object) -> bool:
    return type(backend).__module__.removeprefix("keyring.backends.").split(".")[0] in _ENCRYPTED


def _from_command(words: tuple[str, ...], seconds: float) -> Secret:
    """The first line the program prints; no shell is between, and its errors are not shown: they may quote it."""
    import subprocess

    try:
        run = subprocess.run(  # noqa: S603 - the words come from the user's own settings
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(words[0], f"no secret after {seconds:g} s", "run it by hand") from None
    except OSError as error:
        raise UsageError(words[0], error.strerror or str(error), "correct the command in the context") from error
    if run.returncode:
        raise Denied(words[0], f"it ended with {run.returncode} and gave no secret", "run it by hand")
    return _secret(run.stdout.partition(b"\n")[0], words[0])


def _secret(raw: bytes, what: str) -> Secret:
    """The bytes as a secret, one newline at their end left out."""
    try:
        value = raw.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UsageError(what, "the secret is not UTF-8") from None
    if not value:
        raise UsageError(what, "it is empty", "put the secret there")
    return Secret(value)
