"""How the steps that add and remove HSMs are run: by counting what a zone has, whatever the HSMs are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hsmctl.domain.cluster import Backup, Cluster, Hsm, HsmState
from hsmctl.domain.interlock import newest_ready, there
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Precondition, Step
from hsmctl.errors import Conflict, Unreachable
from hsmctl.ports import Clock, ControlPlane
from hsmctl.services.operation import Runner
from hsmctl.services.wait import Wait, until

_LIMIT = timedelta(hours=1)
_REPLACED_WITHIN = timedelta(minutes=10)
"""How long an HSM that vanished may be missing before its successor shows; AWS documents no figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HsmLife:
    """Runs the steps of `domain.hsm`."""

    clock: Clock
    plane: ControlPlane
    cluster: Callable[[str], Cluster]
    """Reads a cluster anew."""
    counts: Callable[[Cluster], Precondition]
    """Whether its HSMs have held equally many token keys for a while."""
    every: float
    """Seconds between two looks while waiting."""

    def runners(self) -> Mapping[Action, Runner]:
        """The runner of each action this service knows."""
        return {
            Action.CREATE_HSM: Runner(self._create, self._created, self._known),
            Action.WAIT_HSM: Runner(self._wait),
            Action.DELETE_HSM: Runner(self._delete, self._deleted, self._known_backups),
            Action.WAIT_GONE: Runner(self._wait_gone),
            Action.WAIT_COUNTS: Runner(self._wait_counts),
            Action.WAIT_BACKUP: Runner(self._wait_backup),
        }

    def _known(self, step: Step, found: Found) -> Found:
        return {"known_hsms": " ".join(hsm.hsm_id for hsm in self._there(step, found))}

    def _create(self, step: Step, found: Found) -> Wait[Found]:
        there_now = self._there(step, found)
        if len(there_now) >= int(step.inputs["wanted"]):
            yield f"{step.inputs['zone']} has {len(there_now)} HSMs already"
            return {}
        yield "calling CreateHsm"
        hsm = self.plane.create_hsm(found["cluster_id"], step.inputs["zone"], step.inputs.get("address"))
        return {step.inputs["name"]: hsm.hsm_id}

    def _created(self, step: Step, found: Found) -> Found | None:
        """The HSM that CreateHsm made although its answer was lost: the zone has as many as were wanted."""
        there_now = self._there(step, found)
        if len(there_now) < int(step.inputs["wanted"]):
            return None
        known = found.get("known_hsms", "").split()
        made = sorted((hsm for hsm in there_now if hsm.hsm_id not in known), key=_is_older)
        return {step.inputs["name"]: made[0].hsm_id} if made else {}

    def _wait(self, step: Step, found: Found) -> Wait[Found]:
        """Wait until the zone has so many ACTIVE HSMs; one that is replaced meanwhile is waited for like the first."""
        zone, wanted = step.inputs["zone"], int(step.inputs["wanted"])
        hsm_id, missing_since = found.get(step.inputs["name"], ""), list[datetime]()

        def look() -> Cluster:
            cluster = self.cluster(found["cluster_id"])
            if len(there(cluster, zone)) >= wanted:
                missing_since.clear()
            else:
                missing_since.append(self.clock.now())
                self._check_missing(cluster, step, found, missing_since[0])
            return cluster

        cluster = yield from until(
            look,
            lambda cluster: _arrived(cluster, zone, wanted, hsm_id),
            lambda cluster: _moving(cluster, zone),
            clock=self.clock,
            every=self.every,
            limit=_LIMIT,
        )
        addresses = {hsm.hsm_id: hsm.address or "" for hsm in there(cluster, zone)}
        return {f"{step.inputs['name']}_address": addresses[hsm_id]} if hsm_id in addresses else {}

    def _check_missing(self, cluster: Cluster, step: Step, found: Found, since: datetime) -> None:
        """Give a vanished HSM up when no successor has shown for long enough."""
        if self.clock.now() - since > _REPLACED_WITHIN:
            hsm_id = found.get(step.inputs["name"], f"an HSM in {step.inputs['zone']}")
            raise Conflict(
                f"{hsm_id} is gone",
                f"{cluster.cluster_id} no longer has it, and none came in its place",
                f"hsmctl hsm list {cluster.cluster_id}",
            )

    def _delete(self, step: Step, found: Found) -> Wait[Found]:
        there_now = self._there(step, found)
        if len(there_now) <= int(step.inputs["keep"]):
            yield f"{step.inputs['zone']} has {len(there_now)} HSMs already"
            return {}
        hsm = _place(step, there_now)
        if hsm.hsm_id != step.inputs["hsm"]:
            yield f"{step.inputs['hsm']} is {hsm.hsm_id} now"
        yield "calling DeleteHsm"
        known = self._known_backups(step, found)
        self.plane.delete_hsm(found["cluster_id"], hsm.hsm_id)
        return known

    def _known_backups(self, step: Step, found: Found) -> Found:
        """Before the last HSM of all goes: the backups there are, so that the new one is known afterwards."""
        if "last" not in step.inputs:
            return {}
        return {"known_backups": " ".join(each.backup_id for each in self.plane.backups(found["cluster_id"]))}

    def _deleted(self, step: Step, found: Found) -> Found | None:
        """What was noted before, where the zone has as few HSMs as it should."""
        if len(self._there(step, found)) > int(step.inputs["keep"]):
            return None
        return {name: value for name, value in found.items() if name == "known_backups"}

    def _wait_gone(self, step: Step, found: Found) -> Wait[Found]:
        zone = step.inputs["zone"]
        yield from until(
            lambda: self.cluster(found["cluster_id"]),
            lambda cluster: (
                not any(hsm.zone == zone and hsm.state is HsmState.DELETE_IN_PROGRESS for hsm in cluster.hsms)
            ),
            lambda cluster: _moving(cluster, zone),
            clock=self.clock,
            every=self.every,
            limit=_LIMIT,
        )
        return {}

    def _wait_counts(self, _: Step, found: Found) -> Wait[Found]:
        yield from until(
            lambda: self.counts(self.cluster(found["cluster_id"])),
            lambda counts: counts.holds,
            lambda counts: counts.why,
            clock=self.clock,
            every=self.every,
            limit=_LIMIT,
        )
        return {}

    def _wait_backup(self, step: Step, found: Found) -> Wait[Found]:
        """Wait for a READY backup that was not there before the last HSM went.

        Raises:
            Unreachable: none came; which backups there are says the hint.
        """
        cluster_id, known = found["cluster_id"], found.get("known_backups", "").split()

        def new() -> Backup | None:
            return newest_ready([b for b in self.plane.backups(cluster_id) if b.backup_id not in known], cluster_id)

        try:
            backup = yield from until(
                new,
                lambda backup: backup is not None,
                lambda _: "no new READY backup yet",
                clock=self.clock,
                every=self.every,
                limit=_LIMIT,
            )
        except Unreachable as error:
            raise Unreachable(step.says, error.why, f"hsmctl backup list {cluster_id}") from error
        return {"backup_id": backup.backup_id} if backup else {}

    def _there(self, step: Step, found: Found) -> tuple[Hsm, ...]:
        """The HSMs of the step's zone that are there or on their way."""
        return there(self.cluster(found["cluster_id"]), step.inputs["zone"])


