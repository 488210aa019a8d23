"""Proves that plans describe, that applying does what was planned, and that it stops when the world has changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
import world

from hsmctl.domain.cluster import Cluster, ClusterState
from hsmctl.domain.event import Event, Finished, Started, StepDone, StepStarted
from hsmctl.domain.plan import Action, Precondition
from hsmctl.errors import Conflict, Denied
from hsmctl.services.cluster import ClusterService
from hsmctl.services.hsm_life import HsmLife
from hsmctl.services.lifecycle import Lifecycle
from hsmctl.services.operation import Operations, Playbook

EQUAL = Precondition(what="equal counts", holds=True)


class OpenLocks:
    """ports.Locks that are free, and say which were held."""

    def __init__(self) -> None:
        self.held: list[str] = []

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        self.held.append(name)
        yield

    def holder(self, name: str) -> int | None:
        return None


class Estate:
    """A cluster service over the world in memory, and everything it touched."""

    def __init__(self, *clusters: Cluster) -> None:
        self.clock, self.journal, self.locks = world.FakeClock(), world.MemoryJournal(), OpenLocks()
        self.plane = world.FakePlane(*clusters)
        self.refusal: Denied | None = None
        self.aws = world.FakeAws(self.plane)
        identity = self.aws.identity(None)
        lifecycle = Lifecycle(clock=self.clock, plane=self.plane, edits=world.FakeEdits(self.plane), every=15)
        ids = (f"OP{number}" for number in count(1))
        operations = Operations(
            clock=self.clock,
            journal=self.journal,
            locks=self.locks,
            identity=identity,
            cluster=lifecycle.cluster,
            new_id=lambda: next(ids),
            guard=self.guard,
        )
        life = HsmLife(clock=self.clock, plane=self.plane, cluster=lifecycle.cluster, counts=lambda _: EQUAL, every=15)
        self.service = ClusterService(
            clock=self.clock,
            plane=self.plane,
            identity=identity,
            operations=operations,
            lifecycle=lifecycle,
            playbook=lambda: Playbook({**self.service.lifecycle.runners(), **life.runners()}),
        )

    def guard(self) -> str | None:
        if self.refusal:
            raise self.refusal
        return None


def done(events: Iterator[Event]) -> list[str]:
    """The actions of the steps that were done, in order."""
    seen = list(events)
    assert isinstance(seen[0], Started)
    assert isinstance(seen[-1], Finished)
    started = {event.number: event.step.action for event in seen if isinstance(event, StepStarted)}
    return [started[event.number] for event in seen if isinstance(event, StepDone)]


def test_a_cluster_is_created_and_waited_for() -> None:
    estate = Estate()
    plan = estate.service.plan_create(["subnet-1", "subnet-2"], hsm_type="hsm2m.medium", mode="FIPS", tags={"a": "b"})

    assert done(estate.service.apply(plan)) == [Action.CREATE_CLUSTER, Action.WAIT_CLUSTER]
    (made,) = estate.plane.held.values()
    assert made.state is ClusterState.UNINITIALIZED
    assert made.tags == {"a": "b"}
    assert "cloudhsm:CreateCluster" in plan.permissions


def test_hsms_are_created_one_after_the_other_unless_together_is_asked_for() -> None:
    estate = Estate(world.three_hsms())
    zones = world.ZONES[:2]
    one_by_one = estate.service.plan_add_hsms(estate.service.only(None), zones)
    together = estate.service.plan_add_hsms(estate.service.only(None), zones, together=True)

    assert [step.action for step in one_by_one.steps] == [Action.CREATE_HSM, Action.WAIT_HSM] * 2
    assert [step.action for step in together.steps] == [Action.CREATE_HSM] * 2 + [Action.WAIT_HSM] * 2
    done(estate.service.apply(one_by_one))
    assert len(estate.service.only(None).active_hsms) == 5


def test_before_activation_a_plan_holds_one_hsm_at_most() -> None:
    estate = Estate(replace(world.three_hsms(), state=ClusterState.UNINITIALIZED, hsms=()))
    assert estate.service.plan_add_hsms(estate.service.only(None), world.ZONES[:1]).steps
    with pytest.raises(Conflict, match="exactly one"):
        estate.service.plan_add_hsms(estate.service.only(None), world.ZONES[:2])


def test_every_step_is_journaled_before_and_after_and_the_cluster_is_locked() -> None:
    estate = Estate(world.three_hsms())
    plan = estate.service.plan_add_hsms(estate.service.only(None), world.ZONES[:1])
    events = estate.service.apply(plan)

    next(event for event in events if isinstance(event, StepStarted))
    assert [record["kind"] for record in estate.journal.records()] == ["operation-started", "step-started"]
    assert estate.journal.written[0]["caller"] == "arn:aws:iam::111122223333:user/ops"
    list(events)
    assert [record["kind"] for record in estate.journal.records()][2:] == [
        "step-done",
        "step-started",
        "step-done",
        "operation-finished",
    ]
    assert estate.locks.held == [world.CLUSTER]


def test_a_step_whose_cluster_left_its_states_is_not_begun() -> None:
    estate = Estate(world.three_hsms())
    plan = estate.service.plan_add_hsms(estate.service.only(None), world.ZONES[:1])
    estate.plane.held[world.CLUSTER] = replace(world.three_hsms(), state=ClusterState.MODIFY_IN_PROGRESS)

    with pytest.raises(Conflict, match="modify_in_progress"):
        list(estate.service.apply(plan))
    assert len(estate.plane.held[world.CLUSTER].hsms) == 3


def test_a_plan_older_than_its_confirmation_is_refused() -> None:
    estate = Estate(world.three_hsms())
    plan = estate.service.plan_add_hsms(estate.service.only(None), world.ZONES[:1])
    estate.clock.sleep(timedelta(minutes=16).total_seconds())

    with pytest.raises(Conflict, match="older"):
        list(estate.service.apply(plan))


def test_a_plan_of_another_account_is_refused() -> None:
    estate = Estate(world.three_hsms())
    plan = replace(estate.service.plan_add_hsms(estate.service.only(None), world.ZONES[:1]), account="999999999999")

    with pytest.raises(Denied, match="999999999999"):
        list(estate.service.apply(plan))


def test_a_context_that_refuses_changes_is_asked_before_anything_else() -> None:
    estate = Estate(world.three_hsms())
    plan = estate.service.plan_add_hsms(estate.service.only(None), world.ZONES[:1])
    estate.refusal = Denied("context prod", "it is read-only")

    with pytest.raises(Denied, match="read-only"):
        list(estate.service.apply(plan))
    assert list(estate.journal.records()) == []


def test_an_hsm_that_vanishes_while_it_is_waited_for_is_a_conflict() -> None:
    estate = Estate(world.three_hsms())
    plan = estate.service.plan_add_hsms(estate.service.only(None), world.ZONES[:1])
    events = estate.service.apply(plan)

    for event in events:
        if isinstance(event, StepDone):
            break
    estate.plane.held[world.CLUSTER] = world.three_hsms()
    with pytest.raises(Conflict, match="is gone"):
        list(events)


@pytest.mark.parametrize("state", [ClusterState.DEGRADED, ClusterState.DELETE_IN_PROGRESS])
def test_waiting_for_a_cluster_stops_where_nothing_good_follows(state: ClusterState) -> None:
    estate = Estate()
    plan = estate.service.plan_create(["subnet-1"], hsm_type="hsm2m.medium", mode="FIPS", tags={})
    events = estate.service.apply(plan)
    next(event for event in events if isinstance(event, StepDone))
    (cluster_id,) = estate.plane.held
    estate.plane.held[cluster_id] = replace(estate.plane.held[cluster_id], state=state, message="no capacity")

    with pytest.raises(Conflict, match="no capacity"):
        list(events)


def test_the_only_cluster_need_not_be_named_and_two_must_be() -> None:
    other = replace(world.three_hsms(), cluster_id="cluster-zzzzzzzzzzz")
    assert Estate(world.three_hsms()).service.only(None).cluster_id == world.CLUSTER
    with pytest.raises(Conflict, match="2 in"):
        Estate(world.three_hsms(), other).service.only(None)
    with pytest.raises(Conflict, match="not found"):
        Estate().service.show("cluster-zzzzzzzzzzz")


def test_a_context_that_names_clusters_lists_those() -> None:
    other = replace(world.three_hsms(), cluster_id="cluster-zzzzzzzzzzz")
    service = replace(Estate(world.three_hsms(), other).service, wanted=[other.cluster_id])
    assert [cluster.cluster_id for cluster in service.list()] == [other.cluster_id]
    assert service.only(None).cluster_id == other.cluster_id


def test_deleted_clusters_are_not_listed() -> None:
    gone = replace(world.three_hsms(), state=ClusterState.DELETED)
    assert Estate(gone).service.list() == ()
