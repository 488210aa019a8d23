"""Proves that `net probe` says what each client met at each HSM beside the static view, and vouches for no more."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from connectivity import FOLDER, Document, scenario
from hsm_port import certified, listening, new_address, tls
from net_cli import net, world_of, written
from network_world import SnapshotNetwork
from sshd import make_key, prepared, public, running
from transcript import Ran, hsmctl
from world import ACCOUNT, World

from hsmctl.adapters.clock import SystemClock
from hsmctl.domain.probe import LOCAL, Answer, Method, ProbeResult, ProbeTarget
from hsmctl.errors import Conflict, Denied, ExitCode, HsmctlError, Unreachable
from hsmctl.ports_host import ByteStream, ClientHost, Finished
from hsmctl.services.probe import ProbeService
from hsmctl.settings import Context
from hsmctl.settings_entry import ClientEntry

SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "schemas" / "net.probe@1.json").read_text())
APP1 = ClientEntry(name="app1", host="app1", source="eni-c")
APP2 = ClientEntry(name="app2", host="app2")


class FakeHost:
    """ports.ClientHost with a name."""

    round_trip = 0.0

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, command: Sequence[str], stdin: bytes, deadline: float) -> Finished:
        raise NotImplementedError

    def open_stream(self, address: str, port: int, deadline: float) -> ByteStream:
        raise NotImplementedError

    def close(self) -> None:
        pass


class FakeHosts:
    """ports.ClientHosts and ports.Prober: what each host meets at each HSM, and who cannot be spoken to."""

    def __init__(self) -> None:
        self.errors: dict[str, HsmctlError] = {}
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, int]] = []
        self._lock = threading.Lock()

    def connect(self, name: str, deadline: float) -> ClientHost:
        if name in self.errors:
            raise self.errors[name]
        return FakeHost(name)

    def probe(self, host: ClientHost, target: ProbeTarget, deadline: float) -> ProbeResult:
        with self._lock:
            self.asked.append((host.name, target.address, target.port))
        answer = self.answers.get(target.hsm_id, Answer.OPEN_TLS_SERVER)
        opens = (0.001, 0.002, 0.003) if answer.is_open else ()
        return ProbeResult(target=target, answer=answer, opens=opens, handshake=0.004, fingerprint="ab" * 32)

    def probe_by_command(
        self, host: ClientHost, targets: Sequence[ProbeTarget], deadline: float
    ) -> tuple[ProbeResult, ...]:
        return tuple(ProbeResult(target=target, answer=Answer.OPEN, method=Method.COMMAND) for target in targets)


def prepared_world(name: str = "S26") -> tuple[World, FakeHosts]:
    document = scenario(name)
    for hsm in (document["hsm"], *document["hsms"]):
        del hsm["EniIpV6"]
    world, hosts = world_of(document), FakeHosts()
    world.probe = ProbeService(clock=SystemClock(), hosts=hosts, prober=hosts)
    world.clock = SystemClock()  # type: ignore[assignment]
    return world, hosts


def rows(world: World, folder: Path, *arguments: str, clients: tuple[ClientEntry, ...] = (APP1,)) -> Any:  # noqa: ANN401
    ran = net(world, folder, "probe", *arguments, "-o", "json", clients=clients)
    jsonschema.validate(ran.document, SCHEMA)
    assert ran.document["data"]["exit"] == ran.code
    return ran.document


def verdicts(document: Any) -> list[tuple[str, str, str]]:  # noqa: ANN401
    return [(row["hsm"], row["verdict"], row["agreement"]) for row in document["data"]["pairs"]]


def test_a_probe_that_agrees_everywhere_is_reachable(tmp_path: Path) -> None:
    world, _ = prepared_world("S25")
    document = rows(world, tmp_path)
    assert document["data"]["exit"] == ExitCode.OK
    assert document["data"]["says"] == "3 of 3 pairs reachable; static and probed agree: 3 of 3"
    row = document["data"]["pairs"][0]
    assert (row["client"], row["answer"], row["p50"], row["p95"]) == ("app1", "open_tls_server", 0.002, 0.003)


def test_static_and_probe_are_shown_together_and_contradictions_as_such(tmp_path: Path) -> None:
    world, hosts = prepared_world("S26")
    hosts.answers = {"hsm-1": Answer.TIMED_OUT}
    document = rows(world, tmp_path)
    assert verdicts(document) == [
        ("hsm-1", "blocked", "contradicts"),
        ("hsm-2", "reachable", "agrees"),
        ("hsm-3", "unknown", "contradicts"),
    ]
    assert "TGW_AZ_NOT_ATTACHED" in document["data"]["pairs"][2]["codes"]
    table = net(world, tmp_path, "probe", clients=(APP1,))
    assert table.code == ExitCode.NO
    assert "✖  app1    hsm-1  2223  timed out" in table.out
    assert "▒  app1    hsm-3  2223  open TLS server  2.0 ms  3.0 ms  blocked !" in table.out
    assert "! contradiction, app1 to hsm-3 tcp/2223: the probe got through: the static model is" in table.out
    assert "hsmctl net collect (TGW_AZ_NOT_ATTACHED)" in " ".join(table.out.split())
    monitored = net(world, tmp_path, "probe", "-o", "nagios", clients=(APP1,)).out
    assert "app1 to hsm-3 tcp/2223 open TLS server TGW_AZ_NOT_ATTACHED" in monitored


def test_what_is_said_of_several_ports_is_said_once_and_that_2223_is_what_clients_need(tmp_path: Path) -> None:
    world, hosts = prepared_world("S25")
    hosts.answers = {"hsm-1": Answer.REFUSED}
    told = net(world, tmp_path, "probe", "--port", "2223-2225", clients=(APP1,)).out
    spare = [line for line in told.splitlines() if line.startswith("app1 to hsm-1 tcp/2224-2225: ")]
    assert len(spare) == 1
    assert told.count("clients of SDK 5 need 2223 only") == 1


def test_a_changed_host_key_is_denied_with_what_to_do(tmp_path: Path) -> None:
    world, hosts = prepared_world("S25")
    hosts.errors = {"app1": Denied("app1 shows another host key", "SHA256:new", "ssh-keygen -R app1")}
    ran = net(world, tmp_path, "probe", clients=(APP1,))
    assert ran.code == ExitCode.DENIED
    assert "▒ app1 shows another host key: SHA256:new\n  ssh-keygen -R app1\n" in ran.out
    monitored = net(world, tmp_path, "probe", "-o", "nagios", clients=(APP1,))
    assert monitored.code == 3
    assert monitored.out.count("app1 shows another host key: SHA256:new") == 1
    assert net(world, tmp_path, "probe", "-o", "nagios", clients=(APP1,)).code == 3


def test_one_client_that_cannot_be_spoken_to_is_unknown_and_hides_no_other(tmp_path: Path) -> None:
    world, hosts = prepared_world("S25")
    hosts.errors = {"app1": Unreachable("app1", "no answer")}
    document = rows(world, tmp_path, clients=(APP1, APP2))
    assert document["data"]["exit"] == ExitCode.UNKNOWN
    assert [row["verdict"] for row in document["data"]["pairs"]] == ["unknown"] * 3 + ["reachable"] * 3
    hosts.answers = {"hsm-2": Answer.REFUSED}
    assert rows(world, tmp_path, clients=(APP1, APP2))["data"]["exit"] == ExitCode.NO


def test_a_probe_that_learnt_nothing_does_not_vouch_for_the_static_view(tmp_path: Path) -> None:
    world, hosts = prepared_world("S25")
    hosts.answers = dict.fromkeys(("hsm-1", "hsm-2", "hsm-3"), Answer.PROHIBITED)
    assert rows(world, tmp_path)["data"]["exit"] == ExitCode.UNKNOWN


def test_without_a_static_view_the_probe_decides_and_a_warning_says_why(tmp_path: Path) -> None:
    world, _ = prepared_world("S25")
    document = rows(world, tmp_path, clients=(APP2,))
    assert {agreement for _, _, agreement in verdicts(document)} == {"probe_decides"}

    class Broken(SnapshotNetwork):
        def read(self, query: object) -> Any:  # noqa: ANN401
            raise Conflict("ec2", "it is on fire")

    world.network = Broken(scenario("S25")["snapshot"])
    document = rows(world, tmp_path)
    assert document["data"]["exit"] == ExitCode.OK
    assert {row["static"] for row in document["data"]["pairs"]} <= {None, "unknown"}


def test_who_is_tried_from_is_chosen(tmp_path: Path) -> None:
    world, hosts = prepared_world("S25")
    both = (APP1, APP2)
    for words, names in (
        ((), {"app1", "app2"}),
        (("--client", "app2"), {"app2"}),
        (("--local",), {LOCAL}),
        (("--local", "--client", "app1"), {LOCAL, "app1"}),
    ):
        hosts.asked.clear()
        net(world, tmp_path, "probe", *words, clients=both)
        assert {name for name, _, _ in hosts.asked} == names
    assert net(world, tmp_path, "probe", "--client", "nobody", clients=both).code == ExitCode.CONFLICT
    assert net(world, tmp_path, "probe").code == ExitCode.CONFLICT


def test_only_the_hsms_own_ports_are_touched(tmp_path: Path) -> None:
    world, hosts = prepared_world("S25")
    assert net(world, tmp_path, "probe", "--port", "22", clients=(APP1,)).code == ExitCode.USAGE
    assert hosts.asked == []
    net(world, tmp_path, "probe", "--port", "2223-2225", clients=(APP1,))
    assert {(address, port) for _, address, port in hosts.asked} == {
        (f"10.0.{number}.10", port) for number in (1, 2, 3) for port in (2223, 2224, 2225)
    }


def test_a_shell_on_the_host_can_do_the_knocking(tmp_path: Path) -> None:
    world, _ = prepared_world("S25")
    document = rows(world, tmp_path, "--method", "command")
    assert {row["method"] for row in document["data"]["pairs"]} == {"command"}


def test_a_snapshot_gives_the_hsms_and_the_static_view_without_aws(tmp_path: Path) -> None:
    world, hosts = prepared_world("S26")
    world.aws.error = Denied("sts", "would be asked")
    document = rows(world, tmp_path, "--from-snapshot", str(FOLDER / "S26.json"))
    assert ("hsm-3", "unknown", "contradicts") in verdicts(document)
    assert {port for _, _, port in hosts.asked} == {2223}


def test_who_watches_sees_answers_come(tmp_path: Path) -> None:
    world, _ = prepared_world("S25")
    assert net(world, tmp_path, "probe", clients=(APP1,)).err == ""
    assert len(net(world, tmp_path, "probe", clients=(APP1,), terminal=True).err.splitlines()) == 3


def snapshot_of(folder: Path, address: str) -> str:
    document: Document = scenario("S01")
    document["hsms"] = [{**document["hsms"][0], "EniIp": address}]
    del document["hsm"], document["hsms"][0]["EniIpV6"]
    return written(folder, document)


def real(folder: Path, server_config: str, *arguments: str) -> Ran:
    """One run from a client host that is a real sshd, at an HSM that is a real listener."""
    (folder / "ssh_config").write_text(server_config)
    context = Context(
        name="prod",
        account_id=ACCOUNT,
        clients=(ClientEntry(name="app1", host="app1"),),
        ssh_config=folder / "ssh_config",
    )
    world = World()
    world.clock = SystemClock()  # type: ignore[assignment]
    return hsmctl(world, "net", "probe", *arguments, "-o", "json", context=context, folder=folder)


def test_a_real_client_host_reaches_a_real_listener_and_not_a_closed_one(tmp_path: Path) -> None:
    serve = tls(certified(tmp_path / "aws.pem", "AWS", "CloudHSM"))
    with running(prepared(tmp_path / "server")) as server, listening(serve) as address:
        config = server.client_config("app1")
        for words in ((), ("--local",), ("--method", "command")):
            opened = real(tmp_path, config, "--from-snapshot", snapshot_of(tmp_path, address), *words)
            assert opened.code == ExitCode.OK
            [row] = opened.document["data"]["pairs"]
            assert row["answer"] == ("open" if "command" in words else "open_tls_server")
        refused = real(tmp_path, config, "--from-snapshot", snapshot_of(tmp_path, new_address()))
        assert (refused.code, refused.document["data"]["pairs"][0]["answer"]) == (1, "refused")


def test_a_real_host_key_that_changed_is_denied(tmp_path: Path) -> None:
    server = prepared(tmp_path / "server")
    server.trust(public(make_key(tmp_path / "other")))
    with running(server):
        ran = real(tmp_path, server.client_config("app1"), "--from-snapshot", snapshot_of(tmp_path, new_address()))
    assert ran.code == ExitCode.DENIED
    assert "SHA256:" in ran.out


@pytest.mark.parametrize("form", ["wide", "name", "jsonl", "prometheus", "junit"])
def test_every_format_has_the_exit_code(form: str, tmp_path: Path) -> None:
    world, hosts = prepared_world("S25")
    hosts.answers = {"hsm-2": Answer.TIMED_OUT}
    ran = net(world, tmp_path, "probe", "-o", form, clients=(APP1,))
    assert ran.code == ExitCode.NO
    assert "hsm-2" in ran.out
