"""The lab's one daemon: owns the folder, serves the gateway, runs the fleet, and ends everything when it is told to.

Knows the order in which things start and stop. The parts know their own work: `fleet` the HSMs, `cloudhsm` the service,
`gateway` the endpoint.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hsmctl.lab.audit import AuditTrail
from hsmctl.lab.client_host import ClientHost
from hsmctl.lab.client_software import install, write_role
from hsmctl.lab.cloudhsm import CloudHsm, Site, Subnet
from hsmctl.lab.configuration import REGION, Configuration, Options, claim, make
from hsmctl.lab.context import CRYPTO_USER, write_context
from hsmctl.lab.control import SETTLE_SECONDS, Control
from hsmctl.lab.effect import Effects
from hsmctl.lab.emulation import Sources, call_trail, moto, router, warm_when_quiet
from hsmctl.lab.fault import Family, FaultBook
from hsmctl.lab.fault_certificate import CertificateFaults
from hsmctl.lab.fault_client import ClientFaults
from hsmctl.lab.fault_key import KeyFaults
from hsmctl.lab.fault_policy import PolicyFaults
from hsmctl.lab.fault_process import CloudFaults, ProcessFaults, ReplicationFaults
from hsmctl.lab.fault_service import ServiceFaults
from hsmctl.lab.fault_user import UserFaults
from hsmctl.lab.fleet import Fleet
from hsmctl.lab.folder import LabFolder, write_private
from hsmctl.lab.gap_kms import kms_gaps
from hsmctl.lab.gap_network import network_gaps
from hsmctl.lab.gateway import Credentials, Gateway, serve
from hsmctl.lab.network import LabNetwork
from hsmctl.lab.owner import Owned, end_owner, own, still_owned
from hsmctl.lab.trouble import Handler, Trouble
from hsmctl.lab.weather import TamperedService, Weather

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

_LOOK_SECONDS = 0.25
"""How often the supervisor looks whether a fault heals and whether its folder is still there."""
_POLL_SECONDS = 0.1
"""How soon the gateway notices that it is to stop."""

_log = logging.getLogger(__name__)


def run(lab: LabFolder, options: Options, announce: Callable[[], None]) -> None:
    """Serve the lab until SIGTERM, the control call `stop`, or the end of its folder; `announce` says that it is up.

    Raises:
        Conflict: the lab was made with other options or by another version, or its network is taken.
    """
    held = _take(lab)
    configuration, claimed = _open(lab, options)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with claimed:
        parts = _Parts(lab, configuration)
        try:
            _serve(lab, configuration, parts, stopping, held, announce)
        finally:
            lab.supervisor.unlink(missing_ok=True)
            parts.fleet.close()
            _log.info("the lab is down")


def _take(lab: LabFolder) -> int:
    """Own the folder, in place of a supervisor that no longer answers if need be; what holds its lock."""
    try:
        held = own(lab.lock)
    except Owned:
        _log.warning("supervisor %s does not answer and is ended", end_owner(lab.lock))
        held = own(lab.lock)
    lab.supervisor.unlink(missing_ok=True)
    return held


def _open(lab: LabFolder, options: Options) -> tuple[Configuration, socket.socket]:
    """The lab of the folder, made if there is none, with its network claimed."""
    configuration = Configuration.read(lab)
    if configuration:
        configuration.check(options)
        return configuration, claim(configuration)
    return make(lab, options)


class _Parts:
    """What a supervisor is made of."""

    def __init__(self, lab: LabFolder, configuration: Configuration) -> None:
        book = FaultBook(lab.faults)
        effects, site = Effects(lab, book), _site(configuration)
        self.audit = AuditTrail(lab.audit, time.time)
        self.fleet = Fleet(lab, configuration.networks, effects, self.audit)
        self.fleet.load()
        self.service = CloudHsm(lab, site, self.fleet, time.time, configuration.options.delay)
        sources = Sources(site=site, cloudhsm=self.service, counts=self.fleet.counts, audit=self.audit)
        self.rest = moto(lab, configuration.access_key_id, sources, time.time)
        self.network = LabNetwork(lab, configuration, book, self.service.clusters, self.fleet.running)
        self.fleet.on_change = self.network.tell
        self.fleet.on_activated = self.service.activate
        self.client = ClientHost(lab.client)
        self.router = router(
            TamperedService(self.service, book),
            self.rest,
            site.account_id,
            configuration.access_key_id,
            Weather(book, REGION).before,
            {
                **network_gaps(self.network.document, REGION, self.rest, beside=lambda: self.rest.changed),
                **kms_gaps(lab.aws / "kms.json", REGION, self.service.clusters, time.time),
            },
            call_trail(lab, site.account_id, configuration.access_key_id, self.rest, time.time),
        )
        self.trouble = Trouble(
            book=book,
            clock=time.time,
            exists=self.fleet.machine,
            handlers=self._handlers(lab, book, effects),
        )

    def _handlers(self, lab: LabFolder, book: FaultBook, effects: Effects) -> Mapping[Family, Handler]:
        """What carries out the faults of each family."""
        return {
            Family.PROCESS: ProcessFaults(book=book, effects=effects, fleet=self.fleet),
            Family.SERVICE: ServiceFaults(book=book, run=self.service.intervene, succeed=self.fleet.succeed),
            Family.KEYS: KeyFaults(lab=lab, book=book, siblings=self.fleet.siblings, replicator=self.fleet.replicator),
            Family.REPLICATION: ReplicationFaults(self.fleet.replicator),
            Family.USERS: UserFaults(lab=lab, book=book, put=self.fleet.put_user, default=CRYPTO_USER),
            Family.POLICIES: PolicyFaults(
                lab=lab,
                book=book,
                put=self.fleet.put_policies,
                expire=self.fleet.expire_tokens,
                hsms=lambda: [machine.place.hsm_id for machine in self.fleet.machines()],
            ),
            Family.CLIENT: ClientFaults(
                installation=self.client.installation,
                book=book,
                address=lambda hsm_id: self.fleet.machine(hsm_id).place.address,
            ),
            Family.CERTIFICATE: CertificateFaults(lab=lab, book=book, certify=self.fleet.show_certificate),
            Family.CLOUD: CloudFaults(),
            Family.NETWORK: self.network,
        }


def _serve(
    lab: LabFolder,
    configuration: Configuration,
    parts: _Parts,
    stopping: threading.Event,
    held: int,
    announce: Callable[[], None],
) -> None:
    """Run everything until `stopping`, or until the folder is gone whose lock is held."""
    control = Control(lab, parts.fleet, parts.service, parts.client, parts.trouble, stopping)
    credentials = Credentials(access_key_id=configuration.access_key_id, control_token=configuration.control_token)
    handlers = {**control.calls(), "calls": lambda _: dict(parts.router.asked)}
    gateway = Gateway(parts.router, credentials, handlers)
    server = _listen(gateway, configuration.port)
    configuration = configuration.listening(server.port)
    configuration.write(lab)
    _equip(lab, configuration, parts.network.ground.client_name)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), name="gateway")
    thread.start()
    try:
        parts.client.start()
        parts.fleet.settle(SETTLE_SECONDS)
        parts.network.tell()
        parts.trouble.resume()
        write_private(lab.supervisor, json.dumps({"pid": os.getpid(), "port": server.port}).encode())
        _log.info("the lab is up at port %d", server.port)
        announce()
        warm_when_quiet(parts.rest, lambda: gateway.last_call, stopping)
        while still_owned(held, lab.lock) and not stopping.wait(_LOOK_SECONDS):
            parts.trouble.heal()
    finally:
        stopping.set()
        server.shutdown()
        thread.join()
        parts.client.stop()


def _equip(lab: LabFolder, configuration: Configuration, client_name: str) -> None:
    """Install the client host's software, with a role that finds this gateway, and tell hsmctl of both."""
    installation = install(lab.client)
    write_role(
        lab.client, REGION, configuration.endpoint_url, configuration.access_key_id, configuration.secret_access_key
    )
    write_context(lab, configuration, client_name, installation)


def _site(configuration: Configuration) -> Site:
    """The lab's network as the emulated service sees it."""
    subnets = {
        zone: Subnet(subnet_id=configuration.subnets[zone], cidr=str(network))
        for zone, network in configuration.networks.items()
    }
    return Site(account_id=configuration.account_id, region=REGION, vpc_id=configuration.vpc_id, subnets=subnets)


def _listen(gateway: Gateway, port: int) -> BaseWSGIServer:
    """The gateway's server, at the port it had before if that is free: clients out there know it."""
    try:
        return serve(gateway, "127.0.0.1", port)
    except OSError:
        return serve(gateway, "127.0.0.1")