def _place(step: Step, there_now: tuple[Hsm, ...]) -> Hsm:
    """The HSM that a step deletes: the named one, or what CloudHSM has put in its place.

    Raises:
        Conflict: its place cannot be told from the others.
    """
    inputs = step.inputs
    for hsm in there_now:
        if hsm.hsm_id == inputs["hsm"]:
            return hsm
    for hsm in there_now:
        if hsm.address and hsm.address == inputs["address"]:
            return hsm
    new = [hsm for hsm in there_now if hsm.hsm_id not in inputs["known"].split()]
    if len(new) == 1:
        return new[0]
    raise Conflict(
        f"{inputs['hsm']} is gone",
        f"{len(new)} new HSMs are in {inputs['zone']}",
        "look, then plan anew: hsmctl hsm list",
    )


def _is_older(hsm: Hsm) -> bool:
    return hsm.state is not HsmState.CREATE_IN_PROGRESS


def _arrived(cluster: Cluster, zone: str, wanted: int, hsm_id: str) -> bool:
    """Whether a zone has so many HSMs and nobody is on the way there; an HSM known by its id must be ACTIVE."""
    hsms = there(cluster, zone)
    awaited = [hsm for hsm in hsms if hsm.state is HsmState.CREATE_IN_PROGRESS or hsm.hsm_id == hsm_id]
    return len(hsms) >= wanted and all(hsm.state is HsmState.ACTIVE for hsm in awaited)


def _moving(cluster: Cluster, zone: str) -> str:
    """What is on its way in a zone, in words."""
    moving = [hsm for hsm in cluster.hsms if hsm.zone == zone and hsm.state is not HsmState.ACTIVE]
    told = (f"{hsm.hsm_id} is {hsm.state}" + (f": {hsm.message}" if hsm.message else "") for hsm in moving)
    return ", ".join(told) or f"{zone} has {len(there(cluster, zone))} HSMs"
