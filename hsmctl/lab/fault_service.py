"""Faults of what CloudHSMv2 says: HSMs it replaces, finds DEGRADED or never finishes, and a CSR that is not the HSM's.

Each is an operation on the service's records, run like those of its API. Refuses to know processes, which are the
machines' business, and how a CSR is swapped on its way, which is the weather's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hsmctl.domain.cluster import ClusterState, HsmState
from hsmctl.errors import Conflict
from hsmctl.lab.cloudhsm_life import place_of
from hsmctl.lab.cloudhsm_scene import Operation, Scene
from hsmctl.lab.cloudhsm_state import ClusterRecord, HsmRecord, new_ec2_id, new_id
from hsmctl.lab.fault import Fault, FaultBook
from hsmctl.lab.machines import Place
from hsmctl.lab.shapes import Members

Run = Callable[[Operation, Members], Members]
"""Runs an operation on the home region's settled records and keeps what it changed."""
Succeed = Callable[[str, Place], None]
"""Puts an HSM in the place of another and gives it everything that one had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFaults:
    """The family SERVICE."""

    book: FaultBook
    run: Run
    succeed: Succeed

    def prepare(self, fault: Fault) -> Fault:
        """The fault with what it needs.

        Raises:
            Conflict: nothing is in a state that it could bend.
        """
        if fault.name == "csr-swapped":
            return replace(fault, detail=self.run(_other_csr, {}))
        if fault.hsm:
            self.run(_check_active, {"HsmId": fault.hsm})
        return fault

    def settle(self, fault: Fault) -> None:
        """Make the records say what the book wants, or replace the HSM, once."""
        match fault.name:
            case "hsm-replaced" | "hsm-moved":
                moved = fault.name == "hsm-moved"
                self.run(lambda scene, asked: self._replace(scene, asked, moved=moved), {"HsmId": fault.hsm})
            case "hsm-degraded":
                wanted = HsmState.DEGRADED if self.book.of("hsm-degraded", hsm=fault.hsm) else HsmState.ACTIVE
                self.run(_grade, {"HsmId": fault.hsm, "State": wanted})

    def _replace(self, scene: Scene, asked: Members, *, moved: bool) -> Members:
        """Put a new HSM in the place of another, as the service does with one that is unhealthy."""
        cluster, old = _named(scene, asked)
        address = scene.machines.free_address(old.zone) if moved else old.address
        if address is None:
            raise Conflict(f"{old.hsm_id} cannot move", f"no address is free in {old.zone}", "use hsm-replaced")
        new = HsmRecord(
            hsm_id=new_id("hsm"),
            hsm_type=old.hsm_type,
            zone=old.zone,
            subnet_id=old.subnet_id,
            eni_id=new_ec2_id("eni") if moved else old.eni_id,
            address=address,
            state=HsmState.CREATE_IN_PROGRESS,
            since=scene.now,
            replaces=old.hsm_id,
        )
        del cluster.hsms[old.hsm_id]
        cluster.hsms[new.hsm_id] = new
        scene.state.save()
        self.succeed(old.hsm_id, place_of(cluster, new))
        return {}


def _named(scene: Scene, asked: Members) -> tuple[ClusterRecord, HsmRecord]:
    """The HSM and its cluster.

    Raises:
        Conflict: it is not there.
    """
    for cluster in scene.region.clusters.values():
        if asked["HsmId"] in cluster.hsms:
            return cluster, cluster.hsms[asked["HsmId"]]
    raise Conflict(f"no HSM {asked['HsmId']}", "the service does not know it", "hsmctl lab status")


def _check_active(scene: Scene, asked: Members) -> Members:
    cluster, hsm = _named(scene, asked)
    if hsm.state is not HsmState.ACTIVE or cluster.state is not ClusterState.ACTIVE:
        why = f"the HSM is {hsm.state}, its cluster {cluster.state}; both have to be active"
        raise Conflict(f"{hsm.hsm_id} cannot be bent", why, "hsmctl lab status")
    return {}


def _grade(scene: Scene, asked: Members) -> Members:
    """Turn an HSM from ACTIVE to DEGRADED or back; one that has gone or is on its way is left alone."""
    for cluster in scene.region.clusters.values():
        hsm = cluster.hsms.get(asked["HsmId"])
        if hsm and hsm.state in (HsmState.ACTIVE, HsmState.DEGRADED):
            hsm.state = asked["State"]
            hsm.message = "The HSM is not healthy." if hsm.state is HsmState.DEGRADED else ""
    return {}


def _other_csr(scene: Scene, _: Members) -> Members:
    """The CSR of an unclaimed cluster, and another one that looks the same."""
    from hsmctl.lab.pki import new_papers

    for cluster in scene.region.clusters.values():
        csr = cluster.certificates.get("ClusterCsr")
        if csr and cluster.state is ClusterState.UNINITIALIZED:
            papers = new_papers(scene.pki, next(iter(cluster.hsms)), cluster.mode, scene.moment)
            return {"true": csr, "false": papers.csr}
    raise Conflict(
        "no CSR to swap", "no cluster is UNINITIALIZED with an HSM", "inject it before the cluster is claimed"
    )
