"""Changes of clusters that make nothing new: retention, type and tags, over cloudhsmv2."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from hsmctl.adapters.aws_error import translated


class AwsClusterEdits:
    """ports_cluster.ClusterEdits over cloudhsmv2; a change is sent once."""

    def __init__(self, client: Callable[[], Any]) -> None:
        """Name what makes the client; nothing is asked yet."""
        self._new_client = client

    def keep_backups(self, cluster_id: str, days: int) -> None:
        """Change how long backups are kept."""
        policy = {"Type": "DAYS", "Value": str(days)}
        with translated("cloudhsm:ModifyCluster"):
            self._client.modify_cluster(ClusterId=cluster_id, BackupRetentionPolicy=policy)

    def change_type(self, cluster_id: str, hsm_type: str) -> None:
        """Begin to move every HSM to another type, or back."""
        with translated("cloudhsm:ModifyCluster"):
            self._client.modify_cluster(ClusterId=cluster_id, HsmType=hsm_type)

    def tag(self, resource_id: str, tags: Mapping[str, str]) -> None:
        """Set these tags."""
        listed = [{"Key": name, "Value": value} for name, value in tags.items()]
        with translated("cloudhsm:TagResource"):
            self._client.tag_resource(ResourceId=resource_id, TagList=listed)

    def untag(self, resource_id: str, names: Sequence[str]) -> None:
        """Take these tags away; harmless where they are missing."""
        with translated("cloudhsm:UntagResource"):
            self._client.untag_resource(ResourceId=resource_id, TagKeyList=list(names))

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - one client for all operations
        return self._new_client()
