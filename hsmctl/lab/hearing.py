"""What becomes of what the HSMs' processes say: a line in the log, an audit entry, a change to carry on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from hsmctl.lab.audit import AuditTrail
from hsmctl.lab.folder import NodeFolder
from hsmctl.lab.machines import Place
from hsmctl.lab.process import Event, NodeProcess
from hsmctl.lab.replication import Change, ChangeKind, Delivery, Replicator
from hsmctl.lab.softhsm import object_files

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """Listens to every HSM of one lab."""

    audit: AuditTrail
    replicator: Replicator
    folder: Callable[[str], NodeFolder]
    """The folder of an HSM."""
    siblings: Callable[[str], Sequence[str]]
    """The other HSMs of an HSM's cluster that have tokens."""
    activated: Callable[[Place], None]
    """Told of an HSM whose admin got its first password; returns at once."""

    def heard(self, place: Place, process: NodeProcess, event: Event) -> None:
        """Act on what an HSM says."""
        if event["event"] == "said":
            _log.warning("%s: %s", place.hsm_id, event["text"])
            return
        self.audit.heard(place, event)
        match event["event"]:
            case "activated":
                self.activated(place)
            case "token":
                self._fill_token(place.hsm_id, event["user"])
            case kind if kind in set(ChangeKind):
                self._replicate(place.hsm_id, process, event)

    def _fill_token(self, hsm_id: str, user: str) -> None:
        """Bring what its siblings have of a user to an HSM that had no place for it, as the service does in time."""
        for sibling in self.siblings(hsm_id):
            token = self.folder(sibling).tokens / user
            names = tuple(object_files(token)) if token.exists() else ()
            if names:
                change = Change(hsm_id=sibling, kind=ChangeKind.CREATED, user=user, names=names, anew=True)
                self.replicator.submit(change, lambda _: None)
                return

    def _replicate(self, hsm_id: str, process: NodeProcess, event: Event) -> None:
        change = Change(hsm_id=hsm_id, kind=ChangeKind(event["event"]), user=event["user"], names=tuple(event["names"]))
        self.replicator.submit(change, partial(_acknowledge, process, event["number"]))


def _acknowledge(process: NodeProcess, number: int, delivery: Delivery) -> None:
    process.tell("replicated", number=number, settled=delivery is Delivery.SETTLED)
