"""Copies of an HSM for outside programs: filled once, between two changes, and from then on a target of replication."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from hsmctl.errors import Conflict
from hsmctl.lab import provision
from hsmctl.lab.content import Contents
from hsmctl.lab.folder import NodeFolder
from hsmctl.lab.machine import Machine
from hsmctl.lab.outside import OutsideClone, OutsideClones
from hsmctl.lab.record import NodeRecord
from hsmctl.lab.replication import Replicator


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloner:
    """Makes clones for outside programs."""

    contents: Contents
    replicator: Replicator
    clones: OutsideClones
    machines: Callable[[], Sequence[Machine]]
    """Every HSM there is."""

    def clone_for(self, name: str, out: str | None, user: str, pin: str) -> OutsideClone:
        """A clone of a user's keys, made if there is none of this name.

        Raises:
            UsageError: the name cannot be a clone's.
            Conflict: there is nothing to clone, or something where the clone should be.
        """
        if known := self.clones.get(name):
            return known
        return self.replicator.in_order(partial(self._make, name, out, user, pin)).result()

    def _make(self, name: str, out: str | None, user: str, pin: str) -> OutsideClone:
        origin = self._owner_of(user)
        folder = self.clones.place(name, out)
        snapshot = NodeFolder(folder.path / "snapshot")
        self.contents.copy(origin.place.hsm_id, snapshot)
        token_key = NodeRecord.read(origin.folder).token_key
        provision.build_for_outside(folder, name, token_key, snapshot.tokens / user, pin)
        shutil.rmtree(snapshot.path)
        clone = OutsideClone(name=name, cluster_id=origin.place.cluster_id, user=user, path=str(folder.path))
        self.clones.add(clone)
        self.replicator.inherit(origin.place.hsm_id, clone.replica)
        return clone

    def _owner_of(self, user: str) -> Machine:
        """The first HSM that has keys of a user."""
        for machine in self.machines():
            if machine.folder.tokens.exists() and user in NodeRecord.read(machine.folder).tokens:
                return machine
        raise Conflict("nothing to clone", f"no HSM has a user {user}", "hsmctl lab up")
