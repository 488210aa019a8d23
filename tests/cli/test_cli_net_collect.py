"""Proves that AWS is asked as a file is, that a collected file is private, and that what was denied is said."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from connectivity import FOLDER, scenario
from net_cli import net, world_of
from network_world import SnapshotNetwork
from transcript import hsmctl
from world import World

from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.network import NetworkKind
from hsmctl.errors import Denied, ExitCode
from hsmctl.secret import Secret
from hsmctl.settings import Context, Settings
from hsmctl.settings_entry import ClientEntry

SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "schemas" / "net.collect@1.json").read_text())


def explained(file: str) -> Any:  # noqa: ANN401 - JSON is anything
    return hsmctl(World(), "net", "explain", "--from-snapshot", file, "-o", "json").document["data"]


@pytest.mark.parametrize("name", ["S01", "S16", "S26", "S36", "S44"])
def test_what_aws_says_is_explained_as_its_file_is(name: str, tmp_path: Path) -> None:
    document = scenario(name)
    client = document["client"].get("id") or document["client"]["addr"]
    world = world_of(document)
    live = net(world, tmp_path, "explain", "--client", client, "-o", "json")
    offline = explained(str(FOLDER / f"{name}.json"))
    assert live.document["account"] == "111122223333"
    verdicts = [(pair["hsm"], pair["verdict"]) for pair in live.document["data"]["pairs"]]
    assert verdicts[:3] == [(pair["hsm"], pair["verdict"]) for pair in offline["pairs"]]


def test_registered_clients_are_asked_about_by_name(tmp_path: Path) -> None:
    clients = (ClientEntry(name="app1", source="eni-c"), ClientEntry(name="ssh-only", host="app2"))
    ran = net(world_of(scenario("S26")), tmp_path, "explain", clients=clients)
    assert ran.code == ExitCode.NO
    assert "app1 → hsm-3" in ran.out
    assert net(world_of(scenario("S26")), tmp_path, "explain", "--client", "ssh-only", clients=clients).code == 2
    assert net(world_of(scenario("S26")), tmp_path, "explain").code == ExitCode.USAGE


def test_an_action_that_is_denied_is_unknown_and_named(tmp_path: Path) -> None:
    world = world_of(scenario("S01"))
    assert isinstance(world.network, SnapshotNetwork)
    world.network.denied = {NetworkKind.NETWORK_ACLS}
    ran = net(world, tmp_path, "explain", "--client", "eni-app")
    assert ran.code == ExitCode.UNKNOWN
    assert "ec2:DescribeNetworkAcls" in ran.out
    collected = net(world, tmp_path, "collect", "--client", "eni-app", "-o", str(tmp_path / "net.json"))
    assert collected.code == ExitCode.PARTIAL
    assert "action:NetworkAcls" in collected.out


def test_another_account_is_denied_before_anything_is_asked(tmp_path: Path) -> None:
    world = world_of(scenario("S01"))
    world.aws.error = Denied("wrong account", "it is another one")
    assert isinstance(world.network, SnapshotNetwork)
    for verb in (["explain"], ["exposure"], ["collect", "-o", str(tmp_path / "net.json")]):
        assert net(world, tmp_path, *verb, "--client", "eni-app").code == ExitCode.DENIED
    assert world.network.calls == 0
    assert list(tmp_path.iterdir()) == []


def test_a_collected_file_is_private_and_explains_as_aws_did(tmp_path: Path) -> None:
    world = world_of(scenario("S26"))
    file = tmp_path / "net.json"
    ran = net(world, tmp_path, "collect", "--client", "eni-c", "--output", str(file))
    assert ran.code == ExitCode.OK
    assert ran.out.startswith(f"◍ {file}: 1 client, 3 HSMs, ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
    offline = explained(str(file))
    live = net(world, tmp_path, "explain", "--client", "eni-c", "-o", "json").document["data"]
    assert offline["pairs"] == live["pairs"]


def test_the_answer_about_a_collection_is_written_as_was_said_before_the_noun(tmp_path: Path) -> None:
    world = world_of(scenario("S01"))
    words = ("-o", "json", "net", "collect", "--client", "eni-app", "-o", str(tmp_path / "net.json"))
    document = hsmctl(world, *words, folder=tmp_path).document
    jsonschema.validate(document, SCHEMA)
    assert document["data"]["calls"] > 0
    help_text = hsmctl(world, "net", "collect", "--help").out
    assert help_text.count("--output") == 1
    assert "How the answer is written" not in help_text


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    world = world_of(scenario("S01"))
    assert net(world, tmp_path, "collect", "--client", "eni-app", "-o", "/dev/null").code == ExitCode.USAGE
    assert not Path("/dev/null").is_file()
    assert net(world, tmp_path, "collect", "--client", "eni-app", "-o", str(tmp_path)).code == ExitCode.USAGE
    assert net(world, tmp_path, "collect", "--client", "eni-app").code == ExitCode.USAGE


def test_the_facade_reads_the_network_of_its_own_account_and_keeps_answers_of_each_apart(tmp_path: Path) -> None:
    for account, name in (("111122223333", "network-111122223333.json"), (None, "network-default.json")):
        settings = Settings(context=Context(account_id=account), state_folder=tmp_path, lab_home=tmp_path / "lab")
        net_service = Hsmctl(settings, lambda _: Secret("")).net
        net_service.cache.keep({})
        assert (tmp_path / name).is_file()
        assert net_service.reader.calls == 0
