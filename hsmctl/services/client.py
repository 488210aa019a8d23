"""Client hosts: whether their CloudHSM client is set up for the cluster that there is now, and plans to set it up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from hsmctl.domain.client import ClientFinding, ClientState, Component, check_client
from hsmctl.domain.cluster import Cluster
from hsmctl.domain.evidence import Outcome
from hsmctl.domain.operation import Found
from hsmctl.domain.plan import Action, Plan, Step
from hsmctl.errors import Conflict, Partial
from hsmctl.ports import Clock, Identity
from hsmctl.ports_client import Clients, ClusterCas
from hsmctl.services.client_step import (
    ADDRESSED,
    Pair,
    addressing,
    installing,
    looking,
    mending,
    showing,
)
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
                Action.CLOSE_FILE: Runner(self._close_file, lambda _, __: None),
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

    def plan_configure(self, cluster: Cluster, host: str, pair: Pair | None = None) -> Plan:
        """Every component of the host set to the addresses of the cluster's HSMs, and to a client certificate.

        Raises:
            Conflict: the host has no client, or a component has several clusters, which the tool refuses; or the
                certificate or its key is not there, or cannot be used.
        """
        state = self.clients.look(host)
        if pair:
            self._check_pair(host, pair)
        steps = [
            step
            for component in self._configurable(cluster, state)
            for step in (addressing(host, component, _addresses(cluster)), *showing(host, component, pair))
        ]
        return self._plan(cluster, host, f"configure the CloudHSM client of {host}", steps, pair)

    def plan_fix(self, cluster: Cluster, host: str, ca: str = "") -> Plan:
        """What mends everything that a check found wrong with a host and that hsmctl may mend.

        Raises:
            Conflict: nothing is wrong that could be mended, or what `plan_configure` and `plan_install_ca` raise.
        """
        state = self.clients.look(host)
        findings = self._findings(cluster, state)
        if any(each.what == "CA" and each.fix for each in findings):
            self.cas.ends(self.cas.own(ca), cluster)
        if any(each.what in ADDRESSED and each.fix for each in findings):
            self._configurable(cluster, state)
        steps = mending(state, findings, _addresses(cluster), ca)
        if not steps:
            why = "nothing is wrong that hsmctl mends" if any(each.fix for each in findings) else "nothing is wrong"
            raise Conflict(f"client {host}", why, f"hsmctl client check {host} -o wide")
        return self._plan(cluster, host, f"mend the CloudHSM client of {host}", steps)

    def plan_install_ca(self, cluster: Cluster, host: str, ca: str = "") -> Plan:
        """The customer CA of a file, or of the context, where each configuration of the host looks for it.

        Raises:
            Conflict: there is no customer CA, or it is not the cluster's; or the host has no client.
        """
        self.cas.ends(self.cas.own(ca), cluster)
        found = self.clients.look(host).ca_files
        if not found:
            raise Conflict(f"{host} names no CA file", "it was never configured", f"hsmctl client configure {host}")
        steps = [installing(host, path, ca) for path in found]
        return self._plan(cluster, host, f"install the customer CA on {host}", steps)

    def _configurable(self, cluster: Cluster, state: ClientState) -> Sequence[str]:
        """The components that the tools can set to the cluster.

        Raises:
            Conflict: the cluster has no HSM, or a component has several clusters.
        """
        if not _addresses(cluster):
            raise Conflict(f"{cluster.cluster_id} has no HSM", "there is nothing to configure", "hsmctl hsm add")
        for component in state.components:
            if component.configuration and len(component.configuration.clusters) > 1:
                why = "it has several clusters, and plain addresses would be refused"
                way_out = "configure-… remove-cluster and add-cluster, by hand"
                raise Conflict(f"{state.host}: {component.path}", why, way_out)
        return [component.name for component in state.components]

    def _check_pair(self, host: str, pair: Pair) -> None:
        """Whether a client certificate and its key are there."""
        if "-----BEGIN CERTIFICATE-----" not in self.clients.read(host, pair.certificate):
            raise Conflict(f"{host}: {pair.certificate}", "it is no certificate, PEM", "name the client's certificate")
        self.clients.check_key(host, pair.key)

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
        self.clients.configure(inputs["host"], inputs["component"], inputs["options"].split())
        return {}

    def _close_file(self, step: Step, _: Found) -> Wait[Found]:
        yield f"closing {step.inputs['path']} on {step.inputs['host']}"
        self.clients.close_file(step.inputs["host"], step.inputs["path"])
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
        state, shown = self.clients.look(step.inputs["host"]), step.inputs["certificate"]
        wanted = set(step.inputs["addresses"].split())
        wrong = [each.name for each in state.components if each.configuration and not _is_set(each, wanted, shown)]
        if wrong:
            why = f"{', '.join(wrong)} is not set up so still"
            raise Partial(state.host, why, f"hsmctl client check {state.host}")
        return {"client": state.host}

    def _plan(self, cluster: Cluster, host: str, title: str, steps: Sequence[Step], pair: Pair | None = None) -> Plan:
        addressed = any(step.inputs.get("options", "").startswith("-a ") for step in steps)
        check = looking(host, _addresses(cluster) if addressed else (), pair)
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


def _is_set(component: Component, addresses: set[str], certificate: str) -> bool:
    """Whether a component's configuration has these addresses and this client certificate, where one is meant."""
    clusters = component.configuration.clusters if component.configuration else ()
    has = {address for each in clusters for address in each.addresses}
    shown = {each.client_certificate for each in clusters}
    return (not addresses or has == addresses) and (not certificate or shown == {certificate})
