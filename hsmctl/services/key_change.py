"""Keys deleted, disabled, enabled and changed: plans over exactly the objects that were shown, and how they are run.

Every object is found again, by class, id, label and material, when its step begins: what is not the one that was shown
is not touched. PKCS#11 changes no attribute of a cluster's keys, and the plan says what does it instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from hsmctl.domain.evidence import Failed, Grade, Ok, Outcome
from hsmctl.domain.hold import Hold
from hsmctl.domain.interlock import Interlock, no_hold
from hsmctl.domain.key import Key, ObjectClass, text
from hsmctl.domain.key_change import (
    QUARANTINE,
    Where,
    called_after,
    change_step,
    delete_step,
    disabled,
    meant,
    named,
    renamed,
    sole_unwrapper,
    wanted_of,
)
from hsmctl.domain.key_purpose import USES
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Plan, Precondition, Step
from hsmctl.domain.sync import Replica
from hsmctl.domain.uri import uri_of
from hsmctl.errors import Conflict
from hsmctl.ports import Clock, Journal, Token
from hsmctl.ports_hold import Holds
from hsmctl.services.key_attribute import KeyAttributes
from hsmctl.services.key_door import KeyDoor, lasting
from hsmctl.services.operation import Reader, Runner
from hsmctl.services.wait import Wait

T = TypeVar("T")
_SECONDS = 60.0
"""How long a step may take."""
Choose = Callable[[Sequence[Key]], Sequence[Key]]
"""Which of a token's objects are meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where a change is made, and in whose name it is planned."""

    replicas: tuple[Replica, ...]
    cluster_id: str | None
    account: str
    region: str
    way_back: str
    """What a deletion says about backups."""


