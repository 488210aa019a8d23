"""An emulated AWS for tests: the lab's gateway and CloudHSM service over HTTP, machines that are only words.

`with EmulatedAws(folder) as aws:` serves it; `aws.client("cloudhsmv2")` is a real boto3 client of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Self

import pytest
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import ClientError
from certificates import root

from hsmctl.lab.audit import AuditTrail
from hsmctl.lab.cloudhsm import CloudHsm, Site, Subnet
from hsmctl.lab.emulation import Sources, call_trail, moto, router
from hsmctl.lab.folder import LabFolder
from hsmctl.lab.gateway import Control, Credentials, Gateway, serve
from hsmctl.lab.machines import MachineState, Place
from hsmctl.lab.routing import Router
from hsmctl.lab.sts import Sts
from hsmctl.lab.wire import Answer, Call, Service

BotoClient = Any
"""A boto3 client, whose methods exist at run time only."""

ANYBODY = "cluster-aaaaaaaaaaa"
"""A cluster that is not there."""

Shown = Any
"""A structure as boto3 shows it."""

ACCOUNT = "123456789012"
REGION = "eu-central-1"
OTHER_REGION = "us-west-2"
VPC = "vpc-0123456789abcdef0"
KEY_ID = "AKIALABLABLABLAB0000"
CONTROL_TOKEN = "control-token"
SUBNETS = {
    "eu-central-1a": Subnet(subnet_id="subnet-0aaaaaaaaaaaaaaaa", cidr="127.16.1.0/24"),
    "eu-central-1b": Subnet(subnet_id="subnet-0bbbbbbbbbbbbbbbb", cidr="127.16.2.0/24"),
    "eu-central-1c": Subnet(subnet_id="subnet-0cccccccccccccccc", cidr="127.16.3.0/24"),
}
SUBNET_IDS = [subnet.subnet_id for subnet in SUBNETS.values()]
ZONES = list(SUBNETS)


class HandClock:
    """Seconds since the epoch that move by hand."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.seconds = now

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


@dataclass
class FakeMachines:
    """lab.machines.Machines without processes: `built` becomes the state of whatever is built."""

    built: MachineState = MachineState.RUNNING
    removed: MachineState = MachineState.GONE
    places: dict[str, Place] = field(default_factory=dict)
    originals: dict[str, str | None] = field(default_factory=dict)
    states: dict[str, MachineState] = field(default_factory=dict)
    certified: dict[str, tuple[str, str]] = field(default_factory=dict)

    def free_address(self, zone: str, wanted: str | None = None) -> str | None:
        network = SUBNETS[zone].cidr.removesuffix("0/24")
        used = {place.address for place in self.places.values()}
        free = [f"{network}{host}" for host in range(4, 255) if f"{network}{host}" not in used]
        if wanted:
            return wanted if wanted in free else None
        return next(iter(free), None)

    def build(self, place: Place, clone_of: str | None) -> None:
        self.places[place.hsm_id] = place
        self.originals[place.hsm_id] = clone_of
        self.states[place.hsm_id] = self.built

    def back_up(self, hsm_id: str, backup_id: str) -> bool:
        return self.states.get(hsm_id) is MachineState.RUNNING

    def counts(self, hsm_id: str) -> Mapping[str, Any] | None:
        if self.state(hsm_id) is not MachineState.RUNNING:
            return None
        return {"objects": 7, "users": ["admin", "app_user", "ops_cu"], "sessions": 2}

    def state(self, hsm_id: str) -> MachineState:
        return self.states.get(hsm_id, MachineState.GONE)

    def certify(self, hsm_id: str, certificate: str, key: str) -> None:
        self.certified[hsm_id] = (certificate, key)

    def remove(self, hsm_id: str) -> None:
        self.states[hsm_id] = self.removed
        self.places.pop(hsm_id, None)


