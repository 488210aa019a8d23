"""The lab's one daemon: owns the folder, serves the gateway, runs the fleet, and ends everything when it is told to.

Knows the order in which things start and stop. The parts know their own work: `fleet` the HSMs, `cloudhsm` the service,
`gateway` the endpoint.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hsmctl.lab.cloudhsm import CloudHsm, Site, Subnet
from hsmctl.lab.configuration import REGION, Configuration, Options, claim, make
from hsmctl.lab.context import CRYPTO_USER, write_context
from hsmctl.lab.fleet import Fleet, Machine
from hsmctl.lab.folder import LabFolder, write_private
from hsmctl.lab.gateway import Control, Credentials, Gateway, serve
from hsmctl.lab.owner import Owned, end_owner, own
from hsmctl.lab.sts import Sts
from hsmctl.lab.wire import Service

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

_SETTLE_SECONDS = 60.0
_POLL_SECONDS = 0.1
"""How soon the gateway notices that it is to stop."""

_log = logging.getLogger(__name__)


def run(lab: LabFolder, options: Options, announce: Callable[[], None]) -> None:
    """Serve the lab until SIGTERM or the control call `stop`; `announce` is called when it is up.

    Raises:
        Conflict: the lab was made with other options or by another version, or its network is taken.
    """
    _take(lab)
    configuration, claimed = _open(lab, options)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with claimed:
        fleet = Fleet(lab, configuration.networks)
        try:
            _serve(lab, configuration, fleet, stopping, announce)
        finally:
            lab.supervisor.unlink(missing_ok=True)
            fleet.close()
            _log.info("the lab is down")


def _take(lab: LabFolder) -> None:
    """Own the folder, in place of a supervisor that no longer answers if need be."""
    try:
        own(lab.lock)
    except Owned:
        _log.warning("supervisor %s does not answer and is ended", end_owner(lab.lock))
        own(lab.lock)
    lab.supervisor.unlink(missing_ok=True)


def _open(lab: LabFolder, options: Options) -> tuple[Configuration, socket.socket]:
    """The lab of the folder, made if there is none, with its network claimed."""
    configuration = Configuration.read(lab)
    if configuration:
        configuration.check(options)
        return configuration, claim(configuration)
    return make(lab, options)


def _serve(
    lab: LabFolder,
    configuration: Configuration,
    fleet: Fleet,
    stopping: threading.Event,
    announce: Callable[[], None],
) -> None:
    """Run everything until `stopping`."""
    fleet.load()
    service = CloudHsm(lab, _site(configuration), fleet, time.time, configuration.options.delay)
    control = _Control(lab, configuration, fleet, service, stopping)
    server = _listen(configuration, service, control)
    configuration = configuration.listening(server.port)
    configuration.write(lab)
    write_context(lab, configuration)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), name="gateway")
    thread.start()
    try:
        fleet.settle(_SETTLE_SECONDS)
        write_private(lab.supervisor, json.dumps({"pid": os.getpid(), "port": server.port}).encode())
        _log.info("the lab is up at port %d", server.port)
        announce()
        stopping.wait()
    finally:
        server.shutdown()
        thread.join()


def _site(configuration: Configuration) -> Site:
    """The lab's network as the emulated service sees it."""
    subnets = {
        zone: Subnet(subnet_id=configuration.subnets[zone], cidr=str(network))
        for zone, network in configuration.networks.items()
    }
    return Site(account_id=configuration.account_id, region=REGION, vpc_id=configuration.vpc_id, subnets=subnets)


def _listen(configuration: Configuration, service: CloudHsm, control: _Control) -> BaseWSGIServer:
    """The gateway's server, at the port it had before if that is free: clients out there know it."""
    services: Mapping[str, Service] = {"cloudhsm": service, "sts": Sts(configuration.account_id)}
    credentials = Credentials(access_key_id=configuration.access_key_id, control_token=configuration.control_token)
    app = Gateway(services, credentials, control.calls())
    try:
        return serve(app, "127.0.0.1", configuration.port)
    except OSError:
        return serve(app, "127.0.0.1")


class _Control:
    """The supervisor's own calls, for the lab's commands."""

    def __init__(
        self,
        lab: LabFolder,
        configuration: Configuration,
        fleet: Fleet,
        service: CloudHsm,
        stopping: threading.Event,
    ) -> None:
        self._lab = lab
        self._configuration = configuration
        self._fleet = fleet
        self._service = service
        self._stopping = stopping

    def calls(self) -> Mapping[str, Control]:
        """The handlers by name."""
        return {"status": self._status, "repair": self._repair, "activate": self._activate, "stop": self._stop}

    def _status(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        there = (machine for machine in self._fleet.machines() if not machine.folder.removing.exists())
        return {"nodes": [_described(machine) for machine in there]}

    def _repair(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        self._fleet.repair()
        self._fleet.settle(_SETTLE_SECONDS)
        return {}

    def _activate(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """What `cloudhsm-cli cluster activate` does on the HSMs, then what the service makes of it."""
        cluster_id = str(asked["cluster_id"])
        self._fleet.activate(cluster_id, self._password("admin"), {CRYPTO_USER: self._password(CRYPTO_USER)})
        self._service.activate(cluster_id)
        return {}

    def _stop(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        self._stopping.set()
        return {}

    def _password(self, user: str) -> str:
        """The user's password in this lab, chosen when it is first needed."""
        path = self._lab.secret(user)
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24).encode())
        return path.read_text()


def _described(machine: Machine) -> Mapping[str, object]:
    """A node as the lab's status shows it."""
    process = machine.process
    place = machine.place
    return {
        "hsm_id": place.hsm_id,
        "cluster_id": place.cluster_id,
        "zone": place.zone,
        "address": place.address,
        "state": str(machine.state),
        "pid": process.pid if process and process.alive else None,
    }
