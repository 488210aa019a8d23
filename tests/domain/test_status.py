"""Proves each rule of a cluster's standing: what is bad, what is well, and that what was not read is never well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from world import CLUSTER, HSMS, NOW, three_hsms

from hsmctl.domain.cluster import Backup, BackupState, ClusterState, HsmState
from hsmctl.domain.coverage import KEY_METRIC, USER_METRIC, Evidence
from hsmctl.domain.coverage_verdict import judge
from hsmctl.domain.evidence import Failed, Ok
from hsmctl.domain.hold import Hold
from hsmctl.domain.interlock import KeyStore, Sample
from hsmctl.domain.status import Standing, exit_code, standing, worst_first
from hsmctl.domain.status_facts import Facts, LastCheck, Paper, Reach
from hsmctl.domain.status_finding import Finding, Severity, Topic
from hsmctl.errors import Denied, ExitCode, Unreachable

DAY = timedelta(hours=26)


def samples(*values: float | None) -> Mapping[str, Sequence[Sample]]:
    """The last value of each HSM; None where it published none."""
    return {name: [] if value is None else [Sample(NOW, value)] for name, value in zip(HSMS, values, strict=False)}


def counted(keys: Sequence[int] = (5, 5, 5), free: Sequence[int] = (1_020,) * 3, **more: object) -> Evidence:
    """What CloudWatch counts."""
    counts = {KEY_METRIC: dict(zip(HSMS, keys, strict=False)), USER_METRIC: dict(zip(HSMS, free, strict=False))}
    return Evidence(cluster_id=CLUSTER, active=HSMS, counts=counts, **more)  # type: ignore[arg-type]


def backup(hours: float) -> Backup:
    made = NOW - timedelta(hours=hours)
    return Backup(backup_id="backup-q2w3e4r5t6y", state=BackupState.READY, cluster_id=CLUSTER, created=made)


WELL = Facts(
    cluster=three_hsms(),
    at=NOW,
    unhealthy=Ok(samples(0, 0, 0)),
    sessions=Ok(samples(3, 2, 1)),
    coverage=Ok(judge(counted())),
    last_check=Ok(None),
    stores=Ok(()),
    backups=Ok((backup(4),)),
    papers=Ok((Paper(what="cluster", expires=NOW + timedelta(days=900)),)),
    reach=Ok(Reach(verdicts={"app1": "reachable"})),
    hold=Ok(None),
    open_operations=Ok(()),
)


def judged(facts: Facts) -> Standing:
    return standing(facts, DAY)


def only(facts: Facts) -> Finding:
    """The one problem."""
    (problem,) = judged(facts).problems
    return problem


def test_a_healthy_cluster_has_no_problems_and_an_answer_to_everything() -> None:
    found = judged(WELL)
    assert (found.problems, found.severity) == ((), Severity.OK)
    quiet = {Topic.TYPE, Topic.HOLD, Topic.OPERATION}
    assert {each.topic for each in found.findings} == set(Topic) - quiet
    assert exit_code([found], []) is ExitCode.OK


@pytest.mark.parametrize("name", [each.name for each in fields(Facts) if each.name not in ("cluster", "at")])
def test_a_fact_that_could_not_be_read_is_unknown_and_never_well(name: str) -> None:
    denied: dict[str, Any] = {name: Failed(Denied("kms:X denied", "no policy", "have it allowed"))}
    found = judged(replace(WELL, **denied))
    (problem,) = found.problems
    assert (problem.severity, problem.grade, problem.way_out) == (Severity.UNKNOWN, None, "have it allowed")
    assert "kms:X denied: no policy" in problem.says
    assert exit_code([found], []) is ExitCode.PARTIAL
    assert [str(error) for error in found.errors] == ["kms:X denied: no policy"]


OLD = replace(three_hsms(), hsm_type="hsm1.medium")
ALONE = replace(three_hsms(), hsms=three_hsms().hsms[:1])
SICK = replace(three_hsms().hsms[0], state=HsmState.DEGRADED, message="fan")
FULL = replace(three_hsms(), hsms=(three_hsms().hsms * 10)[:28])
CROWDED = replace(three_hsms(), hsms=tuple(replace(hsm, zone="eu-central-1a") for hsm in three_hsms().hsms))


@pytest.mark.parametrize(
    ("change", "topic", "severity", "says"),
    [
        (
            {"cluster": replace(three_hsms(), state=ClusterState.DEGRADED)},
            "state",
            "critical",
            "the cluster is degraded",
        ),
        ({"cluster": replace(three_hsms(), hsms=(SICK, *three_hsms().hsms[1:]))}, "hsm", "critical", "degraded: fan"),
        ({"cluster": CROWDED}, "zones", "warning", "all active HSMs are in eu-central-1a"),
        ({"unhealthy": Ok(samples(0, 1, 0))}, "hsm", "critical", "hsm-bbbbbbbbbbb is unhealthy"),
        ({"unhealthy": Ok(samples(0, None, 0))}, "hsm", "unknown", "has published no HsmUnhealthy"),
        ({"coverage": Ok(judge(counted((5, 4, 5))))}, "keys", "warning", "4 on hsm-bbbbbbbbbbb; 5 on the 2 others"),
        ({"coverage": Ok(judge(counted((5, 4, 5), lasting=frozenset({KEY_METRIC}))))}, "keys", "critical", "4"),
        ({"coverage": Ok(judge(counted((5, 5))))}, "keys", "unknown", "hsm-ccccccccccc published no"),
        ({"coverage": Ok(judge(counted(free=(1_000, 999, 1_000))))}, "users", "warning", "by count: 999 on"),
        ({"coverage": Ok(judge(counted((14_000,) * 3)))}, "capacity", "warning", "14,000 of 16,666 keys (84 %)"),
        ({"coverage": Ok(judge(counted(free=(20,) * 3)))}, "capacity", "critical", "1,004 of 1,024 users (98 %)"),
        ({"cluster": FULL}, "capacity", "critical", "28 of 28 HSMs (100 %): none can be added any more"),
        ({"sessions": Ok(samples(3, 2_000, None))}, "capacity", "critical", "sessions on hsm-bbbbbbbbbbb (97 %)"),
        (
            {"backups": Ok((backup(30),))},
            "backup",
            "critical",
            "the newest backup is 30 h old, at most 26 h is allowed",
        ),
        ({"backups": Ok(())}, "backup", "critical", "there is no READY backup"),
        ({"papers": Ok((Paper(what="cluster", expires=NOW),))}, "certificate", "critical", "ended on 2026-11-23"),
        (
            {"papers": Ok((Paper(what="hsm", expires=NOW + timedelta(days=9)),))},
            "certificate",
            "warning",
            "ends on 2026-12-02",
        ),
        ({"reach": Ok(Reach(verdicts={"app1": "blocked"}))}, "reach", "critical", "the way from app1 is blocked"),
        ({"reach": Ok(Reach(verdicts={"app1": "unknown"}))}, "reach", "unknown", "app1 is unknown"),
        ({"open_operations": Ok(("01KA",))}, "operation", "warning", "01KA was cut off"),
        (
            {"hold": Ok(Hold(cluster_id=CLUSTER, reason="sole copy", set_at=NOW, set_by="ops"))},
            "hold",
            "warning",
            "sole",
        ),
        (
            {"last_check": Ok(LastCheck(at=NOW, verdict="not in sync", says="1 key differs", well=False))},
            "keys",
            "critical",
            "1 key differs",
        ),
        (
            {"last_check": Ok(LastCheck(at=NOW, verdict="incomplete", says="incomplete", well=False))},
            "keys",
            "unknown",
            "incomplete",
        ),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, object], topic: str, severity: str, says: str) -> None:
    found = only(replace(WELL, **change))  # type: ignore[arg-type]
    assert (found.topic, found.severity) == (topic, severity)
    assert says in found.says


@pytest.mark.parametrize(
    ("state", "severity"),
    [("connected", "ok"), ("disconnected", "warning"), ("failed", "critical"), ("odd", "unknown")],
)
def test_key_stores_stand_as_kms_says(state: str, severity: str) -> None:
    stores = (
        KeyStore(store_id="cks-1", name="orders", cluster_id=CLUSTER, state=state),
        KeyStore(store_id="cks-2", name="other", cluster_id="cluster-other", state="failed"),
    )
    found = judged(replace(WELL, stores=Ok(stores))).on(Topic.KMS)
    assert found is not None
    assert (found.severity, found.about) == (severity, "orders")
    alone = judged(replace(WELL, cluster=ALONE, stores=Ok(stores))).on(Topic.KMS)
    assert alone is not None
    assert alone.severity is Severity.CRITICAL


def test_hsm1_has_ended_and_a_migration_has_a_clock() -> None:
    before = datetime(2026, 3, 1, tzinfo=UTC)
    young = judged(Facts(cluster=OLD, at=before)).on(Topic.TYPE)
    assert young is not None
    assert (young.severity, young.says) == (Severity.WARNING, "hsm1.medium is supported until 2026-03-31")
    ended = judged(Facts(cluster=OLD, at=NOW)).on(Topic.TYPE)
    assert ended is not None
    assert ended.severity is Severity.CRITICAL
    moving = judged(Facts(cluster=replace(three_hsms(), rollback_until=NOW + timedelta(hours=5)), at=NOW)).on(
        Topic.TYPE
    )
    assert moving is not None
    assert moving.brief == "migrating, 5 h left"


def test_an_unclaimed_cluster_lacks_nothing_it_could_not_have() -> None:
    empty = replace(three_hsms(), state=ClusterState.UNINITIALIZED, hsms=())
    found = judged(Facts(cluster=empty, at=NOW, backups=Ok(()), papers=Ok(()), stores=Ok(())))
    assert [each.severity for each in found.problems] == [Severity.PENDING]


def test_worst_comes_first_and_no_beats_partial_beats_unknown() -> None:
    sick = judged(replace(WELL, unhealthy=Ok(samples(1, 0, 0)), stores=Failed(Unreachable("kms"))))
    assert [each.severity for each in sick.findings[:2]] == [Severity.CRITICAL, Severity.UNKNOWN]
    assert worst_first([judged(WELL), sick])[0] is sick
    assert exit_code([judged(WELL), sick], [Unreachable("x")]) is ExitCode.NO
    assert exit_code([judged(WELL)], [Unreachable("x")]) is ExitCode.PARTIAL
    assert exit_code([], [Unreachable("x"), Denied("y")]) is ExitCode.UNKNOWN
    assert exit_code([], [Denied("y")]) is ExitCode.DENIED
    assert exit_code([], []) is ExitCode.OK
