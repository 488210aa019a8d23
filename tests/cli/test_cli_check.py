"""Proves that checks are told to Prometheus and to CI in formats that their own readers take, escapes included."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from connectivity import FOLDER
from prometheus_client.parser import text_string_to_metric_families
from transcript import hsmctl
from world import HSMS, World

from hsmctl.cli.junit import report
from hsmctl.cli.prometheus import exposition
from hsmctl.cli.view import Case, Check, Level, Origin
from hsmctl.errors import ExitCode, Unreachable

NOW = datetime(2026, 11, 23, 2, 10, tzinfo=UTC)
ORIGIN = Origin(environment="aws", account="111122223333", region=None)
ODD = 'a "quoted" \\ back\nslash \x1b[2J <&> é \ud800'

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    """The series of an exposition, read by Prometheus's own library; a name and its labels may stand but once."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation.endswith(".")
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    [number] = [
        each for (metric, held), each in found.items() if metric == name and labels.items() <= dict(held).items()
    ]
    return number


def test_an_explanation_is_series_for_each_pair() -> None:
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", str(FOLDER / "S26.json"), "-o", "prometheus")
    found = samples(ran.out)
    assert ran.code == ExitCode.NO
    assert value(found, "hsmctl_net_explain_level") == Level.CRITICAL
    assert (value(found, "hsmctl_net_explain_pairs"), value(found, "hsmctl_net_explain_blocked")) == (3, 1)
    levels = [value(found, "hsmctl_net_explain_case_level", hsm=f"hsm-{number}") for number in (1, 2, 3)]
    assert levels == [Level.OK, Level.OK, Level.CRITICAL]
    labels = {"client": "eni-c", "hsm": "hsm-3", "port": "2223", "family": "ipv4", "environment": "aws"}
    assert value(found, "hsmctl_net_explain_case_level", **labels) == Level.CRITICAL
    assert value(found, "hsmctl_net_explain_time_seconds") == pytest.approx(NOW.timestamp(), abs=86400)


def test_an_explanation_is_a_test_case_for_each_pair() -> None:
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", str(FOLDER / "S26.json"), "-o", "junit")
    suites = ElementTree.fromstring(ran.out)
    [suite] = suites
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "2", "0")
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert set(cases) == {"verdict", *(f"eni-c hsm-{number} 2223 ipv4" for number in (1, 2, 3))}
    failure = cases["eni-c hsm-3 2223 ipv4"].find("failure")
    assert failure is not None
    assert failure.get("message", "").startswith("TGW_AZ_NOT_ATTACHED: ")
    assert "fix: aws ec2 modify-transit-gateway-vpc-attachment" in str(failure.text)
    assert len(cases["eni-c hsm-1 2223 ipv4"]) == 0


def test_what_is_unknown_is_an_error_and_no_failure() -> None:
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", str(FOLDER / "S33.json"), "-o", "junit")
    [suite] = ElementTree.fromstring(ran.out)
    assert (ran.code, suite.get("failures"), suite.get("errors")) == (ExitCode.UNKNOWN, "0", "4")


def test_a_sync_check_is_told_in_both(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    world.tokens.held[HSMS[1]].pop(3)
    world.tokens.errors[HSMS[2]] = Unreachable(HSMS[2], "no answer")
    ran = hsmctl(world, "sync", "check", "-o", "prometheus")
    found = samples(ran.out)
    assert (ran.code, value(found, "hsmctl_sync_check_level", environment="lab")) == (ExitCode.NO, Level.CRITICAL)
    assert value(found, "hsmctl_sync_check_replicas") == 3
    assert value(found, "hsmctl_sync_check_case_level", replica=HSMS[2]) == Level.UNKNOWN
    assert value(found, "hsmctl_sync_check_case_level", replica=HSMS[0]) == Level.OK
    assert value(found, "hsmctl_sync_check_case_level", key="db-kek-003") == Level.CRITICAL
    [suite] = ElementTree.fromstring(hsmctl(world, "sync", "check", "-o", "junit").out)
    assert (suite.get("failures"), suite.get("errors")) == ("2", "1")
    healthy = ElementTree.fromstring(hsmctl(World(), "sync", "check", "-o", "junit").out)
    assert (healthy.get("failures"), healthy.get("errors")) == ("0", "0")


def test_odd_characters_survive_or_are_escaped() -> None:
    cases = [Case(labels={"key": ODD}, level=Level.WARNING, says=ODD, seconds={"open_p50": 0.25})]
    check = Check(level=Level.WARNING, says=ODD, figures={"keys": 1}, cases=cases)
    text = "\n".join(exposition("a.b", check, ORIGIN, NOW)) + "\n"
    assert value(samples(text), "hsmctl_a_b_open_p50_seconds", key=ODD, account="111122223333") == 0.25
    [suite] = ElementTree.fromstring(report("a.b", check, ORIGIN, NOW))
    name = suite.findall("testcase")[1].get("name", "")
    assert name.startswith('a "quoted" \\ back\\x0aslash \\x1b[2J <&> é \\ud800')
    assert suite.get("timestamp") == "2026-11-23T02:10:00"


def test_of_two_cases_that_look_alike_the_worse_one_is_told() -> None:
    same = {"hsm": "hsm-1"}
    levels = (Level.UNKNOWN, Level.CRITICAL, Level.OK)
    check = Check(level=Level.CRITICAL, says="", figures={}, cases=[Case(labels=same, level=level) for level in levels])
    text = "\n".join(exposition("a.b", check, ORIGIN, NOW)) + "\n"
    assert value(samples(text), "hsmctl_a_b_case_level", hsm="hsm-1") == Level.CRITICAL


@pytest.mark.parametrize("form", ["nagios", "prometheus", "junit"])
def test_what_checks_nothing_has_no_verdict_to_tell(form: str) -> None:
    ran = hsmctl(World(), "key", "list", "-o", form)
    assert ran.code == (3 if form == "nagios" else ExitCode.USAGE)
    assert "this command checks nothing" in ran.out + ran.err


@pytest.mark.parametrize("form", ["prometheus", "junit"])
def test_an_error_leaves_standard_output_empty(form: str) -> None:
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", "/nonexistent.json", "-o", form)
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
