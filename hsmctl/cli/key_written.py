"""What of a key was written: to a file, or where it is text and public to standard output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from hsmctl.cli.key_place import written
from hsmctl.cli.view import Page, View
from hsmctl.errors import UsageError
from hsmctl.mark import Mark
from hsmctl.words import clipped

_BINARY = "der"

out_option = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file, which is new; otherwise to standard output.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWritten:
    """What of a key was written where."""

    key: str
    """Its URI."""
    format: str
    written_to: str
    """The file; empty where `text` is all there is."""
    bytes: int
    text: str | None = None
    """What is public and was written to no file."""


def published(key: str, encoding: str, out: Path | None, data: bytes) -> KeyWritten:
    """Write something public to its file, or make it the answer.

    Raises:
        UsageError: it is binary and there is no file.
        Conflict, Denied: as `written`.
    """
    if out is not None:
        return kept(key, encoding, out, data)
    if encoding == _BINARY:
        raise UsageError(f"--format {encoding}", "it is binary", "--out FILE")
    return KeyWritten(key=key, format=encoding, written_to="", bytes=len(data), text=data.decode())


def kept(key: str, encoding: str, out: Path, data: bytes, *, secret: bool = False) -> KeyWritten:
    """Write something to its file.

    Raises:
        Conflict, Denied: as `written`.
    """
    with written(out, secret=secret) as stream:
        stream.write(data)
    return KeyWritten(key=key, format=encoding, written_to=str(out), bytes=len(data))


def written_view(schema: str) -> View[KeyWritten]:
    """How it is shown."""
    return View(schema=schema, document=KeyWritten, lines=_lines, names=lambda done: [done.written_to or done.key])


def _lines(done: KeyWritten, _: Page) -> Iterator[str]:
    if done.text is not None:
        yield from done.text.splitlines()
    else:
        yield f"{Mark.REPORTED.glyph} {done.written_to}: {done.bytes:,} bytes, {done.format} of {clipped(done.key)}"
