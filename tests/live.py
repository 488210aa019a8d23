"""A live lab for tests: brought to where it should be through the same adapters as a real estate."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from hsmctl.adapters.authority import SoftwareAuthority
from hsmctl.adapters.aws import Aws, CloudHsmPlane
from hsmctl.adapters.clock import SystemClock
from hsmctl.adapters.lab import LabProgram
from hsmctl.adapters.token import AgentTokens
from hsmctl.domain.cluster import Cluster, ClusterState, Hsm
from hsmctl.domain.key import Key, KeyKind, KeySpec
from hsmctl.domain.sync import Inventory, Replica
from hsmctl.ports import LabOptions, LabStatus, Login
from hsmctl.secret import Secret

SECONDS = 20.0
"""How long anything here may take; a deadline, never a wait."""


class LiveLab:
    """One lab in a folder of its own."""

    def __init__(self, folder: Path, options: LabOptions) -> None:
        self.folder = folder
        self.options = options
        self.program = LabProgram(folder)
        self.plane: CloudHsmPlane

    def start(self) -> LabStatus:
        status = self.program.start(self.options)
        aws = Aws(
            region=status.env["AWS_REGION"],
            endpoint_url=status.endpoint_url,
            access_key_id=status.env["AWS_ACCESS_KEY_ID"],
            secret_access_key=Secret(status.env["AWS_SECRET_ACCESS_KEY"]),
        )
        self.plane = aws.plane
        return status

    def cluster(self) -> Cluster:
        (cluster,) = self.plane.clusters()
        return cluster

    def hsms(self) -> list[Hsm]:
        return sorted(self.cluster().active_hsms, key=lambda hsm: hsm.hsm_id)

    def create(self) -> str:
        """The id of a new cluster with one HSM, claimed and activated."""
        cluster_id = self.claim()
        self.program.activate(cluster_id)
        return cluster_id

    def claim(self) -> str:
        """The id of a new cluster with one HSM, claimed and not activated."""
        subnets = self.program.status().subnets or {}
        cluster = self.plane.create_cluster(
            hsm_type="hsm2m.medium", subnets=list(subnets.values()), mode="FIPS", tags={}
        )
        until(lambda: self.cluster().state is ClusterState.UNINITIALIZED)
        self.add(min(subnets))
        authority = SoftwareAuthority.in_lab(self.folder / "ca")
        csr = self.cluster().certificates.csr
        assert csr
        self.plane.initialize(cluster.cluster_id, authority.sign(csr), authority.certificate())
        until(lambda: self.cluster().state is ClusterState.INITIALIZED)
        return cluster.cluster_id

    def add(self, *zones: str) -> list[str]:
        """The ids of new HSMs, one in each zone, when all are ACTIVE."""
        cluster = self.cluster()
        made = [self.plane.create_hsm(cluster.cluster_id, zone).hsm_id for zone in zones]
        until(lambda: {*made} <= {hsm.hsm_id for hsm in self.hsms()})
        return made

    def generate(self, hsm: Hsm, kind: KeyKind, size: str, label: str) -> tuple[Key, ...]:
        spec = KeySpec(kind=kind, size=size, label=label.encode(), key_id=label.encode())
        with self.tokens().open(replica(hsm), self.login(), time.monotonic() + SECONDS) as token:
            return token.generate(spec)

    def inventory(self, hsm: Hsm, login: Login | None = None) -> Inventory:
        with self.tokens().open(replica(hsm), login or self.login(), time.monotonic() + SECONDS) as token:
            return token.inventory()

    def tokens(self) -> AgentTokens:
        return AgentTokens(SystemClock(), self.folder / "locks", self.folder / "ca" / "customer-ca.pem")

    def login(self) -> Login:
        return Login(user="ops_cu", password=Secret((self.folder / "secrets" / "ops_cu").read_text()))


def replica(hsm: Hsm) -> Replica:
    return Replica(name=hsm.hsm_id, address=f"tls:{hsm.address}:2223")


def until(reached: Callable[[], bool]) -> None:
    """Return as soon as it is so."""
    deadline = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)
