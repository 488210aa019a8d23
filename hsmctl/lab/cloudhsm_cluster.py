"""Emulated clusters: created, listed, initialized, activated, modified and deleted.

What is legal in which state is the domain's decision, so that the tool and its lab cannot disagree. AWS's quotas of 4
clusters and 6 HSMs are not imposed, because the lab shows larger estates.
A cluster made from a backup is ACTIVE without HSMs; its first HSM brings users and keys back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hsmctl.domain.cluster import BackupState, ClusterState, check_may_initialize
from hsmctl.errors import Conflict
from hsmctl.lab.cloudhsm_backup import take_backup
from hsmctl.lab.cloudhsm_hsm import hsm_view
from hsmctl.lab.cloudhsm_life import become
from hsmctl.lab.cloudhsm_scene import Scene, invalid, matching, page
from hsmctl.lab.cloudhsm_state import ClusterRecord, new_ec2_id, new_id
from hsmctl.lab.cloudhsm_tag import checked_tags, tag_list
from hsmctl.lab.shapes import Members

HSM_TYPE = "hsm2m.medium"
"""The only type CloudHSM still creates (user guide, deprecation notifications)."""

_PAGE = 25
_RETENTION_DAYS = range(7, 380)
_DEFAULT_RETENTION = "90"
_FILTERS: Mapping[str, Callable[[ClusterRecord], str | None]] = {
    "clusterIds": lambda cluster: cluster.cluster_id,
    "vpcIds": lambda cluster: cluster.vpc_id,
    "states": lambda cluster: cluster.state.upper(),
}


def create_cluster(scene: Scene, asked: Members) -> Members:
    """Create a cluster without HSMs, with the history of a backup if one is given."""
    if asked["HsmType"] != HSM_TYPE:
        raise invalid("Provided HsmType is not supported.")
    if "Mode" not in asked:
        raise invalid(f"The mode must be given for HsmType {HSM_TYPE}.")
    if asked.get("NetworkType") == "DUALSTACK":
        raise invalid("The subnets have no IPv6 CIDR block.")
    cluster = ClusterRecord(
        cluster_id=new_id("cluster"),
        hsm_type=asked["HsmType"],
        mode=asked["Mode"],
        vpc_id=scene.site.vpc_id,
        security_group=new_ec2_id("sg"),
        subnets=_subnets(scene, asked["SubnetIds"]),
        retention_days=_retention(asked) or _DEFAULT_RETENTION,
        created=scene.now,
        state=ClusterState.CREATE_IN_PROGRESS,
        since=scene.now,
        tags=checked_tags(asked.get("TagList", ())),
    )
    if "SourceBackupId" in asked:
        _inherit(scene, cluster, asked["SourceBackupId"])
    scene.region.clusters[cluster.cluster_id] = cluster
    return {"Cluster": _view(cluster)}


def describe_clusters(scene: Scene, asked: Members) -> Members:
    """The clusters, oldest first, those deleted a while ago included."""
    found = matching(asked, list(scene.region.clusters.values()), _FILTERS)
    shown, token = page(asked, found, _PAGE)
    return {"Clusters": [_view(cluster) for cluster in shown], "NextToken": token}


def initialize_cluster(scene: Scene, asked: Members) -> Members:
    """Let the holder of the trust anchor claim the cluster."""
    from hsmctl.lab.pki import claimed

    cluster = scene.cluster(asked["ClusterId"])
    try:
        check_may_initialize(cluster.in_domain(scene.region.name))
        csr = cluster.certificates["ClusterCsr"]
        certificate = claimed(csr, asked["SignedCert"], asked["TrustAnchor"], scene.moment)
    except Conflict as conflict:
        raise invalid(f"{conflict}.") from conflict
    cluster.certificates = {"ClusterCertificate": certificate}
    message = "Cluster is initializing. State will change to INITIALIZED upon completion."
    become(scene, cluster, ClusterState.INITIALIZE_IN_PROGRESS, message)
    return {"State": cluster.state.upper(), "StateMessage": message}


def activate_cluster(scene: Scene, asked: Members) -> Members:
    """What happens to the cluster when its admin's first password is set: no operation of the API, but its effect."""
    cluster = scene.cluster(asked["ClusterId"])
    if cluster.state is not ClusterState.INITIALIZED:
        raise invalid(f"Cluster '{cluster.cluster_id}' is {cluster.state.upper()}, not INITIALIZED.")
    become(scene, cluster, ClusterState.ACTIVE)
    take_backup(scene, cluster)
    return {}


