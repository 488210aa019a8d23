"""Proves that a cluster's own evidence is never called more than it is, and that drift of every kind is found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmctl.domain.coverage import KEY_METRIC, Evidence, ReportedKey, Severity, Source
from hsmctl.domain.coverage_verdict import CoverageVerdict, judge, odd_ones
from hsmctl.domain.evidence import Grade
from hsmctl.domain.mtls import Anchor
from hsmctl.domain.user import HsmUser

USER = HsmUser(name="ops_cu", role="crypto-user", locked="false", coverage="full")
KEY = ReportedKey(reference="0x01", label="db-kek", coverage="full", owners={"ops_cu": "full"})
HEALTHY = Evidence(
    cluster_id="cluster-a",
    active=("hsm-1", "hsm-2"),
    counts={KEY_METRIC: {"hsm-1": 1, "hsm-2": 1}},
    host="app1",
    connected=2,
    users=(USER,),
    anchors=(),
    values={"user": 0},
    as_user="ops_cu",
    keys=(KEY,),
    total=1,
)


def test_a_healthy_cluster_is_no_difference_seen_and_never_in_sync() -> None:
    report = judge(HEALTHY)
    assert (report.verdict, report.findings, report.full_scope) == (CoverageVerdict.NO_DIFFERENCE_SEEN, (), True)


@pytest.mark.parametrize(
    ("changed", "verdict", "says"),
    [
        ({"users": (replace(USER, coverage="inconsistent"),)}, "not in sync", "missing on some HSM"),
        ({"users": (replace(USER, role="inconsistent"),)}, "not in sync", "other role on some HSM"),
        ({"users": (replace(USER, locked="inconsistent"),)}, "not in sync", "locked on some HSM"),
        ({"users": (replace(USER, mfa="inconsistent"),)}, "not in sync", "second factor differs"),
        ({"users": (replace(USER, quorum="inconsistent"),)}, "not in sync", "quorum registration differs"),
        ({"users": (replace(USER, coverage="unknown"),)}, "incomplete", "not told"),
        ({"keys": (replace(KEY, coverage="inconsistent"),)}, "not in sync", "coverage inconsistent (0x01)"),
        ({"keys": (replace(KEY, coverage="partial"),)}, "not in sync", "coverage partial (0x01)"),
        ({"keys": (replace(KEY, shared={"app": "inconsistent"}),)}, "not in sync", "coverage inconsistent for app"),
        ({"keys": (replace(KEY, differing=("modifiable",)),)}, "attributes differ", "modifiable inconsistent"),
        ({"keys": (replace(KEY, differing=("check-value", "sign")),)}, "not in sync", "other material: check-value"),
        ({"keys": (replace(KEY, coverage="session"),)}, "no difference seen", ""),
        (
            {"anchors": (Anchor(reference="0x01", certificate="", coverage="inconsistent"),)},
            "not in sync",
            "coverage inconsistent",
        ),
        ({"connected": 1}, "incomplete", "connected to 1 of 2 ACTIVE HSMs: `full` is about those alone"),
        ({"failures": {Source.LOGIN: "locked"}, "keys": None}, "incomplete", "locked"),
        ({"values": {"user": 2}}, "not in sync", "0 of 0 admins can approve; 3 are needed so that one may be lost"),
        ({"values": {"user": None}}, "not in sync", "HSMs ask for different numbers of approvals"),
        ({"enforcement": "inconsistent"}, "not in sync", "mTLS enforcement is inconsistent"),
        ({"enforcement": "cluster"}, "no difference seen", ""),
        ({"moving": ("hsm-3",)}, "no difference seen", "joining or leaving"),
    ],
)
def test_each_kind_of_drift(changed: dict[str, object], verdict: str, says: str) -> None:
    report = judge(replace(HEALTHY, **changed))  # type: ignore[arg-type]
    assert report.verdict == verdict
    assert any(says in finding.says for finding in report.findings) or not says


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({"hsm-1": 32, "hsm-2": 5310, "hsm-3": 5310}, "32 on hsm-1; 5,310 on the 2 others"),
        ({"hsm-1": 9, "hsm-2": 8}, "8 on hsm-2; 9 on hsm-1"),
        ({"hsm-1": 1, "hsm-2": 2, "hsm-3": 2, "hsm-4": 1, "hsm-5": 2}, "1 on hsm-1, hsm-4; 2 on the 3 others"),
        ({"hsm-1": 3, "hsm-2": 2, "hsm-3": 1}, "1 on hsm-3; 2 on hsm-2; 3 on hsm-1"),
    ],
)
def test_a_count_names_the_odd_one_first(counts: Mapping[str, int], says: str) -> None:
    assert odd_ones(counts) == says


def test_counts_hint_at_once_and_accuse_only_when_they_last() -> None:
    counts = {KEY_METRIC: {"hsm-1": 1, "hsm-2": 2}}
    passing = judge(replace(HEALTHY, counts=counts))
    lasting = judge(replace(HEALTHY, counts=counts, lasting=frozenset({KEY_METRIC})))
    assert (passing.verdict, passing.findings[0].severity) == (CoverageVerdict.NO_DIFFERENCE_SEEN, Severity.NOTE)
    assert (lasting.verdict, lasting.findings[0].grade) == (CoverageVerdict.NOT_IN_SYNC, Grade.INFERRED)


def test_the_scope_says_what_was_not_seen() -> None:
    report = judge(replace(HEALTHY, counts={KEY_METRIC: {"hsm-1": 5310, "hsm-2": 5310}}))
    assert "the HSMs report 5,310 token keys; 5,309 not visible: unproven" in report.scope
    assert not report.full_scope
    assert "keys not looked at" in judge(replace(HEALTHY, keys=None)).scope


def test_nothing_to_go_by_is_unknown() -> None:
    nothing = Evidence(cluster_id="cluster-a", active=("hsm-1",), failures={Source.HOST: "no answer"})
    assert judge(nothing).verdict is CoverageVerdict.UNKNOWN


@given(
    st.lists(st.sampled_from(["full", "inconsistent", "session", "unknown", "new word"]), max_size=4),
    st.lists(st.sampled_from(["full", "inconsistent", "unknown"]), max_size=4),
    st.integers(0, 3),
)
def test_nothing_that_is_not_plainly_good_is_passed_over(keys: list[str], users: list[str], connected: int) -> None:
    report = judge(
        replace(
            HEALTHY,
            connected=connected,
            keys=tuple(replace(KEY, coverage=word) for word in keys),
            users=tuple(replace(USER, coverage=word) for word in users),
        )
    )
    good = set(keys) <= {"full", "session"} and set(users) <= {"full"} and connected == 2
    assert (report.verdict is CoverageVerdict.NO_DIFFERENCE_SEEN) == good
