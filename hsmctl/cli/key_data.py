"""What a key made of data, in a file: shared by the commands that write such files."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hsmctl.cli.key_place import written
from hsmctl.cli.view import Page, View
from hsmctl.errors import UsageError
from hsmctl.mark import Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class DataMade:
    """What a key made of data, in a file."""

    key: str
    """As it was named."""
    algorithm: str
    written_to: str
    bytes: int


def kept(key: str, algorithm: str, out: Path, pieces: Iterable[bytes], *, secret: bool) -> DataMade:
    """Write the pieces to a file that appears only when all of them are there.

    Raises:
        Conflict, Denied: as `written`.
    """
    count = 0
    with written(out, secret=secret) as stream:
        for piece in pieces:
            count += stream.write(piece)
    return DataMade(key=key, algorithm=algorithm, written_to=str(out), bytes=count)


def from_hex(option: str, text: str) -> bytes:
    """The bytes that were typed for an option.

    Raises:
        UsageError: it is not hexadecimal.
    """
    try:
        return binascii.unhexlify(text)
    except binascii.Error:
        raise UsageError(f"{option} {text}", "not hexadecimal", f"{option} 0a01") from None


def data_view(schema: str) -> View[DataMade]:
    """How it is shown."""
    return View(schema=schema, document=DataMade, lines=_made_lines, names=lambda made: [made.written_to])


def _made_lines(made: DataMade, _: Page) -> Iterator[str]:
    yield f"{Mark.REPORTED.glyph} {made.written_to}: {made.bytes:,} bytes, {made.algorithm} with {made.key}"
