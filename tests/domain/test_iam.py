"""Proves that each role's policy allows what hsmctl's plans call, and that no reader may change anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plan_world import opened
from transcript import hsmctl
from world import ZONES, World, three_hsms

from hsmctl.domain.iam import Role, Scope, policy
from hsmctl.domain.interlock import Interlock

READS = ("Describe", "Get", "List", "Search", "Filter", "Lookup")


def allowed(role: Role) -> set[str]:
    return {action for statement in policy(role, Scope()) for action in statement.actions}


def test_a_viewer_only_reads() -> None:
    assert all(action.partition(":")[2].startswith(READS) for action in allowed(Role.VIEWER))


@pytest.mark.parametrize("role", Role)
def test_the_policy_is_iams_own_json(role: Role, tmp_path: Path) -> None:
    document = json.loads(hsmctl(World(), "iam", "policy", role.value, folder=tmp_path).out)
    assert document["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(sids) == len(set(sids))
    assert not any("*" in statement["Action"] for statement in document["Statement"])


def test_a_scaler_may_do_what_the_plans_of_scaling_call(tmp_path: Path) -> None:
    _, facade = opened(three_hsms(), tmp_path)
    told = {Interlock.SIZE: "x", Interlock.ZONES: "x"}
    called = {
        *facade.hsm.plan_add(three_hsms(), ZONES[:1], {}).permissions,
        *facade.hsm.plan_scale(three_hsms(), dict.fromkeys(ZONES, 0), told).permissions,
    }
    assert called <= allowed(Role.SCALER)
    assert "cloudhsm:DeleteCluster" not in allowed(Role.SCALER)


def test_scopes_narrow_the_arns_where_iam_can_tell() -> None:
    scope = Scope(account="111122223333", region="eu-central-1", cluster="cluster-a2b3c4d5e6f")
    (create,) = [each for each in policy(Role.SCALER, scope) if each.sid == "HsmCreate"]
    assert create.resources == ("arn:aws:cloudhsm:eu-central-1:111122223333:cluster/cluster-a2b3c4d5e6f",)
    (delete,) = [each for each in policy(Role.SCALER, scope) if each.sid == "HsmDelete"]
    assert delete.resources == ("*",)
