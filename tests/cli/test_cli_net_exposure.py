"""Proves that `net exposure` names each source that is let in unregistered, and never takes the unread for nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from connectivity import FOLDER, NAMES, Document, row, scenario
from net_cli import net, world_of, written
from network_world import SnapshotNetwork
from transcript import hsmctl
from world import World

from hsmctl.domain.network import Chosen, NetworkKind
from hsmctl.errors import ExitCode
from hsmctl.settings_entry import ClientEntry

SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "schemas" / "net.exposure@1.json").read_text())


def exposure(tmp_path: Path, document: Document, *arguments: str) -> Any:  # noqa: ANN401 - JSON is anything
    ran = hsmctl(World(), "net", "exposure", "--from-snapshot", written(tmp_path, document), *arguments, "-o", "json")
    jsonschema.validate(ran.document, SCHEMA)
    assert ran.document["data"]["exit"] == ran.code
    return ran.document["data"]


def sources(data: Any) -> list[tuple[str, str | None]]:  # noqa: ANN401
    return [(source["name"], source["place"]) for source in data["sources"]]


def letting_in(document: Document, *cidrs: str) -> Document:
    """The scenario with the HSMs' group open to these prefixes and nobody else."""
    group = row(document, "SecurityGroups", "sg-hsm")
    ranges = [{"CidrIp": cidr} for cidr in cidrs]
    group["IpPermissions"] = [{"IpProtocol": "tcp", "FromPort": 2223, "ToPort": 2225, "IpRanges": ranges}]
    return document


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_has_an_answer_that_fits_the_schema(name: str, tmp_path: Path) -> None:
    data = exposure(tmp_path, scenario(name))
    assert data["exit"] == {"exposed": 1, "unknown": 3, "closed": 0}[data["verdict"]]
    registered = {scenario(name)["client"].get("id"), scenario(name)["client"].get("addr")}
    assert registered.isdisjoint(source["name"] for source in data["sources"])


def test_only_registered_clients_is_closed(tmp_path: Path) -> None:
    data = exposure(tmp_path, scenario("S01"))
    assert (data["verdict"], data["exit"], data["sources"]) == ("closed", 0, [])
    assert data["registered"] == ["eni-app"]


def test_who_carries_the_group_and_is_not_registered_is_named(tmp_path: Path) -> None:
    document = scenario("S01")
    document["client"] = {"kind": "ip", "addr": "192.168.1.1"}
    data = exposure(tmp_path, document)
    assert ("eni-app", "sn-app") in sources(data)
    assert data["exit"] == ExitCode.NO
    [source] = [source for source in data["sources"] if source["name"] == "eni-app"]
    assert source["hsms"] == ["hsm-1", "hsm-2", "hsm-3"]
    assert source["fix"] == "aws ec2 describe-security-group-rules --filters Name=group-id,Values=sg-hsm"
    assert exposure(tmp_path, document, "--client", "eni-app")["verdict"] == "closed"


def test_a_prefix_is_open_from_each_subnet_it_covers_and_no_other(tmp_path: Path) -> None:
    data = exposure(tmp_path, letting_in(scenario("S01"), "10.0.11.0/24"))
    assert sources(data) == [("10.0.11.0/24", "sn-app")]
    data = exposure(tmp_path, letting_in(scenario("S01"), "10.0.11.5/32"))
    assert data["verdict"] == "closed"  # it is the registered client's own address


def test_what_routes_and_acls_stop_is_not_exposed(tmp_path: Path) -> None:
    assert exposure(tmp_path, letting_in(scenario("S01"), "0.0.0.0/0"))["verdict"] == "exposed"
    names = {name for name, _ in sources(exposure(tmp_path, letting_in(scenario("S01"), "0.0.0.0/0")))}
    assert all(name.startswith("10.0.") for name in names)  # the Internet has no way in
    document = letting_in(scenario("S01"), "10.0.11.0/24")
    for acl in document["snapshot"]["NetworkAcls"]:
        acl["Entries"] = [entry for entry in acl["Entries"] if entry["Egress"]]
    assert exposure(tmp_path, document)["verdict"] == "closed"


