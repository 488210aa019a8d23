"""Where a key command works: the cluster, the HSM or token, and how long it may take; and what it reads and writes."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from hsmctl.cli.session import Session, named
from hsmctl.cli.verb import Seconds
from hsmctl.domain.uri import SCHEME, Uri
from hsmctl.errors import Conflict, Denied, UsageError
from hsmctl.settings import Context, ContextKind
from hsmctl.settings_entry import TokenEntry

if TYPE_CHECKING:
    from hsmctl.domain.sync import Replica

CHUNK = 1 << 20
"""Bytes that are read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What was typed about where a command works."""

    session: Session
    cluster: str | None
    name: str | None
    seconds: float

    def replicas(self, uri: Uri | None = None) -> tuple[Replica, ...]:
        """Where the keys can be asked: the HSM or token that was named and no other, or all there are.

        Raises:
            Conflict: no token is the one that was named.
        """
        context = self.session.hsmctl.context
        wanted = self.name
        if wanted is None and uri is not None and uri.names_token:
            wanted = str(uri)
        if wanted is None:
            return self.session.replicas(self.cluster)
        name = token_named(context, wanted)
        if context.kind is ContextKind.LAB and "=" not in name:
            # A lab's context may have tokens beside its HSMs: either is found by its name.
            return self.session.replicas(self.cluster, [name])
        return named(self.session.replicas(self.cluster), [name])

    def all(self) -> tuple[Replica, ...]:
        """As `replicas`; where none was named, a lab's tokens beside its HSMs, too."""
        context = self.session.hsmctl.context
        beside = self.name is None and context.kind is ContextKind.LAB and bool(context.tokens)
        return (*(self.session.hsmctl.token_replicas() if beside else ()), *self.replicas())

    def everywhere(self, uri: Uri | None = None) -> tuple[Replica, ...]:
        """As `chosen`, and the other HSMs of the cluster after it: for a change that must be seen on all of them.

        Raises:
            UsageError: as for `chosen`.
        """
        first = self.chosen(uri)
        # The tokens of a context are unrelated: only the HSMs of one cluster stand for each other.
        if self.name is None or not first[0].realm:
            return first
        in_lab = self.session.hsmctl.context.kind is ContextKind.LAB
        beside = self.session.replicas(first[0].realm if in_lab else self.cluster)
        return (*first, *(each for each in beside if each.realm == first[0].realm and each not in first))

    def chosen(self, uri: Uri | None = None) -> tuple[Replica, ...]:
        """The same for a change, or a use of a key: of several unrelated tokens one must have been named.

        Raises:
            UsageError: none was.
        """
        found = self.replicas(uri)
        if len({each.realm or each.name for each in found}) > 1:
            names = ", ".join(each.name for each in found)
            raise UsageError("which token?", f"the context has {names}, and they are unrelated", "--on NAME")
        return found

    def label(self, replica: Replica) -> str:
        """The label of a context's token, for URIs; empty where it is not known."""
        entries = self.session.hsmctl.context.tokens
        return next((entry.label for entry in entries if entry.name == replica.name), "")


def token_named(context: Context, text: str) -> str:
    """The name of the token or HSM that somebody typed: the name itself, or a PKCS#11 URI of the token.

    Raises:
        UsageError: it is a URI that cannot be read, or names no token.
        Conflict: the context has no such token.
    """
    if not text.startswith(SCHEME):
        return text
    uri = Uri.parse(text)
    if not uri.names_token:
        raise UsageError(f"no token {text}", "the URI names none", "pkcs11:token=LABEL, or its name: hsmctl token list")
    for entry in context.tokens:
        if _is(uri, entry):
            return entry.name
    if context.kind is ContextKind.LAB and uri.token is not None:
        return uri.token.decode(errors="surrogateescape")  # the lab's HSMs have their ids for labels
    known = ", ".join(entry.label or entry.name for entry in context.tokens) or "none"
    raise Conflict(f"no token {uri}", f"the context has {known}", "hsmctl token list")


def _is(uri: Uri, entry: TokenEntry) -> bool:
    """Whether a URI means a token of the context, by as much as the context says of it."""
    label = (uri.token or b"").decode(errors="surrogateescape")
    serial = (uri.serial or b"").decode(errors="surrogateescape")
    pairs = (
        (uri.token is not None, True, label in (entry.label, entry.name)),
        (uri.serial is not None, bool(entry.serial), serial == entry.serial),
        (uri.slot_id is not None, entry.slot is not None, uri.slot_id == entry.slot),
    )
    compared = [same for asked, known, same in pairs if asked and known]
    return bool(compared) and all(compared)


def at_token(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options of a place; it gets them as `place`."""

    @functools.wraps(function)
    def call(session: Session, *, cluster: str | None, on: str | None, deadline: float, **typed: object) -> int:
        place = Place(session=session, cluster=cluster, name=on, seconds=deadline)
        return function(session, place=place, **typed)

    for option in (
        click.option("--deadline", type=Seconds(), default="30s", show_default=True, help="Give up after this time."),
        click.option(
            "--on", metavar="HSM", help="Work on this HSM or token, by name or URI; else the first that answers."
        ),
        click.option("--cluster", metavar="ID", help="The cluster, by id or name, where the context has several."),
    ):
        option(call)
    return call


def read_all(path: str, limit: int, what: str) -> bytes:
    """A file's content, or standard input's where the path is `-`.

    Raises:
        UsageError: it is longer than the limit.
        Conflict: it cannot be read.
    """
    data = b"".join(parts(path, limit + 1))
    if len(data) > limit:
        raise UsageError(f"{what} {path}", f"it is longer than {limit:,} bytes", "give a smaller one")
    return data


def parts(path: str, most: int | None = None) -> Iterator[bytes]:
    """A file's content, or standard input's where the path is `-`, piece by piece; no more than `most` bytes."""
    with _opened(path) as stream:
        while most is None or most > 0:
            part = stream.read(CHUNK if most is None else min(CHUNK, most))
            if not part:
                return
            most = None if most is None else most - len(part)
            yield part


@contextmanager
def written(path: Path, *, secret: bool = False, replaces: bool = False) -> Iterator[BinaryIO]:
    """A file that is there, and whole, only after the context ended well.

    Raises:
        Conflict: it exists already and is not to be replaced.
        Denied: it cannot be written.
    """
    if path.exists() and not replaces:
        raise Conflict(str(path), "it exists", "choose another name, or move it away")
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise Denied(str(path), error.strerror or str(error), f"ls -ld {path.parent}") from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o600 if secret else 0o644 & ~_umask())
        Path(name).rename(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """This process's mask for new files, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(path).open("rb") as stream:
            yield stream
    except OSError as error:
        raise Conflict(path, error.strerror or str(error), "name a file that can be read, or - for stdin") from error
