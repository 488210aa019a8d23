"""Mutual TLS of a cluster: trust anchors, enforcement, and the one order in which nobody is locked out.

Enforcement drops every connection that shows no client certificate, at once. So it is refused until the anchors are on
every HSM, they and the clients' certificates last, two admin hosts have shown theirs, the user `admin` can act, and
neither KMS nor an unknown source would be cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.mtls import (
    LEAST_HOSTS,
    LEAST_LIFE,
    MAX_ANCHORS,
    Anchor,
    Level,
    MtlsState,
    admin_trouble,
    day,
    uncovered,
    unproved,
)
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Effect, Plan, Precondition, Step
from hsmctl.domain.quorum import Service
from hsmctl.domain.user import ADMIN_NAME, FULL
from hsmctl.errors import Conflict, Denied, HsmctlError, Partial, Unreachable, UsageError
from hsmctl.ports import Clock, Identity
from hsmctl.ports_cli import Approval, Console, ConsoleSession
from hsmctl.ports_client import Clients
from hsmctl.ports_interlock import KeyStores
from hsmctl.ports_mtls import ClientCertificates
from hsmctl.services.admin import Admins
from hsmctl.services.console import ConsoleService
from hsmctl.services.operation import Playbook, Reader, Runner
from hsmctl.services.readiness import Asks, Readiness, Way
from hsmctl.services.wait import Wait

KMS = "no-key-store"
ANCHORS = "anchors-everywhere"
LASTING = "certificates-last"
HOSTS = "hosts-over-mtls"
ADMIN = "admin-usable"
_INTERLOCKS = (KMS, ANCHORS, LASTING, HOSTS, ADMIN)
_WHATS: Mapping[str, str] = {
    KMS: "no KMS key store is on the cluster",
    ANCHORS: "every HSM has every trust anchor, and there is one",
    LASTING: f"trust anchors last {LEAST_LIFE.days} days",
    HOSTS: f"{LEAST_HOSTS} client hosts show a certificate that lasts {LEAST_LIFE.days} days",
    ADMIN: "the user admin can act",
}
_WAYS_OUT: Mapping[str, str] = {
    KMS: "mTLS cannot be enforced on a cluster that KMS uses",
    ANCHORS: "hsmctl mtls register FILE",
    LASTING: "register an anchor that lasts longer, then its certificates on the clients",
    HOSTS: "hsmctl client configure HOST --client-cert PATH --client-key PATH, for each; hsmctl mtls status",
    ADMIN: "hsmctl user list",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MtlsService:
    """Trust anchors and enforcement."""

    clock: Clock
    identity: Identity
    console: ConsoleService
    readiness: Readiness
    admins: Admins
    clients: Clients
    certificates: ClientCertificates
    key_stores: Callable[[], KeyStores]
    cluster: Callable[[str], Cluster]

    @property
    def playbook(self) -> Playbook:
        """How plans of mTLS are carried out."""
        runners = {
            Action.REGISTER_ANCHOR: Runner(self._register, self._registered),
            Action.DEREGISTER_ANCHOR: Runner(self._deregister, self._deregistered),
            Action.CHECK_ANCHOR: Runner(self._check),
            Action.SET_ENFORCEMENT: Runner(self._enforce, lambda _, __: None),
        }
        return Playbook(runners, {**self.readiness.readers, **self._interlocks}, self._looking)

    @property
    def _interlocks(self) -> Mapping[str, Reader]:
        return dict.fromkeys(_INTERLOCKS, self._look_again)

    @contextmanager
    def _looking(self) -> Iterator[Mapping[str, Reader]]:
        """How everything is looked at again at one moment."""
        with self.readiness.looking() as readers:
            yield {**readers, **self._interlocks}

    def state(self, cluster: Cluster, host: str | None = None) -> MtlsState:
        """Anchors, where they are and how long they last, and which hosts show a certificate; nobody logs in."""
        with self.console.open(cluster.cluster_id, host) as console:
            anchors = console.anchors()
            return MtlsState(
                cluster_id=cluster.cluster_id,
                host=console.host,
                active=len(cluster.active_hsms),
                connected=len(console.hsms()),
                anchors=anchors,
                ends={anchor.reference: self._ends(anchor.certificate) for anchor in anchors},
                hosts=self._hosts(cluster.cluster_id, anchors),
            )

    def plan_register(self, cluster: Cluster, way: Way, path: str) -> Plan:
        """A CA of clients trusted on every HSM; where some have it already the others get it.

        Raises:
            UsageError: it is no certificate, too long, or ends too soon.
            Conflict: two other anchors are registered already.
        """
        certificate = self.certificates.anchor(path)
        known = {anchor.certificate.strip(): anchor for anchor in self.state(cluster, way.host or None).anchors}
        if certificate.strip() not in known and len(known) >= MAX_ANCHORS:
            raise Conflict("a third trust anchor", f"a cluster takes {MAX_ANCHORS}", "hsmctl mtls deregister 0x…")
        register = self._step(way, Action.REGISTER_ANCHOR, f"register {path} as a trust anchor", path=path)
        check = self._step(way, Action.CHECK_ANCHOR, "see that every HSM has it", Effect.WAIT, path=path)
        return self._plan(cluster, way, "register a trust anchor", (register, check))

    def plan_deregister(self, cluster: Cluster, way: Way, reference: str) -> Plan:
        """A CA of clients trusted no more: who shows its certificates is turned away where mTLS is enforced.

        Raises:
            Conflict: there is no such anchor.
        """
        known = [anchor.reference for anchor in self.state(cluster, way.host or None).anchors]
        if reference not in known:
            raise Conflict(
                f"no trust anchor {reference}", f"there are {', '.join(known) or 'none'}", "hsmctl mtls status"
            )
        step = self._step(
            *(way, Action.DEREGISTER_ANCHOR, f"deregister trust anchor {reference}", Effect.DESTROY),
            reference=reference,
        )
        return self._plan(cluster, way, f"deregister trust anchor {reference}", (step,))

    def plan_enforce(self, cluster: Cluster, way: Way, level: Level, sources: Precondition) -> Plan:
        """Connections with a client certificate only, or any again; `sources` says who else reaches the HSMs.

        Raises:
            UsageError: somebody else than `admin` would set it.
        """
        if way.admin != ADMIN_NAME:
            raise UsageError(f"--admin {way.admin}", "only the user named admin may set it", "--admin admin")
        tightens = level is Level.CLUSTER
        effect = Effect.DESTROY if tightens else Effect.CHANGE
        says = "let only connections with a client certificate in" if tightens else "let any connection in again"
        step = self._step(way, Action.SET_ENFORCEMENT, says, effect, level=level)
        extra = tuple(self._interlock(key, cluster, way) for key in _INTERLOCKS) if tightens else ()
        plan = self._plan(cluster, way, f"mTLS enforcement: {level}", (step,))
        warning = "connections without a client certificate are dropped at once" if tightens else ""
        return replace(
            plan,
            preconditions=(*plan.preconditions, *extra, *((sources,) if tightens else ())),
            warnings=(warning,) if warning else (),
        )

    def _interlock(self, key: str, cluster: Cluster, way: Way) -> Precondition:
        inputs = {"cluster_id": cluster.cluster_id, "host": way.host}
        return self._look_again(Precondition(what=_WHATS[key], holds=False, key=key, inputs=inputs), {})

    def _look_again(self, precondition: Precondition, _: Found) -> Precondition:
        """The interlock with what is seen now; what cannot be seen does not hold."""
        cluster = self.cluster(precondition.inputs["cluster_id"])
        try:
            wrong = self._wrong(precondition.key, cluster, precondition.inputs["host"])
        except HsmctlError as error:
            wrong = f"unknown: {error}"
        return replace(precondition, holds=not wrong, why=wrong, way_out=_WAYS_OUT[precondition.key])

    def _wrong(self, key: str, cluster: Cluster, host: str) -> str:
        """What stands against an interlock; empty where nothing does."""
        if key == KMS:
            return ", ".join(each.name for each in self.key_stores().all() if each.cluster_id == cluster.cluster_id)
        if key == ADMIN:
            with self.console.open(cluster.cluster_id, host or None) as console:
                return admin_trouble(console.users())
        state = self.state(cluster, host or None)
        return {ANCHORS: uncovered, LASTING: self._ending, HOSTS: unproved}[key](state)

    def _ending(self, state: MtlsState) -> str:
        """Anchors, and certificates of clients, that end too soon."""
        soon = self.clock.now() + LEAST_LIFE
        anchors = [f"{reference} ends {day(ends)}" for reference, ends in state.ends.items() if not ends or ends < soon]
        return ", ".join(anchors)

    def _hosts(self, cluster_id: str, anchors: Sequence[Anchor]) -> Mapping[str, str]:
        """For each client host, why it shows no good certificate."""
        return {host: self._shown(host, cluster_id, anchors) for host in self.clients.names()}

    def _shown(self, host: str, cluster_id: str, anchors: Sequence[Anchor]) -> str:
        try:
            with self.console.open(cluster_id, host) as console:
                entry = console.configuration().of(cluster_id)
                if entry is None or not entry.client_certificate:
                    return "no client certificate in its configuration"
                pem = self.clients.read(host, entry.client_certificate)
                self.certificates.check(pem, [anchor.certificate for anchor in anchors], self.clock.now() + LEAST_LIFE)
                return "" if console.hsms() else "connected to no HSM"
        except (Conflict, Unreachable, Denied, UsageError) as error:
            return str(error)

    def _ends(self, certificate: str) -> datetime | None:
        try:
            return self.certificates.ends(certificate)
        except UsageError:
            return None

    def _register(self, step: Step, _: Found) -> Wait[Found]:
        certificate = self.certificates.anchor(step.inputs["path"])

        def act(session: ConsoleSession, approval: Approval | None) -> None:
            session.register_anchor(certificate, approval)

        yield from self.admins.act(step, Service.CLUSTER, act)
        return {}

    def _registered(self, step: Step, _: Found) -> Found | None:
        anchor = self._anchor(step)
        return {} if anchor and anchor.coverage == FULL else None

    def _check(self, step: Step, _: Found) -> Wait[Found]:
        """Whether every HSM has the anchor.

        Raises:
            Partial: some HSM has missed it.
        """
        yield "looking at its coverage"
        anchor = self._anchor(step)
        if anchor is None or anchor.coverage != FULL:
            said = f"coverage {anchor.coverage}" if anchor else "it is not there"
            raise Partial(
                "the trust anchor", f"some HSM has missed it: {said}", "register it again: hsmctl mtls register"
            )
        return {"trust_anchor": anchor.reference, "coverage": anchor.coverage}

    def _deregister(self, step: Step, _: Found) -> Wait[Found]:
        reference = step.inputs["reference"]
        yield from self.admins.act(
            step, Service.CLUSTER, lambda session, approval: session.deregister_anchor(reference, approval)
        )
        return {}

    def _deregistered(self, step: Step, _: Found) -> Found | None:
        with self._opened(step) as console:
            known = [anchor.reference for anchor in console.anchors()]
        return None if step.inputs["reference"] in known else {}

    def _enforce(self, step: Step, _: Found) -> Wait[Found]:
        level, seen = Level(step.inputs["level"]), []

        def act(session: ConsoleSession, approval: Approval | None) -> None:
            session.set_enforcement(level, approval)
            seen.append(session.enforcement())

        yield from self.admins.act(step, Service.CLUSTER, act)
        return {"mtls_enforcement": seen[0]}

    def _anchor(self, step: Step) -> Anchor | None:
        wanted = self.certificates.anchor(step.inputs["path"]).strip()
        with self._opened(step) as console:
            return next((each for each in console.anchors() if each.certificate.strip() == wanted), None)

    def _opened(self, step: Step) -> AbstractContextManager[Console]:
        return self.console.open(step.inputs["cluster_id"], step.inputs["host"] or None)

    def _step(self, way: Way, action: Action, says: str, effect: Effect = Effect.CHANGE, **inputs: str) -> Step:
        return Step(action=action, says=says, effect=effect, inputs={**way.inputs, **inputs})

    def _plan(self, cluster: Cluster, way: Way, title: str, steps: tuple[Step, ...]) -> Plan:
        return Plan(
            title=title,
            region=cluster.region,
            account=self.identity.caller().account,
            made_at=self.clock.now(),
            cluster_id=cluster.cluster_id,
            steps=steps,
            preconditions=self.readiness.preconditions(way, Asks(service=Service.CLUSTER)),
            noun="mtls",
        )
