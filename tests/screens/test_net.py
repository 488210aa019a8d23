"""Proves that the network place shows every client against every HSM, draws the way, and says what mends it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from network_world import SnapshotNetwork, cluster_of
from stage import staged
from world import World, lab_context

from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.net_endpoint import Client
from hsmctl.services.net import load
from hsmctl.settings_entry import ClientEntry

SCENARIOS = Path(__file__).parents[1] / "data" / "connectivity"


def scenario(number: str) -> tuple[World, Hsmctl, dict[str, Any]]:
    """A world whose network is the scenario's, and whose only client is registered as app1."""
    document: dict[str, Any] = json.loads((SCENARIOS / f"{number}.json").read_text())
    world = World()
    cluster = replace(cluster_of(document), tags={"Name": "lab"})
    world.plane.held = {cluster.cluster_id: cluster}
    world.network = SnapshotNetwork(document["snapshot"])
    entry = ClientEntry(name="app1", source=_source(load(document).clients[0]))
    return world, world.hsmctl(replace(lab_context(), clients=(entry,))), document


async def test_a_way_that_is_open_is_drawn_hop_by_hop() -> None:
    _, facade, document = scenario("S01")
    async with staged(facade, (120, 40)) as stage:
        await stage.press("n")
        await stage.settle()
        hsm = document["hsm"]["HsmId"]
        await stage.sees_line(f"app1 → {hsm}", "tcp/2223", "REACHABLE")
        await stage.sees_line(" there ")
        await stage.sees_line(" back ")
        await stage.sees_line("◍ 3 of 3 pairs reachable · by AWS's configuration: nobody knocked")


async def test_what_blocks_is_named_with_what_mends_it_and_the_fix_is_copied() -> None:
    blocked = next(
        name for name in (f"S{number:02}" for number in range(2, 20)) if _expected(name).get("verdict") == "BLOCKED"
    )
    _, facade, _ = scenario(blocked)
    async with staged(facade, (120, 40)) as stage:
        await stage.press("n")
        await stage.settle()
        await stage.sees_line("app1 →", "BLOCKED")
        await stage.sees_line(" fix ", "aws ec2")
        await stage.press("f")
        assert stage.app.clipboard.startswith("aws ")


async def test_the_worst_way_is_drawn_first_and_the_others_are_named() -> None:
    _, facade, _ = scenario("S09")
    async with staged(facade, (120, 40)) as stage:
        await stage.press("n")
        await stage.settle()
        await stage.sees_line("✖ app1", "‹✖›", "2 of 3: NACL_FWD_EGRESS_DENY")
        await stage.sees_line("app1 → hsm-2", "BLOCKED")
        await stage.sees_line("✖ BLOCKED NACL_FWD_EGRESS_DENY", "hsm-3")
        await stage.sees_line("◍ REACHABLE", "hsm-1")
        await stage.press("h", "h")
        await stage.sees_line("app1 → hsm-1", "REACHABLE")


async def test_ways_that_are_alike_are_drawn_once() -> None:
    _, facade, _ = scenario("S01")
    async with staged(facade, (120, 40)) as stage:
        await stage.press("n")
        await stage.settle()
        await stage.sees_line(" also  hsm-2, hsm-3")


async def test_a_low_screen_counts_the_stations_of_a_sound_direction_before_it_drops_the_fix() -> None:
    _, facade, _ = scenario("S26")
    async with staged(facade, (80, 16)) as stage:
        await stage.press("n")
        await stage.settle()
        await stage.sees("stations in order", "TGW_AZ_NOT_ATTACHED:", " fix ")


async def test_a_client_is_asked_about_by_hand_and_nonsense_is_refused() -> None:
    _, facade, document = scenario("S01")
    facade.settings = replace(facade.settings, context=replace(facade.context, clients=()))
    async with staged(facade, (120, 40)) as stage:
        await stage.press("n")
        await stage.sees("No client is registered in this context.")
        await stage.enter("client nonsense")
        await stage.sees("nonsense is no instance")
        await stage.enter(f"client {_source(load(document).clients[0])}")
        await stage.settle()
        await stage.sees_line(" there ")


async def test_without_a_client_host_there_is_nobody_to_probe_from() -> None:
    _, facade, _ = scenario("S01")
    async with staged(facade) as stage:
        await stage.press("n", "c")
        await stage.sees("registers no client")


def _expected(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SCENARIOS / f"{name}.json").read_text())
    found: dict[str, Any] = document.get("expected") or document.get("expect") or {}
    return found


def _source(client: Client) -> str:
    return str(client.address or client.cidr or client.name)
