"""Where a new secret goes so that it outlives this process: a file for its owner alone, or an encrypted keyring."""

from __future__ import annotations

import os
from pathlib import Path

from hsmctl.errors import Conflict, Denied, UsageError
from hsmctl.ports_activation import SecretSink
from hsmctl.secret import Secret, Source, SourceKind, read_secret


def sink(word: str) -> SecretSink:
    """The sink that a word names: `file:/media/a/admin` or `keyring:SERVICE/USER`.

    Raises:
        UsageError: the word names none.
    """
    kind, _, where = word.partition(":")
    if kind == "file" and where:
        return FileSink(Path(where).expanduser().absolute())
    service, _, user = where.partition("/")
    if kind == "keyring" and service and user:
        return KeyringSink(service, user)
    raise UsageError(
        f"sink {word}", "it is neither a file nor a keyring", "file:/media/a/admin or keyring:SERVICE/USER"
    )


class FileSink:
    """A file of mode 0600, which is made and never overwritten."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def says(self) -> str:
        """Where that is."""
        return f"file {self._path}"

    def put(self, secret: Secret) -> None:
        """Write it, durably.

        Raises:
            Conflict: something is there already.
            Denied: the place is not writable.
        """
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self._path, flags, 0o600)
        except FileExistsError as error:
            raise Conflict(self.says, "something is there, and is never overwritten", "name another file") from error
        except OSError as error:
            raise Denied(self.says, error.strerror or str(error), "name a folder that is there and ours") from error
        try:
            os.write(descriptor, secret.reveal().encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read(self) -> Secret | None:
        """What is there, read anew; None where nothing is, or only a file that a crash left empty."""
        if not self._path.exists():
            return None
        if not self._path.stat().st_size:
            self._path.unlink()
            return None
        return read_secret(Source(SourceKind.FILE, (str(self._path),)), _nobody)


class KeyringSink:
    """The desktop's keyring, where it encrypts."""

    def __init__(self, service: str, user: str) -> None:
        self._service = service
        self._user = user

    @property
    def says(self) -> str:
        """Where that is."""
        return f"keyring {self._service}/{self._user}"

    def put(self, secret: Secret) -> None:
        """Write it.

        Raises:
            Conflict: something is there already.
            Denied: the keyring does not encrypt, or refuses.
        """
        import keyring
        from keyring.errors import KeyringError

        if self.read() is not None:
            raise Conflict(self.says, "something is there, and is never overwritten", "name another entry")
        try:
            keyring.set_password(self._service, self._user, secret.reveal())
        except KeyringError as error:
            raise Denied(self.says, str(error), "unlock it") from error

    def read(self) -> Secret | None:
        """What is there, read anew; None where nothing is."""
        try:
            return read_secret(Source(SourceKind.KEYRING, (self._service, self._user)), _nobody)
        except UsageError:
            return None


def _nobody() -> Secret:
    raise UsageError("a sink", "nobody is asked for what it holds")
