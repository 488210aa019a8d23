"""Tags of emulated clusters and backups: TagResource, UntagResource and ListTags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hsmctl.lab.cloudhsm_scene import Scene, page
from hsmctl.lab.cloudhsm_state import BackupRecord, ClusterRecord
from hsmctl.lab.shapes import Members
from hsmctl.lab.wire import AwsError

_LIMIT = 50
_PAGE = 100


def tag_resource(scene: Scene, asked: Members) -> Members:
    """Add tags, or give tags that are there another value."""
    resource = _resource(scene, asked["ResourceId"])
    tags = resource.tags | checked_tags(asked["TagList"])
    if len(tags) > _LIMIT:
        raise AwsError("CloudHsmResourceLimitExceededException", f"A resource has at most {_LIMIT} tags.")
    resource.tags = tags
    return {}


def untag_resource(scene: Scene, asked: Members) -> Members:
    """Remove tags; keys that are not there are ignored."""
    resource = _resource(scene, asked["ResourceId"])
    resource.tags = {key: value for key, value in resource.tags.items() if key not in asked["TagKeyList"]}
    return {}


def list_tags(scene: Scene, asked: Members) -> Members:
    """The tags, by key."""
    tags = _resource(scene, asked["ResourceId"]).tags
    shown, token = page(asked, [(tag["Key"], tag) for tag in tag_list(dict(sorted(tags.items())))], _PAGE)
    return {"TagList": shown, "NextToken": token}


def tag_list(tags: Mapping[str, str]) -> list[Mapping[str, str]]:
    """Tags as the service model has them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def checked_tags(given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The tags of a request.

    Raises:
        AwsError: a key occurs twice or is reserved.
    """
    tags = {tag["Key"]: tag["Value"] for tag in given}
    if len(tags) < len(given):
        raise AwsError("CloudHsmTagException", "A tag key occurs more than once.")
    if any(key.lower().startswith("aws:") for key in tags):
        raise AwsError("CloudHsmTagException", "Tag keys that start with aws: are reserved.")
    return tags


def _resource(scene: Scene, resource_id: str) -> ClusterRecord | BackupRecord:
    """The cluster or backup of this id."""
    return scene.cluster(resource_id) if resource_id.startswith("cluster-") else scene.backup(resource_id)
