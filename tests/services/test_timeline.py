"""Proves that a timeline joins every source by time, names what it could not read, takes no silence for peace."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from timeline_world import ALICE, WHEN, event, logged
from world import CLUSTER, HSMS, NOW, World

from hsmctl.domain.event import Finished
from hsmctl.domain.timeline import Source, Timeline, Weight
from hsmctl.errors import Denied, Unreachable

OURS = "arn:aws:iam::111122223333:user/ops"


def collected(world: World, cluster_id: str = CLUSTER) -> Timeline:
    return world.hsmctl().timeline.collect(cluster_id, WHEN - timedelta(hours=1), NOW, 5)


def test_sources_are_one_list_by_time() -> None:
    world = World()
    world.trail.events = [
        event("CreateHsm", CLUSTER, HSMS[0], minutes=2),
        event("CreateHsm", "cluster-other00000", minutes=2),
        event("DescribeClusters", CLUSTER, minutes=2, read_only=True),
        event("AuthorizeSecurityGroupIngress", "sg-0a1b2c3d", minutes=1, service="ec2"),
    ]
    world.audit.logs = {HSMS[0]: [logged(0, "CN_TOMBSTONE_OBJECT", seconds=90)]}
    story = collected(world)
    assert [(each.source, each.what) for each in story.happenings] == [
        (Source.NETWORK, "AuthorizeSecurityGroupIngress"),
        (Source.AUDIT, "CN_TOMBSTONE_OBJECT"),
        (Source.CLOUDTRAIL, "CreateHsm"),
    ]
    assert [each.weight for each in story.happenings] == [Weight.ALARM, Weight.ALARM, Weight.CHANGE]
    assert story.unread == ()


def test_a_login_that_every_hsm_logs_is_one_line_and_a_later_one_another() -> None:
    world = World()
    world.audit.logs = {
        name: [logged(0, "CN_LOGIN", seconds=place, user="ops"), logged(1, "CN_LOGIN", seconds=60, user="ops")]
        for place, name in enumerate(HSMS)
    }
    told = collected(world).happenings
    assert [each.on for each in told] == [HSMS, HSMS]
    assert {each.weight for each in told} == {Weight.SESSION}


def test_a_refused_login_is_an_alarm_and_a_gap_is_inferred() -> None:
    world = World()
    world.audit.logs = {HSMS[0]: [logged(0, "CN_LOGIN", user="ops", code=163), logged(4, "CN_LOGOUT", seconds=5)]}
    refused, gap, _ = collected(world).happenings
    assert (refused.weight, refused.failed) == (Weight.ALARM, "163 RET_USER_LOGIN_FAILURE")
    assert (gap.what, gap.says, gap.grade) == ("gap", "3 entries are missing before this: lost, or late", "inferred")


def test_what_could_not_be_read_is_named_and_hides_nothing() -> None:
    world = World()
    world.trail.error = Denied("cloudtrail:LookupEvents denied", "no policy")
    world.audit.logs = {HSMS[0]: [logged(0, "CN_ZEROIZE")], HSMS[1]: []}
    world.audit.errors[HSMS[1]] = Unreachable(HSMS[1], "throttled")
    story = collected(world)
    assert [each.what for each in story.happenings] == ["CN_ZEROIZE"]
    named = {(each.source, each.name) for each in story.unread}
    assert {(Source.CLOUDTRAIL, "cloudhsm"), (Source.NETWORK, "sg-0a1b2c3d"), (Source.AUDIT, HSMS[1])} <= named


def test_a_cluster_that_is_gone_has_a_history() -> None:
    world = World()
    world.trail.events = [event("DeleteCluster", "cluster-gone0000000", minutes=3)]
    story = collected(world, "cluster-gone0000000")
    assert [each.what for each in story.happenings] == ["DeleteCluster"]
    assert [each.name for each in story.unread] == ["interfaces"]


def test_more_than_is_asked_for_is_said() -> None:
    world = World()
    world.trail.cut = True
    assert "oldest events are missing" in collected(world).unread[0].remark


def test_our_own_operations_are_part_of_it(tmp_path: Path) -> None:
    world = World()
    facade = world.hsmctl(folder=tmp_path)
    plan = facade.cluster.plan_add_hsms(facade.cluster.show(CLUSTER), ["eu-central-1a"])
    assert isinstance(list(facade.cluster.apply(plan))[-1], Finished)
    facade.hold.put(CLUSTER, "the last copy")
    told = [each.says for each in collected(world).happenings]
    title = f"add 1 HSM to {CLUSTER}"
    assert [f"begun: {title}", "done: create an HSM in eu-central-1a", f"finished: {title}", "the last copy"] == told


def test_a_plan_says_who_else_changed_its_cluster_lately_or_that_nobody_knows() -> None:
    world = World()
    facade = world.hsmctl()
    plan = facade.cluster.plan_add_hsms(facade.cluster.show(CLUSTER), ["eu-central-1a"])
    world.trail.events = [
        event("DeleteHsm", CLUSTER, minutes=4),
        event("DeleteHsm", CLUSTER, minutes=-60),
        event("CreateHsm", CLUSTER, minutes=5, who=OURS),
    ]
    assert facade.timeline.warned(plan).warnings == (
        f"{ALICE} called DeleteHsm 6 min ago (reported by CloudTrail, up to 15 min late)",
    )
    world.trail.error = Denied("cloudtrail:LookupEvents denied")
    (said,) = facade.timeline.warned(plan).warnings
    assert said == "whether somebody else is changing this cluster is UNKNOWN: cloudtrail:LookupEvents denied"
    assert facade.timeline.warned(replace(plan, cluster_id=None)).warnings == ()
