"""A world opened for plans about its cluster, and plans run in it to their end."""

from __future__ import annotations

from pathlib import Path

from world import CLUSTER, FakePlane, World

from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.cluster import Cluster
from hsmctl.domain.event import StepDone, StepStarted
from hsmctl.domain.interlock import KeyStore
from hsmctl.domain.plan import Action, Plan

STORE = KeyStore(store_id="cks-1", name="orders", cluster_id=CLUSTER, state="connected")


def opened(cluster: Cluster, folder: Path) -> tuple[World, Hsmctl]:
    """A world with this cluster, and the facade over it."""
    outside = World(plane=FakePlane(cluster))
    return outside, outside.hsmctl(folder=folder)


def run(facade: Hsmctl, plan: Plan) -> list[Action]:
    """The actions that were done, in order."""
    started: dict[int, Action] = {}
    done = []
    for event in facade.operations.apply(plan, facade.playbook(plan.noun)):
        if isinstance(event, StepStarted):
            started[event.number] = event.step.action
        if isinstance(event, StepDone):
            done.append(started[event.number])
    return done
