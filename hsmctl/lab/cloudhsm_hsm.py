"""Emulated HSMs: created and deleted, each with a machine behind it and an address it is really reached at."""

from __future__ import annotations

from hsmctl.domain.cluster import ClusterState, HsmState, check_may_create_hsm
from hsmctl.errors import Conflict
from hsmctl.lab.cloudhsm_backup import take_backup
from hsmctl.lab.cloudhsm_life import build, origin
from hsmctl.lab.cloudhsm_scene import Scene, invalid, not_found
from hsmctl.lab.cloudhsm_state import ClusterRecord, HsmRecord, new_ec2_id, new_id
from hsmctl.lab.shapes import Members

_NAMES = {"HsmId": "hsm_id", "EniId": "eni_id", "EniIp": "address"}
"""What an HSM may be named by in DeleteHsm."""


def create_hsm(scene: Scene, asked: Members) -> Members:
    """Create an HSM; on an ACTIVE cluster it is a clone of an HSM, which is backed up first, or of a backup."""
    cluster = scene.cluster(asked["ClusterId"])
    _check_may_create(scene, cluster, asked["AvailabilityZone"])
    hsm = HsmRecord(
        hsm_id=new_id("hsm"),
        hsm_type=cluster.hsm_type,
        zone=asked["AvailabilityZone"],
        subnet_id=cluster.subnets[asked["AvailabilityZone"]],
        eni_id=new_ec2_id("eni"),
        address=_address(scene, asked),
        state=HsmState.CREATE_IN_PROGRESS,
        since=scene.now,
    )
    if cluster.state is ClusterState.ACTIVE:
        take_backup(scene, cluster)
    cluster.hsms[hsm.hsm_id] = hsm
    scene.state.save()
    build(scene, cluster, hsm)
    return {"Hsm": hsm_view(cluster.cluster_id, hsm)}


def delete_hsm(scene: Scene, asked: Members) -> Members:
    """Delete an HSM named by its id or by its network interface."""
    cluster = scene.cluster(asked["ClusterId"])
    hsm = _named(cluster, asked)
    if hsm.state is HsmState.DELETE_IN_PROGRESS:
        raise invalid(f"HSM '{hsm.hsm_id}' is being deleted already.")
    if cluster.state is ClusterState.INITIALIZE_IN_PROGRESS:
        raise invalid(f"Cluster '{cluster.cluster_id}' is INITIALIZE_IN_PROGRESS.")
    if cluster.state is ClusterState.UNINITIALIZED:
        cluster.certificates, cluster.hsm_key = {}, ""
    if cluster.state is ClusterState.ACTIVE:
        take_backup(scene, cluster)
    hsm.state, hsm.since, hsm.message = HsmState.DELETE_IN_PROGRESS, scene.now, ""
    scene.state.save()
    scene.machines.remove(hsm.hsm_id)
    return {"HsmId": hsm.hsm_id}


def hsm_view(cluster_id: str, hsm: HsmRecord) -> Members:
    """An HSM as DescribeClusters shows it."""
    return {
        "AvailabilityZone": hsm.zone,
        "ClusterId": cluster_id,
        "SubnetId": hsm.subnet_id,
        "EniId": hsm.eni_id,
        "EniIp": hsm.address,
        "HsmId": hsm.hsm_id,
        "HsmType": hsm.hsm_type,
        "State": hsm.state.upper(),
        "StateMessage": hsm.message or None,
    }


def _check_may_create(scene: Scene, cluster: ClusterRecord, zone: str) -> None:
    """Refuse an HSM that CloudHSM would refuse, and one the lab has nothing to make from.

    The text for a second HSM before activation is the service's own (Terraform's AWS provider, issue 7437).
    """
    if cluster.hsms and cluster.state in (ClusterState.UNINITIALIZED, ClusterState.INITIALIZED):
        raise invalid(f"Cluster '{cluster.cluster_id}' already contains an HSM but has not yet been fully activated")
    try:
        check_may_create_hsm(cluster.in_domain(scene.region.name), zone)
    except Conflict as conflict:
        raise invalid(f"{conflict}.") from conflict
    if cluster.state is ClusterState.ACTIVE and cluster.hsms and not cluster.active_hsms:
        raise invalid(f"Cluster '{cluster.cluster_id}' has no ACTIVE HSM at the moment.")
    if cluster.state is ClusterState.ACTIVE and origin(scene, cluster) is None:
        raise invalid(f"Cluster '{cluster.cluster_id}' has neither an HSM nor a READY backup.")


def _address(scene: Scene, asked: Members) -> str:
    """A free address for the new HSM: the wanted one, or any of the zone's subnet."""
    zone, wanted = asked["AvailabilityZone"], asked.get("IpAddress")
    address = scene.machines.free_address(zone, wanted)
    if address is None:
        what = f"The IP address {wanted} is not free" if wanted else "No IP address is free"
        raise invalid(f"{what} in the subnet of {zone}.")
    return address


def _named(cluster: ClusterRecord, asked: Members) -> HsmRecord:
    """The HSM a deletion is about."""
    given = [name for name in _NAMES if name in asked]
    if len(given) != 1:
        raise invalid("Exactly one of HsmId, EniId and EniIp must be given.")
    for hsm in cluster.hsms.values():
        if getattr(hsm, _NAMES[given[0]]) == asked[given[0]]:
            return hsm
    raise not_found(f"Cluster '{cluster.cluster_id}' has no HSM {asked[given[0]]}.")
