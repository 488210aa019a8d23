"""Client hosts: whether their CloudHSM client is set up for the cluster that there is now, and plans to set it up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from hsmctl.domain.client import ClientFinding, ClientState, Component, check_client
from hsmctl.domain.cluster import Cluster
from hsmctl.domain.evidence import Outcome
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Effect, Plan, Step
from hsmctl.errors import Conflict, Partial
from hsmctl.ports import Clock, Identity
from hsmctl.ports_client import Clients, ClusterCas
from hsmctl.services.fanout import each
from hsmctl.services.operation import Playbook, Runner
from hsmctl.services.wait import Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientService:
    """The client hosts of the context."""

    clock: Clock
    identity: Identity
    clients: Clients
    cas: ClusterCas

    @property
    def playbook(self) -> Playbook:
        """How plans of client hosts are carried out."""
        return Playbook(
            {
                Action.CONFIGURE_CLIENT: Runner(self._configure, lambda _, __: None),
                Action.INSTALL_CA: Runner(self._install_ca, lambda _, __: None),
                Action.CHECK_CLIENT: Runner(self._check),
            }
        )

    def check(
        self, cluster: Cluster, hosts: Sequence[str], *, seconds: float
    ) -> Iterator[tuple[str, Outcome[tuple[ClientFinding, ...]]]]:
        """What each host was found to have, as the answers come; none later than `seconds` from now."""
        deadline = self.clock.monotonic() + seconds
        chosen = tuple(hosts) or self.clients.names()

        def look(host: str) -> tuple[ClientFinding, ...]:
            return self._findings(cluster, self.clients.look(host))

        return each(chosen, look, clock=self.clock, deadline=deadline)

    def plan_configure(self, cluster: Cluster, host: str) -> Plan:
        """Every component of the host set to the addresses of the cluster's HSMs.

        Raises:
            Conflict: the host has no client, or a component has several clusters, which the tool refuses.
        """
        state, addresses = self.clients.look(host), _addresses(cluster)
        if not addresses:
            raise Conflict(f"{cluster.cluster_id} has no HSM", "there is nothing to configure", "hsmctl hsm add")
        for component in state.components:
            if component.configuration and len(component.configuration.clusters) > 1:
                why = "it has several clusters, and plain addresses would be refused"
                raise Conflict(f"{host}: {component.path}", why, "configure-… remove-cluster and add-cluster, by hand")
        steps = [
            _step(
                *(Action.CONFIGURE_CLIENT, f"configure-{component.name} -a {' '.join(addresses)}"),
                host=host,
                component=component.name,
                addresses=" ".join(addresses),
            )
            for component in state.components
        ]
        return self._plan(cluster, host, f"configure the CloudHSM client of {host}", steps)

    def plan_install_ca(self, cluster: Cluster, host: str, ca: str = "") -> Plan:
        """The customer CA of a file, or of the context, where each configuration of the host looks for it.

        Raises:
            Conflict: there is no customer CA, or it is not the cluster's; or the host has no client.
        """
        self.cas.ends(self.cas.own(ca), cluster)
        found = self.clients.look(host).ca_files
        if not found:
            raise Conflict(f"{host} names no CA file", "it was never configured", f"hsmctl client configure {host}")
        steps = [
            _step(Action.INSTALL_CA, f"put the cluster's CA at {path}", host=host, path=path, ca=ca) for path in found
        ]
        return self._plan(cluster, host, f"install the customer CA on {host}", steps)

    def _findings(self, cluster: Cluster, state: ClientState) -> tuple[ClientFinding, ...]:
        trusted = {path: ends for path, pem in state.ca_files.items() if (ends := self._ends(pem, cluster))}
        return check_client(state, cluster.cluster_id, _addresses(cluster), self.clock.now(), trusted)

    def _ends(self, pem: str, cluster: Cluster) -> datetime | None:
        """When the CA ends, if it is the cluster's."""
        try:
            return self.cas.ends(pem, cluster)
        except Conflict:
            return None

    def _configure(self, step: Step, _: Found) -> Wait[Found]:
        inputs = step.inputs
        yield f"running configure-{inputs['component']} on {inputs['host']}"
        self.clients.configure(inputs["host"], inputs["component"], inputs["addresses"].split())
        return {}

    def _install_ca(self, step: Step, _: Found) -> Wait[Found]:
        yield f"writing {step.inputs['path']} on {step.inputs['host']}"
        self.clients.install_ca(step.inputs["host"], step.inputs["path"], self.cas.own(step.inputs["ca"]))
        return {}

    def _check(self, step: Step, _: Found) -> Wait[Found]:
        """Whether the host is set up now.

        Raises:
            Partial: it still is not.
        """
        yield "looking again"
        state = self.clients.look(step.inputs["host"])
        wanted = set(step.inputs["addresses"].split())
        wrong = [each.name for each in state.components if each.configuration and _configured(each) != wanted]
        if wanted and wrong:
            raise Partial(
                state.host, f"{', '.join(wrong)} has other addresses still", f"hsmctl client check {state.host}"
            )
        return {"client": state.host}

    def _plan(self, cluster: Cluster, host: str, title: str, steps: Sequence[Step]) -> Plan:
        addresses = " ".join(_addresses(cluster)) if steps[0].action is Action.CONFIGURE_CLIENT else ""
        check = _step(Action.CHECK_CLIENT, f"look at {host} again", Effect.WAIT, host=host, addresses=addresses)
        return Plan(
            title=title,
            region=cluster.region,
            account=self.identity.caller().account,
            made_at=self.clock.now(),
            cluster_id=None,
            subject=f"client-{host}",
            steps=(*steps, check),
            noun="client",
            warnings=("running applications keep the old configuration until they start again",),
        )


def _addresses(cluster: Cluster) -> tuple[str, ...]:
    """Where the cluster's HSMs are, those that are leaving apart."""
    return tuple(address for hsm in cluster.hsms if (address := hsm.address or hsm.address6))


def _configured(component: Component) -> set[str]:
    """The addresses in a component's configuration."""
    clusters = component.configuration.clusters if component.configuration else ()
    return {address for each in clusters for address in each.addresses}


def _step(action: Action, says: str, effect: Effect = Effect.CHANGE, **inputs: str) -> Step:
    return Step(action=action, says=says, effect=effect, inputs=inputs)
