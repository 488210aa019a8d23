"""The emulated CloudHSMv2 service: every operation of the service model, over a lab's folder and machines.

Knows which function answers which operation and that one runs at a time: transitions are settled first, the state file
is written before the answer goes out. Knows nothing of HTTP, signatures or processes.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping

from hsmctl.domain.cluster import ClusterState
from hsmctl.errors import Conflict
from hsmctl.lab.cloudhsm_backup import (
    copy_backup_to_region,
    delete_backup,
    describe_backups,
    modify_backup_attributes,
    restore_backup,
    settle_backups,
    sweep_contents,
)
from hsmctl.lab.cloudhsm_cluster import (
    activate_cluster,
    create_cluster,
    delete_cluster,
    describe_clusters,
    initialize_cluster,
    modify_cluster,
)
from hsmctl.lab.cloudhsm_hsm import create_hsm, delete_hsm
from hsmctl.lab.cloudhsm_life import resume, settle_clusters
from hsmctl.lab.cloudhsm_policy import delete_resource_policy, get_resource_policy, put_resource_policy
from hsmctl.lab.cloudhsm_scene import INVALID, Operation, Scene, Site, Subnet
from hsmctl.lab.cloudhsm_state import ClusterRecord, State
from hsmctl.lab.cloudhsm_tag import list_tags, tag_resource, untag_resource
from hsmctl.lab.folder import LabFolder
from hsmctl.lab.machines import Machines
from hsmctl.lab.shapes import JsonModel, Members
from hsmctl.lab.wire import Answer, AwsError, Call

__all__ = ["CloudHsm", "Site", "Subnet"]

OPERATIONS: Mapping[str, Operation] = {
    "CopyBackupToRegion": copy_backup_to_region,
    "CreateCluster": create_cluster,
    "CreateHsm": create_hsm,
    "DeleteBackup": delete_backup,
    "DeleteCluster": delete_cluster,
    "DeleteHsm": delete_hsm,
    "DeleteResourcePolicy": delete_resource_policy,
    "DescribeBackups": describe_backups,
    "DescribeClusters": describe_clusters,
    "GetResourcePolicy": get_resource_policy,
    "InitializeCluster": initialize_cluster,
    "ListTags": list_tags,
    "ModifyBackupAttributes": modify_backup_attributes,
    "ModifyCluster": modify_cluster,
    "PutResourcePolicy": put_resource_policy,
    "RestoreBackup": restore_backup,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}


class CloudHsm:
    """A lab.wire.Service; its signing name is `cloudhsm`.

    Keeps its state in `aws/cloudhsm.json` of the lab's folder and its roots in `pki/` (`aws-root.pem` and
    `manufacturer-root.pem`, made with the first certificates). `clock` gives seconds since the epoch; every state
    transition takes `delay` seconds. The constructor asks the machines again for what a service that was cut off
    may not have asked for.
    """

    def __init__(
        self, folder: LabFolder, site: Site, machines: Machines, clock: Callable[[], float], delay: float
    ) -> None:
        self._folder = folder
        self._site = site
        self._machines = machines
        self._clock = clock
        self._delay = delay
        self._model = JsonModel("cloudhsmv2", "2017-04-28", INVALID)
        self._state = State(folder.aws / "cloudhsm.json")
        self._one_at_a_time = threading.Lock()
        scene = self._scene(site.region)
        sweep_contents(scene)
        resume(scene)

    def answer(self, call: Call) -> Answer:
        """The answer to a call.

        Raises:
            AwsError: the service refuses.
        """
        operation = self._model.operation(call)
        asked = self._model.request(operation, call.body)
        result = self._run(OPERATIONS[operation], call.region, asked)
        return self._model.answer(operation, result)

    def activate(self, cluster_id: str) -> None:
        """Make an INITIALIZED cluster of the home region ACTIVE and take its first backup.

        Raises:
            Conflict: the cluster is not there or not INITIALIZED.
        """
        try:
            self._run(activate_cluster, self._site.region, {"ClusterId": cluster_id})
        except AwsError as error:
            raise Conflict(f"{cluster_id} not activated", error.message) from error

    def clusters(self) -> list[ClusterRecord]:
        """The clusters of the home region that are not deleted, as they are now; copies."""
        return list(self._run(_standing, self._site.region, {})["Clusters"])

    def intervene(self, operation: Operation, asked: Members) -> Members:
        """What an operation of the lab's own answers, run on the home region like those of the service model.

        Raises:
            Conflict: it makes no sense as things are.
        """
        return self._run(operation, self._site.region, asked)

    def _run(self, operation: Operation, region: str, asked: Members) -> Members:
        """Run one operation on settled records and keep what it changed."""
        with self._one_at_a_time:
            scene = self._scene(region)
            settle_clusters(scene)
            settle_backups(scene)
            result = operation(scene, asked)
            self._state.save()
            return result

    def _scene(self, region: str) -> Scene:
        """A region as it is now."""
        return Scene(
            state=self._state,
            region=self._state.region(region),
            now=self._clock(),
            delay=self._delay,
            site=self._site,
            machines=self._machines,
            pki=self._folder.pki,
            backups=self._folder.backups,
        )


def _standing(scene: Scene, _: Members) -> Members:
    """Copies of the clusters that are not deleted."""
    there = (cluster for cluster in scene.region.clusters.values() if cluster.state is not ClusterState.DELETED)
    return {"Clusters": [copy.deepcopy(cluster) for cluster in there]}
