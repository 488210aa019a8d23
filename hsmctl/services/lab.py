"""Bringing the lab to where it should be: through the same services and adapters as a real estate, step by step.

Every round looks at the cluster and does the next thing that is missing, so a `lab up` that was cut off goes on from
wherever it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle, islice
from typing import assert_never

from hsmctl.domain.cluster import Cluster, ClusterState, HsmState
from hsmctl.domain.event import Event, Finished, Progress, Started, StepDone, StepStarted
from hsmctl.domain.key import SIZES, KeyKind, KeySpec
from hsmctl.domain.plan import Plan
from hsmctl.domain.scale import emptiest_zones
from hsmctl.errors import Conflict, Unreachable
from hsmctl.ports import Clock, LabClone, LabControl, LabFaults, LabOptions, LabStatus
from hsmctl.services.lab_tools import LabTools
from hsmctl.services.scenario import ScenarioService
from hsmctl.words import counted

SEED_SECONDS = 600.0
_PATIENCE = timedelta(seconds=5)
"""How long a step may wait before it is told, and before somebody looks whether it can end."""
_ENDED = ("dead",)
"""States of an HSM that nothing but a start ends; one that does not answer may only be busy being cloned."""
_NOT_UP = ("dead", "unresponsive", "building", "stopped")
_KEPT_BY = {HsmState.DEGRADED: "hsm-degraded", HsmState.CREATE_IN_PROGRESS: "hsm-stuck"}
"""The fault by which an HSM stays in a state, so that it never becomes ACTIVE."""
RSA_SEEDS = 4
"""RSA pairs among the seed keys: their generation is what takes time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabService:
    """The lab of this machine, or of HSMCTL_LAB_HOME."""

    clock: Clock
    control: LabControl
    faults: LabFaults
    connect: Callable[[], LabTools]
    """The services over the lab's own context, which exists once the lab was started."""

    def up(self, options: LabOptions, *, empty: bool = False) -> Iterator[str]:
        """Bring the lab up and say what happens; ends with an ACTIVE cluster of `options.hsms` HSMs.

        An empty one has what an account begins with, subnets and a client host, and no cluster is made.

        Raises:
            Conflict: a lab with other options exists, its cluster is in a state nothing follows, or a fault keeps an
                HSM from becoming ACTIVE.
            Unreachable: an HSM's process does not run.
        """
        status = self.control.start(options)
        yield f"lab at {status.endpoint_url}"
        for node in status.nodes:
            if node.quarantined:
                yield f"{node.hsm_id} has {counted(node.quarantined, 'unfinished object')} in quarantine"
        if empty:
            return
        tools = self.connect()
        while (cluster := self._cluster(tools)) is None or not self._complete(cluster, options):
            yield from self._next(tools, cluster, status, options)
        if len(cluster.hsms) == 1:
            yield from self._seed(tools, cluster, options.seed_keys)
        self._check_nodes(_NOT_UP)
        self.control.equip(cluster.cluster_id)
        yield f"{cluster.cluster_id} is ACTIVE with {len(cluster.active_hsms)} HSMs"

    def status(self) -> LabStatus:
        """The lab as it is; only reports."""
        return self.control.status()

    def down(self) -> None:
        """End every process of the lab and keep its state."""
        self.control.stop()

    def reset(self) -> None:
        """Stop the lab and remove its folder."""
        self.control.reset()

    def logs(self) -> Iterator[str]:
        """The lab's log, line by line."""
        return self.control.logs()

    def clone_for(self, name: str, folder: str | None) -> LabClone:
        """A clone of an HSM for an outside program.

        Raises:
            Conflict: the lab is down, or something else is in the folder.
        """
        return self.control.clone_for(name, folder)

    def scenarios(self) -> ScenarioService:
        """What plays scenarios on this lab.

        Raises:
            Conflict: there is no lab.
        """
        return ScenarioService(clock=self.clock, control=self.control, faults=self.faults, tools=self.connect())

    def _cluster(self, tools: LabTools) -> Cluster | None:
        clusters = tools.cluster.list()
        return clusters[0] if clusters else None

    def _complete(self, cluster: Cluster, options: LabOptions) -> bool:
        return cluster.state is ClusterState.ACTIVE and len(cluster.active_hsms) >= options.hsms

    def _next(self, tools: LabTools, cluster: Cluster | None, status: LabStatus, options: LabOptions) -> Iterator[str]:
        """Do the next thing that is missing."""
        if cluster is None:
            yield from self._apply(tools, self._plan_create(tools, status, options))
        elif cluster.state is ClusterState.UNINITIALIZED and not cluster.hsms:
            yield from self._apply(tools, tools.cluster.plan_add_hsms(cluster, emptiest_zones(cluster, 1)))
        elif cluster.state is ClusterState.UNINITIALIZED and cluster.certificates.csr:
            yield from self._apply(tools, tools.ceremony.plan(cluster, {"ca": "context"}, {}))
        elif cluster.state is ClusterState.INITIALIZED:
            self.control.activate(cluster.cluster_id)
            yield "activated"
        elif cluster.state is ClusterState.ACTIVE:
            yield from self._grow(tools, cluster, options)
        elif cluster.state in (ClusterState.DEGRADED, ClusterState.DELETE_IN_PROGRESS):
            raise Conflict(f"{cluster.cluster_id} is {cluster.state}", cluster.message, "hsmctl lab reset --yes")
        else:
            self._pause(cluster)

    def _pause(self, cluster: Cluster) -> None:
        """Let time pass, which brings nothing where a process has ended or a fault lasts."""
        self.clock.sleep(0.1)
        self._check_nodes(_ENDED)
        self._check_faults(cluster)

    def _plan_create(self, tools: LabTools, status: LabStatus, options: LabOptions) -> Plan:
        subnets = sorted((status.subnets or {}).items())[: options.zones]
        return tools.cluster.plan_create(
            [subnet for _, subnet in subnets], hsm_type=options.hsm_type, mode="FIPS", tags={"Name": "lab"}
        )

    def _grow(self, tools: LabTools, cluster: Cluster, options: LabOptions) -> Iterator[str]:
        """Seed the only HSM, then clone it; HSMs that are on their way are waited for."""
        missing = options.hsms - len(cluster.hsms)
        if missing <= 0:
            self._pause(cluster)
            return
        if len(cluster.hsms) == 1:
            yield from self._seed(tools, cluster, options.seed_keys)
        # The lab takes creations side by side; for AWS that is UNCONFIRMED, so only the lab asks for it.
        yield from self._apply(
            tools, tools.cluster.plan_add_hsms(cluster, emptiest_zones(cluster, missing), together=True)
        )

    def _check_nodes(self, states: Collection[str]) -> None:
        """Refuse to call a lab up, or to wait for it, where HSMs are in these states.

        Raises:
            Unreachable: some are, whatever the control plane says of them.
        """
        broken = [node for node in self.control.status().nodes if node.state in states]
        if broken:
            why = ", ".join(f"{node.hsm_id} is {' '.join((node.state, *node.faults))}" for node in broken)
            faulty = any(node.faults for node in broken)
            raise Unreachable("the lab is not whole", why, "hsmctl lab fault list" if faulty else "hsmctl lab logs")

    def _check_faults(self, cluster: Cluster) -> None:
        """Refuse to wait for an HSM that a fault keeps from becoming ACTIVE, unless the fault clears by itself.

        Raises:
            Conflict: there is one.
        """
        lasting = [fault for fault in self.faults.faults() if fault.heals is None]
        for hsm in cluster.hsms:
            for fault in lasting:
                if fault.name == _KEPT_BY.get(hsm.state) and fault.hsm in (None, hsm.hsm_id):
                    raise Conflict(
                        f"{hsm.hsm_id} does not become ACTIVE",
                        f"the fault {fault.name} keeps it {hsm.state}",
                        f"hsmctl lab fault clear {fault.fault_id}",
                    )

    def _seed(self, tools: LabTools, cluster: Cluster, count: int) -> Iterator[str]:
        """Make the seed keys that are not there yet."""
        if not count:
            return
        replica = tools.replicas(cluster)[0]
        with tools.tokens.open(replica, tools.login(replica), self.clock.monotonic() + SEED_SECONDS) as token:
            there = {key.identity.label for key in token.inventory().keys}
            specs = [spec for spec in seed_specs(count) if spec.label not in there]
            for spec in specs:
                token.generate(spec)
        if specs:
            yield f"{len(specs)} seed keys made"

    def _apply(self, tools: LabTools, plan: Plan) -> Iterator[str]:
        # Every round plans anew from what there is: an operation that was cut off has nothing to add to that.
        for operation in tools.cluster.operations.open_on(plan):
            tools.cluster.operations.abandon(operation.operation_id, "lab up looks at what there is and goes on")
        said, patience = "", _PATIENCE
        for event in tools.cluster.apply(plan):
            if isinstance(event, Progress) and event.elapsed > patience:
                self._check_nodes(_ENDED)
                if cluster := self._cluster(tools):
                    self._check_faults(cluster)
                patience = event.elapsed + _PATIENCE
            for words in _words(event):
                told = words.lstrip(" 0123456789")
                if told != said:
                    yield words
                said = told


