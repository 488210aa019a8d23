"""Proves that a scrape is answered at once from the last collection, with its age, and that a file is whole or not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from world import CLUSTER, NOW, FakeClock, three_hsms

from hsmctl.adapters.exporter import PrometheusExporter
from hsmctl.domain.cluster import Backup, BackupState
from hsmctl.domain.evidence import Failed, Ok
from hsmctl.domain.metrics import Collected, Family, Place, families
from hsmctl.domain.status import Standing, standing
from hsmctl.domain.status_facts import Facts
from hsmctl.errors import Conflict, Denied, Unreachable, UsageError
from hsmctl.services.metrics import MetricsService
from hsmctl.services.status import Region

Series = Mapping[str, Sequence[tuple[Mapping[str, str], float]]]


def stood() -> Standing:
    """A cluster with a backup of four hours, whose KMS could not be read."""
    made = NOW - timedelta(hours=4)
    backup = Backup(backup_id="backup-q2w3e4r5t6y", state=BackupState.READY, cluster_id=CLUSTER, created=made)
    facts = Facts(cluster=three_hsms(), at=NOW, backups=Ok((backup,)), stores=Failed(Denied("kms denied")))
    return standing(facts, timedelta(hours=26))


def parsed(text: str) -> Series:
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in text_string_to_metric_families(text)
    }


def scraped(address: tuple[str, int]) -> Series:
    with urlopen(f"http://{address[0]}:{address[1]}/metrics", timeout=5) as answer:
        return parsed(answer.read().decode())


def told(where: Sequence[Family]) -> Mapping[str, Family]:
    return {each.name: each for each in where}


def test_findings_are_levels_and_what_is_not_known_is_three_and_has_no_figure() -> None:
    place = Place(labels={"region": "eu-central-1"}, standings=(stood(),))
    found = told(families(Collected(places=(place,), at=NOW), NOW + timedelta(seconds=40)))
    levels = {labels["topic"]: value for labels, value in found["hsmctl_finding_level"].samples}
    assert (levels["backup"], levels["kms"], levels["state"]) == (0, 3, 0)
    assert found["hsmctl_cluster_level"].samples[0][1] == 3
    assert found["hsmctl_newest_backup_age_seconds"].samples[0][1] == 14_400
    assert found["hsmctl_collection_age_seconds"].samples[0][1] == 40
    assert "hsmctl_token_keys" not in found
    assert found["hsmctl_cluster_hsms"].samples == (
        ({"region": "eu-central-1", "cluster": CLUSTER, "name": "lab", "state": "active"}, 3.0),
    )


def test_before_the_first_collection_nothing_is_claimed() -> None:
    assert set(told(families(Collected(), NOW))) == {"hsmctl_collections", "hsmctl_collection_failures"}


def test_a_scrape_is_answered_while_aws_keeps_us_waiting(tmp_path: Path) -> None:
    clock, hanging, first = FakeClock(), threading.Event(), threading.Event()

    def look() -> tuple[Standing, ...]:
        if first.is_set():
            hanging.wait()
        first.set()
        return (stood(),)

    service = MetricsService(clock=clock, regions=(Region("", "eu", look),), environment="aws", seconds=3_600)
    with PrometheusExporter().serve("127.0.0.1", 0, service.families) as address:
        assert "hsmctl_place_read" not in scraped(address)
        service.collect()
        collector = threading.Thread(target=service.collect)
        collector.start()
        clock.sleep(90)
        seen = scraped(address)
        assert seen["hsmctl_collection_age_seconds"] == [({}, 90.0)]
        assert seen["hsmctl_place_read"] == [({"environment": "aws", "region": "eu", "context": ""}, 1.0)]
        hanging.set()
        collector.join()
    with pytest.raises(OSError, match=r"refused|reset"), socket.create_connection(address, timeout=5):
        pass


def test_a_region_that_does_not_answer_is_told_as_not_read() -> None:
    def refuse() -> tuple[Standing, ...]:
        raise Unreachable("cloudhsm", "throttled")

    service = MetricsService(clock=FakeClock(), regions=(Region("", "eu", refuse),), environment="aws", seconds=60)
    assert service.collect().failures == 1
    found = told(service.families())
    assert [value for _, value in found["hsmctl_place_read"].samples] == [0.0]
    assert "hsmctl_cluster_level" not in found


def test_a_file_takes_the_place_of_the_old_one_whole_and_for_everybody(tmp_path: Path) -> None:
    place = tmp_path / "hsmctl.prom"
    place.write_text("old")
    written = PrometheusExporter().write(place, families(Collected(collections=2), NOW))
    assert written == 2
    assert parsed(place.read_text())["hsmctl_collections"] == [({}, 2.0)]
    assert place.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [place]


def test_a_place_that_cannot_be_written_to_or_listened_at_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        PrometheusExporter().write(tmp_path / "missing" / "hsmctl.prom", ())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Conflict), PrometheusExporter().serve("127.0.0.1", port, lambda: ()):
            pass
