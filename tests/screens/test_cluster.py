"""Proves that a cluster's place shows its certificates as chains, its backups, and what is being changed."""

from __future__ import annotations

from dataclasses import replace

from stage import opened
from timeline_world import event
from world import CLUSTER, HSMS, World, three_hsms

from hsmctl.domain.cluster import Certificates, ClusterState
from hsmctl.errors import Unreachable


async def test_certificates_are_chains_and_backups_have_their_age() -> None:
    world = World()
    whole = Certificates(hsm="PEM", aws_hardware="PEM", manufacturer_hardware="PEM", cluster="PEM", csr="PEM")
    world.plane.held = {CLUSTER: replace(three_hsms(), certificates=whole)}
    async with opened(world, size=(120, 40)) as stage:
        await stage.press("enter")
        await stage.settle()
        await stage.sees_line("AWS", "◍ HSM ─ ◍ AWS hardware ─ AWS root")
        await stage.sees_line("maker", "◍ HSM ─ ◍ manufacturer hardware ─ manufacturer root")
        await stage.sees_line("yours", "◍ cluster ─ customer CA")
        await stage.sees_line("◍ backup-q2w3e4r5t6y", "READY", "4 h")


async def test_a_cluster_that_is_not_claimed_shows_what_is_to_be_signed() -> None:
    world = World()
    unclaimed = replace(three_hsms(), state=ClusterState.UNINITIALIZED, certificates=Certificates(csr="PEM"))
    world.plane.held = {CLUSTER: unclaimed}
    async with opened(world, size=(120, 40)) as stage:
        await stage.press("enter")
        await stage.settle()
        await stage.sees_line("yours", "◍ signing request ─ customer CA")


async def test_what_happened_lately_stands_at_the_cluster_with_what_could_not_be_read() -> None:
    world = World()
    world.trail.events = [event("DeleteHsm", CLUSTER, HSMS[2], minutes=5)]
    world.audit.errors[""] = Unreachable("logs", "no answer", "try again")
    async with opened(world, size=(120, 40)) as stage:
        await stage.press("enter")
        await stage.sees("EVENTS of the last day")
        await stage.sees_line("! 11-23 02:05", "DeleteHsm", "alice")
        await stage.sees_line("▒ events UNKNOWN: audit log", "no answer")


async def test_backups_are_named_by_completion() -> None:
    async with opened(size=(120, 40)) as stage:
        await stage.enter("arm")
        await stage.press("enter")
        await stage.settle()
        await stage.enter("copy_backup")
        await stage.sees("backup copy")
        await stage.pilot.press("b", "tab")
        await stage.sees_line("backup *", "backup-q2w3e4r5t6y")
