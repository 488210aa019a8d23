"""Proves that a cluster is claimed step by step, with the evidence of each, and that leaving changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stage import Stage, opened, staged
from world import CLUSTER, World, three_hsms

from hsmctl.domain.ceremony import Ceremony
from hsmctl.domain.cluster import Certificates, ClusterState


def _unclaimed(state: ClusterState = ClusterState.UNINITIALIZED, **more: object) -> World:
    world = World()
    shown = Certificates(csr="PEM", hsm="PEM", aws_hardware="PEM", manufacturer_hardware="PEM")
    first = three_hsms().hsms[:1]
    known: dict[str, object] = {"state": state, "certificates": shown, "hsms": first, **more}
    world.plane.held = {CLUSTER: replace(three_hsms(), **known)}  # type: ignore[arg-type]
    return world


async def test_each_step_is_a_form_and_its_evidence_stays_when_one_leaves(tmp_path: Path) -> None:
    world = _unclaimed()
    async with staged(world.hsmctl(folder=tmp_path), (120, 40)) as stage:
        await stage.press("I")
        await stage.sees_line("! 2  its CSR", "next")
        await stage.pilot.press("enter")
        await stage.sees("read-only; :arm allows changes")
        await stage.enter("arm")
        await _step(stage, "cluster init csr")
        await stage.sees_line("◍ 2  its CSR", "SHA-256")
        await stage.sees_line("! 3  the hardware verified", "next")
        await _step(stage, "cluster init verify")
        await stage.sees_line("● 3  the hardware verified", "both chains hold")
        await _step(stage, "cluster init sign")
        await stage.sees_line("◍ 4  the CSR signed", "by ")
        await stage.press("escape", "I")
        await stage.sees_line("! 5  the cluster claimed", "next")
        await stage.sees("certificate, SHA-256", "trust anchor, SHA-256")
        await stage.pilot.resize_terminal(80, 24)
        await stage.sees_line("… ", "more lines: d tells all")
        await stage.pilot.resize_terminal(120, 40)
        await stage.pilot.press("enter")
        await stage.sees("cluster init submit")
        await stage.pilot.press("ctrl+j")
        await stage.sees("cannot be undone", "cluster")
        await stage.pilot.press("escape")
        assert world.plane.held[CLUSTER].state is ClusterState.UNINITIALIZED


async def test_claimed_and_not_activated_is_critical() -> None:
    async with opened(_unclaimed(ClusterState.INITIALIZED), size=(120, 40)) as stage:
        await stage.press("I")
        await stage.sees_line("✖ cluster-", "INITIALIZED", "claimed and not activated")
        await stage.sees_line("✖ 6  the first admins set", "cannot be left like this")


async def test_unverified_hardware_stays_unverified() -> None:
    world = _unclaimed(ClusterState.ACTIVE)
    world.ceremonies.remembered[CLUSTER] = Ceremony(cluster_id=CLUSTER, csr_sha256="ab" * 32, unverified="a test")
    async with opened(world, size=(120, 40)) as stage:
        await stage.press("I")
        await stage.sees_line("! 3  the hardware verified", "UNVERIFIED: a test")
        await stage.sees_line("ACTIVE: claimed and activated")
        await stage.misses("Nobody can recover a lost one")


async def test_without_an_hsm_the_first_one_is_what_comes_next() -> None:
    async with opened(_unclaimed(hsms=(), certificates=Certificates()), size=(120, 40)) as stage:
        await stage.press("I")
        await stage.sees_line("! 1  a first HSM", "next")
        await stage.enter("arm")
        await stage.pilot.press("enter")
        await stage.sees("hsm add", "--count=1")


async def test_a_csr_that_has_changed_stops_everything() -> None:
    world = _unclaimed()
    world.ceremonies.remembered[CLUSTER] = Ceremony(
        cluster_id=CLUSTER, csr_sha256="ab" * 32, signed_csr_sha256="ab" * 32
    )
    async with opened(world, size=(120, 40)) as stage:
        await stage.press("I")
        await stage.sees_line("✖ 2  its CSR", "cannot be left like this")


async def _step(stage: Stage, title: str) -> None:
    """Send the form of the step at hand off as it is, and read the answer."""
    await stage.pilot.press("enter")
    await stage.sees(title, "$ hsmctl --lab")
    await stage.pilot.press("ctrl+j")
    await stage.sees("esc closes")
    await stage.pilot.press("escape")
    await stage.settle()
