"""Resource policies of emulated backups, which share a backup with other accounts: put, get, delete.

Stores policies and enforces none: the lab has one account.
"""

from __future__ import annotations

import json

from hsmctl.domain.cluster import BackupState
from hsmctl.lab.cloudhsm_scene import Scene, invalid, not_found
from hsmctl.lab.cloudhsm_state import BackupRecord
from hsmctl.lab.shapes import Members


def put_resource_policy(scene: Scene, asked: Members) -> Members:
    """Give a READY backup a policy."""
    backup = _backup(scene, asked)
    if backup.state is not BackupState.READY:
        raise invalid(f"Backup '{backup.backup_id}' is {backup.state.upper()}, not READY.")
    backup.policy = _policy(asked)
    return {"ResourceArn": asked["ResourceArn"], "Policy": backup.policy}


def get_resource_policy(scene: Scene, asked: Members) -> Members:
    """The policy of a backup."""
    return {"Policy": _present(_backup(scene, asked))}


def delete_resource_policy(scene: Scene, asked: Members) -> Members:
    """Take a backup's policy away."""
    backup = _backup(scene, asked)
    policy, backup.policy = _present(backup), None
    return {"ResourceArn": asked["ResourceArn"], "Policy": policy}


def _backup(scene: Scene, asked: Members) -> BackupRecord:
    """The backup a request is about; only backups have policies (API reference, PutResourcePolicy)."""
    arn = asked.get("ResourceArn")
    if not arn:
        raise invalid("ResourceArn must be given.")
    backup_id = arn.rpartition("/")[2]
    if not backup_id.startswith("backup-"):
        raise invalid("Only backups have resource policies.")
    if arn != scene.backup_arn(backup_id):
        raise not_found(f"{arn} does not exist in this region and account.")
    return scene.backup(backup_id)


def _policy(asked: Members) -> str:
    """The policy of a request, which must be a JSON object with statements."""
    text: str = asked.get("Policy") or ""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise invalid("The policy is not JSON.") from error
    if not isinstance(document, dict) or not document.get("Statement"):
        raise invalid("The policy has no Statement.")
    return text


def _present(backup: BackupRecord) -> str:
    """The backup's policy."""
    if backup.policy is None:
        raise not_found(f"Backup '{backup.backup_id}' has no resource policy.")
    return backup.policy
