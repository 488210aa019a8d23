"""Proves that contexts and regions are looked at together, each by its own services, and that none is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hsmctl.screens.elsewhere import Elsewhere
from hsmctl.screens.several import Closed, open_places
from hsmctl.screens.words import region_word
from stage import Stage, staged
from world import World, three_hsms

from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.cluster import Cluster
from hsmctl.errors import Conflict, HsmctlError, Unreachable
from hsmctl.settings import Context, ContextKind

PROD = Context(name="prod", kind=ContextKind.AWS, account_id="111122223333", region="us-east-1", protect=True)
STAGING = replace(PROD, name="staging", region="eu-central-1", protect=False)


async def test_the_fleet_holds_the_clusters_of_all_places_and_says_which_is_where(tmp_path: Path) -> None:
    prod, staging = _place("payments", PROD, tmp_path)[1], _place("sandbox", STAGING, tmp_path)[1]
    async with staged(prod, others=[staging]) as stage:
        await stage.sees_line("CLUSTER", "CONTEXT", "REGION")
        await stage.sees_line("payments", "prod", "use1", "3/3")
        await stage.sees_line("sandbox", "staging", "euc1", "3/3")
        await stage.sees_line("fleet", "2 places")


async def test_one_place_needs_no_columns_that_tell_places_apart(tmp_path: Path) -> None:
    async with staged(_place("payments", PROD, tmp_path)[1]) as stage:
        await stage.sees_line("payments", "3/3")
        await stage.misses("CONTEXT")
        await stage.misses("places")


async def test_the_header_and_its_colour_are_those_of_the_cluster_under_the_cursor(tmp_path: Path) -> None:
    prod, staging = _place("payments", PROD, tmp_path)[1], _place("sandbox", STAGING, tmp_path)[1]
    async with staged(prod, others=[staging], size=(120, 30)) as stage:
        await _on(stage, "payments")
        await stage.sees_line("fleet", "prod", "us-east-1")
        assert stage.app.screen.query_one("Header").has_class("-protected")
        await _on(stage, "sandbox")
        await stage.sees_line("fleet", "staging", "eu-central-1")
        assert not stage.app.screen.query_one("Header").has_class("-protected")


async def test_a_cluster_is_entered_with_its_own_context_arming_and_journal(tmp_path: Path) -> None:
    (world, prod), (other, staging) = _place("payments", PROD, tmp_path), _place("sandbox", STAGING, tmp_path)
    async with staged(prod, others=[staging]) as stage:
        await _on(stage, "sandbox")
        await stage.enter("arm")
        await stage.sees_line("fleet", "staging", "ARMED")
        await stage.press("enter")
        await stage.sees_line("fleet ▸ sandbox", "staging", "ARMED")
        await stage.enter("add")
        await stage.sees("create an HSM")
        await stage.pilot.press("right", "enter")
        await stage.settle()
        assert [len(cluster.hsms) for cluster in other.plane.clusters()] == [4]
        assert [len(cluster.hsms) for cluster in world.plane.clusters()] == [3]
        assert not list(prod.journal.records())
        assert "operation-started" in [each["kind"] for each in staging.journal.records()]
        await stage.enter("cluster payments")
        await stage.sees_line("fleet ▸ payments", "prod", "RO")
        await stage.enter("add")
        await stage.sees("changes something: :arm allows that")


async def test_clusters_of_the_same_name_in_two_contexts_are_two_places(tmp_path: Path) -> None:
    prod, staging = _place("payments", PROD, tmp_path)[1], _place("payments", STAGING, tmp_path)[1]
    async with staged(prod, others=[staging]) as stage:
        await stage.press("enter")
        first = stage.app.survey
        await stage.press("escape", "down", "enter")
        await stage.sees_line("fleet ▸ payments")
        assert stage.app.survey is not first


async def test_a_region_that_could_not_be_read_is_a_row_and_hides_nobody(tmp_path: Path) -> None:
    prod = _place("payments", PROD, tmp_path)[1]
    error = Unreachable("cloudhsm:DescribeClusters", "no answer", "r tries again")
    dead = _place("sandbox", replace(PROD, region="eu-west-1"), tmp_path, error)[1]
    async with staged(prod, others=[dead]) as stage:
        await stage.sees_line("▒ prod/eu-west-1", "not read", "no answer")
        await stage.sees_line("payments", "use1", "3/3")
        await stage.sees_line("1 of 2 places read")
        await stage.misses("nothing needs attention")


async def test_a_context_that_makes_no_sense_is_a_row_too(tmp_path: Path) -> None:
    broken = Closed("old", Conflict("context old", "its profile is gone", "hsmctl config check"))
    async with staged(_place("payments", PROD, tmp_path)[1], closed=[broken]) as stage:
        await stage.sees_line("▒ old", "its profile is gone")
        await stage.sees_line("payments", "3/3")


async def test_several_are_named_after_a_command_and_all_regions_by_one_word(tmp_path: Path) -> None:
    prod, staging = _place("payments", PROD, tmp_path)[1], _place("sandbox", STAGING, tmp_path)[1]
    elsewhere = Known({("prod", None): prod, ("staging", None): staging, ("prod", "eu-central-1"): staging})
    async with staged(_place("here", PROD, tmp_path)[1], elsewhere=elsewhere, size=(120, 24)) as stage:
        await stage.enter("context prod,staging,nowhere")
        await stage.settle()
        await stage.sees_line("payments", "prod")
        await stage.sees_line("sandbox", "staging")
        await stage.sees_line("▒ nowhere", "there is none")
        await _on(stage, "payments")
        await stage.enter("region all")
        await stage.settle()
        assert elsewhere.asked[-1] == ("prod", "eu-central-1")
        await stage.sees_line("sandbox", "3/3")
        await stage.misses("CONTEXT")


def test_no_place_at_all_is_the_reason_of_the_first() -> None:
    with pytest.raises(Conflict, match="nowhere"):
        open_places(Known({}), ["nowhere", "never"], [])


def test_regions_are_short_as_the_ids_of_their_zones() -> None:
    names = ("eu-central-1", "us-east-1", "ap-southeast-2", "us-gov-west-1", "mars")
    assert [region_word(name) for name in names] == ["euc1", "use1", "apse2", "usgovw1", "mars"]


class Known(Elsewhere):
    """Contexts and regions in memory."""

    def __init__(self, known: dict[tuple[str | None, str | None], Hsmctl]) -> None:
        self.known = known
        self.asked: list[tuple[str | None, str | None]] = []

    def contexts(self) -> Sequence[str]:
        return [str(context) for context, region in self.known if region is None]

    def regions(self) -> Sequence[str]:
        return ()

    def open(self, context: str | None, region: str | None) -> Hsmctl:
        self.asked.append((context, region))
        if (context, region) not in self.known:
            raise Conflict(f"no context {context}", "there is none", "hsmctl config show")
        return self.known[context, region]


def _place(name: str, context: Context, folder: Path, error: HsmctlError | None = None) -> tuple[World, Hsmctl]:
    """A world of one cluster, in a region of its own; it is what AWS answers unless that is an error."""
    world = World()
    world.aws.error = error
    cluster = replace(three_hsms(), cluster_id=f"cluster-{name}{len(context.name):05}", tags={"Name": name})
    world.plane.held = {cluster.cluster_id: replace(cluster, region=str(context.region))}
    world.plane.region = str(context.region)
    return world, world.hsmctl(context, folder=folder)


async def _on(stage: Stage, name: str) -> None:
    """Put the cursor on a cluster."""
    table = stage.app.screen.clusters  # type: ignore[attr-defined]
    found: Cluster = next(each for each in table.rows.items if each.tags["Name"] == name)
    table.focus()
    table.select(found.cluster_id)
    await stage.pilot.pause()
