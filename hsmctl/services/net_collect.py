"""Collecting a snapshot of the network between clients and a cluster's HSMs: what AWS says, and what it did not say.

Questions go out in rounds: what the answers so far mention (`net_follow`), batched by kind, each round as one fan-out.
How many calls that takes depends on the ways there are, not on the number of HSMs. What could not be read, or was not
asked, is null in the snapshot, which no verdict takes for empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from hsmctl.domain.cluster import Cluster, Hsm
from hsmctl.domain.net_endpoint import Client
from hsmctl.domain.net_snapshot import Snapshot, read_snapshot
from hsmctl.errors import Conflict, UsageError
from hsmctl.ports import Clock, Identity, NetworkCache, NetworkReader
from hsmctl.services.net_ends import Ends
from hsmctl.services.net_follow import mentioned
from hsmctl.services.net_gathering import Gathering, Hole
from hsmctl.services.net_hidden import without_hidden
from hsmctl.services.net_want import Found

MIXED = timedelta(seconds=30)
"""Answers further apart than this may describe two states of the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What was collected and how it came about."""

    ends: Ends
    asked: Hsm
    """The HSM that is singled out."""
    port: int
    sections: Mapping[str, object]
    """The snapshot."""
    holes: tuple[Hole, ...]
    calls: int
    """Requests sent to EC2 and Direct Connect, every page counted; what the cache knew took none."""
    oldest: datetime
    newest: datetime

    @property
    def consistent(self) -> bool:
        """Whether all of it was read within half a minute."""
        return self.newest - self.oldest <= MIXED

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot, read."""
        return read_snapshot(self.sections)

    @property
    def document(self) -> dict[str, object]:
        """The document that `services.net` reads, ready for JSON; how it came about is in `_collection`."""
        cluster, clients = self.ends.cluster, [_client_row(client, self.ends.families) for client in self.ends.clients]
        return {
            "cluster": {"ClusterId": cluster.cluster_id, "SecurityGroup": cluster.security_group},
            "client": clients[0],
            **({"clients": clients} if len(clients) > 1 else {}),
            "hsm": _hsm_row(self.asked),
            "hsms": [_hsm_row(hsm) for hsm in self.ends.hsms],
            "port": self.port,
            "platform": self.ends.clients[0].platform or None,
            "snapshot": {**self.sections, "_collection": self._provenance()},
        }

    def _provenance(self) -> dict[str, object]:
        return {
            "region": self.ends.region,
            "oldest": self.oldest.isoformat(),
            "newest": self.newest.isoformat(),
            "consistency": "consistent" if self.consistent else "mixed",
            "calls": self.calls,
            "members": self.ends.members,
            "unreadable": [asdict(hole) for hole in self.holes],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NetCollectService:
    """Collects snapshots in one account."""

    clock: Clock
    identity: Identity
    reader: NetworkReader
    cache: NetworkCache
    seconds: float = 60.0
    """How long a collection may take; what has not answered by then was not read."""

    def collect(self, ends: Ends, *, port: int = 2223, hsm_id: str | None = None, fresh: bool = False) -> Collection:
        """A snapshot of everything between the clients and the HSMs; the document asks about this port and HSM.

        `fresh` asks AWS even where the cache knows.

        Raises:
            Conflict: the cluster has no HSM, or not this one.
            UsageError: no client is named.
            Denied: the credentials are not accepted, or are of another account than the context's.
        """
        if not (ends.clients or ends.members):
            raise UsageError("nobody to collect for", "no client is named", "hsmctl net collect --client ID|IP|CIDR")
        asked = _asked(ends.cluster, hsm_id)
        caller = self.identity.caller()
        calls = self.reader.calls
        gathering = Gathering(
            clock=self.clock,
            reader=self.reader,
            cache=self.cache,
            scope=f"{caller.arn.split(':')[1]} {caller.account}",
            deadline=self.clock.monotonic() + self.seconds,
            fresh=fresh,
        )
        _gather(gathering, ends)
        sections, hidden = without_hidden(gathering.sections(), gathering.asked, caller.account)
        times = gathering.times() or [self.clock.now()]
        return Collection(
            ends=ends,
            asked=asked,
            port=port,
            sections=sections,
            holes=(*gathering.holes(), *hidden),
            calls=self.reader.calls - calls,
            oldest=times[0],
            newest=times[-1],
        )


def _gather(gathering: Gathering, ends: Ends) -> None:
    """Ask until the answers mention nothing new."""
    wants = mentioned(ends, _found(gathering))
    while not wants <= gathering.asked:
        gathering.ask(wants)
        wants = mentioned(ends, _found(gathering))
    gathering.keep()


def _found(gathering: Gathering) -> Found:
    snapshot = read_snapshot(gathering.sections())
    return Found(snapshot=snapshot, rows=gathering.rows, asked=gathering.asked)


def _asked(cluster: Cluster, hsm_id: str | None) -> Hsm:
    """The HSM the document singles out: this one, else the first."""
    found = [hsm for hsm in cluster.hsms if hsm_id in (None, hsm.hsm_id)]
    if not found:
        raise Conflict(
            f"{hsm_id or 'no HSM'} in {cluster.cluster_id}",
            f"its HSMs are {', '.join(hsm.hsm_id for hsm in cluster.hsms) or 'none'}",
            f"hsmctl hsm list {cluster.cluster_id}",
        )
    return found[0]


def _client_row(client: Client, families: Sequence[int]) -> dict[str, object]:
    """The client as `services.net` reads it; an address has but one family."""
    where = client.address or client.cidr
    name = {"addr": str(where)} if where else {"id": client.name}
    vpc = {"vpc": client.vpc_id} if client.vpc_id else {}
    platform = {"platform": client.platform} if client.platform else {}
    return {"kind": str(client.kind), **name, **vpc, **platform, "family": where.family if where else families[0]}


def _hsm_row(hsm: Hsm) -> dict[str, str]:
    """The HSM as DescribeClusters writes it; what it does not have is left out there too."""
    fields = {
        "HsmId": hsm.hsm_id,
        "EniId": hsm.eni_id,
        "EniIp": hsm.address,
        "EniIpV6": hsm.address6,
        "State": hsm.state.upper(),
        "StateMessage": hsm.message,
        "SubnetId": hsm.subnet_id,
        "AvailabilityZone": hsm.zone,
    }
    return {key: value for key, value in fields.items() if value}
