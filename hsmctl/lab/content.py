"""What HSMs hold, copied from one to another and into backups: tokens, users, the claimed certificate.

Asks the HSM itself where it runs, reads its folder where it does not. Refuses to know why something is copied.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from hsmctl.errors import Unreachable
from hsmctl.lab import provision
from hsmctl.lab.folder import LabFolder, NodeFolder, copy_administration, write_private
from hsmctl.lab.process import NodeProcess
from hsmctl.lab.record import NodeRecord

_ANSWER_SECONDS = 10.0
_BACKUP_SECONDS = 3.0
"""Shorter, because somebody waits for the emulated service meanwhile."""

_log = logging.getLogger(__name__)

Running = Callable[[str], NodeProcess | None]
"""The process of an HSM, if it runs."""
Mend = Callable[[str, Path], None]
"""Gives a copy of an HSM's tokens the objects as they are without faults."""


class Contents:
    """Copies of what the HSMs of one lab hold."""

    def __init__(self, lab: LabFolder, running: Running, mend: Mend) -> None:
        self._lab = lab
        self._running = running
        self._mend = mend

    def back_up(self, hsm_id: str, backup_id: str) -> bool:
        """Keep what the HSM holds under the backup's id; whether it could be read."""
        unfinished = NodeFolder(self._lab.backups / f".{backup_id}")
        shutil.rmtree(unfinished.path, ignore_errors=True)
        try:
            self.copy(hsm_id, unfinished, _BACKUP_SECONDS)
        except (Unreachable, OSError) as error:
            _log.warning("%s not backed up: %s", hsm_id, error)
            return False
        NodeRecord.read(self._lab.node(hsm_id)).write(unfinished)
        unfinished.path.replace(self._lab.backups / backup_id)
        return True

    def clone(self, folder: NodeFolder, record: NodeRecord, origin: str) -> None:
        """Fill an HSM's folder with what another HSM, or a backup, holds.

        Raises:
            Unreachable: the other HSM runs and does not answer.
            OSError: it cannot be copied.
        """
        snapshot = NodeFolder(folder.path / "snapshot")
        shutil.rmtree(snapshot.path, ignore_errors=True)
        self.copy(origin, snapshot)
        if snapshot.certificate.exists():
            write_private(folder.certificate, snapshot.certificate.read_bytes())
        provision.build_clone(folder, record, snapshot)

    def copy(self, origin: str, destination: NodeFolder, seconds: float = _ANSWER_SECONDS) -> None:
        """Copy tokens, users and certificate as they are without faults; a running HSM has these seconds for it.

        Raises:
            Unreachable: the HSM runs and does not answer.
            OSError: it cannot be copied.
        """
        source = self._lab.node(origin)
        if process := self._running(origin):
            process.call("snapshot", seconds, destination=str(destination.path))
        else:
            shutil.copytree(source.tokens, destination.tokens)
            copy_administration(source, destination)
        self._mend(origin, destination.tokens)
        if source.certificate.exists():
            write_private(destination.certificate, source.certificate.read_bytes())
