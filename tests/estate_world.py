"""What interlocks ask, in memory: key stores, counts of keys, holds, the customer CA; well until it is bent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hsmctl.domain.cluster import Cluster
from hsmctl.domain.hold import Hold
from hsmctl.domain.interlock import KeyStore, Sample, Samples
from hsmctl.domain.preflight import Quota, Subnet
from hsmctl.errors import HsmctlError
from hsmctl.services.interlock import COUNTED, UNHEALTHY, Interlocks

if TYPE_CHECKING:
    from world import FakeClock, FakePlane


@dataclass
class FakeEstate:
    """ports_interlock.KeyStores, Metrics and CustomerCa, and ports_hold.Holds."""

    stores: tuple[KeyStore, ...] = ()
    stores_error: HsmctlError | None = None
    keys: dict[str, Sequence[float]] = field(default_factory=dict)
    """Token keys by HSM, minute by minute up to now; five where nothing is said."""
    keys_error: HsmctlError | None = None
    sick: set[str] = field(default_factory=set)
    """HSMs that CloudWatch calls unhealthy."""
    sick_error: HsmctlError | None = None
    others: dict[str, float] = field(default_factory=lambda: {"HsmUsersAvailable": 1_020.0, "HsmSessionCount": 3.0})
    """What every HSM says of other metrics."""
    held: dict[str, Hold] = field(default_factory=dict)
    hold_error: HsmctlError | None = None
    ca_error: HsmctlError | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def interlocks(self, plane: FakePlane, clock: FakeClock) -> Interlocks:
        """The real ones over this."""
        self.now = clock.now
        return Interlocks(
            clock=clock,
            plane=plane,
            holds=FakeHolds(self),
            key_stores=FakeKeyStores(self),
            metrics=FakeMetrics(self),
            customer_ca=FakeCa(self),
            span=timedelta(minutes=15),
        )


@dataclass
class FakeKeyStores:
    estate: FakeEstate

    def all(self) -> tuple[KeyStore, ...]:
        if self.estate.stores_error:
            raise self.estate.stores_error
        return self.estate.stores


@dataclass
class FakeMetrics:
    estate: FakeEstate

    def samples(self, cluster_id: str, hsm_ids: Sequence[str], metric: str, span: timedelta) -> Samples:
        estate = self.estate
        error = estate.keys_error if metric == COUNTED else estate.sick_error
        if error:
            raise error
        return {name: self._values(name, metric) for name in hsm_ids}

    def _values(self, name: str, metric: str) -> list[Sample]:
        known: Mapping[str, Sequence[float]] = {
            COUNTED: self.estate.keys.get(name, (5.0,)),
            UNHEALTHY: (float(name in self.estate.sick),),
        }
        values = known.get(metric, (self.estate.others[metric],) if metric in self.estate.others else ())
        count = len(values)
        return [
            Sample(self.estate.now() - timedelta(minutes=count - place), value) for place, value in enumerate(values)
        ]


@dataclass
class FakeHolds:
    estate: FakeEstate

    def all(self) -> tuple[Hold, ...]:
        return tuple(self.estate.held.values())

    def of(self, cluster_id: str) -> Hold | None:
        if self.estate.hold_error:
            raise self.estate.hold_error
        return self.estate.held.get(cluster_id)

    def put(self, hold: Hold) -> None:
        self.estate.held[hold.cluster_id] = hold

    def release(self, cluster_id: str) -> None:
        self.estate.held.pop(cluster_id, None)


@dataclass
class FakeCa:
    estate: FakeEstate

    def located(self, cluster: Cluster) -> str:
        if self.estate.ca_error:
            raise self.estate.ca_error
        return "/ca.pem, SHA-256 00"


@dataclass
class FakeGrounds:
    """ports_cluster.Grounds: three subnets in three zones of one VPC, unless told."""

    known: tuple[Subnet, ...] = tuple(
        Subnet(subnet_id=f"subnet-{zone}", vpc_id="vpc-0a1b2c3d", zone=f"eu-central-1{zone}", free=200)
        for zone in "abc"
    )
    most: int = 4
    documented: bool = True

    def subnets(self, ids: Sequence[str]) -> tuple[Subnet, ...]:
        return tuple(subnet for subnet in self.known if subnet.subnet_id in ids)

    def quota(self) -> Quota:
        return Quota(self.most, documented=self.documented)
