"""Proves that a cluster is meant by its name wherever its id is, and that a name of several or of none is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from transcript import hsmctl
from world import FakePlane, World, three_hsms

from hsmctl.errors import ExitCode

ONE = replace(three_hsms(), tags={"Name": "prod"})
OTHER = replace(three_hsms(), cluster_id="cluster-bbbbbbbbbbb", hsms=(), tags={"Name": "test"})
TWIN = replace(OTHER, cluster_id="cluster-ccccccccccc")


@pytest.mark.parametrize(
    "words",
    [
        ("hsm", "list"),
        ("cluster", "show"),
        ("backup", "list"),
        ("key", "list"),
        ("status", "--no-reach"),
        ("sync", "check", "--via", "lab-node"),
        ("cluster", "tag", "--dry-run"),
    ],
    ids=" ".join,
)
def test_a_name_is_as_good_as_an_id(words: tuple[str, ...]) -> None:
    told = []
    for which in ("prod", ONE.cluster_id):
        rest = ("a=b",) if "tag" in words else ()
        ran = hsmctl(World(plane=FakePlane(ONE, OTHER)), *words, which, *rest, "-o", "json")
        assert ran.out, ran.err
        document = ran.document
        told.append((ran.code, {**document, "generated_at": None}))
    assert told[0] == told[1]


def test_an_option_takes_it_too() -> None:
    world = World(plane=FakePlane(ONE, OTHER))
    assert hsmctl(world, "token", "list", "--cluster", "nobody").code == ExitCode.CONFLICT
    assert ONE.cluster_id in hsmctl(world, "hsm", "replace", ONE.hsms[0].hsm_id, "--cluster", "prod", "--dry-run").out


@pytest.mark.parametrize(
    ("name", "says"), [("nobody", f"there are {ONE.cluster_id} (prod)"), ("test", "2 clusters are called test")]
)
@pytest.mark.parametrize("words", [("hsm", "list"), ("cluster", "delete"), ("status",)], ids=" ".join)
def test_a_name_of_none_or_of_several_is_refused_with_what_there_is(
    words: tuple[str, ...], name: str, says: str
) -> None:
    world = World(plane=FakePlane(ONE, OTHER, TWIN))
    ran = hsmctl(world, *words, name)
    assert ran.code in (ExitCode.CONFLICT, ExitCode.UNKNOWN)
    assert says in ran.err + ran.out
    assert OTHER.cluster_id in ran.err + ran.out


def test_an_id_is_asked_for_as_it_is() -> None:
    ran = hsmctl(World(plane=FakePlane(ONE)), "hsm", "list", "cluster-zzzzzzzzzzz")
    assert (ran.code, "cluster-zzzzzzzzzzz not found" in ran.err) == (ExitCode.CONFLICT, True)
