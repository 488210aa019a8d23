"""Clones for outside programs: a web server's or a tool's own copy of one user's keys, kept in step by replication.

A folder of SoftHSM has one owner, so a program outside the lab never opens an HSM's. Knows which clones there are and
where; what reaches them travels like to a sibling. Nothing comes back: an object such a program makes stays its own.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from hsmctl.errors import Conflict, UsageError
from hsmctl.lab.folder import LabFolder, NodeFolder, write_private
from hsmctl.lab.softhsm import module_path

_PREFIX = "clone:"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideClone:
    """One clone."""

    name: str
    """Also the label of its token."""
    cluster_id: str
    user: str
    path: str

    @property
    def replica(self) -> str:
        """What replication calls it."""
        return _PREFIX + self.name

    @property
    def folder(self) -> NodeFolder:
        """Its folder, laid out like an HSM's."""
        return NodeFolder(Path(self.path))

    def described(self) -> Mapping[str, object]:
        """Where everything is that a program needs."""
        folder = self.folder
        return {
            "name": self.name,
            "folder": self.path,
            "env": {
                "SOFTHSM2_CONF": str(folder.configuration),
                "PKCS11_MODULE": str(module_path()),
                "PKCS11_TOKEN": self.name,
                "PKCS11_PIN_FILE": str(folder.pin),
            },
        }


class OutsideClones:
    """Every clone of a lab, in a file."""

    def __init__(self, lab: LabFolder) -> None:
        self._default = lab.clones
        self._path = lab.clones / "clones.json"
        kept = json.loads(self._path.read_text()) if self._path.exists() else []
        self._clones = {clone["name"]: OutsideClone(**clone) for clone in kept}

    def get(self, name: str) -> OutsideClone | None:
        """The clone of this name, if there is one and its folder is still there."""
        clone = self._clones.get(name)
        return clone if clone and clone.folder.tokens.exists() else None

    def folder(self, replica: str) -> NodeFolder | None:
        """The folder of what replication calls so, if it is a clone."""
        clone = self._clones.get(replica.removeprefix(_PREFIX)) if replica.startswith(_PREFIX) else None
        return clone.folder if clone else None

    def of(self, cluster_id: str) -> list[str]:
        """The clones of a cluster, as replication calls them; those whose folder is gone need nothing more."""
        clones = list(self._clones.values())
        return [each.replica for each in clones if each.cluster_id == cluster_id and each.folder.tokens.exists()]

    def place(self, name: str, out: str | None) -> NodeFolder:
        """An empty folder for a new clone.

        Raises:
            UsageError: the name cannot be a token's label.
            Conflict: something is there already.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", name):
            why = "1 to 32 letters, digits, dots, dashes and underscores are allowed"
            raise UsageError(f"clone name {name!r} refused", why, "choose another name")
        path = Path(out) if out else self._default / name
        if path.exists() and any(path.iterdir()):
            raise Conflict(f"{path} is not empty", "a clone has a folder of its own", "choose another with --out")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return NodeFolder(path)

    def add(self, clone: OutsideClone) -> None:
        """Keep one more clone."""
        self._clones[clone.name] = clone
        write_private(self._path, json.dumps([asdict(each) for each in self._clones.values()], indent=1).encode())

    def remove_all(self) -> None:
        """Remove what the lab put into the folders of its clones, and those folders that are empty then."""
        for folder in (clone.folder for clone in self._clones.values() if clone.folder.path.exists()):
            shutil.rmtree(folder.tokens, ignore_errors=True)
            for path in (folder.configuration, folder.pin):
                path.unlink(missing_ok=True)
            if not any(folder.path.iterdir()):
                folder.path.rmdir()
