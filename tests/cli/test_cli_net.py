"""Proves that `net explain` says of a file what the evaluator found, in words, codes and exit codes, and no secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from connectivity import FOLDER, NAMES, Document, scenario
from net_cli import written
from transcript import hsmctl
from world import World

from hsmctl.cli.root import run
from hsmctl.errors import ExitCode

SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "schemas" / "net.explain@1.json").read_text())
EXITS = {"REACHABLE": 0, "BLOCKED": 1, "DEGRADED": 6, "UNKNOWN": 3}
SECRET = "hunter2-psk"


def explain(*arguments: str, world: World | None = None) -> Any:  # noqa: ANN401 - JSON is anything
    """The document, and the exit code beside it."""
    ran = hsmctl(world or World(), "net", "explain", *arguments, "-o", "json")
    assert ran.err == ""
    jsonschema.validate(ran.document, SCHEMA)
    assert ran.document["data"]["exit"] == ran.code
    return ran.document["data"]


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_file_gets_its_verdicts_codes_and_exit_code(name: str) -> None:
    expected = scenario(name)["expect"]
    data = explain("--from-snapshot", str(FOLDER / f"{name}.json"))
    found = {finding["code"] for finding in data["asked"]["findings"]}

    assert data["asked"]["verdict"] == expected["verdict"].lower()
    assert set(expected["codes"]) <= found
    assert not set(expected["absent"]) & found
    verdicts = [pair["verdict"] for pair in data["pairs"]]
    if expected["per_hsm"]:
        assert verdicts == [word.lower() for word in expected["per_hsm"]]
    assert [pair["hsm"] for pair in data["pairs"]] == [hsm["HsmId"] for hsm in scenario(name)["hsms"]]
    worst = next(word for word in ("BLOCKED", "DEGRADED", "UNKNOWN", "REACHABLE") if word.lower() in verdicts)
    assert data["exit"] in (EXITS[worst], EXITS[expected["verdict"]])


@pytest.mark.parametrize("name", NAMES[::5])
def test_every_format_tells_the_same_verdict(name: str) -> None:
    arguments = ("net", "explain", "--from-snapshot", str(FOLDER / f"{name}.json"), "-o")
    document = hsmctl(World(), *arguments, "json").document
    code = document["data"]["exit"]
    for form in ("table", "wide", "jsonl", "name", "prometheus", "junit"):
        assert hsmctl(World(), *arguments, form).code == code
    monitored = hsmctl(World(), *arguments, "nagios")
    assert monitored.code == {0: 0, 1: 2, 6: 1, 3: 3}[code]
    assert len(monitored.out.splitlines()) == 1
    table = hsmctl(World(), *arguments, "wide").out
    for pair in document["data"]["pairs"]:
        assert all(finding["code"] in table for finding in pair["findings"])


def test_a_broken_way_is_drawn_hop_by_hop_with_the_cause_and_the_fix() -> None:
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", str(FOLDER / "S26.json"))
    assert ran.code == ExitCode.NO
    lines = ran.out.splitlines()
    assert lines[0] == "✖ 1 of 3 pairs blocked, 2 reachable"
    assert "eni-c         tcp/2223 IPv4  ◍  ◍  ✖" in lines
    [title] = [line for line in lines if line.startswith("eni-c → hsm-3   tcp/2223  IPv4")]
    assert title.endswith("✖ BLOCKED")
    assert len(title) == 100
    assert " there ◍ eni-c ─ ◍ sg-c ─ ◍ acl-c ─ ◍ rtb-c →tgw-1" in ran.out
    assert " back  ◍ hsm-3 ─ ◍ acl-h ─ ◍ rtb-h →tgw-1 ─ ✖ tgw-1 TGW_AZ_NOT_ATTACHED" in ran.out
    assert "   fix  aws ec2 modify-transit-gateway-vpc-attachment --transit-gateway-attachment-id att-h" in ran.out
    assert "hsm-1   tcp" not in ran.out


def test_a_narrow_terminal_wraps_ways_and_never_commands() -> None:
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", str(FOLDER / "S26.json"), terminal=True)
    ways = [line for line in ran.out.splitlines() if "─" in line]
    assert max(map(len, ways)) <= 80
    assert "--add-subnet-ids sn-h3" in ran.out


def test_long_ids_are_cut_where_nothing_is_amiss_and_whole_where_something_is(tmp_path: Path) -> None:
    file = tmp_path / "long.json"
    text = (FOLDER / "S26.json").read_text()
    file.write_text(text.replace('"tgw-1"', '"tgw-000073e2d583c34ea"').replace('"acl-h"', '"acl-01b450c8e6fb66e68"'))
    told = hsmctl(World(), "net", "explain", "--from-snapshot", str(file)).out
    assert "◍ acl-01b…fb66e68 ─" in told
    assert "✖ tgw-000073e2d583c34ea TGW_AZ_NOT_ATTACHED" in told
    assert "…" not in hsmctl(World(), "net", "explain", "--from-snapshot", str(file), "-o", "wide").out


def test_a_plain_terminal_gets_ascii() -> None:
    environ = {"LC_ALL": "C"}
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", str(FOLDER / "S26.json"), environ=environ)
    assert ran.out.isascii()
    assert "x tgw-1 TGW_AZ_NOT_ATTACHED" in ran.out


def test_many_hsms_are_one_sign_each_and_many_broken_ways_are_counted(tmp_path: Path) -> None:
    document = scenario("S36")
    document["hsms"] = [{**document["hsm"], "HsmId": f"hsm-{number}"} for number in range(32)]
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", written(tmp_path, document))
    assert "1 TO 32" in ran.out
    assert " ".join(["✖" * 8] * 4) in ran.out
    assert ran.out.count("BLOCKED") == 1
    assert "   also hsm-1, hsm-2, hsm-3," in ran.out
    assert "hsm-12, and 19 more" in " ".join(ran.out.split())
    assert (
        hsmctl(World(), "net", "explain", "--from-snapshot", written(tmp_path, document), "-o", "wide").out.count(
            "BLOCKED"
        )
        == 32
    )


def test_an_estate_of_healthy_ways_is_a_few_lines_and_still_says_what_nobody_saw(tmp_path: Path) -> None:
    document = scenario("S31")
    document["hsms"] = [{**document["hsm"], "HsmId": f"hsm-{number}"} for number in range(32)]
    document["ports"] = [2223, 2224, 2225]
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", written(tmp_path, document), "--no-color", terminal=True)
    lines = ran.out.splitlines()
    assert lines[0] == "◍ 96 of 96 pairs reachable"
    assert "eni-c         tcp/2223-2225 IPv4  " + " ".join(["◍" * 8] * 4) in lines
    assert "everybody reaches all 32: -o wide names them" in lines
    assert "  MTU_RISK, 96 pairs: the path takes packets of 8500 bytes at most: if ICMP is" in lines
    assert max(map(len, lines)) <= 80


def test_ports_families_clients_and_one_hsm_narrow_the_question() -> None:
    file = ("--from-snapshot", str(FOLDER / "S11.json"))
    data = explain(*file, "--port", "2223-2225", "--family", "both", "--hsm", "hsm-2")
    asked = [(pair["hsm"], pair["port"], pair["family"]) for pair in data["pairs"]]
    assert asked == [("hsm-2", port, family) for family in (4, 6) for port in (2223, 2224, 2225)]
    assert data["asked"] == data["pairs"][0]
    assert [pair["verdict"] for pair in data["pairs"]][:3] == ["reachable", "blocked", "blocked"]
    told = hsmctl(World(), "net", "explain", *file, "--client", "192.168.7.7")
    assert told.code == ExitCode.NO
    assert told.err == "warning: the snapshot was not collected for 192.168.7.7\n"


@pytest.mark.parametrize("words", [("--port", "443"), ("--port", "2225-2223"), ("--port", "x"), ("--family", "5")])
def test_only_an_hsms_own_ports_and_families_can_be_asked_about(words: tuple[str, ...]) -> None:
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", str(FOLDER / "S01.json"), *words)
    assert ran.code == ExitCode.USAGE


@pytest.mark.parametrize("word", ["somewhere", "10.0.0.0/99", "eni", ""])
def test_a_client_that_is_none_is_refused(word: str) -> None:
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", str(FOLDER / "S01.json"), "--client", word)
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")


def test_an_hsm_that_is_not_there_is_named_with_those_that_are() -> None:
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", str(FOLDER / "S01.json"), "--hsm", "hsm-9")
    assert ran.code == ExitCode.CONFLICT
    assert "hsm-1, hsm-2, hsm-3" in ran.err


BROKEN: list[bytes] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"7",
    b"\xff\xfe",
    b"{}",
    b'{"client": null, "hsms": null, "snapshot": null}',
    b'{"client": {"kind": "eni", "id": "eni-1"}, "hsms": [{"HsmId": 7}], "snapshot": {}}',
    b'{"client": {"kind": "eni", "id": "eni-1"}, "hsms": [{"HsmId": "h"}], "snapshot": []}',
    b'{"client": [], "hsm": {"HsmId": "h"}, "snapshot": {}}',
    b"[" * 100_000,
    b'{"port": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("content", BROKEN, ids=lambda content: repr(content[:24]))
@pytest.mark.parametrize("verb", ["explain", "exposure"])
def test_a_broken_file_is_one_clear_line(tmp_path: Path, verb: str, content: bytes) -> None:
    (tmp_path / "net.json").write_bytes(content)
    ran = hsmctl(World(), "net", verb, "--from-snapshot", str(tmp_path / "net.json"))
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert [line.split(":")[0] for line in ran.err.splitlines()] == ["hsmctl", "hint"]


@pytest.mark.parametrize("path", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path, path: str) -> None:
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", str(tmp_path / path))
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (ExitCode.USAGE, "", 2)


@pytest.mark.parametrize("section", [*scenario("S44")["snapshot"]])
@pytest.mark.parametrize("odd", [None, 7, [None], {"a": 1}], ids=str)
@pytest.mark.parametrize("verb", ["explain", "exposure"])
def test_an_odd_section_is_unknown_or_refused_and_never_a_bug(
    tmp_path: Path, verb: str, section: str, odd: object
) -> None:
    document = scenario("S44")
    document["snapshot"][section] = odd
    ran = hsmctl(World(), "net", verb, "--from-snapshot", written(tmp_path, document))
    assert ran.code in (0, 1, 2, 3, 6)
    if odd is None and section in ("NetworkInterfaces", "SecurityGroups", "RouteTables", "NetworkAcls"):
        assert ran.code == ExitCode.UNKNOWN


def test_a_file_needs_neither_a_context_nor_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    variables = {"HSMCTL_STATE_HOME": str(tmp_path / "s"), "HSMCTL_CONFIG": str(tmp_path / "none.toml")}
    assert run(["net", "explain", "--from-snapshot", str(FOLDER / "S01.json")], None, variables) == 0
    assert run(["net", "exposure", "--from-snapshot", str(FOLDER / "S01.json")], None, variables) == 0
    capsys.readouterr()
    assert list(tmp_path.iterdir()) == []


def planted(document: Document) -> Document:
    """The scenario with a secret wherever AWS has one."""
    snapshot = document["snapshot"]
    for interface in snapshot["VirtualInterfaces"]:
        interface |= {"authKey": SECRET, "customerRouterConfig": SECRET}
        for peer in interface["bgpPeers"]:
            peer["authKey"] = SECRET
    for vpn in snapshot["VpnConnections"]:
        vpn["CustomerGatewayConfiguration"] = f"<xml>{SECRET}</xml>"
        vpn.setdefault("Options", {})["TunnelOptions"] = [{"PreSharedKey": SECRET}]
    document["cluster"] = {"PreCoPassword": SECRET}
    return document


@pytest.mark.parametrize("name", ["S34", "S36", "S44", "S47"])
@pytest.mark.parametrize("verb", ["explain", "exposure"])
def test_a_planted_secret_comes_out_nowhere(tmp_path: Path, name: str, verb: str) -> None:
    path = written(tmp_path, planted(scenario(name)))
    for form in ("wide", "json", "jsonl", "name", "nagios", "prometheus", "junit"):
        ran = hsmctl(World(), "net", verb, "--from-snapshot", path, "-o", form, "-vv")
        assert SECRET not in ran.out + ran.err


def damaged(change: Callable[[Document], None]) -> Document:
    document = planted(scenario("S34"))
    change(document)
    return document


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["snapshot"]["VpnConnections"][0].update(VpnGatewayId={"psk": SECRET}),
        lambda document: document["snapshot"]["VpnConnections"][0].update(Options=SECRET),
        lambda document: document.update(port=SECRET),
        lambda document: document.update(client={"kind": SECRET}),
    ],
)
def test_an_error_about_a_secret_does_not_repeat_it(tmp_path: Path, change: Callable[[Document], None]) -> None:
    ran = hsmctl(World(), "net", "explain", "--from-snapshot", written(tmp_path, damaged(change)))
    assert ran.code == ExitCode.USAGE
    assert SECRET not in ran.out + ran.err


def test_control_characters_of_a_file_reach_no_terminal(tmp_path: Path) -> None:
    document = scenario("S36")
    document["hsms"] = [{**document["hsm"], "HsmId": "hsm-\x1b[2J\ud800\n"}]
    path = written(tmp_path, document)
    for form in ("wide", "nagios", "prometheus", "junit", "name"):
        ran = hsmctl(World(), "net", "explain", "--from-snapshot", path, "-o", form)
        assert ran.code in (1, 2)
        assert "\x1b" not in ran.out
        ran.out.encode()
