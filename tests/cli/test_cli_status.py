"""Proves what `status` says in every format, its exit codes, and that one dead source or region hides nobody."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from operation_world import OTHER, with_operation
from prometheus_client.parser import text_string_to_metric_families
from transcript import SCRATCH, Ran, hsmctl
from world import CLUSTER, NOW, World, customer_ca, three_hsms

from hsmctl.domain.cluster import Certificates
from hsmctl.errors import Denied, ExitCode, Unreachable


def world() -> World:
    """A healthy cluster with a certificate and a young backup."""
    found = World()
    found.plane.held[CLUSTER] = replace(three_hsms(), certificates=Certificates(cluster=customer_ca()))
    found.plane.backup_list = tuple(
        replace(each, cluster_id=CLUSTER, created=NOW - timedelta(hours=4)) for each in found.plane.backup_list[:1]
    )
    return found


def status(here: World, *words: str, folder: Path = SCRATCH) -> Ran:
    return hsmctl(here, "status", *words, folder=folder)


def test_nothing_is_the_matter() -> None:
    ran = status(world())
    assert ran.code == ExitCode.OK
    assert ran.out.splitlines()[0] == "◍ nothing is the matter on 1 cluster"
    row = ran.out.splitlines()[3]
    assert all(part in row for part in ("ACTIVE", "3/3 a1 b1 c1", "◔ 5", "◍ 4 h"))


def test_the_worst_is_first_with_the_sentence_why_and_the_next_step() -> None:
    here = world()
    here.estate.sick.add("hsm-bbbbbbbbbbb")
    here.estate.stores_error = Denied("kms:DescribeCustomKeyStores denied", "no policy", "have it allowed")
    ran = status(here, "--max-age", "1h")
    assert ran.code == ExitCode.NO
    assert ran.out.splitlines()[0] == "✖ 2 critical, 1 unknown on 1 cluster"
    problems = ran.out.splitlines()[6:9]
    assert "hsm-bbbbbbbbbbb is unhealthy by its own metric" in problems[0]
    assert "the newest backup is 4 h old, at most 1 h is allowed" in problems[1]
    assert problems[2].startswith("▒  kms     –")
    assert "next: have it allowed" in ran.out


def test_a_dead_source_makes_the_answer_partial_and_nothing_more() -> None:
    here = world()
    here.estate.keys_error = here.estate.sick_error = Unreachable("cloudwatch:GetMetricData failed", "throttled")
    ran = status(here)
    assert ran.code == ExitCode.PARTIAL
    assert "unknown on 1 cluster" in ran.out
    assert "◍ 4 h" in ran.out


def test_monitoring_reads_it_in_one_line() -> None:
    ran = status(world(), "-o", "nagios")
    assert (ran.code, ran.out) == (
        0,
        "LAB STATUS OK - nothing is the matter on 1 cluster"
        " | clusters=1 hsms_active=3 hsms=3 critical=0 warning=0 unknown=0\n",
    )
    here = world()
    here.estate.stores_error = Denied("kms denied")
    assert status(here, "-o", "nagios").code == 3
    assert status(here, "-o", "nagios", "--max-age", "1h").code == 2


def test_prometheus_and_junit_have_a_sample_for_each_finding() -> None:
    families = {each.name: each for each in text_string_to_metric_families(status(world(), "-o", "prometheus").out)}
    assert families["hsmctl_status_level"].samples[0].value == 0
    topics = {sample.labels["topic"] for sample in families["hsmctl_status_case_level"].samples}
    assert {"hsm", "backup", "kms", "capacity"} <= topics
    assert '<testcase classname="status"' in status(world(), "-o", "junit").out


def test_an_operation_that_was_cut_off_is_a_warning(tmp_path: Path) -> None:
    here = with_operation(world())
    here.plane.held[OTHER] = replace(three_hsms(), cluster_id=OTHER)
    assert "was cut off and is open" in status(here, OTHER, folder=tmp_path).out


def test_a_cluster_that_is_not_there_and_a_plane_that_does_not_answer_are_said() -> None:
    ran = status(world(), "cluster-nothere0000")
    assert ran.code == ExitCode.UNKNOWN
    assert "UNKNOWN: eu-central-1: cluster-nothere0000 not found" in ran.out


@pytest.mark.parametrize("error", [Denied("cloudhsm:DescribeClusters denied"), Unreachable("cloudhsm", "down")])
def test_nothing_known_is_no_peace(error: Denied | Unreachable) -> None:
    here = world()

    def refuse(ids: object = ()) -> object:
        raise error

    here.plane.clusters = refuse  # type: ignore[method-assign, assignment]
    assert status(here).code == error.exit_code
    assert status(here, "-o", "nagios").code == 3


def test_an_account_without_clusters_has_nothing_the_matter() -> None:
    here = world()
    here.plane.held.clear()
    ran = status(here)
    assert (ran.code, ran.out.splitlines()[0]) == (ExitCode.OK, "◍ nothing is the matter on 0 clusters")


def test_another_account_than_the_contexts_is_no_answer() -> None:
    here = world()
    here.aws.account = "999999999999"
    ran = status(here)
    assert (ran.code, "the context is for 111122223333" in ran.out) == (ExitCode.DENIED, True)


def test_all_regions_are_those_that_cloudhsm_is_in() -> None:
    here = world()
    here.aws.regions = lambda: ["eu-central-1", "us-east-1"]  # type: ignore[method-assign]
    ran = status(here, "--regions", "all", "-o", "json", "--query", "clusters[*].region")
    assert ran.code == ExitCode.OK
    assert len(json.loads(ran.out)) == 2
