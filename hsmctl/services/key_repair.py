"""Attributes and sharing of a cluster's key made equal on every HSM again, through cloudhsm-cli as its crypto user.

Key material is never touched: a key that some HSM lacks, or holds otherwise, is not for here. The first step holds the
cluster, because the HSM that would be removed next may be the one that is right; somebody releases it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.coverage import MENDABLE, ReportedKey
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Effect, Plan, Step
from hsmctl.domain.user import FULL, Role, check_name
from hsmctl.errors import Conflict, Denied, Partial, UsageError
from hsmctl.ports import Clock, Identity, Login
from hsmctl.ports_cli import ConsoleSession
from hsmctl.ports_hold import Hold
from hsmctl.services.console import ConsoleService
from hsmctl.services.hold import HoldService
from hsmctl.services.operation import Playbook, Runner
from hsmctl.services.readiness import Asks, Readiness, Way
from hsmctl.services.wait import Wait

T = TypeVar("T")
_REPORTED = "HSMs disagree about a key"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRepair:
    """Plans of repairs of keys on clusters, and how they are run."""

    clock: Clock
    identity: Identity
    console: ConsoleService
    readiness: Readiness
    hold: HoldService
    login: Callable[[], Login | None]
    """The crypto user that owns the keys, None where the context has none."""

    @property
    def playbook(self) -> Playbook:
        """How these plans are carried out; each step may be said again."""
        runners = {
            Action.HOLD: Runner(self._hold, self._held),
            Action.SET_ATTRIBUTE: Runner(self._set, lambda _, __: None),
            Action.SHARE_KEY: Runner(self._share, lambda _, __: None),
            Action.CHECK_KEY: Runner(self._check),
        }
        return Playbook(runners, self.readiness.readers, self.readiness.looking)

    def plan_attribute(self, cluster: Cluster, way: Way, key: str, name: str, value: str) -> Plan:
        """One attribute set to the value that is right, on every HSM.

        Raises:
            UsageError: it is none that is mended, or the value is one that some HSM cannot take any more.
            Conflict: there is no such key, HSMs agree about it, or it is not on every HSM, or asks for approvals.
        """
        if value not in MENDABLE.get(name, ()):
            able = "; ".join(f"{each}={'|'.join(values)}" for each, values in MENDABLE.items())
            raise UsageError(f"{name}={value}", "that is not mended", able)
        found = self._found(cluster, way, key)
        if name not in found.differing:
            has = found.attributes.get(name, "no value")
            raise Conflict(f"{name} of {_named(found)}", f"the HSMs agree: {str(has).lower()}", "hsmctl key set")
        says = f"set {name} of {_named(found)} to {value} on every HSM"
        step = self._step(way, Action.SET_ATTRIBUTE, says, reference=found.reference, name=name, value=value)
        return self._plan(cluster, way, found, step)

    def plan_sharing(self, cluster: Cluster, way: Way, key: str, user: str, *, shared: bool) -> Plan:
        """A key shared with a user on every HSM, or on none.

        Raises:
            Conflict: as for `plan_attribute`.
        """
        user, found = check_name(user), self._found(cluster, way, key)
        if found.shared.get(user, FULL) == FULL:
            says = "with them" if user in found.shared else "not with them"
            raise Conflict(f"sharing {_named(found)} with {user}", f"the HSMs agree: it is shared {says}", "sync check")
        what = "share" if shared else "stop sharing"
        says = f"{what} {_named(found)} with {user} on every HSM"
        kept = "yes" if shared else ""
        step = self._step(way, Action.SHARE_KEY, says, reference=found.reference, user=user, shared=kept)
        return self._plan(cluster, way, found, step)

    def _found(self, cluster: Cluster, way: Way, key: str) -> ReportedKey:
        """The one key of a label or a reference, if it may be mended.

        Raises:
            Conflict: there is none, or several, or it is not on every HSM, or a change of it needs approvals.
        """
        only = {"key-reference": key} if key.startswith("0x") else {"label": key}
        keys = self._as_user(way.inputs, lambda session: session.keys(only)[0])
        if len(keys) != 1:
            known = ", ".join(each.reference for each in keys) or "none"
            raise Conflict(f"key {key}", f"as {self._user()} there are {known}", "name one by its reference, 0x…")
        (found,) = keys
        if found.coverage != FULL:
            why = f"its coverage is {found.coverage}: material is not mended from here"
            raise Conflict(_named(found), why, f"wait for the service, then hsmctl sync check {cluster.cluster_id}")
        if found.manage_quorum != 0:
            needs = "an unknown number of" if found.manage_quorum is None else str(found.manage_quorum)
            raise Conflict(_named(found), f"a change of it needs {needs} approvals", "cloudhsm-cli, by hand")
        return found

    def _hold(self, step: Step, _: Found) -> Wait[Found]:
        yield "nothing is removed there until it is released"
        self.hold.put(step.inputs["cluster_id"], _REPORTED)
        return {"hold": _REPORTED}

    def _held(self, step: Step, _: Found) -> Found | None:
        return {"hold": _REPORTED} if self._holding(step.inputs["cluster_id"]) else None

    def _holding(self, cluster_id: str) -> Hold | None:
        return next((each for each in self.hold.all() if each.cluster_id == cluster_id), None)

    def _set(self, step: Step, _: Found) -> Wait[Found]:
        inputs = step.inputs
        yield f"logging in as {self._user()}"
        self._as_user(
            inputs, lambda session: session.set_attribute(inputs["reference"], inputs["name"], inputs["value"])
        )
        return {}

    def _share(self, step: Step, _: Found) -> Wait[Found]:
        inputs = step.inputs
        yield f"logging in as {self._user()}"

        def act(session: ConsoleSession) -> None:
            change = session.share_key if inputs["shared"] else session.unshare_key
            change(inputs["reference"], inputs["user"])

        self._as_user(inputs, act)
        return {}

    def _check(self, step: Step, _: Found) -> Wait[Found]:
        """Whether the HSMs agree about the key now.

        Raises:
            Partial: they do not.
        """
        yield "looking at what the HSMs say of it"
        only = {"key-reference": step.inputs["reference"]}
        for key in self._as_user(step.inputs, lambda session: session.keys(only)[0]):
            wrong = [*key.differing, *(user for user, coverage in key.shared.items() if coverage != FULL)]
            if wrong:
                raise Partial(_named(key), f"HSMs still disagree: {', '.join(wrong)}", "hsmctl sync check --via login")
        cluster_id = step.inputs["cluster_id"]
        return {"key": step.inputs["reference"], "release": f"hsmctl sync hold release {cluster_id} --reason …"}

    def _as_user(self, inputs: Mapping[str, str], act: Callable[[ConsoleSession], T]) -> T:
        """What the crypto user's session comes to.

        Raises:
            Denied: the context names no crypto user, or the login is refused.
        """
        login = self.login()
        if login is None:
            raise Denied("keys of a cluster", "the context names no crypto user", "set user and password in it")
        with (
            self.console.open(inputs["cluster_id"], inputs["host"] or None) as console,
            console.login(login, Role.CRYPTO_USER) as session,
        ):
            return act(session)

    def _user(self) -> str:
        login = self.login()
        return login.user if login else "nobody"

    def _step(self, way: Way, action: Action, says: str, effect: Effect = Effect.CHANGE, **inputs: str) -> Step:
        return Step(
            action=action, says=says, effect=effect, inputs={"cluster_id": way.cluster_id, "host": way.host, **inputs}
        )

    def _plan(self, cluster: Cluster, way: Way, key: ReportedKey, repair: Step) -> Plan:
        hold = self._step(way, Action.HOLD, f"hold {cluster.cluster_id}: nothing is removed there")
        check = self._step(
            way, Action.CHECK_KEY, "see that the HSMs agree about it", Effect.WAIT, reference=key.reference
        )
        first = () if self._holding(cluster.cluster_id) else (hold,)
        return Plan(
            title=f"mend {_named(key)}",
            region=cluster.region,
            account=self.identity.caller().account,
            made_at=self.clock.now(),
            cluster_id=cluster.cluster_id,
            steps=(*first, repair, check),
            preconditions=self.readiness.preconditions(way, Asks()),
            noun="sync",
        )


def _named(key: ReportedKey) -> str:
    return f"{key.label or 'a key without a label'} ({key.reference})"
