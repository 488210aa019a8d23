"""Proves that the fleet puts what is wrong on top, with its cause, and says no more than it was told."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

from stage import opened
from world import CLUSTER, HSMS, FakePlane, World, lab_context, three_hsms

from hsmctl.domain.cluster import Cluster, ClusterState, HsmState
from hsmctl.errors import Denied, Unreachable
from hsmctl.settings import Context, ContextKind
from hsmctl.settings_entry import TokenEntry

AWS = Context(name="prod", kind=ContextKind.AWS, tokens=(TokenEntry(name="token-a", module="/usr/lib/p11.so"),))


def missing() -> World:
    """A world in which one HSM lost one key."""
    world = World()
    world.tokens.held[HSMS[1]].pop(3)
    return world


async def test_a_healthy_cluster_asks_for_no_attention() -> None:
    async with opened() as stage:
        await stage.sees("nothing needs attention in 1 cluster")
        await stage.misses("ATTENTION")
        await stage.sees_line("lab", "ACTIVE", "3/3", "no difference seen")
        await stage.sees(*HSMS)


async def test_a_missing_key_and_its_hsm_are_named_on_top() -> None:
    async with opened(missing()) as stage:
        await stage.sees_line("✖ lab", f"{HSMS[1]} lacks key db-kek-003")
        assert "lacks" in stage.text.splitlines()[2]
        await stage.sees_line(f"{HSMS[1]} 4 keys", "✖")


async def test_a_replica_that_does_not_answer_is_loud_and_never_counted_as_agreeing() -> None:
    world = World()
    world.tokens.errors[HSMS[2]] = Unreachable(HSMS[2], "no answer in 20 s", "hsmctl lab status")
    async with opened(world) as stage:
        await stage.sees_line("▒ lab", f"{HSMS[2]} is unreadable: no answer in 20 s")
        await stage.sees_line("ACTIVE", "2 of 3 readable")
        await stage.misses("nothing needs attention")


async def test_the_worst_cluster_is_first_and_under_the_cursor() -> None:
    world = missing()
    own = tuple(replace(hsm, hsm_id=f"hsm-{zone * 11}") for zone, hsm in zip("xyz", three_hsms().hsms, strict=True))
    healthy = replace(three_hsms(), cluster_id="cluster-aaaaaaaaaaa", tags={"Name": "a-healthy"}, hsms=own)
    unclaimed = replace(healthy, cluster_id="cluster-bbbbbbbbbbb", tags={"Name": "b"}, state=ClusterState.INITIALIZED)
    world.plane.held = {cluster.cluster_id: cluster for cluster in (healthy, unclaimed, three_hsms())}
    ready = world.plane.backup_list[0]
    world.plane.backup_list = (ready, replace(ready, cluster_id=healthy.cluster_id))
    async with opened(world, size=(120, 40)) as stage:
        await stage.sees_line("lab", "1 missing")
        await stage.sees_line("b  ", "not activated")
        rows = [line.split()[1] for line in stage.text.splitlines() if "  3/3 " in line]
        assert rows == ["b", "lab", "a-healthy"]
        await stage.press("enter")
        await stage.sees("fleet ▸ b ")


async def test_degraded_hsms_and_lonely_ones_are_told() -> None:
    world = World()
    first, second, third = three_hsms().hsms
    bad = replace(second, state=HsmState.DEGRADED, message="hardware failure")
    going = replace(third, state=HsmState.DELETE_IN_PROGRESS)
    world.plane.held = {CLUSTER: replace(three_hsms(), hsms=(first, bad, going))}
    async with opened(world) as stage:
        await stage.sees(f"{HSMS[1]} is degraded: hardware failure")
        await stage.sees(f"only {HSMS[0]} is active")
        await stage.sees_line("ACTIVE", "1/3")


async def test_words_of_aws_are_neither_markup_nor_terminal_codes() -> None:
    world = World()
    cluster = replace(three_hsms(), tags={"Name": "[/x]"}, state=ClusterState.DEGRADED, message="\x1b[2J[bold]gone")
    world.plane.held = {CLUSTER: cluster}
    async with opened(world) as stage:
        await stage.sees_line("✖ [/x]", "the cluster is degraded: \\x1b[2J[bold]gone")
        await stage.press("d")
        await stage.sees("\\x1b[2J[bold]gone")


async def test_the_first_frame_waits_for_nobody_and_keys_are_answered_meanwhile() -> None:
    world, answer = World(), Event()
    world.plane = world.aws.plane = SlowPlane(answer, three_hsms())
    async with opened(world, settled=False) as stage:
        await stage.pilot.pause()
        await stage.sees("asking AWS")
        await stage.pilot.press("question_mark")
        await stage.pilot.pause()
        await stage.sees("EVERYWHERE")
        await stage.pilot.press("escape")
        answer.set()
        await stage.settle()
        await stage.sees("ACTIVE")


async def test_what_status_finds_has_its_columns_and_asks_for_attention() -> None:
    world = World()
    world.plane.backup_list = ()
    async with opened(world) as stage:
        await stage.sees("USERS", "KMS", "REACH", "BACKUP")
        await stage.sees_line("✖ lab", "there is no READY backup")
        await stage.sees_line("ACTIVE", "◔ 4", "✖")
        await stage.misses("nothing needs attention")


async def test_sources_that_are_denied_alike_are_one_line() -> None:
    world = World()
    world.estate.sick_error = world.estate.stores_error = Denied("every call denied", "no policy", "have it allowed")
    async with opened(world, size=(120, 40)) as stage:
        await stage.sees_line("▒ lab", "health, KMS stores, sessions: every call denied: no policy")


async def test_a_source_that_is_denied_is_unknown_and_hides_nothing() -> None:
    world = World()
    world.estate.stores_error = Denied("kms:DescribeCustomKeyStores denied", "no policy", "have it allowed")
    async with opened(world, size=(120, 40)) as stage:
        await stage.sees_line("▒ lab", "KMS stores")
        await stage.sees_line("ACTIVE", "▒", "◍ 4 h")


async def test_an_error_is_one_line_and_enter_tells_it_whole() -> None:
    world = World()
    world.plane.error = Unreachable("DescribeClusters", "throttled", "try again in a minute")
    async with opened(world) as stage:
        await stage.sees_line("DescribeClusters: throttled", "▒ AWS")
        await stage.sees("hsmctl lab up  ")
        await stage.press("tab", "enter")
        await stage.sees("try again in a minute")


async def test_a_failed_refresh_blanks_nothing() -> None:
    world = World()
    async with opened(world) as stage:
        world.plane.error = Unreachable("DescribeClusters", "throttled", "try again in a minute")
        world.clock.sleep(42)
        await stage.press("r")
        await stage.sees("DescribeClusters: throttled")
        await stage.sees_line("ACTIVE", "no difference seen")
        await stage.sees_line("42 s")


async def test_an_empty_estate_teaches() -> None:
    world = World()
    world.plane.held.clear()
    async with opened(world) as stage:
        await stage.sees("No cluster")
        await stage.sees_line(":arm, :create", "makes one here")
        await stage.enter("arm")
        await stage.sees_line("r refresh  :create  : go")


async def test_only_a_lab_is_checked_without_being_asked() -> None:
    world = World()
    world.tokens.held["token-a"] = list(world.keys)
    async with opened(world, AWS) as stage:
        await stage.sees_line("ACTIVE", "not checked")
        await stage.sees_line("RO")
        await stage.press("c")
        await stage.sees_line("ACTIVE", "no difference seen")


async def test_a_context_without_tokens_says_how_to_name_one() -> None:
    async with opened(World(), replace(AWS, tokens=())) as stage:
        await stage.press("c")
        await stage.sees("context prod has no tokens")


async def test_a_refused_password_is_not_tried_again_by_itself() -> None:
    world = World()
    world.tokens.errors = {name: Denied(name, "CKR_PIN_INCORRECT", "hsmctl login reset") for name in HSMS}
    async with opened(world) as stage:
        world.clock.sleep(600)
        assert stage.app.survey.due() == ()
        world.tokens.errors.clear()
        await stage.press("c")
        await stage.sees_line("ACTIVE", "no difference seen")


async def test_a_lab_check_is_due_again_after_a_minute_or_when_hsms_changed() -> None:
    world = World()
    async with opened(world) as stage:
        assert stage.app.survey.due() == ()
        world.clock.sleep(61)
        assert [cluster.cluster_id for cluster in stage.app.survey.due()] == [CLUSTER]
        await stage.press("c")
        world.plane.held = {CLUSTER: replace(three_hsms(), hsms=three_hsms().hsms[:2])}
        await stage.press("r")
        await stage.sees_line("ACTIVE", "2/2")
        await stage.misses(HSMS[2])


async def test_a_wrong_account_shows_no_clusters() -> None:
    world = World()
    world.aws.account = "999999999999"
    async with opened(world, lab_context()) as stage:
        await stage.sees("account 999999999999")
        await stage.misses("ACTIVE")


class SlowPlane(FakePlane):
    """A control plane that does not answer until told."""

    def __init__(self, answer: Event, *clusters: Cluster) -> None:
        super().__init__(*clusters)
        self._answer = answer

    def clusters(self, ids: object = ()) -> tuple[Cluster, ...]:
        self._answer.wait(10)
        return super().clusters()


async def test_counts_that_differ_are_explained_by_a_check_of_every_hsm_and_by_no_other() -> None:
    for unread, told in ((False, 0), (True, 1)):
        world = missing()
        world.estate.keys = {HSMS[0]: [5.0, 5.0], HSMS[1]: [4.0, 4.0], HSMS[2]: [5.0, 5.0]}
        if unread:
            world.tokens.errors[HSMS[2]] = Unreachable(HSMS[2], "no answer in 20 s")
        async with opened(world, size=(160, 40)) as stage:
            await stage.sees_line("✖ lab", f"{HSMS[1]} lacks key db-kek-003")
            await stage.sees_line("ACTIVE", "◍ 4 h")
            assert stage.text.count("token keys by count") == told, stage.text