class _Chosen(NamedTuple):
    """What a token showed when a change was planned."""

    replica: Replica
    """The one that answered."""
    at: Where
    keys: tuple[Key, ...]
    """Everything on it."""
    chosen: tuple[Key, ...]
    """What is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """Plans changes to keys and runs them."""

    clock: Clock
    door: KeyDoor
    journal: Journal
    attributes: KeyAttributes
    holds: Callable[[], Holds]
    place: Callable[[str, str | None], Replica]
    """The replica of this name, in this cluster if there is one."""

    def plan_delete(self, scope: Scope, choose: Choose, *, now: str, seconds: float) -> Plan:
        """Destroy objects; `now` is why one that was not disabled for a week is deleted all the same.

        Raises:
            Conflict: none is meant, or one is the only key that unwraps.
        """
        replica, at, keys, chosen = self._chosen(scope, choose, seconds)
        for key in chosen:
            if sole_unwrapper(key, [each for each in keys if each not in chosen or each is key]):
                raise Conflict(
                    f"{key.identity} is not deleted",
                    "it is the only key here that unwraps: whatever it wrapped would be lost",
                    "wrap those keys anew under another key first",
                )
        steps = tuple(delete_step(key, replica.name) for key in chosen)
        held = (self._held(scope.cluster_id),) if scope.cluster_id else ()
        must = (*held, *(self._rested(key, at, now) for key in chosen))
        return self.planned(f"delete {_counted(chosen)}", scope, replica, steps, must, (scope.way_back,))

    def plan_disable(self, scope: Scope, choose: Choose, *, seconds: float) -> Plan:
        """Take all uses from keys, so that who needs them cries out; what they were is kept.

        Raises:
            Conflict: none is meant, or none has a use left.
        """
        replica, at, _, chosen = self._chosen(scope, choose, seconds)
        usable = [key for key in chosen if key.attributes & {*USES}]
        if not usable:
            raise Conflict(f"{_counted(chosen)} not disabled", "nothing is left to take", "hsmctl key show")
        steps = tuple(
            change_step(
                key,
                at,
                dict.fromkeys((use for use in USES if use in key.attributes), False),
                f"disable {key.identity.object_class} {uri_of(key.identity)}",
                "disable",
            )
            for key in usable
        )
        return self._changed(f"disable {_counted(usable)}", scope, replica, steps)

    def plan_enable(self, scope: Scope, choose: Choose, *, seconds: float) -> Plan:
        """Give disabled keys back the uses they had.

        Raises:
            Conflict: none is meant, or the journal of this machine does not know what one could do.
        """
        replica, at, _, chosen = self._chosen(scope, choose, seconds)
        steps = []
        for key in chosen:
            known = disabled(self.journal.records(), key, at.place)
            if known is None:
                why = "the journal of this machine does not know that it was disabled"
                raise Conflict(f"{key.identity} not enabled", why, "hsmctl key set KEY sign=true")
            says = f"enable {key.identity.object_class} {uri_of(key.identity)}: {', '.join(known.uses)}"
            steps.append(change_step(key, at, dict.fromkeys(known.uses, True), says, "enable"))
        return self._changed(f"enable {_counted(chosen)}", scope, replica, tuple(steps))

    def plan_set(self, scope: Scope, choose: Choose, wanted: Mapping[str, bool | bytes], *, seconds: float) -> Plan:
        """Give one object other attributes, or another label.

        Raises:
            Conflict: none is meant, or several.
        """
        replica, at, _, chosen = self._chosen(scope, choose, seconds)
        told = ", ".join(
            f"{name} {text(value) if isinstance(value, bytes) else str(value).lower()}"
            for name, value in wanted.items()
        )
        steps = tuple(change_step(key, at, wanted, f"set {told} of {uri_of(key.identity)}") for key in chosen)
        return self._changed(f"change {_counted(chosen)}", scope, replica, steps)

    @property
    def runners(self) -> Mapping[Action, Runner]:
        """How the steps of these plans are run."""
        return {
            Action.DELETE_KEY: Runner(run=self._delete, look=self._look_deleted),
            Action.CHANGE_KEY: Runner(run=self._change, look=self._look_changed),
        }

    @property
    def readers(self) -> Mapping[str, Reader]:
        """How it is looked again whether a deletion may begin."""
        return {Interlock.HOLD: lambda before, _: self._held(before.inputs["cluster_id"])}

    def _chosen(self, scope: Scope, choose: Choose, seconds: float) -> _Chosen:
        """What is meant, of what the first replica that answers shows."""

        def look(replica: Replica, token: Token) -> _Chosen:
            keys = token.inventory().keys
            at = Where(name=replica.name, place=lasting(replica, token))
            return _Chosen(replica, at, keys, tuple(choose(keys)))

        found = self.door.look(scope.replicas, seconds, look)
        if not found.chosen:
            raise Conflict("no key", f"none on {found.replica.name} is like that", "hsmctl key list")
        return found

    def _held(self, cluster_id: str) -> Precondition:
        """Whether a hold forbids to take anything from the cluster."""
        hold: Outcome[Hold | None]
        try:
            hold = Ok(self.holds().of(cluster_id))
        except Conflict as error:
            hold = Failed(error)
        return replace(no_hold(cluster_id, hold), inputs={"cluster_id": cluster_id})

    def _rested(self, key: Key, at: Where, now: str) -> Precondition:
        """Whether nobody can have used the key for a week."""
        what = f"{uri_of(key.identity)} disabled for {QUARANTINE.days} days"
        if key.identity.object_class not in (ObjectClass.PRIVATE, ObjectClass.SECRET):
            return Precondition(what=f"{uri_of(key.identity)} holds nothing secret", holds=True)
        known = disabled(self.journal.records(), key, at.place)
        if known and not key.attributes & {*USES} and self.clock.now() - known.at >= QUARANTINE:
            return Precondition(what=what, holds=True, why=f"since {known.at:%Y-%m-%d %H:%M} UTC")
        why = (
            f"since {known.at:%Y-%m-%d %H:%M} UTC only" if known else "it is not disabled, as far as this machine knows"
        )
        way_out = "hsmctl key disable KEY, or --now REASON"
        return Precondition(
            what=what, holds=False, grade=Grade.REPORTED, why=why, way_out=way_out, waiver="--now", waived=now
        )

    def _changed(self, title: str, scope: Scope, replica: Replica, steps: tuple[Step, ...]) -> Plan:
        """A plan that changes attributes: over PKCS#11, or a cluster's through cloudhsm-cli."""
        if replica.realm:
            steps, must = self.attributes.through(replica, steps)
            return self.planned(title, scope, replica, steps, must)
        what = f"{replica.name} changes attributes over PKCS#11"
        offered = Precondition(what=what, holds=True, grade=Grade.INFERRED, why="it is no CloudHSM")
        return self.planned(title, scope, replica, steps, (offered,))

    def planned(
        self,
        title: str,
        scope: Scope,
        replica: Replica,
        steps: tuple[Step, ...],
        preconditions: tuple[Precondition, ...] = (),
        warnings: tuple[str, ...] = (),
    ) -> Plan:
        """A plan of keys: of a cluster, or of the token that answered."""
        return Plan(
            title=title,
            region=scope.region,
            account=scope.account,
            made_at=self.clock.now(),
            cluster_id=scope.cluster_id,
            steps=steps,
            preconditions=preconditions,
            noun="key",
            subject="" if scope.cluster_id else replica.name,
            warnings=tuple(warning for warning in warnings if warning),
        )

    def _delete(self, step: Step, found: Found) -> Wait[Found]:
        key = meant(step.inputs)
        yield f"destroying {uri_of(key.identity)}"
        self._on(step, found, lambda token: token.objects.destroy(key))
        self.journal.append("key-deleted", {**named(key), "on": step.inputs["on"]})
        return {}

    def _look_deleted(self, step: Step, found: Found) -> Found | None:
        return None if self._same(step, found, meant(step.inputs)) else {}

    def _change(self, step: Step, found: Found) -> Wait[Found]:
        key, wanted = meant(step.inputs), wanted_of(step.inputs)
        yield f"setting {', '.join(wanted)}"
        why = step.inputs["why"]
        # A plan of an earlier version does not say which token it is for good.
        there = {"place": step.inputs["place"]} if "place" in step.inputs else {}
        if why:
            at = self.clock.now().isoformat()
            self.journal.append(f"key-{why}d", {**named(key), **there, "at": at, "uses": step.inputs["uses"]})
        if called_after(key.identity, wanted) != key.identity:
            self.journal.append("key-renamed", {**renamed(key, wanted), **there})
        if "reference" in step.inputs:
            replica = self.place(step.inputs["on"], found.get("cluster_id"))
            self.attributes.set(replica, step.inputs["reference"], key.identity, wanted)
        else:
            self._on(step, found, lambda token: token.objects.change(key, wanted))
        return {}

    def _look_changed(self, step: Step, found: Found) -> Found | None:
        wanted, key = wanted_of(step.inputs), meant(step.inputs)
        identity = called_after(key.identity, wanted)
        same = self._same(step, found, Key(identity=identity, key_type="", material=key.material))
        flags = {name: value for name, value in wanted.items() if isinstance(value, bool)}
        done = same and all((name in same.attributes) is value for name, value in flags.items())
        return {} if done else None

    def _same(self, step: Step, found: Found, key: Key) -> Key | None:
        """The object as the token lists it now, if it is there."""
        identity = key.identity
        template = {"label": identity.label, "id": identity.key_id}

        def look(token: Token) -> Key | None:
            listed = token.objects.find(template)
            return next((each for each in listed if (each.identity, each.material) == (identity, key.material)), None)

        return self._on(step, found, look)

    def _on(self, step: Step, found: Found, work: Callable[[Token], T]) -> T:
        replica = self.place(step.inputs["on"], found.get("cluster_id"))
        return self.door.change([replica], _SECONDS, lambda _, token: work(token))


def _counted(keys: Sequence[Key]) -> str:
    return str(keys[0].identity) if len(keys) == 1 else f"{len(keys)} keys"
