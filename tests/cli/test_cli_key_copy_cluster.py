"""Proves that a copy to a cluster is looked for on every HSM, and that one which lacks it is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from key_token import TokenWorld
from world import three_hsms

from hsmctl.bootstrap import Hsmctl
from hsmctl.errors import ExitCode
from hsmctl.settings import Context

CLUSTER = three_hsms().cluster_id
COPY = ("key", "copy", "data", "--from", "alpha", "--to", "beta", "--confirm", CLUSTER[-6:])


class ClusterWorld(TokenWorld):
    """Its tokens beta and gamma are reached as HSMs of one cluster."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ("alpha", "beta", "gamma"))
        alpha, *others = self.context.tokens
        tokens = (alpha, *(replace(entry, cluster=CLUSTER) for entry in others))
        self.context = replace(self.context, tokens=tokens)

    def hsmctl(self, context: Context | None = None, **typed: object) -> Hsmctl:
        facade = super().hsmctl(context, folder=self.folder)
        vars(facade).update(aws=self.aws, clock=self.clock)
        vars(facade).update(timeline=replace(facade.timeline, trail=self.trail, audit=self.audit))
        return facade


@pytest.fixture
def world(tmp_path: Path) -> ClusterWorld:
    world = ClusterWorld(tmp_path)
    world.ok("key", "generate", "aes", "--label", "data", "--extractable")
    return world


def test_an_hsm_that_lacks_the_copy_is_named_and_looked_at_again(world: ClusterWorld) -> None:
    ran = world.run(*COPY)
    assert ran.code == ExitCode.PARTIAL, ran.err
    assert "seen on beta, not in time on gamma" in ran.err
    (operation,) = world.run("operation", "list", "-o", "name").out.split()
    assert world.run("operation", "resume", operation).code == ExitCode.PARTIAL
    world.real.mirror("gamma", "beta")
    ran = world.run("operation", "resume", operation)
    assert ran.code == ExitCode.OK, ran.err
    assert "seen on  beta, gamma (reported)" in ran.out


def test_a_copy_that_is_gone_when_it_is_looked_for_is_no_success(world: ClusterWorld) -> None:
    assert world.run(*COPY).code == ExitCode.PARTIAL
    (operation,) = world.run("operation", "list", "-o", "name").out.split()
    (copy,) = world.real["beta"].objects.find({"label": b"data"})
    world.real["beta"].objects.destroy(copy)
    ran = world.run("operation", "resume", operation)
    assert ran.code == ExitCode.CONFLICT
    assert "is gone" in ran.err


def test_a_copy_that_is_everywhere_says_where(world: ClusterWorld) -> None:
    world.real.mirror("gamma", "beta")
    ran = world.run(*COPY)
    assert ran.code == ExitCode.OK, ran.err
    assert "seen on  beta, gamma (reported)" in ran.out
