"""Proves on living labs that explaining and probing agree: whole, under network faults, and after they are cleared."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live import LiveLab, until
from world import NoCache

from hsmctl.adapters.network import AwsNetwork
from hsmctl.adapters.probe import Patience, TlsProber
from hsmctl.bootstrap import Hsmctl
from hsmctl.domain.evidence import Ok
from hsmctl.domain.net_endpoint import parse_client
from hsmctl.domain.net_finding import Verdict
from hsmctl.domain.probe import Answer, probe_targets
from hsmctl.errors import Conflict, UsageError
from hsmctl.lab.ground import SECRET
from hsmctl.ports import LabFault, LabOptions
from hsmctl.secret import Secret
from hsmctl.services.net import explain, load
from hsmctl.services.net_collect import NetCollectService
from hsmctl.services.net_ends import Ends
from hsmctl.services.probe import ProbeService
from hsmctl.settings import Flags
from hsmctl.settings_loader import load as load_settings

ZONES = ("us-east-1a", "us-east-1b")


class NetLab:
    """A living lab, asked as the net commands ask it."""

    def __init__(self, folder: Path, network: str) -> None:
        self.live = LiveLab(folder / "lab", LabOptions(hsms=2, zones=2, seed_keys=0, network=network))
        self.live.start()
        self.live.create()
        self.live.add(ZONES[1])
        environ = {"HSMCTL_LAB_HOME": str(self.live.folder), "HSMCTL_STATE_HOME": str(folder / "state")}
        self.hsmctl = Hsmctl(load_settings(Flags(lab=True), environ), ask=lambda _: Secret(""))

    def inject(self, name: str, zone: str = "") -> LabFault:
        """The fault in force now, at the HSM of a zone if one is named."""
        hsm = next((hsm.hsm_id for hsm in self.live.hsms() if hsm.zone == zone), None)
        return self.live.program.inject(LabFault(name=name, hsm=hsm), None)

    def clear(self, fault: LabFault) -> None:
        self.live.program.clear(fault.fault_id)

    def explained(self) -> dict[str, tuple[Verdict, set[str]]]:
        """Verdict and codes for each zone."""
        hsmctl, cluster = self.hsmctl, self.live.cluster()
        collector = NetCollectService(
            clock=hsmctl.clock,
            identity=hsmctl.aws.identity(hsmctl.context.account_id),
            reader=AwsNetwork(hsmctl.aws.client, hsmctl.clock),
            cache=NoCache(),
        )
        clients = tuple(parse_client(entry.source) for entry in hsmctl.context.clients if entry.source)
        found = collector.collect(Ends(cluster=cluster, clients=clients))
        assert found.holes == ()
        assert SECRET not in json.dumps(found.document) + repr(found)
        zones = {hsm.hsm_id: hsm.zone for hsm in cluster.hsms}
        pairs = explain(load(found.document)).pairs
        return {zones[pair.hsm]: (pair.verdict, {str(each.code) for each in pair.findings}) for pair in pairs}

    def probed(self) -> dict[str, Answer]:
        """What the client host meets in each zone."""
        hsmctl, cluster = self.hsmctl, self.live.cluster()
        prober = TlsProber(hsmctl.clock, hsmctl.context.customer_ca, Patience(open=0.5, losses=1))
        probes = ProbeService(clock=hsmctl.clock, hosts=hsmctl.hosts, prober=prober)
        names = [entry.name for entry in hsmctl.context.clients if entry.host]
        zones = {hsm.hsm_id: hsm.zone for hsm in cluster.hsms}
        met = {}
        for pair, outcome in probes.probe(names, probe_targets(cluster), deadline=time.monotonic() + 20):
            assert isinstance(outcome, Ok), outcome
            met[zones[pair.target.hsm_id]] = outcome.value.answer
        return met


@pytest.fixture(scope="module")
def tgw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetLab]:
    lab = NetLab(tmp_path_factory.mktemp("tgw"), "tgw")
    yield lab
    lab.live.program.reset()


@pytest.fixture(scope="module")
def vpn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetLab]:
    lab = NetLab(tmp_path_factory.mktemp("vpn"), "vpn")
    yield lab
    lab.live.program.reset()


WELL = dict.fromkeys(ZONES, Answer.OPEN_TLS_SERVER)


def test_a_whole_network_is_reachable_and_probed_so(tgw: NetLab, vpn: NetLab) -> None:
    for lab in (tgw, vpn):
        assert {verdict for verdict, _ in lab.explained().values()} == {Verdict.REACHABLE}
        assert lab.probed() == WELL


def test_the_labs_aws_tells_the_keys_of_its_tunnels_and_no_answer_of_ours_does(vpn: NetLab) -> None:
    ec2: Any = vpn.hsmctl.aws.client("ec2", "us-east-1")
    [link] = ec2.describe_vpn_connections()["VpnConnections"]
    assert [tunnel["PreSharedKey"].startswith(SECRET) for tunnel in link["Options"]["TunnelOptions"]] == [True, True]
    assert SECRET in link["CustomerGatewayConfiguration"]
    assert set(vpn.explained()) == set(ZONES)  # which refuses a document that tells one


def test_a_zone_that_is_detached_is_silent_to_clients_and_open_to_the_lab(tgw: NetLab) -> None:
    fault = tgw.inject("net-zone-detached", ZONES[1])
    found = tgw.explained()
    assert found[ZONES[0]][0] is Verdict.REACHABLE
    assert found[ZONES[1]][0] is Verdict.BLOCKED
    assert "TGW_AZ_NOT_ATTACHED" in found[ZONES[1]][1]
    assert tgw.probed() == {ZONES[0]: Answer.OPEN_TLS_SERVER, ZONES[1]: Answer.TIMED_OUT}
    for hsm in tgw.live.hsms():
        tgw.live.inventory(hsm)
    tgw.clear(fault)
    assert {verdict for verdict, _ in tgw.explained().values()} == {Verdict.REACHABLE}
    assert tgw.probed() == WELL


def test_another_certificate_at_a_port_is_seen_by_the_probe_alone(tgw: NetLab) -> None:
    (hsm,) = (hsm for hsm in tgw.live.hsms() if hsm.zone == ZONES[0])
    fault = tgw.inject("net-certificate", ZONES[0])
    assert {verdict for verdict, _ in tgw.explained().values()} == {Verdict.REACHABLE}
    assert tgw.probed() == {ZONES[0]: Answer.OPEN_TLS_UNTRUSTED, ZONES[1]: Answer.OPEN_TLS_SERVER}
    tgw.live.inventory(hsm)
    tgw.clear(fault)
    assert tgw.probed() == WELL


def test_a_fault_outlives_the_supervisor_and_holds_for_new_hsms(vpn: NetLab) -> None:
    fault = vpn.inject("net-tunnels")
    vpn.live.program.stop()
    vpn.live.start()
    until(lambda: len(vpn.live.hsms()) == 2)
    (new,) = vpn.live.add(ZONES[0])
    found = vpn.explained()
    assert {verdict for verdict, _ in found.values()} == {Verdict.BLOCKED}
    assert all("VPN_TUNNELS_ALL_DOWN" in codes for _, codes in found.values())
    assert vpn.probed() == dict.fromkeys(ZONES, Answer.TIMED_OUT)
    vpn.clear(fault)
    vpn.live.plane.delete_hsm(vpn.live.cluster().cluster_id, new)
    assert vpn.probed() == WELL


def test_a_tunnel_less_is_no_obstacle(vpn: NetLab) -> None:
    fault = vpn.inject("net-tunnel")
    assert {verdict for verdict, _ in vpn.explained().values()} == {Verdict.DEGRADED}
    assert vpn.probed() == WELL
    vpn.clear(fault)


def test_the_client_host_belongs_to_the_lab(tgw: NetLab) -> None:
    status = tgw.live.program.status()
    assert status.client_host
    assert (status.client_host.name, status.client_host.state) == ("app1", "running")
    with pytest.raises(Conflict, match="other options"):
        tgw.live.program.start(LabOptions(hsms=2, zones=2, seed_keys=0, network="peering"))
    with pytest.raises(UsageError, match="no network moon"):
        tgw.live.program.start(LabOptions(network="moon"))


def test_the_client_host_ends_with_its_supervisor_however_that_ends(vpn: NetLab) -> None:
    status = vpn.live.program.status()
    assert status.client_host
    where = (status.client_host.address, status.client_host.port)
    os.kill(status.pid or 0, signal.SIGKILL)
    until(lambda: not listens(where))
    again = vpn.live.start().client_host
    assert again
    assert (again.address, again.port) == where
    assert listens(where)
    vpn.live.program.stop()
    assert not listens(where)


def listens(where: tuple[str, int]) -> bool:
    try:
        socket.create_connection(where).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return False  # the second is a listener that ends while one connects
    return True