def seed_specs(count: int) -> tuple[KeySpec, ...]:
    """`count` keys as an operator's cluster has them: mostly AES, some EC pairs, at most four RSA pairs."""
    uses = ("db-kek", "tls-web", "jwt-sign", "backup-wrap", "pin-block", "code-sign", "tokenize", "card-iss")
    specs = []
    for number, use in enumerate(islice(cycle(uses), count)):
        kind, size = _seed_kind(number)
        label = f"{use}-{number:03d}".encode()
        specs.append(KeySpec(kind=kind, size=size, label=label, key_id=number.to_bytes(4, "big")))
    return tuple(specs)


def _seed_kind(number: int) -> tuple[KeyKind, str]:
    """What the seed key of this number is."""
    if number % 8 == 1 and number // 8 < RSA_SEEDS:
        return KeyKind.RSA, "2048"
    if number % 8 in (2, 5):
        return KeyKind.EC, SIZES[KeyKind.EC][number // 8 % len(SIZES[KeyKind.EC])]
    return KeyKind.AES, SIZES[KeyKind.AES][number % 3]


def _words(event: Event) -> Iterator[str]:
    """An operation's event as a line of narration; waiting is silent until it takes longer than it should here."""
    match event:
        case Started(_, plan):
            yield plan.title
        case StepStarted(number, step):
            yield f"  {number} {step.says}"
        case Progress(_, text, elapsed) if elapsed > _PATIENCE:
            yield f"    {text}"
        case Progress() | StepDone() | Finished():
            return
        case _:
            assert_never(event)
