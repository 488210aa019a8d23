"""How emulated clusters and HSMs come of age: transitions are settled when somebody asks, from the times they began.

No timers: a service that was away a while finds its clusters where they would be. An HSM is ACTIVE only once its
process really runs. Refuses to know requests and answers.
"""

from __future__ import annotations

from hsmctl.domain.cluster import ClusterState, HsmState
from hsmctl.lab.cloudhsm_backup import KEPT_DELETED, restorable
from hsmctl.lab.cloudhsm_scene import Scene
from hsmctl.lab.cloudhsm_state import ClusterRecord, HsmRecord
from hsmctl.lab.machines import MachineState, Place


def settle_clusters(scene: Scene) -> None:
    """Bring every cluster and HSM to the state it has by now."""
    for cluster in list(scene.region.clusters.values()):
        for hsm in list(cluster.hsms.values()):
            _settle_hsm(scene, cluster, hsm)
        _settle_cluster(scene, cluster)


def become(scene: Scene, record: ClusterRecord, state: ClusterState, message: str = "") -> None:
    """Put a cluster into a state, from now on."""
    record.state, record.since, record.message = state, scene.now, message


def build(scene: Scene, cluster: ClusterRecord, hsm: HsmRecord) -> None:
    """Have the HSM's process started: empty, as a clone of an ACTIVE one, or in their absence from a backup."""
    scene.machines.build(place_of(cluster, hsm), hsm.replaces or origin(scene, cluster))


def place_of(cluster: ClusterRecord, hsm: HsmRecord) -> Place:
    """Where the HSM stands, for its machine."""
    return Place(
        cluster_id=cluster.cluster_id,
        hsm_id=hsm.hsm_id,
        zone=hsm.zone,
        address=hsm.address,
        hsm_type=hsm.hsm_type,
        mode=cluster.mode,
    )


def origin(scene: Scene, cluster: ClusterRecord) -> str | None:
    """The HSM or the backup that the next HSM of a cluster is made from, or None."""
    backup = restorable(scene, cluster)
    return next((hsm.hsm_id for hsm in cluster.active_hsms), backup.content if backup else None)


def resume(scene: Scene) -> None:
    """Ask the machines again for what a service that was cut off may not have asked them for."""
    for cluster in scene.region.clusters.values():
        for hsm in cluster.hsms.values():
            there = scene.machines.state(hsm.hsm_id) is not MachineState.GONE
            if hsm.state is HsmState.CREATE_IN_PROGRESS and not there:
                if hsm.replaces and scene.machines.state(hsm.replaces) is not MachineState.GONE:
                    scene.machines.remove(hsm.replaces)
                build(scene, cluster, hsm)
            elif hsm.state is HsmState.DELETE_IN_PROGRESS and there:
                scene.machines.remove(hsm.hsm_id)


def _settle_hsm(scene: Scene, cluster: ClusterRecord, hsm: HsmRecord) -> None:
    """Bring an HSM to the state it has by now."""
    if hsm.state not in (HsmState.CREATE_IN_PROGRESS, HsmState.DELETE_IN_PROGRESS) or not scene.due(hsm.since):
        return
    machine = scene.machines.state(hsm.hsm_id)
    if hsm.state is HsmState.DELETE_IN_PROGRESS and machine is MachineState.GONE:
        del cluster.hsms[hsm.hsm_id]
    elif hsm.state is HsmState.CREATE_IN_PROGRESS and machine is MachineState.RUNNING:
        hsm.state, hsm.since, hsm.message = HsmState.ACTIVE, scene.now, ""
        if cluster.state is ClusterState.UNINITIALIZED:
            _show_papers(scene, cluster, hsm)
    elif hsm.state is HsmState.CREATE_IN_PROGRESS and machine is MachineState.DEAD:
        hsm.message = "The process of this HSM has ended; the log of the lab says why."


def _settle_cluster(scene: Scene, cluster: ClusterRecord) -> None:
    """Bring a cluster to the state it has by now."""
    if cluster.state is ClusterState.DELETED and cluster.since + KEPT_DELETED <= scene.now:
        del scene.region.clusters[cluster.cluster_id]
    elif not scene.due(cluster.since):
        return
    elif cluster.state is ClusterState.CREATE_IN_PROGRESS:
        become(scene, cluster, ClusterState.ACTIVE if cluster.source_backup else ClusterState.UNINITIALIZED)
    elif cluster.state is ClusterState.INITIALIZE_IN_PROGRESS:
        _certify(scene, cluster)
        become(scene, cluster, ClusterState.INITIALIZED)
    elif cluster.state is ClusterState.DELETE_IN_PROGRESS:
        become(scene, cluster, ClusterState.DELETED)


def _show_papers(scene: Scene, cluster: ClusterRecord, hsm: HsmRecord) -> None:
    """Let the cluster show the CSR and the certificates of its first HSM."""
    from hsmctl.lab.pki import new_papers

    papers = new_papers(scene.pki, hsm.hsm_id, cluster.mode, scene.moment)
    cluster.hsm_key = papers.key
    cluster.certificates = {
        "ClusterCsr": papers.csr,
        "HsmCertificate": papers.hsm_certificate,
        "AwsHardwareCertificate": papers.aws_hardware_certificate,
        "ManufacturerHardwareCertificate": papers.manufacturer_hardware_certificate,
    }


def _certify(scene: Scene, cluster: ClusterRecord) -> None:
    """Hand the cluster's certificate and its key to the only HSM; clones get both with its folder."""
    hsm_id = next(iter(cluster.hsms))
    scene.machines.certify(hsm_id, cluster.certificates["ClusterCertificate"], cluster.hsm_key)
    cluster.hsm_key = ""
