"""Proves that clusters are created only where they can be, and deleted, modified and tagged behind their interlocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import world
from estate_world import FakeGrounds
from plan_world import STORE, opened, run
from world import CLUSTER, NOW, World

from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.cluster import BackupState, Cluster, ClusterState
from hsmctl.domain.hold import Hold
from hsmctl.domain.interlock import Interlock
from hsmctl.domain.plan import Action, Effect
from hsmctl.domain.preflight import Subnet
from hsmctl.errors import Conflict, UsageError
from hsmctl.services.cluster_change import NewCluster

WANTED = NewCluster(subnets=("subnet-a", "subnet-b"), hsm_type="hsm2m.medium", mode="FIPS", tags={"Name": "orders"})
BACKUP = "backup-q2w3e4r5t6y"


def grounds(facade: Hsmctl, *subnets: Subnet, most: int = 4, documented: bool = True) -> None:
    known = FakeGrounds(known=subnets, most=most, documented=documented)
    vars(facade)["changes"] = replace(facade.changes, grounds=known)


def subnet(name: str, zone: str, vpc: str = "vpc-1", free: int = 9) -> Subnet:
    return Subnet(subnet_id=f"subnet-{name}", vpc_id=vpc, zone=zone, free=free)


def test_a_cluster_is_created_as_it_was_asked_for(tmp_path: Path) -> None:
    outside, facade = opened(world.three_hsms(), tmp_path)
    plan = facade.changes.plan_create(replace(WANTED, retention_days=30, network_type="IPV4"), {})
    assert plan.unmet == ()
    assert run(facade, plan) == [Action.CREATE_CLUSTER, Action.WAIT_CLUSTER]
    made = list(outside.plane.held.values())[-1]
    assert (made.backup_retention_days, made.network_type, made.tags) == (30, "IPV4", {"Name": "orders"})


@pytest.mark.parametrize(
    ("subnets", "why"),
    [
        ([subnet("a", "z1")], "subnet-b"),
        ([subnet("a", "z1"), subnet("b", "z2", "vpc-2")], "vpc-1, vpc-2"),
        ([subnet("a", "z1"), subnet("b", "z1")], "z1"),
        ([subnet("a", "z1"), subnet("b", "z2", free=0)], "subnet-b has none"),
    ],
)
def test_a_place_that_does_not_fit_is_refused(subnets: list[Subnet], why: str, tmp_path: Path) -> None:
    _, facade = opened(world.three_hsms(), tmp_path)
    grounds(facade, *subnets)
    plan = facade.changes.plan_create(WANTED, {Interlock.ZONES: "told to"})
    (unmet,) = plan.unmet
    assert why in unmet.why


def test_one_zone_needs_a_reason_and_dual_stack_needs_prefixes(tmp_path: Path) -> None:
    _, facade = opened(world.three_hsms(), tmp_path)
    one = replace(WANTED, subnets=("subnet-a",))
    assert ["two zones" in each.what for each in facade.changes.plan_create(one, {}).unmet] == [True]
    assert facade.changes.plan_create(one, {Interlock.ZONES: "a test"}).unmet == ()
    dual = facade.changes.plan_create(replace(WANTED, network_type="DUALSTACK"), {})
    assert ["IPv6" in each.what for each in dual.unmet] == [True]


def test_a_quota_that_was_read_refuses_and_a_documented_one_only_says_so(tmp_path: Path) -> None:
    _, facade = opened(world.three_hsms(), tmp_path)
    known = (subnet("a", "z1"), subnet("b", "z2"))
    grounds(facade, *known, most=1)
    plan = facade.changes.plan_create(WANTED, {})
    assert plan.unmet == ()
    assert any("documented" in each.why for each in plan.preconditions)
    grounds(facade, *known, most=1, documented=False)
    assert ["room" in each.what for each in facade.changes.plan_create(WANTED, {}).unmet] == [True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"hsm_type": "hsm1.medium"},
        {"mode": "SOMETIMES"},
        {"subnets": ()},
        {"subnets": tuple(f"subnet-{number}" for number in range(11))},
        {"retention_days": 6},
        {"retention_days": 380},
    ],
)
def test_what_no_account_can_have_is_a_usage_error(wrong: dict[str, object], tmp_path: Path) -> None:
    _, facade = opened(world.three_hsms(), tmp_path)
    with pytest.raises(UsageError):
        facade.changes.plan_create(replace(WANTED, **wrong), {})  # type: ignore[arg-type]


def test_a_restore_takes_the_backups_mode_and_warns_of_what_returns(tmp_path: Path) -> None:
    outside, facade = opened(world.three_hsms(), tmp_path)
    outside.plane.backup_list = (replace(outside.plane.backup_list[0], mode="NON_FIPS"),)
    restored = replace(WANTED, mode="", backup=BACKUP)
    plan = facade.changes.plan_create(restored, {})
    assert plan.steps[0].inputs["mode"] == "NON_FIPS"
    assert any("customer CA" in warning for warning in plan.warnings)
    with pytest.raises(Conflict, match="not restored to FIPS"):
        facade.changes.plan_create(replace(restored, mode="FIPS"), {})
    outside.plane.backup_list = (replace(outside.plane.backup_list[0], state=BackupState.PENDING_DELETION),)
    with pytest.raises(Conflict, match="READY"):
        facade.changes.plan_create(restored, {})
    with pytest.raises(Conflict, match="not found"):
        facade.changes.plan_create(replace(restored, backup="backup-aaaaaaaaaaa"), {})
    run(facade, plan)
    assert list(outside.plane.held.values())[-1].source_backup_id == BACKUP


def bare() -> Cluster:
    return replace(world.three_hsms(), hsms=())


def test_a_cluster_without_hsms_is_deleted_and_one_with_some_is_not(tmp_path: Path) -> None:
    outside, facade = opened(bare(), tmp_path)
    plan = facade.changes.plan_delete(bare(), {})
    assert (plan.unmet, plan.destructive) == ((), True)
    assert run(facade, plan) == [Action.DELETE_CLUSTER, Action.WAIT_DELETED]
    assert outside.plane.held == {}
    with pytest.raises(Conflict, match="has 3 HSMs") as refused:
        facade.changes.plan_delete(world.three_hsms(), {})
    assert "scale" in refused.value.hint


def linked(outside: World) -> None:
    outside.estate.stores = (STORE,)


def held(outside: World) -> None:
    outside.estate.held[CLUSTER] = Hold(cluster_id=CLUSTER, reason="key lost", set_at=NOW, set_by="ops")


def unsaved(outside: World) -> None:
    outside.plane.backup_list = ()


@pytest.mark.parametrize(
    ("bend", "key"), [(linked, Interlock.KEY_STORE), (held, Interlock.HOLD), (unsaved, Interlock.RESTORABLE)]
)
def test_a_deletion_waits_behind_its_interlocks(bend: Callable[[World], None], key: Interlock, tmp_path: Path) -> None:
    outside, facade = opened(bare(), tmp_path)
    bend(outside)
    plan = facade.changes.plan_delete(bare(), {})
    assert [each.key for each in plan.unmet] == [key]
    with pytest.raises(Conflict):
        run(facade, plan)
    assert CLUSTER in outside.plane.held


def test_retention_is_changed_and_shortening_it_is_confirmed(tmp_path: Path) -> None:
    outside, facade = opened(world.three_hsms(), tmp_path)
    longer = facade.changes.plan_retention(world.three_hsms(), 120)
    shorter = facade.changes.plan_retention(world.three_hsms(), 10)
    assert (longer.steps[0].effect, shorter.steps[0].effect) == (Effect.CHANGE, Effect.DESTROY)
    run(facade, longer)
    assert outside.plane.held[CLUSTER].backup_retention_days == 120
    with pytest.raises(UsageError):
        facade.changes.plan_retention(world.three_hsms(), 5)


def old() -> Cluster:
    cluster = world.three_hsms()
    return replace(
        cluster, hsm_type="hsm1.medium", hsms=tuple(replace(hsm, hsm_type="hsm1.medium") for hsm in cluster.hsms)
    )


def test_the_type_is_changed_with_its_warnings_and_taken_back_while_that_is_possible(tmp_path: Path) -> None:
    outside, facade = opened(old(), tmp_path)
    plan = facade.changes.plan_migrate(old(), "hsm2m.medium", {})
    assert (plan.unmet, plan.destructive) == ((), True)
    assert any("24 hours" in warning for warning in plan.warnings)
    assert run(facade, plan) == [Action.MODIFY_CLUSTER, Action.WAIT_CLUSTER]
    new = outside.plane.held[CLUSTER]
    assert new.hsm_type == "hsm2m.medium"
    with pytest.raises(Conflict, match="cannot go back"):
        facade.changes.plan_migrate(new, "hsm1.medium", {})
    open_ = replace(new, rollback_until=NOW + timedelta(hours=20))
    assert "back" in facade.changes.plan_migrate(open_, "hsm1.medium", {}).title
    with pytest.raises(Conflict, match="already"):
        facade.changes.plan_migrate(new, "hsm2m.medium", {})


def test_a_migration_waits_behind_its_interlocks(tmp_path: Path) -> None:
    outside, facade = opened(old(), tmp_path)
    outside.estate.keys[world.HSMS[0]] = (1.0,)
    assert [each.key for each in facade.changes.plan_migrate(old(), "hsm2m.medium", {}).unmet] == [Interlock.COUNTS]
    outside.estate.keys.clear()
    many = replace(old(), hsms=tuple(world.hsm(f"hsm-{number:011}", world.ZONES[0], None) for number in range(28)))
    assert ["27" in each.what for each in facade.changes.plan_migrate(many, "hsm2m.medium", {}).unmet] == [True]
    run_state = replace(old(), state=ClusterState.MODIFY_IN_PROGRESS)
    outside.plane.held[CLUSTER] = run_state
    with pytest.raises(Conflict, match="modify_in_progress"):
        run(facade, facade.changes.plan_migrate(run_state, "hsm2m.medium", {}))


def test_tags_are_set_and_taken_away(tmp_path: Path) -> None:
    outside, facade = opened(world.three_hsms(), tmp_path)
    run(facade, facade.changes.plan_tag(world.three_hsms(), {"owner": "payments"}))
    assert outside.plane.held[CLUSTER].tags == {"Name": "lab", "owner": "payments"}
    run(facade, facade.changes.plan_untag(world.three_hsms(), ["Name", "none"]))
    assert outside.plane.held[CLUSTER].tags == {"owner": "payments"}