class EmulatedAws:
    """The emulated AWS, served while the context lasts."""

    def __init__(
        self, folder: Path, delay: float = 0.0, control: Mapping[str, Control] | None = None, *, whole: bool = False
    ) -> None:
        self.folder = LabFolder(folder)
        self.whole = whole
        """Whether moto answers what our own services do not."""
        self.delay = delay
        self.now = HandClock()
        self.machines = FakeMachines()
        self.audit = AuditTrail(self.folder.audit, self.now)
        self.cloudhsm = self.restart()
        self.before: list[tuple[str, str, str]] = []
        """Service, operation and region of every call."""
        self._clients: list[BotoClient] = []
        credentials = Credentials(access_key_id=KEY_ID, control_token=CONTROL_TOKEN)
        gateway = Gateway(self.make_router(), credentials, control or {"echo": lambda asked: asked})
        self._server = serve(gateway, "127.0.0.1")
        self.url = f"http://127.0.0.1:{self._server.port}"
        self.answer_calls = 0
        self.instead: Service | None = None
        """What answers in place of the emulated CloudHSM."""

    def restart(self) -> CloudHsm:
        """The service as a new process would find it: from its file alone."""
        site = Site(account_id=ACCOUNT, region=REGION, vpc_id=VPC, subnets=SUBNETS)
        self.cloudhsm = CloudHsm(self.folder, site, self.machines, self.now, self.delay)
        return self.cloudhsm

    def make_router(self) -> Router:
        """What answers AWS calls."""
        if self.whole:
            site = Site(account_id=ACCOUNT, region=REGION, vpc_id=VPC, subnets=SUBNETS)
            sources = Sources(site=site, cloudhsm=self.cloudhsm, counts=self.machines.counts, audit=self.audit)
            rest = moto(self.folder, KEY_ID, sources, time.time)
            trail = call_trail(self.folder, ACCOUNT, KEY_ID, rest, self.now)
            return router(self, rest, ACCOUNT, KEY_ID, lambda *call: self.before.append(call), trail=trail)
        return Router(services={"cloudhsm": self}, gaps={("sts", "GetCallerIdentity"): Sts(ACCOUNT).answer})

    def answer(self, call: Call) -> Answer:
        """Whatever the service of today answers."""
        self.answer_calls += 1
        return (self.instead or self.cloudhsm).answer(call)

    def client(self, service: str = "cloudhsmv2", region: str = REGION, key_id: str = KEY_ID) -> BotoClient:
        """A boto3 client that tries once more."""
        client = _session().client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=key_id,
            aws_secret_access_key="secret",
            config=Config(retries={"mode": "standard", "total_max_attempts": 2}, proxies={}),
        )
        self._clients.append(client)
        return client

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        self._server.shutdown()


@cache
def _session() -> Session:
    """One session, so that its loader reads each service model once."""
    return Session()


def create(hsms: BotoClient, **options: object) -> str:
    """The id of a new cluster in three zones."""
    asked = {"HsmType": "hsm2m.medium", "SubnetIds": SUBNET_IDS, "Mode": "FIPS", **options}
    cluster_id: str = hsms.create_cluster(**asked)["Cluster"]["ClusterId"]
    return cluster_id


def add_hsm(hsms: BotoClient, cluster_id: str, zone: str = ZONES[0], **options: object) -> Shown:
    return hsms.create_hsm(ClusterId=cluster_id, AvailabilityZone=zone, **options)["Hsm"]


def cluster(hsms: BotoClient, cluster_id: str) -> Shown:
    return hsms.describe_clusters(Filters={"clusterIds": [cluster_id]})["Clusters"][0]


def backups(hsms: BotoClient, **filters: list[str]) -> Shown:
    return hsms.describe_backups(Filters=filters)["Backups"]


def claim(aws: EmulatedAws, hsms: BotoClient, cluster_id: str) -> str:
    """Initialize a cluster whose first HSM is there; the certificate it was given."""
    authority = root("customer CA", aws.now.moment)
    signed = authority.sign(cluster(hsms, cluster_id)["Certificates"]["ClusterCsr"], aws.now.moment)
    hsms.initialize_cluster(ClusterId=cluster_id, SignedCert=signed, TrustAnchor=authority.pem)
    return signed


def active(aws: EmulatedAws, hsms: BotoClient) -> str:
    """The id of an ACTIVE cluster with one HSM."""
    cluster_id = create(hsms)
    add_hsm(hsms, cluster_id)
    claim(aws, hsms, cluster_id)
    aws.cloudhsm.activate(cluster_id)
    return cluster_id


def refusal(hsms: BotoClient, operation: str, **asked: object) -> tuple[str, str]:
    """The code and the message a call is refused with."""
    with pytest.raises(ClientError) as refused:
        getattr(hsms, operation)(**asked)
    error = refused.value.response["Error"]
    assert isinstance(refused.value, getattr(hsms.exceptions, error["Code"], ClientError))
    return error["Code"], error["Message"]
