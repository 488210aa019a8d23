"""Ceremonies as folders: `ceremony/CLUSTER/ceremony.json`, PEM documents and `transcript.txt`, for their owner alone.

Format 1 of ceremony.json has `"v": 1` and the fields of `domain.ceremony.Ceremony`; times in RFC 3339. Private keys
are never here.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from hsmctl.domain.ceremony import Ceremony
from hsmctl.errors import Conflict
from hsmctl.ports import Clock
from hsmctl.private import private_folder, write_private

VERSION = 1


class FileCeremonies:
    """ports_ceremony.Ceremonies in a folder."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def load(self, cluster_id: str) -> Ceremony:
        """What is remembered; an empty one where nothing is.

        Raises:
            Conflict: a newer hsmctl wrote it, or it cannot be read.
        """
        path = self._path(cluster_id, "ceremony.json")
        if not path.exists():
            return Ceremony(cluster_id=cluster_id)
        try:
            kept = json.loads(path.read_bytes())
            version = kept.pop("v")
            if version > VERSION:
                raise Conflict(
                    str(path), f"its format is {version}, this hsmctl knows up to {VERSION}", "update hsmctl"
                )
            at = kept["submitted_at"]
            kept["submitted_at"] = None if at is None else datetime.fromisoformat(at)
            return Ceremony(**{**kept, "statements": tuple(kept["statements"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Conflict(f"{path} cannot be read", str(error), "look at the file") from error

    def save(self, ceremony: Ceremony) -> None:
        """Remember this, durably."""
        at = ceremony.submitted_at
        kept = {"v": VERSION, **asdict(ceremony), "submitted_at": None if at is None else at.isoformat()}
        write_private(self._path(ceremony.cluster_id, "ceremony.json"), json.dumps(kept, indent=2).encode() + b"\n")

    def keep(self, cluster_id: str, documents: Mapping[str, str]) -> None:
        """Write documents, by name, each whole."""
        for name, text in documents.items():
            write_private(self._path(cluster_id, name), text.encode())

    def document(self, cluster_id: str, name: str) -> str | None:
        """A document, or None where there is none."""
        path = self._path(cluster_id, name)
        return path.read_text() if path.exists() else None

    def note(self, cluster_id: str, line: str) -> None:
        """Add a line to the transcript, with the time and who writes it."""
        path = self._path(cluster_id, "transcript.txt")
        private_folder(path.parent)
        who = os.environ.get("SUDO_USER") or getpass.getuser()
        text = f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ} {who} {line}\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def transcript(self, cluster_id: str) -> tuple[str, ...]:
        """The transcript's lines."""
        return tuple((self.document(cluster_id, "transcript.txt") or "").splitlines())

    def _path(self, cluster_id: str, name: str) -> Path:
        return self._folder / cluster_id / name
