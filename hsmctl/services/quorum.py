"""Quorum: who must approve what, who can, what is open; plans to register approvers and to set values.

M + 1 approvers have to be left after every change, M being the largest value of any service, and only those count
whose registration every connected HSM has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Plan, Step
from hsmctl.domain.quorum import QuorumToken, Service, Values, check_value
from hsmctl.domain.user import HsmUser, Role, find
from hsmctl.ports import Clock, Identity
from hsmctl.ports_cli import Approval, ConsoleSession, SigningKeys
from hsmctl.secret import Secret
from hsmctl.services.admin import Admins
from hsmctl.services.console import ConsoleService
from hsmctl.services.operation import Playbook, Runner
from hsmctl.services.readiness import Asks, Readiness, Way
from hsmctl.services.wait import Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumState:
    """What one client host says about a cluster's quorum."""

    cluster_id: str
    host: str
    active: int
    connected: int
    values: Values
    tokens: Sequence[QuorumToken]
    admins: tuple[HsmUser, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumService:
    """Approvals of clusters."""

    clock: Clock
    identity: Identity
    console: ConsoleService
    readiness: Readiness
    admins: Admins
    keys: SigningKeys
    ask: Callable[[str], Secret]

    @property
    def playbook(self) -> Playbook:
        """How plans of quorum are carried out."""
        # That somebody is registered does not say with which key, and neither is harmed by being done again.
        runners = {
            Action.REGISTER_APPROVER: Runner(self._register, lambda _, __: None),
            Action.SET_QUORUM: Runner(self._set, self._is_set),
            Action.DELETE_TOKENS: Runner(self._delete, lambda _, __: None),
        }
        return Playbook(runners, self.readiness.readers, self.readiness.looking)

    def state(self, cluster: Cluster, host: str | None = None) -> QuorumState:
        """Values, approvers and open tokens; nobody logs in.

        Raises:
            Conflict: no client host has cloudhsm-cli.
            Unreachable: no client host, or no HSM, answered.
        """
        with self.console.open(cluster.cluster_id, host) as console:
            values, tokens = console.quorum()
            return QuorumState(
                cluster_id=cluster.cluster_id,
                host=console.host,
                active=len(cluster.active_hsms),
                connected=len(console.hsms()),
                values=values,
                tokens=tokens,
                admins=tuple(user for user in console.users() if user.role == Role.ADMIN),
            )

    def plan_register(self, cluster: Cluster, way: Way, key: str) -> Plan:
        """The way's admin an approver from now on, by a private key in a file; a new key takes the old one's place."""
        find(self.state(cluster, way.host or None).admins, way.admin)
        step = self._step(way, Action.REGISTER_APPROVER, f"register {key} as the approval key of {way.admin}", key=key)
        return self._plan(cluster, way, f"register {way.admin} as an approver", step, Asks(user=way.admin))

    def plan_set(self, cluster: Cluster, way: Way, service: Service, value: int) -> Plan:
        """Another number of approvals that a service needs.

        Raises:
            UsageError: CloudHSM would not take the value.
            Conflict: fewer than M + 1 approvers are registered, or the cluster does not know the service.
        """
        state = self.state(cluster, way.host or None)
        check_value(state.admins, state.values, service, value)
        now = state.values[service]
        says = f"ask for {value} approvals of {service}, instead of {'different numbers' if now is None else now}"
        step = self._step(way, Action.SET_QUORUM, says, service=service, value=str(value))
        return self._plan(cluster, way, f"quorum {service} = {value}", step, Asks(service=Service.QUORUM))

    def plan_delete_tokens(self, cluster: Cluster, way: Way, *, everybody: bool) -> Plan:
        """Open tokens forgotten: the admin's own, or everybody's."""
        whose = "everybody's" if everybody else f"{way.admin}'s"
        step = self._step(
            way, Action.DELETE_TOKENS, f"delete {whose} open tokens", everybody="yes" if everybody else ""
        )
        return self._plan(cluster, way, f"delete {whose} quorum tokens", step, Asks())

    def _register(self, step: Step, _: Found) -> Wait[Found]:
        key = step.inputs["key"]
        factor = self.keys.open(key, lambda: self.ask(f"passphrase of {key}"))
        yield from self.admins.act(step, None, lambda session, _: session.register_approver(factor))
        return {"approver": step.inputs["admin"]}

    def _set(self, step: Step, _: Found) -> Wait[Found]:
        service, value = Service(step.inputs["service"]), int(step.inputs["value"])

        def act(session: ConsoleSession, approval: Approval | None) -> None:
            session.set_quorum_value(service, value, approval)

        yield from self.admins.act(step, Service.QUORUM, act)
        return {f"quorum_{service}": str(value)}

    def _is_set(self, step: Step, _: Found) -> Found | None:
        """The value, if it is the wanted one already."""
        service, value = step.inputs["service"], step.inputs["value"]
        with self.console.open(step.inputs["cluster_id"], step.inputs["host"] or None) as console:
            now = console.quorum()[0].get(service)
        return {f"quorum_{service}": value} if str(now) == value else None

    def _delete(self, step: Step, _: Found) -> Wait[Found]:
        everybody = bool(step.inputs["everybody"])
        yield from self.admins.act(step, None, lambda session, _: session.delete_tokens(everybody=everybody))
        return {}

    def _step(self, way: Way, action: Action, says: str, **inputs: str) -> Step:
        return Step(action=action, says=says, inputs={**way.inputs, **inputs})

    def _plan(self, cluster: Cluster, way: Way, title: str, step: Step, asks: Asks) -> Plan:
        return Plan(
            title=title,
            region=cluster.region,
            account=self.identity.caller().account,
            made_at=self.clock.now(),
            cluster_id=cluster.cluster_id,
            steps=(step,),
            preconditions=self.readiness.preconditions(way, asks),
            noun="quorum",
        )
