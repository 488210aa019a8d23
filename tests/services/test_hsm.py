"""Proves that every interlock trips alone with its reason and way out, and that scaling converges on counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
import world
from plan_world import STORE, opened, run
from world import CLUSTER, HSMS, NOW, ZONES, World

from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.cluster import Backup, BackupState, Cluster, ClusterState, HsmState
from hsmctl.domain.event import StepDone
from hsmctl.domain.hold import Hold
from hsmctl.domain.interlock import Interlock
from hsmctl.domain.plan import Action, Plan
from hsmctl.domain.scale import balanced, gap
from hsmctl.errors import Conflict, Denied, Unreachable
from hsmctl.services.hsm import wanted_counts

TOLD = {Interlock.SIZE: "told to", Interlock.ZONES: "told to"}


def four() -> Cluster:
    """An ACTIVE cluster with two HSMs in its first zone and one in each other."""
    cluster = world.three_hsms()
    return replace(cluster, hsms=(*cluster.hsms, world.hsm("hsm-ddddddddddd", ZONES[0], "127.16.1.11")))


def removal(facade: Hsmctl, *names: str, waivers: Mapping[Interlock, str] | None = None) -> Plan:
    return facade.hsm.plan_remove(facade.cluster.only(None), names, waivers or {})


def test_where_nothing_stands_in_the_way_an_hsm_is_removed(tmp_path: Path) -> None:
    outside, facade = opened(four(), tmp_path)
    plan = removal(facade, "hsm-ddddddddddd")
    assert (plan.unmet, plan.destructive) == ((), True)
    assert run(facade, plan) == [Action.DELETE_HSM, Action.WAIT_GONE]
    assert [hsm.hsm_id for hsm in outside.plane.held[CLUSTER].hsms] == list(HSMS)


def store_linked(outside: World) -> None:
    outside.estate.stores = (STORE,)


def stores_denied(outside: World) -> None:
    outside.estate.stores_error = Denied("kms:DescribeCustomKeyStores denied")


def held(outside: World) -> None:
    outside.estate.held[CLUSTER] = Hold(cluster_id=CLUSTER, reason="key lost", set_at=NOW, set_by="ops")


def hold_unreadable(outside: World) -> None:
    outside.estate.hold_error = Conflict("the hold cannot be read")


def unequal(outside: World) -> None:
    outside.estate.keys[HSMS[1]] = (4.0,)


def unequal_a_while_ago(outside: World) -> None:
    outside.estate.keys |= {HSMS[0]: (4.0, 5.0), HSMS[1]: (5.0, 5.0)}


def uncounted(outside: World) -> None:
    outside.estate.keys[HSMS[1]] = ()


def counts_denied(outside: World) -> None:
    outside.estate.keys_error = Unreachable("cloudwatch:GetMetricData failed")


def joining(outside: World) -> None:
    new = world.hsm("hsm-joining0000", ZONES[1], None, HsmState.CREATE_IN_PROGRESS)
    cluster = outside.plane.held[CLUSTER]
    outside.plane.held[CLUSTER] = replace(cluster, hsms=(*cluster.hsms, new))


@dataclass(frozen=True)
class Trip:
    """One thing that stands in the way, and what is said of it."""

    bend: Callable[[World], None]
    key: Interlock
    why: str
    way_out: str
    cluster: Callable[[], Cluster] = four
    leaves: tuple[str, ...] = ("hsm-ddddddddddd",)
    waivers: Mapping[Interlock, str] = field(default_factory=dict)


TRIPS = (
    Trip(store_linked, Interlock.KEY_STORE, "orders is linked", "keep two", world.three_hsms, HSMS[:2], waivers=TOLD),
    Trip(stores_denied, Interlock.KEY_STORE, "unknown: kms:Desc", "iam policy"),
    Trip(held, Interlock.HOLD, "key lost", "hold release"),
    Trip(hold_unreadable, Interlock.HOLD, "unknown: the hold", "hold release"),
    Trip(unequal, Interlock.COUNTS, f"{HSMS[1]} 4", "sync check"),
    Trip(unequal_a_while_ago, Interlock.COUNTS, "within 15 min", "sync check"),
    Trip(joining, Interlock.SETTLED, "create_in_progress", "hsm wait"),
    Trip(
        lambda _: None, Interlock.SIZE, "1 would", "--allow-outage", world.three_hsms, HSMS[:2], {Interlock.ZONES: "x"}
    ),
    Trip(
        lambda outside: outside.estate.keys.update({"hsm-ddddddddddd": (9.0,)}),
        Interlock.RICHEST,
        "hsm-ddddddddddd holds 9, the others 5",
        "another one",
        waivers={Interlock.COUNTS: "told to", Interlock.RICHEST: "told to"},
    ),
)


@pytest.mark.parametrize("trip", TRIPS, ids=lambda trip: f"{trip.key}-{trip.bend.__name__}")
def test_each_interlock_trips_alone_with_its_reason_and_way_out(trip: Trip, tmp_path: Path) -> None:
    outside, facade = opened(trip.cluster(), tmp_path)
    trip.bend(outside)
    plan = removal(facade, *trip.leaves, waivers=trip.waivers)

    assert {each.key for each in plan.unmet} == {trip.key}
    unmet = plan.unmet[0]
    assert trip.why in unmet.why
    assert trip.way_out in unmet.way_out
    before = outside.plane.held[CLUSTER]
    with pytest.raises(Conflict):
        run(facade, plan)
    assert outside.plane.held[CLUSTER] == before


@pytest.mark.parametrize("bend", [uncounted, counts_denied])
def test_counts_that_nobody_saw_refuse_unless_told_otherwise(bend: Callable[[World], None], tmp_path: Path) -> None:
    outside, facade = opened(four(), tmp_path)
    bend(outside)
    unknown = {each.key for each in removal(facade, "hsm-ddddddddddd").unmet}
    assert unknown == {Interlock.COUNTS, Interlock.RICHEST}
    told = {Interlock.COUNTS: "CloudWatch is down", Interlock.RICHEST: "CloudWatch is down"}
    assert removal(facade, "hsm-ddddddddddd", waivers=told).unmet == ()


def test_what_stays_in_one_zone_is_refused_where_there_were_two(tmp_path: Path) -> None:
    cluster = four()
    cluster = replace(cluster, hsms=(cluster.hsms[0], cluster.hsms[3], cluster.hsms[1]))
    _, facade = opened(cluster, tmp_path)
    assert {each.key for each in removal(facade, HSMS[1]).unmet} == {Interlock.ZONES}


@pytest.mark.parametrize("name", ["stores", "held", "counts"])
def test_an_interlock_is_read_again_at_the_moment_of_each_removal(name: str, tmp_path: Path) -> None:
    cluster = four()
    cluster = replace(cluster, hsms=(*cluster.hsms, world.hsm("hsm-eeeeeeeeeee", ZONES[1], "127.16.2.11")))
    outside, facade = opened(cluster, tmp_path)
    plan = removal(facade, "hsm-ddddddddddd", "hsm-eeeeeeeeeee")
    assert plan.unmet == ()
    bend = {"stores": stores_denied, "held": held, "counts": unequal}[name]
    events = facade.operations.apply(plan, facade.playbook("cluster"))
    for event in events:
        if isinstance(event, StepDone) and event.number == 2:
            bend(outside)
            break
    with pytest.raises(Conflict, match="not true"):
        list(events)
    assert len(outside.plane.held[CLUSTER].hsms) == 4


def test_with_a_key_store_nothing_below_two_hsms_in_two_zones_can_be_planned(tmp_path: Path) -> None:
    outside, facade = opened(four(), tmp_path)
    store_linked(outside)
    told = dict.fromkeys(set(Interlock) - {Interlock.KEY_STORE}, "told to")
    for total in range(6):
        if total == 4:
            continue
        plan = facade.hsm.plan_scale(four(), wanted_counts(four(), total, None), told)
        assert bool(plan.unmet) == (total < 2), total
    per_zone = facade.hsm.plan_scale(four(), {ZONES[0]: 2, ZONES[1]: 0, ZONES[2]: 0}, told)
    assert {each.key for each in per_zone.unmet} == {Interlock.KEY_STORE}


def test_an_hsm_before_activation_is_removed_without_counts(tmp_path: Path) -> None:
    cluster = world.three_hsms()
    cluster = replace(cluster, state=ClusterState.UNINITIALIZED, hsms=cluster.hsms[:1])
    outside, facade = opened(cluster, tmp_path)
    outside.estate.keys_error = Unreachable("CloudWatch")
    plan = removal(facade, HSMS[0], waivers=TOLD)
    assert plan.unmet == ()
    assert run(facade, plan) == [Action.DELETE_HSM, Action.WAIT_GONE]


def new_backup(outside: World) -> None:
    """Have every deletion make a backup, as CloudHSM does."""
    delete = outside.plane.delete_hsm
    names = (f"backup-new{number:08d}" for number in count())

    def deleting(cluster_id: str, hsm_id: str) -> None:
        delete(cluster_id, hsm_id)
        made = Backup(
            backup_id=next(names), state=BackupState.READY, cluster_id=cluster_id, created=outside.clock.now()
        )
        outside.plane.backup_list = (*outside.plane.backup_list, made)

    outside.plane.delete_hsm = deleting  # type: ignore[method-assign]


def test_to_nothing_the_last_backup_is_waited_for_and_recorded(tmp_path: Path) -> None:
    outside, facade = opened(world.three_hsms(), tmp_path)
    new_backup(outside)
    plan = facade.hsm.plan_scale(world.three_hsms(), dict.fromkeys(ZONES, 0), TOLD)
    assert plan.unmet == ()
    assert "without HSMs" in plan.warnings[0]
    assert run(facade, plan) == [Action.DELETE_HSM, Action.WAIT_GONE] * 3 + [Action.WAIT_BACKUP]
    assert outside.plane.held[CLUSTER].hsms == ()
    (operation,) = facade.operations.all()
    assert operation.found["backup_id"] == "backup-new00000002"


def no_ca(outside: World) -> None:
    outside.estate.ca_error = Conflict("no customer CA", "the context names none")


def old_backup(outside: World) -> None:
    old = replace(outside.plane.backup_list[0], created=NOW - timedelta(hours=27))
    outside.plane.backup_list = (old,)


@pytest.mark.parametrize(("bend", "key"), [(no_ca, Interlock.CUSTOMER_CA), (old_backup, Interlock.BACKUP)])
def test_to_nothing_needs_the_ca_and_a_fresh_backup(
    bend: Callable[[World], None], key: Interlock, tmp_path: Path
) -> None:
    outside, facade = opened(world.three_hsms(), tmp_path)
    bend(outside)
    plan = facade.hsm.plan_scale(world.three_hsms(), dict.fromkeys(ZONES, 0), TOLD)
    assert {each.key for each in plan.unmet} == {key}
    kept = facade.hsm.plan_scale(world.three_hsms(), {ZONES[0]: 1, ZONES[1]: 0, ZONES[2]: 0}, TOLD)
    assert kept.unmet == ()


def test_nothing_is_added_while_an_hsm_is_degraded_or_unhealthy(tmp_path: Path) -> None:
    outside, facade = opened(world.three_hsms(), tmp_path)
    outside.estate.sick.add(HSMS[0])
    plan = facade.hsm.plan_add(world.three_hsms(), ZONES[:1], {})
    assert [each.key for each in plan.unmet] == [Interlock.HEALTHY]
    assert facade.hsm.plan_add(world.three_hsms(), ZONES[:1], {Interlock.HEALTHY: "told to"}).unmet == ()
    degraded = world.three_hsms()
    degraded = replace(degraded, hsms=(replace(degraded.hsms[0], state=HsmState.DEGRADED), *degraded.hsms[1:]))
    outside.estate.sick.clear()
    assert [each.key for each in facade.hsm.plan_add(degraded, ZONES[:1], {}).unmet] == [Interlock.HEALTHY]


def test_a_sick_hsm_is_replaced_by_one_that_comes_first(tmp_path: Path) -> None:
    cluster = world.three_hsms()
    sick = replace(cluster.hsms[0], state=HsmState.DEGRADED)
    outside, facade = opened(replace(cluster, hsms=(sick, *cluster.hsms[1:])), tmp_path)
    outside.estate.keys[HSMS[0]] = ()
    told = {Interlock.COUNTS: "it is dead", Interlock.RICHEST: "it is dead"}
    plan = facade.hsm.plan_replace(facade.cluster.only(None), HSMS[0], told, keep_ip=False)
    assert plan.unmet == ()
    assert run(facade, plan) == [
        Action.CREATE_HSM,
        Action.WAIT_HSM,
        Action.WAIT_COUNTS,
        Action.DELETE_HSM,
        Action.WAIT_GONE,
    ]
    assert [hsm.hsm_id for hsm in outside.plane.held[CLUSTER].hsms] == [*HSMS[1:], "hsm-new00000003"]


def test_keeping_the_address_deletes_first_and_needs_three_that_remain(tmp_path: Path) -> None:
    _, facade = opened(world.three_hsms(), tmp_path)
    with pytest.raises(Conflict, match="2 ACTIVE HSMs would remain"):
        facade.hsm.plan_replace(world.three_hsms(), HSMS[0], {}, keep_ip=True)
    outside, facade = opened(four(), tmp_path)
    plan = facade.hsm.plan_replace(four(), "hsm-ddddddddddd", {}, keep_ip=True)
    assert run(facade, plan) == [Action.DELETE_HSM, Action.WAIT_GONE, Action.CREATE_HSM, Action.WAIT_HSM]
    assert outside.plane.held[CLUSTER].hsms[-1].address == "127.16.1.11"


@contextmanager
def replacing(outside: World, hsm_id: str, *, same_address: bool) -> Iterator[None]:
    """Have CloudHSM replace an HSM, once, at the first look after the first creation or deletion."""
    plane = outside.plane
    look, done = plane.clusters, False

    def looking(ids: Sequence[str] = ()) -> tuple[Cluster, ...]:
        nonlocal done
        cluster = plane.held[CLUSTER]
        started = any(record["kind"] == "step-started" for record in outside.journal.records())
        if started and not done:
            done = True
            old = next(hsm for hsm in cluster.hsms if hsm.hsm_id == hsm_id)
            new = replace(old, hsm_id="hsm-replaced000", address=old.address if same_address else "127.16.9.99")
            others = tuple(hsm for hsm in cluster.hsms if hsm.hsm_id != hsm_id)
            plane.held[CLUSTER] = replace(cluster, hsms=(*others, new))
        return look(ids)

    plane.clusters = looking  # type: ignore[method-assign]
    yield
    assert done


@pytest.mark.parametrize("same_address", [True, False])
@pytest.mark.parametrize("total", [2, 5])
@pytest.mark.parametrize("victim", [*HSMS, "hsm-ddddddddddd"])
def test_an_hsm_replaced_while_scaling_is_the_same_place_and_no_surplus(
    victim: str, total: int, tmp_path: Path, *, same_address: bool
) -> None:
    outside, facade = opened(four(), tmp_path)
    plan = facade.hsm.plan_scale(four(), wanted_counts(four(), total, None), {})
    assert plan.unmet == ()
    with replacing(outside, victim, same_address=same_address):
        run(facade, plan)
    after = outside.plane.held[CLUSTER]
    assert {zone: len(hsms) for zone, hsms in after.hsms_by_zone().items()} == balanced(four(), total)


def test_a_scale_that_is_there_already_says_so(tmp_path: Path) -> None:
    _, facade = opened(four(), tmp_path)
    with pytest.raises(Conflict, match="there already"):
        facade.hsm.plan_scale(four(), wanted_counts(four(), 4, None), {})


@pytest.mark.parametrize("total", range(8))
def test_balanced_counts_differ_by_one_at_most_and_move_as_little_as_can_be(total: int) -> None:
    wanted = balanced(four(), total)
    assert sum(wanted.values()) == total
    assert max(wanted.values()) - min(wanted.values()) <= 1
    between = gap(four(), wanted)
    assert len(between.add) - len(between.remove) == total - 4
    assert not {hsm.zone for hsm in between.remove} & set(between.add)


def test_what_leaves_is_first_what_is_not_active_then_what_holds_least() -> None:
    cluster = four()
    keys = {"hsm-ddddddddddd": 3.0, HSMS[0]: 5.0}
    assert [hsm.hsm_id for hsm in gap(cluster, dict.fromkeys(ZONES, 1), keys).remove] == ["hsm-ddddddddddd"]
    sick = replace(cluster, hsms=(replace(cluster.hsms[0], state=HsmState.DEGRADED), *cluster.hsms[1:]))
    assert [hsm.hsm_id for hsm in gap(sick, dict.fromkeys(ZONES, 1), keys).remove] == [HSMS[0]]
