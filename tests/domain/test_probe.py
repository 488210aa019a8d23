"""Proves that only HSM ports can be probed, how answers are read, and what follows from both views together."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hsmctl.domain.cluster import Cluster, ClusterState, Hsm, HsmState
from hsmctl.domain.probe import (
    PORTS,
    Answer,
    Closed,
    ProbePair,
    ProbeResult,
    ProbeTarget,
    closed,
    percentile,
    probe_targets,
)
from hsmctl.domain.probe_verdict import Agreement, Reach, combine
from hsmctl.errors import UsageError

TARGET = ProbeTarget("hsm-aaaaaaaaaaa", "10.0.1.5", 2223)


@pytest.mark.parametrize("port", [22, 443, 2222, 2226, 0, -1])
def test_a_port_that_is_no_hsm_port_is_no_target(port: int) -> None:
    with pytest.raises(UsageError, match="2223 to 2225"):
        ProbeTarget("hsm-aaaaaaaaaaa", "10.0.1.5", port)


@pytest.mark.parametrize(
    "address", ["hsm.example.com", "", "10.0.1.5; reboot", "10.0.1", "fe80::1%eth0", "fe80::1%a\n10.0.0.1"]
)
def test_a_name_is_no_target(address: str) -> None:
    with pytest.raises(UsageError, match="no IP address"):
        ProbeTarget("hsm-aaaaaaaaaaa", address, 2223)


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        ("Connection refused", Answer.REFUSED),
        ("Connection timed out", Answer.TIMED_OUT),
        ("No route to host", Answer.UNREACHABLE),
        ("Network is unreachable\n", Answer.UNREACHABLE),
        ("Operation not permitted", Answer.UNREACHABLE),
        ("Too many open files", Answer.FAILED),
    ],
)
def test_a_sentence_of_the_system_is_read(sentence: str, answer: Answer) -> None:
    assert closed(sentence) == Closed(answer, sentence.strip())


def test_percentiles_are_values_that_were_measured() -> None:
    hundred = [number / 100 for number in range(100, 0, -1)]
    assert percentile(hundred, 0.5) == 0.5
    assert percentile(hundred, 0.95) == 0.95
    assert percentile([0.25], 0.95) == 0.25
    assert percentile([], 0.5) is None


def test_the_targets_of_a_cluster_are_the_hsms_that_have_an_address() -> None:
    cluster = Cluster(
        cluster_id="cluster-a2b3c4d5e6f",
        state=ClusterState.ACTIVE,
        region="eu-central-1",
        created=datetime(2026, 11, 23, tzinfo=UTC),
        hsms=(
            Hsm(hsm_id="hsm-both", state=HsmState.ACTIVE, address="10.0.1.5", address6="2001:db8::5"),
            Hsm(hsm_id="hsm-weak", state=HsmState.DEGRADED, address="10.0.1.6"),
            Hsm(hsm_id="hsm-new", state=HsmState.CREATE_IN_PROGRESS, address="10.0.1.7"),
            Hsm(hsm_id="hsm-bare", state=HsmState.ACTIVE),
        ),
    )

    targets = probe_targets(cluster, (2223, 2225))

    assert [(target.hsm_id, target.address, target.port) for target in targets] == [
        ("hsm-both", "10.0.1.5", 2223),
        ("hsm-both", "10.0.1.5", 2225),
        ("hsm-both", "2001:db8::5", 2223),
        ("hsm-both", "2001:db8::5", 2225),
        ("hsm-weak", "10.0.1.6", 2223),
        ("hsm-weak", "10.0.1.6", 2225),
    ]
    assert {target.port for target in probe_targets(cluster)} == {PORTS[0]}


def test_a_pair_names_itself_in_errors() -> None:
    assert str(ProbePair("app1", TARGET)) == "app1 to hsm-aaaaaaaaaaa at 10.0.1.5 port 2223"


def result(answer: Answer, opens: int = 0, losses: int = 0) -> ProbeResult:
    return ProbeResult(target=TARGET, answer=answer, opens=(0.01,) * opens, losses=losses)


@pytest.mark.parametrize(
    ("static", "answer", "verdict", "agreement"),
    [
        ("reachable", Answer.OPEN_TLS_SERVER, "reachable", "agrees"),
        ("reachable", Answer.OPEN, "reachable", "agrees"),
        ("reachable", Answer.TIMED_OUT, "blocked", "contradicts"),
        ("reachable", Answer.UNREACHABLE, "blocked", "contradicts"),
        ("reachable", Answer.REFUSED, "blocked", "agrees"),
        ("reachable", Answer.OPEN_TLS_TIMED_OUT, "blocked", "contradicts"),
        ("reachable", Answer.OPEN_TLS_UNTRUSTED, "unknown", "contradicts"),
        ("reachable", Answer.OPEN_NO_TLS, "unknown", "contradicts"),
        ("reachable", Answer.PROHIBITED, "reachable", "static_decides"),
        ("blocked", Answer.TIMED_OUT, "blocked", "agrees"),
        ("blocked", Answer.UNREACHABLE, "blocked", "agrees"),
        ("blocked", Answer.REFUSED, "blocked", "contradicts"),
        ("blocked", Answer.OPEN_TLS_SERVER, "unknown", "contradicts"),
        ("blocked", Answer.FAILED, "blocked", "static_decides"),
        ("degraded", Answer.OPEN_TLS_SERVER, "degraded", "agrees"),
        ("degraded", Answer.TIMED_OUT, "blocked", "contradicts"),
        ("unknown", Answer.OPEN_TLS_SERVER, "reachable", "probe_decides"),
        ("unknown", Answer.TIMED_OUT, "blocked", "probe_decides"),
        ("unknown", Answer.OPEN_TLS_UNTRUSTED, "unknown", "probe_decides"),
        ("unknown", Answer.PROHIBITED, "unknown", "static_decides"),
    ],
)
def test_both_views_together(static: str, answer: Answer, verdict: str, agreement: str) -> None:
    combined = combine(static, result(answer, opens=3 if answer.is_open else 0))
    assert (combined.verdict, combined.agreement) == (verdict, agreement)


def test_lost_attempts_between_good_ones_are_a_weakness_and_confirm_one() -> None:
    mixed = result(Answer.OPEN_TLS_SERVER, opens=2, losses=1)
    assert mixed.intermittent
    assert combine("reachable", mixed).verdict is Reach.DEGRADED
    assert combine("reachable", mixed).agreement is Agreement.CONTRADICTS
    assert combine("degraded", mixed).agreement is Agreement.AGREES
    assert combine("unknown", mixed).verdict is Reach.DEGRADED


def test_without_a_probe_the_static_verdict_stands_and_says_so() -> None:
    assert combine("reachable", None).agreement is Agreement.STATIC_DECIDES
    assert combine("reachable", None).sentence == "not probed"


def test_no_static_view_is_not_an_incomplete_one() -> None:
    refused = result(Answer.REFUSED, opens=0)
    assert combine(None, refused).verdict is combine("unknown", refused).verdict is Reach.BLOCKED
    assert combine(None, refused).sentence == "the connection is refused; there is no static view"
    assert combine("unknown", refused).sentence == "the connection is refused; the static view is incomplete"


@pytest.mark.parametrize("static", list(Reach))
@pytest.mark.parametrize("answer", list(Answer))
@pytest.mark.parametrize("losses", [0, 1])
def test_every_combination_has_a_verdict_and_never_a_reachable_nobody_saw(
    static: Reach, answer: Answer, losses: int
) -> None:
    combined = combine(static, result(answer, opens=int(answer.is_open), losses=losses))
    assert combined.sentence
    if combined.verdict is Reach.REACHABLE:
        seen = answer in (Answer.OPEN_TLS_SERVER, Answer.OPEN)
        assert seen or (static is Reach.REACHABLE and combined.agreement is Agreement.STATIC_DECIDES)
        assert static is not Reach.BLOCKED


def test_a_word_that_is_no_verdict_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="perhaps"):
        combine("perhaps", None)
