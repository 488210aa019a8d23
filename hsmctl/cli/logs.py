"""Logging: warnings on standard error, more with -v, never a secret."""

from __future__ import annotations

import logging
import re
from typing import TextIO

from hsmctl.secret import redact

_PEM = r"(?s)-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)"
_NAMED = (
    r"""(?i)((?:password|passwd|passphrase|pin|secret(?:_?access_?key)?|session_?token)["']?\s*[=:]\s*)"""
    r"""("[^"]*"|'[^']*'|[^\s,;)\]}]+)"""
)
"""Compiled when the first record is written, and most runs write none."""


class RedactingFormatter(logging.Formatter):
    """Formats a record whole, traceback included, and redacts the result."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's text without secrets."""
        return redacted(super().format(record))


def redacted(text: str) -> str:
    """The text without the values of secrets we hold, private keys, and what `password=` and the like introduce."""
    return re.sub(_NAMED, r"\1•••", re.sub(_PEM, r"-----BEGIN \1----- •••", redact(text)))


def configure(verbosity: int, stream: TextIO) -> None:
    """Send records to the stream: ours from the wanted level on, those of other libraries only from warnings on."""
    root = logging.getLogger()
    for earlier in [handler for handler in root.handlers if isinstance(handler.formatter, RedactingFormatter)]:
        root.removeHandler(earlier)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RedactingFormatter("%(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("hsmctl").setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)])
