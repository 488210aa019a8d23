"""The users of a cluster: who they are on every HSM a client host reaches, and plans to change them.

CloudHSM never heals users: cloudhsm-cli writes to the HSMs it is connected to, and what misses the change stays so. So
every plan first sees that all are connected, and ends with a look at the user's coverage. Passwords are asked for when
a step runs and are in no plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.plan import Action, Effect, Plan, Step
from hsmctl.domain.quorum import Service
from hsmctl.domain.user import INCONSISTENT, HsmUser, Role, Trouble, check_name, find
from hsmctl.errors import Conflict, UsageError
from hsmctl.ports import Clock, Identity
from hsmctl.services.console import ConsoleService
from hsmctl.services.operation import Playbook
from hsmctl.services.readiness import Asks, Readiness, Way
from hsmctl.services.user_step import UserSteps


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """What one client host says about a cluster's users."""

    cluster_id: str
    host: str
    active: int
    """HSMs that are ACTIVE."""
    connected: int
    """HSMs the host is connected to: what it says is about those."""
    users: tuple[HsmUser, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserService:
    """Users of clusters."""

    clock: Clock
    identity: Identity
    console: ConsoleService
    readiness: Readiness
    steps: UserSteps

    @property
    def playbook(self) -> Playbook:
        """How plans of users are carried out."""
        return Playbook(self.steps.runners(), self.readiness.readers, self.readiness.looking)

    def list(self, cluster: Cluster, host: str | None = None) -> Users:
        """Every user, with how far the answer goes.

        Raises:
            Conflict: no client host has cloudhsm-cli.
            Unreachable: no client host, or no HSM, answered.
        """
        with self.console.open(cluster.cluster_id, host) as console:
            return Users(
                cluster_id=cluster.cluster_id,
                host=console.host,
                active=len(cluster.active_hsms),
                connected=len(console.hsms()),
                users=console.users(),
            )

    def plan_create(self, cluster: Cluster, way: Way, name: str, role: Role) -> Plan:
        """A new user on every HSM.

        Raises:
            UsageError: CloudHSM would not take the name.
            Conflict: there is a user of this name.
        """
        name = check_name(name)
        known = {user.name: user for user in self.list(cluster, way.host or None).users}
        if name in known:
            step = f"hsmctl user repair {name}" if not known[name].sound else "hsmctl user list"
            raise Conflict(f"user {name} exists", f"role {known[name].role}, coverage {known[name].coverage}", step)
        create = self._step(way, Action.CREATE_USER, f"create {name} as {role}", name=name, role=role)
        return self._plan(cluster, way, f"create user {name}", (create, self._check(way, name)), Asks(user=name))

    def plan_delete(self, cluster: Cluster, way: Way, name: str) -> Plan:
        """The user gone from every HSM; keys they own keep them from being deleted.

        Raises:
            Conflict: there is no such user.
        """
        user = self._find(cluster, way, name)
        steps = (*self._deletions(way, user), self._check(way, user.name, gone=True))
        return self._plan(cluster, way, f"delete user {user.name}", steps, Asks(user=user.name, loses=user.name))

    def plan_password(self, cluster: Cluster, way: Way, name: str) -> Plan:
        """Another password, which also unlocks.

        Raises:
            Conflict: there is no such user, or it is not the same one everywhere.
        """
        user = self._find(cluster, way, name)
        return self._plan(
            cluster, way, f"change the password of {user.name}", self._passwords(way, user), _losing(user)
        )

    def plan_unlock(self, cluster: Cluster, way: Way, name: str) -> Plan:
        """A locked user let in again: only a new password does that, which may be the old one.

        Raises:
            Conflict: there is no such user, or it is not locked.
        """
        user = self._find(cluster, way, name)
        if user.locked == "false":
            raise Conflict(f"user {user.name}", "it is not locked", "hsmctl user list")
        return self._plan(cluster, way, f"unlock {user.name}", self._passwords(way, user), _losing(user))

    def plan_enrol(self, cluster: Cluster, way: Way, name: str, key: str) -> Plan:
        """A second factor for a user: a private key, in a file, signs now and at every login.

        Raises:
            Conflict: there is no such user.
        """
        user = self._find(cluster, way, name)
        enrol = self._step(
            *(way, Action.ENROL_MFA, f"enrol {key} as the second factor of {user.name}"),
            name=user.name,
            role=_role(user),
            key=key,
        )
        steps = (enrol, self._check(way, user.name))
        return self._plan(cluster, way, f"enrol a second factor of {user.name}", steps, _losing(user))

    def plan_disenrol(self, cluster: Cluster, way: Way, name: str) -> Plan:
        """No second factor any more; a quorum registration ends with it.

        Raises:
            Conflict: there is no such user, or it has none.
        """
        user = self._find(cluster, way, name)
        if not user.mfa:
            raise Conflict(f"user {user.name}", "it has no second factor", "hsmctl user list")
        steps = (self._removal(way, user), self._check(way, user.name))
        return self._plan(cluster, way, f"remove the second factor of {user.name}", steps, _losing(user))

    def plan_repair(self, cluster: Cluster, way: Way, name: str, role: Role | None = None) -> Plan:
        """What mends a user that is not the same everywhere, in AWS's order (user guide, inconsistent values).

        Raises:
            Conflict: there is no such user, or nothing is wrong with it, or an admin has to be mended first.
            UsageError: HSMs disagree about the role and none was named.
        """
        users = self.list(cluster, way.host or None).users
        user = find(users, name)
        _check_order(users, way.admin)
        if Trouble.ROLE in user.troubles and role is None:
            raise UsageError(f"user {user.name}", "HSMs disagree about its role", "name the right one with --role")
        steps = (*self._repairs(way, user, role), self._check(way, user.name))
        return self._plan(cluster, way, f"repair user {user.name}", steps, _losing(user))

    def plan_replicate(self, cluster: Cluster, way: Way, name: str) -> Plan:
        """A user made on the HSMs that lack it, with its current password; nothing is deleted or changed anywhere.

        Raises:
            Conflict: there is no such user, or every HSM has it, or HSMs disagree about its role, or an admin has to be
                mended first.
        """
        users = self.list(cluster, way.host or None).users
        user = find(users, name)
        if Trouble.COVERAGE not in user.troubles:
            raise Conflict(f"user {user.name}", "every HSM that the host reaches has it", "hsmctl user list")
        _check_order(users, way.admin)
        steps = (self._completion(way, user.name, _role(user)), self._check(way, user.name))
        return self._plan(cluster, way, f"replicate user {user.name}", steps, Asks(user=user.name))

    def _repairs(self, way: Way, user: HsmUser, role: Role | None) -> Sequence[Step]:
        """The steps for what is wrong; the first that sets everything anew makes the others needless."""
        if Trouble.ROLE in user.troubles and role is not None:
            # Only the wrong one goes: the right one may own keys, and whoever owns keys cannot be deleted.
            wrong = Role.ADMIN if role is Role.CRYPTO_USER else Role.CRYPTO_USER
            return (self._deletion(way, user.name, wrong), self._completion(way, user.name, role))
        if Trouble.COVERAGE in user.troubles:
            return (self._completion(way, user.name, _role(user)),)
        if user.mfa == INCONSISTENT:
            return (self._removal(way, user),)
        if {Trouble.LOCKED, Trouble.LOCKED_SOMEWHERE} & set(user.troubles):
            return self._passwords(way, user)[:-1]
        way_out = f"hsmctl {user.troubles[0].repair} {user.name}" if user.troubles else "hsmctl user list"
        raise Conflict(f"user {user.name}", "; ".join(user.troubles) or "nothing is wrong with it", way_out)

    def _passwords(self, way: Way, user: HsmUser) -> tuple[Step, ...]:
        """A new password, without a second factor that would be in its way when the user is locked."""
        change = self._step(
            way, Action.CHANGE_PASSWORD, f"set the password of {user.name}", name=user.name, role=_role(user)
        )
        locked = bool({Trouble.LOCKED, Trouble.LOCKED_SOMEWHERE} & set(user.troubles))
        first = (self._removal(way, user),) if user.mfa and locked else ()
        return (*first, change, self._check(way, user.name))

    def _removal(self, way: Way, user: HsmUser) -> Step:
        says = f"remove the second factor of {user.name}, which sets its password"
        return self._step(way, Action.REMOVE_MFA, says, name=user.name, role=_role(user))

    def _completion(self, way: Way, name: str, role: str) -> Step:
        """The user made where it is missing; with another password it would be two users under one name."""
        says = f"create {name} on the HSMs that lack it, with its current password"
        return self._step(way, Action.CREATE_USER, says, name=name, role=role, current="yes")

    def _deletions(self, way: Way, user: HsmUser) -> Sequence[Step]:
        """Deletion under its role, or under both where HSMs disagree."""
        roles = tuple(map(str, Role)) if user.role == INCONSISTENT else (user.role,)
        return tuple(self._deletion(way, user.name, role) for role in roles)

    def _deletion(self, way: Way, name: str, role: str) -> Step:
        says = f"delete {name} ({role})"
        return self._step(way, Action.DELETE_USER, says, Effect.DESTROY, name=name, role=role)

    def _check(self, way: Way, name: str, *, gone: bool = False) -> Step:
        says = f"see that {name} is gone from every HSM" if gone else f"see that {name} is on every HSM"
        return self._step(way, Action.CHECK_USER, says, Effect.WAIT, name=name, gone="yes" if gone else "")

    def _find(self, cluster: Cluster, way: Way, name: str) -> HsmUser:
        return find(self.list(cluster, way.host or None).users, name)

    def _step(self, way: Way, action: Action, says: str, effect: Effect = Effect.CHANGE, **inputs: str) -> Step:
        return Step(action=action, says=says, effect=effect, inputs={**way.inputs, **inputs})

    def _plan(self, cluster: Cluster, way: Way, title: str, steps: tuple[Step, ...], asks: Asks) -> Plan:
        guarded = Asks(user=asks.user, loses=asks.loses, service=Service.USER)
        return Plan(
            title=title,
            region=cluster.region,
            account=self.identity.caller().account,
            made_at=self.clock.now(),
            cluster_id=cluster.cluster_id,
            steps=steps,
            preconditions=self.readiness.preconditions(way, guarded),
            noun="user",
            warnings=_warnings(asks),
        )


def _losing(user: HsmUser) -> Asks:
    """What a change of password or factor touches: it may end the user's registration as an approver."""
    return Asks(user=user.name, loses=user.name if user.quorum else "")


def _warnings(asks: Asks) -> tuple[str, ...]:
    """What is left to do afterwards."""
    if not asks.loses:
        return ()
    return (f"{asks.loses} is an approver no more afterwards: hsmctl quorum register {asks.loses}",)


def _role(user: HsmUser) -> str:
    """The role of a user whose commands need one.

    Raises:
        Conflict: HSMs disagree about it, or it is the service's own.
    """
    if user.role not in tuple(Role):
        raise Conflict(f"user {user.name}", f"its role is {user.role}", f"hsmctl user repair {user.name} --role ROLE")
    return user.role


def _check_order(users: Sequence[HsmUser], admin: str) -> None:
    """Refuse to mend anybody while the admin that does it needs it too.

    Raises:
        Conflict: the admin is not sound.
    """
    if not find(users, admin).sound:
        others = [each.name for each in users if each.sound and each.role == Role.ADMIN]
        way_out = f"--admin {others[0]}" if others else "restore a backup: no sound admin is left"
        raise Conflict(f"admin {admin}", "it is not sound itself, and an admin is mended first, by another", way_out)
