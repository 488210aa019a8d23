"""Holds as files: `holds/CLUSTER.json` in the state folder, one each, written whole.

Format 1: {"v": 1, "cluster_id", "reason", "set_at" (RFC 3339), "set_by"}. A file that cannot be read counts as a hold.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from hsmctl.errors import Conflict
from hsmctl.ports_hold import Hold
from hsmctl.private import write_private

VERSION = 1


class FileHolds:
    """ports_hold.Holds in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> tuple[Hold, ...]:
        """Every hold, by cluster.

        Raises:
            Conflict: a hold cannot be read, which is no permission.
        """
        return tuple(_read(path) for path in sorted(self._folder.glob("*.json")))

    def of(self, cluster_id: str) -> Hold | None:
        """The hold on this cluster, if there is one.

        Raises:
            Conflict: it cannot be read, which is no permission.
        """
        path = self._path(cluster_id)
        return _read(path) if path.exists() else None

    def put(self, hold: Hold) -> None:
        """Set the hold, in the place of an earlier one."""
        kept = {
            "v": VERSION,
            "cluster_id": hold.cluster_id,
            "reason": hold.reason,
            "set_at": hold.set_at.isoformat(),
            "set_by": hold.set_by,
        }
        write_private(self._path(hold.cluster_id), json.dumps(kept).encode() + b"\n")

    def release(self, cluster_id: str) -> None:
        """Take the hold away; harmless where there is none."""
        self._path(cluster_id).unlink(missing_ok=True)

    def _path(self, cluster_id: str) -> Path:
        return self._folder / f"{cluster_id}.json"


def _read(path: Path) -> Hold:
    try:
        kept = json.loads(path.read_bytes())
        if kept["v"] > VERSION:
            raise Conflict(str(path), f"its format is {kept['v']}, this hsmctl knows up to {VERSION}", "update hsmctl")
        return Hold(
            cluster_id=kept["cluster_id"],
            reason=kept["reason"],
            set_at=datetime.fromisoformat(kept["set_at"]),
            set_by=kept["set_by"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Conflict(f"the hold in {path} cannot be read", str(error), "look at the file") from error