def modify_cluster(scene: Scene, asked: Members) -> Members:
    """Change how long backups are kept; there is no other HSM type to migrate to."""
    cluster = scene.cluster(asked["ClusterId"])
    days = _retention(asked)
    if "HsmType" in asked:
        other = asked["HsmType"] != cluster.hsm_type
        raise invalid("Provided HsmType is not supported." if other else f"The cluster is {cluster.hsm_type} already.")
    if days is None:
        raise invalid("HsmType or BackupRetentionPolicy must be given.")
    if cluster.state is not ClusterState.ACTIVE:
        raise invalid(f"Cluster '{cluster.cluster_id}' is {cluster.state.upper()}, not ACTIVE.")
    cluster.retention_days = days
    return {"Cluster": _view(cluster)}


def delete_cluster(scene: Scene, asked: Members) -> Members:
    """Delete a cluster that has no HSMs any more."""
    cluster = scene.cluster(asked["ClusterId"])
    if cluster.hsms:
        raise invalid(f"Cluster '{cluster.cluster_id}' still has HSMs; delete them first.")
    if cluster.state is ClusterState.DELETE_IN_PROGRESS:
        raise invalid(f"Cluster '{cluster.cluster_id}' is being deleted already.")
    become(scene, cluster, ClusterState.DELETE_IN_PROGRESS)
    return {"Cluster": _view(cluster)}


def _subnets(scene: Scene, subnet_ids: Sequence[str]) -> dict[str, str]:
    """The subnets of a request by zone, at most one for each (API reference, CreateCluster)."""
    mapping: dict[str, str] = {}
    for subnet_id in subnet_ids:
        zone = scene.zones.get(subnet_id)
        if zone is None:
            raise invalid(f"The subnet ID '{subnet_id}' does not exist.")
        if zone in mapping:
            raise invalid(f"More than one subnet is in Availability Zone {zone}.")
        mapping[zone] = subnet_id
    return mapping


def _retention(asked: Members) -> str | None:
    """The days of a request's retention policy, or None where it has none."""
    policy = asked.get("BackupRetentionPolicy")
    if policy is None:
        return None
    days: str | None = policy.get("Value")
    if policy.get("Type") != "DAYS" or days is None or int(days) not in _RETENTION_DAYS:
        raise invalid("BackupRetentionPolicy must be of Type DAYS with a Value from 7 to 379.")
    return days


def _inherit(scene: Scene, cluster: ClusterRecord, source: str) -> None:
    """Make a new cluster one that is restored from a backup (user guide, create-cluster-from-backup)."""
    backup = scene.backup(source.rpartition("/")[2])
    if "/" in source and source != scene.backup_arn(backup.backup_id):
        raise invalid(f"{source} is not a backup of this region and account.")
    if backup.state is not BackupState.READY:
        raise invalid(f"Backup '{backup.backup_id}' is {backup.state.upper()}, not READY.")
    if backup.mode != cluster.mode:
        raise invalid(f"Backup '{backup.backup_id}' is {backup.mode} and cannot be restored to {cluster.mode}.")
    cluster.source_backup = backup.backup_id
    cluster.certificates = {"ClusterCertificate": backup.certificate}


def _view(cluster: ClusterRecord) -> Members:
    """A cluster as DescribeClusters shows it."""
    return {
        "BackupPolicy": "DEFAULT",
        "BackupRetentionPolicy": {"Type": "DAYS", "Value": cluster.retention_days},
        "ClusterId": cluster.cluster_id,
        "CreateTimestamp": cluster.created,
        "Hsms": [hsm_view(cluster.cluster_id, hsm) for hsm in cluster.hsms.values()],
        "HsmType": cluster.hsm_type,
        "SecurityGroup": cluster.security_group,
        "SourceBackupId": cluster.source_backup,
        "State": cluster.state.upper(),
        "StateMessage": cluster.message or None,
        "SubnetMapping": cluster.subnets,
        "VpcId": cluster.vpc_id,
        "NetworkType": "IPV4",
        "Certificates": cluster.certificates,
        "TagList": tag_list(cluster.tags),
        "Mode": cluster.mode,
    }
