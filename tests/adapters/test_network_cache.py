"""Proves that answers are used again while they are young, by the same account only, from a file only it can read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from connectivity import scenario
from network_world import SnapshotNetwork, cluster_of, collector
from world import FakeClock, FakeIdentity

from hsmctl.adapters.network_cache import FileNetworkCache
from hsmctl.domain.network import NetworkKind
from hsmctl.services.net import load
from hsmctl.services.net_collect import Collection, NetCollectService
from hsmctl.services.net_ends import Ends

NAME = "S42"
CALLS = 13


class Runs:
    """One account's runs on one machine, each a new process with the same cache file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock()
        self.document = scenario(NAME)
        self.reader = SnapshotNetwork(self.document["snapshot"], self.clock)

    def service(self) -> NetCollectService:
        return collector(self.reader, FileNetworkCache(self.path, self.clock), self.clock)

    def collect(self, service: NetCollectService | None = None, *, fresh: bool = False) -> Collection:
        ends = Ends(cluster=cluster_of(self.document), clients=load(self.document).clients)
        return (service or self.service()).collect(ends, fresh=fresh)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "state" / "network.json")


def test_within_a_quarter_of_a_minute_nothing_is_asked_again(runs: Runs) -> None:
    first = runs.collect()
    assert first.calls == CALLS
    runs.clock.sleep(15)
    again = runs.collect()
    assert again.calls == 0
    assert again.sections == first.sections
    assert again.oldest == first.oldest


def test_telemetry_grows_old_before_configuration(runs: Runs) -> None:
    runs.collect()
    runs.clock.sleep(16)
    runs.reader.queries.clear()
    runs.collect()
    assert {query.kind for query in runs.reader.queries} == {NetworkKind.TRANSIT_ROUTES, NetworkKind.VPNS}
    runs.clock.sleep(45)
    assert runs.collect().calls == CALLS


def test_a_service_that_lives_on_remembers_too_and_a_fresh_look_asks_everything(runs: Runs) -> None:
    service = runs.service()
    runs.collect(service)
    runs.path.unlink()
    assert runs.collect(service).calls == 0
    assert runs.collect(service, fresh=True).calls == CALLS


def test_answers_far_apart_are_called_mixed(runs: Runs) -> None:
    assert runs.collect().consistent
    runs.clock.sleep(31)
    again = runs.collect()
    assert not again.consistent
    assert (again.newest - again.oldest).total_seconds() == 31


def test_another_account_is_asked_for_itself(runs: Runs) -> None:
    runs.collect()
    other = replace(runs.service(), identity=FakeIdentity("999988887777", None, None))
    assert runs.collect(other).calls == CALLS


def test_a_clock_that_went_back_makes_nothing_young(runs: Runs) -> None:
    runs.clock.sleep(60)
    runs.collect()
    runs.clock.sleep(-50)
    assert runs.collect().calls == CALLS


def test_what_was_denied_is_asked_again(runs: Runs) -> None:
    runs.reader.denied = {NetworkKind.SUBNETS}
    runs.collect()
    runs.reader.denied = set()
    assert NetworkKind.SUBNETS not in {hole.kind for hole in runs.collect().holes}


def test_the_file_is_its_owners_alone_and_forgets_the_outdated(runs: Runs) -> None:
    runs.collect()
    assert runs.path.stat().st_mode & 0o777 == 0o600
    assert runs.path.parent.stat().st_mode & 0o777 == 0o700
    runs.clock.sleep(61)
    FileNetworkCache(runs.path, runs.clock).keep({})
    assert json.loads(runs.path.read_bytes())["answers"] == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"format": 2, "answers": {}}',
        b'{"format": 1, "answers": []}',
        b'{"format": 1, "answers": {"k": {"rows": [], "fetched_at": "2026-11-23T02:10:00"}}}',
        b'{"format": 1, "answers": {"k": {"rows": 1, "fetched_at": "2026-11-23T02:10:00+00:00"}}}',
        b'{"format": 1, "answers": {"k": {"rows": [1], "fetched_at": "2026-11-23T02:10:00+00:00"}}}',
    ],
)
def test_a_file_that_cannot_be_read_is_an_empty_one(runs: Runs, content: bytes) -> None:
    runs.path.parent.mkdir()
    runs.path.write_bytes(content)
    assert runs.collect().calls == CALLS
    assert runs.collect().calls == 0


def test_a_file_that_cannot_be_written_is_done_without(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    assert runs.collect().calls == CALLS
