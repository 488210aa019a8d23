"""Proves that what stands against a plan is waived in its window with a typed reason, as on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import click
from hsmctl.screens.confirm import ConfirmScreen
from stage import Stage, staged
from textual.widgets import Button, Input
from world import CLUSTER, World, three_hsms

from hsmctl.bootstrap import Hsmctl
from hsmctl.cli import cluster, hsm
from hsmctl.cli.waiver import OPTIONS
from hsmctl.domain import interlock
from hsmctl.domain.cluster import HsmState
from hsmctl.domain.evidence import Ok
from hsmctl.domain.interlock import Interlock, Leaving, Sample
from hsmctl.domain.plan import Plan, plan_of
from hsmctl.errors import Unreachable


async def test_what_does_not_hold_is_waived_with_a_reason_that_the_journal_keeps(tmp_path: Path) -> None:
    world, facade = _degraded(tmp_path)
    async with staged(facade, (100, 34)) as stage:
        await _adding(stage)
        await stage.sees_line("✖ no HSM is degraded")
        await stage.sees("way out: wait for CloudHSM to replace it, or --allow-degraded REASON")
        assert stage.app.focused is stage.app.screen.query_one("#cancel")
        assert _apply(stage).disabled
        await stage.pilot.press("tab", *"maintenance", "space", *"4711")
        await stage.sees_line("! no HSM is degraded")
        await stage.sees("waived: maintenance 4711")
        await stage.pilot.press("enter")
        assert stage.app.focused is _apply(stage)
        await stage.pilot.press("enter")
        await stage.settle()
    assert len(world.plane.held[CLUSTER].hsms) == 4
    [started] = [record for record in facade.journal.records() if record["kind"] == "operation-started"]
    plan = plan_of(cast("Mapping[str, Any]", started["plan"]))
    waived = {each.what: each.waived for step in plan.steps for each in step.preconditions}
    assert waived["no HSM is degraded or unhealthy"] == "maintenance 4711"


async def test_without_a_reason_or_with_blanks_nothing_starts(tmp_path: Path) -> None:
    world, facade = _degraded(tmp_path)
    async with staged(facade, (80, 24)) as stage:
        await _adding(stage)
        await stage.sees("--allow-degraded")
        await stage.pilot.press("tab", "space", "space", "enter")
        assert _apply(stage).disabled
        await stage.press("escape")
        await stage.misses("create an HSM")
    assert len(world.plane.held[CLUSTER].hsms) == 3


async def test_what_cannot_be_waived_says_so_and_takes_no_reason(tmp_path: Path) -> None:
    world, facade = _degraded(tmp_path)
    world.estate.hold_error = Unreachable("holds", "the disk is gone")
    async with staged(facade, (100, 40)) as stage:
        await stage.press("enter")
        await stage.enter("arm")
        await stage.enter("remove")
        await stage.sees("cannot be waived", "1 condition cannot be waived: take the way out first")
        assert not stage.app.screen.query(Input)
        assert not stage.app.screen.query("#apply")
    assert len(world.plane.held[CLUSTER].hsms) == 3


async def test_what_cannot_be_undone_takes_the_reason_and_the_end_of_the_id(tmp_path: Path) -> None:
    _, facade = _degraded(tmp_path)
    plan = facade.hsm.plan_replace(three_hsms(), three_hsms().hsms[0].hsm_id, {}, keep_ip=False)
    assert plan.destructive
    degraded = replace(plan.steps[0].preconditions[-1], what="it is well", holds=False, waiver="--allow-degraded")
    plan = replace(plan, preconditions=(degraded,))
    answers: list[Plan | None] = []
    async with staged(facade, (100, 40)) as stage:
        await stage.app.push_screen(ConfirmScreen(plan), answers.append)
        await stage.pilot.press("tab", *"because", "enter", *CLUSTER[-6:])
        await stage.sees("waived: because")
        await stage.pilot.press("enter", "enter")
        await stage.pilot.pause()
    assert answers == [plan.waiving({"--allow-degraded": "because"})]
    assert [answer.unmet for answer in answers if answer] == [()]


def test_every_option_that_waives_is_the_one_that_its_interlock_names() -> None:
    named = {key: option for option, keys in OPTIONS.items() for key in keys}
    cluster_now, now = three_hsms(), World().clock.now()
    going = cluster_now.hsms[0].hsm_id
    leaving = Leaving(hsm_ids=frozenset({going}), keep={})
    every = {hsm.hsm_id for hsm in cluster_now.hsms}
    seen = [
        interlock.enough_left(cluster_now, leaving),
        interlock.zones_left(cluster_now, leaving),
        interlock.equal_counts(every, Ok({}), timedelta(minutes=15)),
        interlock.not_richest(cluster_now, leaving, Ok({})),
        interlock.healthy(cluster_now, leaving, Ok(frozenset())),
        interlock.recent_backup(cluster_now, Ok(()), now),
        interlock.restorable(cluster_now, Ok(())),
        interlock.settled(cluster_now),
        interlock.ca_located(Ok("")),
    ]
    assert {each.key: each.waiver for each in seen if each.waiver} == named
    offered = {
        option.opts[0]
        for noun in (cluster.noun, hsm.noun)
        for verb in noun.verbs
        for option in verb.params
        if isinstance(option, click.Option)
    }
    assert set(OPTIONS) <= offered


def test_the_last_copy_of_a_key_is_waived_only_while_nobody_could_count(tmp_path: Path) -> None:
    world, going = World(), three_hsms().hsms[0].hsm_id
    leaving = Leaving(hsm_ids=frozenset({going}), keep={})
    unseen = interlock.not_richest(three_hsms(), leaving, Ok({})).waived_by("nobody counts here")
    assert unseen.met
    counts = {hsm.hsm_id: [Sample(world.clock.now(), 9 if hsm.hsm_id == going else 5)] for hsm in three_hsms().hsms}
    seen = interlock.not_richest(three_hsms(), leaving, Ok(counts)).waived_by(unseen.waived)
    assert seen.key is Interlock.RICHEST
    assert not seen.met


def _degraded(folder: Path) -> tuple[World, Hsmctl]:
    """A cluster with an HSM that is degraded."""
    world = World()
    first, second, third = three_hsms().hsms
    world.plane.held = {CLUSTER: replace(three_hsms(), hsms=(first, replace(second, state=HsmState.DEGRADED), third))}
    return world, world.hsmctl(folder=folder)


async def _adding(stage: Stage) -> None:
    """The window of a plan to add an HSM."""
    await stage.press("enter")
    await stage.enter("arm")
    await stage.enter("add")
    await stage.sees("create an HSM")


def _apply(stage: Stage) -> Button:
    return stage.app.screen.query_one("#apply", Button)
