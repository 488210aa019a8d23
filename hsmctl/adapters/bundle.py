"""The port Bundles: requests for approval as files that are passed around, signed in place or as copies beside them."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from hsmctl.domain.quorum import Bundle, bundle_text, parse_bundle
from hsmctl.errors import Conflict, UsageError

_LARGEST = 1024 * 1024
_MODE = 0o644
"""A bundle is no secret: it holds a digest and signatures, and other people have to read it."""


class FileBundles:
    """ports_cli.Bundles."""

    def write(self, path: str, bundle: Bundle) -> None:
        """Put the bundle there, whole or not at all."""
        place = Path(path)
        try:
            descriptor, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
            with os.fdopen(descriptor, "w") as stream:
                stream.write(bundle_text(bundle) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).chmod(_MODE)
            Path(temporary).replace(place)
        except OSError as error:
            raise UsageError(
                path, error.strerror or str(error), "name a file in a folder that you may write to"
            ) from error

    def read(self, path: str) -> Bundle:
        """The bundle of a file."""
        try:
            with Path(path).open("rb") as stream:
                return parse_bundle(stream.read(_LARGEST).decode(errors="replace"))
        except OSError as error:
            raise UsageError(path, error.strerror or str(error), "name the file that --bundle wrote") from error

    def collect(self, path: str) -> Bundle:
        """The bundle with the signatures of its copies; a copy that cannot be read brings none."""
        place, found = Path(path), self.read(path)
        for copy in sorted(place.parent.glob(f"{place.name}?*")):
            with suppress(UsageError, Conflict):
                found = found.merged(self.read(str(copy)))
        return found
