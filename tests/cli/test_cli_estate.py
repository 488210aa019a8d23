"""Proves that a listing of many regions and contexts waits for no failing one, names it, and hides nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import world
from transcript import hsmctl
from world import World

from hsmctl.adapters.clock import SystemClock
from hsmctl.domain.cluster import Cluster
from hsmctl.errors import Denied, ExitCode, HsmctlError, Unreachable
from hsmctl.services.estate import Place, listing

REGIONS = tuple(f"xx-region-{number}" for number in range(17))


class Many(World):
    """A world of regions: each has a cluster of its own, or an error."""

    def __init__(self, errors: dict[str, HsmctlError]) -> None:
        super().__init__()
        self.errors = errors
        self.asked: list[str] = []
        self.aws.plane_in = self.plane_in  # type: ignore[method-assign]
        self.aws.regions = lambda: list(REGIONS)  # type: ignore[method-assign]

    def plane_in(self, region: str, tries: int) -> world.FakePlane:
        plane = world.FakePlane(replace(world.three_hsms(), cluster_id=f"cluster-{region[3:]}", region=region))
        plane.region = region
        plane.error = self.errors.get(region)
        self.asked.append(region)
        return plane


TWO = {REGIONS[3]: Unreachable("cloudhsm:DescribeClusters failed"), REGIONS[9]: Denied("no credentials")}


def test_fifteen_of_seventeen_regions_answer_and_two_are_named(tmp_path: Path) -> None:
    ran = hsmctl(Many(TWO), "cluster", "list", "--regions", "all", "-o", "json", folder=tmp_path)

    assert ran.code == ExitCode.PARTIAL
    document = ran.document
    assert len(document["data"]) == 15
    assert [warning.split()[0] for warning in document["warnings"]] == list(TWO)
    table = hsmctl(Many(TWO), "cluster", "list", "--regions", ",".join(REGIONS), folder=tmp_path)
    assert (table.code, table.err.count("did not answer")) == (ExitCode.PARTIAL, 2)
    assert "REGION" in table.out


@pytest.mark.parametrize(
    ("error", "code"), [(Unreachable("no answer"), ExitCode.UNKNOWN), (Denied("no"), ExitCode.DENIED)]
)
def test_where_nobody_answers_the_error_is_the_answer(error: HsmctlError, code: ExitCode, tmp_path: Path) -> None:
    many = Many(dict.fromkeys(REGIONS, error))
    assert hsmctl(many, "cluster", "list", "--regions", "all", folder=tmp_path).code == code


def test_contexts_are_named_in_their_rows(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[context.prod]\nregion = "eu-central-1"\n[context.test]\n')
    ran = hsmctl(Many({}), "cluster", "list", "--contexts", "prod,test", "-o", "json", folder=tmp_path)
    assert [row["context"] for row in ran.document["data"]] == ["lab", "lab"]


def test_a_silent_region_is_given_up_at_the_deadline() -> None:
    silent = threading.Event()

    def never() -> Sequence[Cluster]:
        silent.wait(20)
        return ()

    def at_once() -> Sequence[Cluster]:
        return [world.three_hsms()]

    reads: list[Callable[[], Sequence[Cluster]]] = [at_once, never, at_once]
    places = [Place("", region, read) for region, read in zip(REGIONS, reads, strict=False)]
    listed = listing(places, SystemClock(), 0.2)
    silent.set()
    assert [type(each.outcome).__name__ for each in listed] == ["Ok", "Failed", "Ok"]