def test_a_site_is_exposed_by_the_range_its_link_brings(tmp_path: Path) -> None:
    data = exposure(tmp_path, scenario("S34"))
    assert ("192.168.0.0/16", None) in sources(data)
    everything = exposure(tmp_path, scenario("S34"), "--client", "192.168.0.0/16", "--client", "eni-app")
    assert everything["verdict"] == "closed"


@pytest.mark.parametrize("section", ["NetworkInterfaces", "SecurityGroups", "Subnets", "RouteTables", "NetworkAcls"])
def test_what_was_not_read_is_unknown(section: str, tmp_path: Path) -> None:
    document = letting_in(scenario("S01"), "10.0.12.0/24", "10.0.11.0/24")
    document["snapshot"][section] = None
    data = exposure(tmp_path, document)
    assert (data["verdict"], data["exit"]) == ("unknown", 3)
    assert data["unknown"] or all(source["why"] for source in data["sources"])


def test_a_file_that_does_not_show_who_carries_a_group_is_unknown(tmp_path: Path) -> None:
    world, file = world_of(scenario("S01")), str(tmp_path / "net.json")
    assert net(world, tmp_path, "collect", "--client", "eni-app", "-o", file).code == ExitCode.OK
    assert hsmctl(World(), "net", "exposure", "--from-snapshot", file).code == ExitCode.UNKNOWN
    assert net(world, tmp_path, "collect", "--client", "eni-app", "--exposure", "-o", file).code == ExitCode.OK
    assert hsmctl(World(), "net", "exposure", "--from-snapshot", file).code == ExitCode.OK


def test_a_vpc_that_was_not_read_may_hold_anybody(tmp_path: Path) -> None:
    document = letting_in(scenario("S16"), "10.1.0.0/16")
    snapshot = document["snapshot"]
    for section in ("Vpcs", "Subnets", "RouteTables"):
        snapshot[section] = [each for each in snapshot[section] if each["VpcId"] != "vpc-c"]
    data = exposure(tmp_path, document | {"client": {"kind": "ip", "addr": "192.168.1.1"}})
    assert data["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("name", "clients", "found"),
    [
        ("S01", ("eni-app",), []),
        ("S01", (), ["eni-app"]),
        ("S16", ("eni-c", "eni-app"), ["10.1.11.0/24"]),
        ("S34", ("eni-app",), ["192.168.0.0/16"]),
    ],
)
def test_aws_is_asked_for_everybody_the_groups_let_in(
    name: str, clients: tuple[str, ...], found: list[str], tmp_path: Path
) -> None:
    world = world_of(scenario(name))
    entries = tuple(ClientEntry(name=f"app{number}", source=word) for number, word in enumerate(clients))
    ran = net(world, tmp_path, "exposure", "-o", "json", clients=entries)
    data = ran.document["data"]
    assert [source["name"] for source in data["sources"] if source["verdict"] == "exposed"] == found
    assert data["registered"] == [entry.name for entry in entries]
    assert isinstance(world.network, SnapshotNetwork)
    assert any(query.chosen is Chosen.BY_GROUP for query in world.network.queries)


def test_a_denied_action_is_named(tmp_path: Path) -> None:
    world = world_of(scenario("S01"))
    assert isinstance(world.network, SnapshotNetwork)
    world.network.denied = {NetworkKind.SECURITY_GROUPS}
    ran = net(world, tmp_path, "exposure", "--client", "eni-app")
    assert ran.code == ExitCode.UNKNOWN
    assert "ec2:DescribeSecurityGroups" in ran.out


def test_the_table_and_the_monitoring_line_name_the_sources() -> None:
    arguments = ("net", "exposure", "--from-snapshot", str(FOLDER / "S34.json"))
    table = hsmctl(World(), *arguments)
    assert table.out.startswith("✖ 2 unregistered sources can reach the HSMs\n  registered: 192.168.50.7\n")
    assert hsmctl(World(), *arguments, "-o", "name").out == "eni-app\n192.168.0.0/16\n"
    line = hsmctl(World(), *arguments, "-o", "nagios")
    assert line.code == 2
    assert line.out.startswith("NET CRITICAL - 2 unregistered sources can reach the HSMs: eni-app, 192.168.0.0/16 |")
